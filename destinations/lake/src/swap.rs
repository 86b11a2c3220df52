//! Tables that are built beside others, and take their places.
//!
//! Until then nobody sees them: their files lie below `_tributary/next/`, under names that no pattern
//! for Parquet matches, and no catalog of Iceberg knows them. The load that swaps one in copies its
//! files, byte by byte, into uploads under the table's own name. So they appear with that load's entry
//! as all files do, and the old ones go with it. // G1 G7
//!
//! A table beside is changed by copying on write, whatever becomes of it: position deletes name files by
//! where they lie.

use std::sync::Arc;

use arrow_schema::Field;
use tributary_model::{Error, Old, Result, TableName, TablePlan};

use crate::folder::read_range;
use crate::layout::conform;
use crate::merge::Held;
use crate::place;
use crate::read::Source;
use crate::session::{Session, claim};
use crate::site::Site;
use crate::table::{DataFile, Definition, Table, TableChange};
use crate::target::Target;
use crate::upload::{ReadBack, Sink, Uploading};
use crate::writer::Ended;
use tributary_store::local;

/// Bytes of a file that are copied at once. // G6
const PIECE: u64 = 4 << 20;

impl Session {
    /// Begins a table anew that is built beside another one.
    pub(crate) fn renew(&mut self, plan: &Arc<TablePlan>, like: Option<&TableName>) -> Result<()> {
        let like = like.and_then(|name| self.definition_of(name));
        self.targets.remove(&plan.table);
        let base = self.snapshot.tables.get(&plan.table).cloned();
        let target = Target::beside(&self.site, plan, base, like.as_ref())?;
        self.rejections.void(&plan.stream, &plan.table);
        self.beside.insert(plan.stream.clone(), plan.table.clone());
        self.targets.insert(plan.table.clone(), target);
        Ok(())
    }

    /// Puts the table beside in the place of another one.
    pub(crate) fn swap(
        &mut self,
        plan: &Arc<TablePlan>,
        beside: &TableName,
        old: &Old,
    ) -> Result<()> {
        let mut next = self.taken(beside)?;
        next.close()?;
        let base = self.snapshot.tables.get(&plan.table).cloned();
        match old {
            Old::Gone => drop(self.targets.remove(&plan.table)),
            Old::Kept(name) => self.keep(plan, name)?,
            Old::Continued => {
                return Err(Error::bug(format!(
                    "{} can't be continued: this destination keeps no histories",
                    plan.table
                )));
            }
        }
        if base.is_none() {
            self.make_ours(plan)?;
        }
        let generation = base
            .as_ref()
            .map_or(0, |base| base.definition.generation + 1);
        let definition = Definition {
            table: plan.table.clone(),
            beside: None,
            generation,
            ..next.definition.clone()
        };
        let mut swapped = Target::in_place(&self.site, plan, base, definition)?;
        self.place(&swapped)?;
        swapped.carry(&mut next)?;
        self.targets.insert(plan.table.clone(), swapped);
        self.dropped.extend(next.dropped());
        self.beside.remove(&plan.stream);
        self.rejections.moved(plan, beside, old);
        Ok(())
    }

    /// Lets the table that loses its place stay under another name.
    fn keep(&mut self, plan: &Arc<TablePlan>, name: &TableName) -> Result<()> {
        let mut live = self.taken(&plan.table)?;
        live.close()?;
        let kept = Arc::new(TablePlan {
            table: name.clone(),
            ..(*live.plan).clone()
        });
        if self.definition_of(name).is_some() {
            return Err(Error::bug(format!("there is a table {name} already")));
        }
        self.make_ours(&kept)?;
        let definition = Definition {
            table: name.clone(),
            ..live.definition.clone()
        };
        let mut target = Target::in_place(&self.site, &kept, None, definition)?;
        self.place(&target)?;
        target.carry(&mut live)?;
        self.targets.insert(name.clone(), target);
        Ok(())
    }

    /// A table as this load has it so far, out of the load's hands.
    fn taken(&mut self, name: &TableName) -> Result<Target> {
        if let Some(target) = self.targets.remove(name) {
            return Ok(target);
        }
        let base = self.snapshot.tables.get(name).cloned();
        let base = base.ok_or_else(|| Error::bug(format!("there is no table {name}")))?;
        let plan = base.definition.plan();
        Target::prepare(&self.site, &Arc::new(plan), Some(base))
    }

