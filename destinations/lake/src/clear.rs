//! Rows that are gone because the list they belong to comes anew.
//!
//! Which rows these are is not looked up at once: the values that tell are kept beside the staged
//! changes, and every row of the table is held against them when those are folded. That is right as
//! long as no row staged before a clearing has one of its values; where one has, what is staged is
//! folded first. // G4
//!
//! A change log is not rewritten: the keys are looked up, and their deletes put down.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema, SchemaRef};
use arrow_select::filter::filter_record_batch;
use tributary_model::{Deletes, Mode, Op, Presence, Result};
use tributary_sql::DELETED;

use crate::error::arrow;
use crate::keys::Keys;
use crate::layout::conform;
use crate::read::{Rows, Wanted};
use crate::screen::Screened;
use crate::stage::{Fate, Stage};
use crate::target::Target;

/// Which rows of the table are gone, beside changes that are staged after it.
#[derive(Debug)]
pub(crate) struct Cleared {
    names: Vec<String>,
    by: Keys,
    gone: HashSet<u128>,
    /// What rows hold that were staged since.
    staged: HashSet<u128>,
}

impl Cleared {
    fn new(schema: &SchemaRef, names: Vec<String>) -> Result<Self> {
        Ok(Self {
            by: Keys::new(schema, &names)?,
            names,
            gone: HashSet::new(),
            staged: HashSet::new(),
        })
    }

    /// The columns that tell.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Notes rows that come after it.
    pub(crate) fn note(&mut self, rows: &RecordBatch) -> Result<()> {
        self.staged.extend(self.by.of(rows)?);
        Ok(())
    }

    /// What becomes of rows that the table holds, and no change has the key of.
    pub(crate) fn judge(&self, rows: &RecordBatch, deletes: Deletes) -> Result<Vec<Fate>> {
        let by = Keys::new(&rows.schema(), &self.names)?;
        let values = by.of(rows)?;
        let marked = rows
            .column_by_name(DELETED)
            .and_then(|array| array.as_boolean_opt());
        let is_marked =
            |row: usize| marked.is_some_and(|marked| marked.is_valid(row) && marked.value(row));
        let fate = |(row, value): (usize, &u128)| match deletes {
            _ if !self.gone.contains(value) => Fate::Stays,
            Deletes::Soft if !is_marked(row) => Fate::Marked,
            Deletes::Hard => Fate::Goes,
            Deletes::Soft | Deletes::Ignore => Fate::Stays,
        };
        Ok(values.iter().enumerate().map(fate).collect())
    }
}

impl Target {
    /// Rows that agree with one of `of` are gone at this point of the order.
    pub(crate) fn clear(&mut self, of: &RecordBatch) -> Result<()> {
        if self.plan.mode == Mode::Append || self.definition.deletes() == Deletes::Ignore {
            return Ok(());
        }
        let fields = of.schema();
        let names: Vec<String> = fields.fields().iter().map(|f| f.name().clone()).collect();
        let values = self.values(&names, of)?;
        if self.definition.is_change_log() {
            return self.log_deletes(&names, &values);
        }
        let meets = self
            .stage
            .as_ref()
            .is_some_and(|stage| match stage.cleared() {
                Some(cleared) => cleared.names != names || !cleared.staged.is_disjoint(&values),
                None => stage.rows() > 0,
            });
        if meets {
            self.settle()?;
        }
        let mut stage = match self.stage.take() {
            Some(stage) => stage,
            None => self.new_stage()?,
        };
        let mut cleared = match stage.take_cleared() {
            Some(cleared) => cleared,
            None => Cleared::new(&self.schema, names)?,
        };
        cleared.gone.extend(values);
        stage.set_cleared(cleared);
        self.stage = Some(stage);
        Ok(())
    }

    /// Changes that wait; none yet.
    pub(crate) fn new_stage(&self) -> Result<Stage> {
        let keys = Keys::new(&self.schema, &self.plan.key)?;
        Ok(Stage::new(
            self.schema.clone(),
            keys,
            self.definition.deletes(),
            self.site.scratch(),
        ))
    }

    /// The layout of some of the table's columns.
    pub(crate) fn part_of_schema(&self, names: &[String]) -> SchemaRef {
        let is_named = |field: &&Arc<Field>| {
            names
                .iter()
                .any(|name| name.eq_ignore_ascii_case(field.name()))
        };
        let fields = self.schema.fields().iter().filter(is_named);
        Arc::new(Schema::new(fields.cloned().collect::<Vec<_>>()))
    }

    fn values(&self, names: &[String], of: &RecordBatch) -> Result<HashSet<u128>> {
        let schema = self.part_of_schema(names);
        let rows = conform(of, &schema, |_| Ok(None))?;
        Ok(Keys::new(&schema, names)?.of(&rows)?.into_iter().collect())
    }

    /// Puts a delete down for each key that a change log knows with one of these values.
    fn log_deletes(&mut self, names: &[String], values: &HashSet<u128>) -> Result<()> {
        self.end_direct()?;
        self.gather()?;
        let mut wanted = self.plan.key.clone();
        wanted.extend(
            names
                .iter()
                .filter(|name| !self.plan.key.contains(name))
                .cloned(),
        );
        let schema = self.part_of_schema(&wanted);
        let (keys, by) = (
            Keys::new(&schema, &self.plan.key)?,
            Keys::new(&schema, names)?,
        );
        let (mut known, mut gone) = (HashSet::new(), Vec::new());
        for held in self.held() {
            let file = Rows::open(
                &self.site,
                held.source.clone(),
                held.file.bytes,
                Wanted::Named(&wanted),
            )?;
            for rows in file {
                let rows = conform(&rows?, &schema, |_| Ok(None))?;
                let pairs = keys.of(&rows)?.into_iter().zip(by.of(&rows)?);
                let is_gone =
                    pairs.map(|(key, value)| Some(values.contains(&value) && known.insert(key)));
                let is_gone: BooleanArray = is_gone.collect();
                gone.push(filter_record_batch(&rows, &is_gone).map_err(arrow("choosing keys"))?);
            }
        }
        for rows in gone {
            let ops = vec![Op::Delete; rows.num_rows()];
            self.take(
                &Screened {
                    rows,
                    ops,
                    rejected: Vec::new(),
                    at: Vec::new(),
                },
                Presence::Possible,
            )?;
        }
        Ok(())
    }
}