    fn definition_of(&self, name: &TableName) -> Option<Definition> {
        let target = self.targets.get(name);
        let known = self.snapshot.tables.get(name);
        target
            .map(|target| target.definition.clone())
            .or_else(|| known.map(|table| table.definition.clone()))
    }

    fn place(&self, target: &Target) -> Result<()> {
        let of = &self.fence.connection;
        match &self.site.iceberg {
            Some(iceberg) => self.site.wait(iceberg.place(of, &target.definition)),
            None => Ok(()),
        }
    }

    fn make_ours(&self, plan: &TablePlan) -> Result<()> {
        claim(&self.site, &self.fence, plan)?;
        match &self.site.iceberg {
            Some(iceberg) => {
                let of = &self.fence.connection;
                self.site.wait(iceberg.admit(of, &plan.table))
            }
            None => Ok(()),
        }
    }
}

impl Target {
    /// A table beside another one, with the columns of that one to begin with.
    fn beside(
        site: &Arc<Site>,
        plan: &Arc<TablePlan>,
        base: Option<Arc<Table>>,
        like: Option<&Definition>,
    ) -> Result<Self> {
        let mut definition = Definition::new(plan);
        definition.beside = Some(plan.table.clone());
        if let Some(like) = like {
            definition.beside = Some(like.table.clone());
            definition.begin_like(like, plan);
        }
        definition.follow(plan, site.config.format)?;
        Self::in_place(site, plan, base, definition)
    }

    /// A table that begins anew, whatever has its place.
    fn in_place(
        site: &Arc<Site>,
        plan: &Arc<TablePlan>,
        base: Option<Arc<Table>>,
        definition: Definition,
    ) -> Result<Self> {
        let mut target = Self::of(site, plan, base, definition)?;
        if let Some(base) = &target.base {
            target.removed.extend(base.keys().cloned());
        }
        Ok(target)
    }

    /// Takes over all rows that another table of the same layouts has.
    fn carry(&mut self, from: &mut Self) -> Result<()> {
        from.gather()?;
        if from.written.iter().any(|file| file.sealed.file.is_none()) {
            return Err(Error::bug(format!(
                "files of {} went up without a copy, and can't be taken over",
                from.plan.table
            )));
        }
        from.know_erased()?;
        let mut roller = self.roller(None)?;
        for held in from.held() {
            if from.gone_rows(&held)?.is_empty() {
                let carried = self.copy_of(&held)?;
                self.ended.push(carried);
                continue;
            }
            for rows in from.live_rows(&held)? {
                let rows = rows?;
                let default = |field: &Field| from.default(field, rows.num_rows());
                roller.write(&conform(&rows, &self.schema, default)?)?;
            }
        }
        self.ended.extend(roller.finish()?);
        Ok(())
    }

    /// The same file under a name of this table's own.
    fn copy_of(&self, held: &Held) -> Result<Ended> {
        let (file, size) = (&held.file, held.file.bytes);
        let folder = self.definition.folder();
        let key = place::data_file(&folder, &file.partition, self.site.sequence);
        let mut uploading = Uploading::new(&self.site, &key, ReadBack::Maybe);
        let mut sink = Sink::default();
        let mut at = 0;
        while at < size {
            let range = at..size.min(at + PIECE);
            at = range.end;
            let bytes = match &held.source {
                Source::Object(key) => self.site.wait(self.site.store.get_range(key, range))?,
                Source::Local(path) => {
                    read_range(path, range).map_err(|cause| local(&cause, path))?
                }
            };
            sink.add(&bytes);
            uploading.send_full_parts(&mut sink)?;
        }
        let ending = uploading.end(sink)?;
        let file = DataFile {
            key,
            ..file.clone()
        };
        Ok(Ended::new(file, ending))
    }

    /// What the log says of a table that is no more; nothing where it never knew it.
    fn dropped(&self) -> Option<TableChange> {
        let base = self.base.as_ref()?;
        Some(TableChange {
            definition: base.definition.clone(),
            redefined: false,
            added: Vec::new(),
            changed: Vec::new(),
            equality_deletes: Vec::new(),
            removed: base.keys().cloned().collect(),
            dropped: true,
        })
    }
}
