//! `_tributary.rejected`: rows that could not be loaded, as objects of JSON, one row in a line, ready to
//! be loaded later.
//!
//! Which rows wait, and which changes end their wait, is decided by [`tributary_sql::Waiting`]. Objects
//! do not change: the log says which loads' objects hold what waits. A load that ends the wait of an
//! earlier row writes what is left of them into its own, and its entry takes their places: in one step
//! with everything else that the load does. // G1
//!
//! Within a load rows that are rejected lie in a file in the order in which they came. What ends a wait
//! notes how many there were by then: it counts for those, for all rows of earlier loads, and for none
//! that come later. // G4

mod lines;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::RecordBatch;
use tributary_model::{
    ConnectionName, Deletes, Error, ErrorKind, Fence, Mode, Old, Op, Rejection, Result, StreamName,
    TableName, TablePlan,
};
use tributary_sql::{Cleared, Line, Waiting, Within};
use uuid::Uuid;

use crate::error::fenced;
use crate::log::{Body, Log, Snapshot};
use crate::place;
use crate::site::Site;
use lines::{Lines, Out, Row, to_line};
use tributary_store::{Pending, local};

/// A stream, and the name of a table.
type Place = (StreamName, String);

/// What has ended for rows of one table, each with how many rows this load had rejected by then.
#[derive(Debug, Default)]
struct Ended {
    keys: HashMap<String, u64>,
    all: Option<u64>,
    cleared: Vec<(u64, Cleared)>,
}

/// The rejected rows of a connection within a load.
#[derive(Debug, Default)]
pub(crate) struct Rejected {
    waiting: Waiting,
    /// What earlier loads have left, by their numbers.
    old: BTreeMap<u64, PathBuf>,
    /// What this load has rejected.
    own: Option<(BufWriter<File>, PathBuf)>,
    count: u64,
    ended: HashMap<Place, Ended>,
    /// The names that tables beside have now.
    moved: BTreeMap<Place, String>,
    /// Rows of earlier loads that were taken out, counted over all of them.
    taken: HashSet<u64>,
    takers: BTreeMap<StreamName, Lines>,
}

/// What a load leaves.
#[derive(Debug, Default)]
pub(crate) struct Left {
    /// The object of its own, where it has one.
    pub(crate) upload: Option<Pending>,
    /// Loads whose objects go.
    pub(crate) gone: BTreeSet<u64>,
}

impl Rejected {
    /// What waits when a load begins.
    pub(crate) fn read(site: &Site, log: &Log, fence: &Fence, snapshot: &Snapshot) -> Result<Self> {
        let of = &fence.connection;
        let mut rejected = Self::default();
        for number in &snapshot.rejected {
            let key = place::system("rejected", of, *number);
            let file = site.wait(site.store.as_file(&key, site.scratch()))?;
            let Some(file) = file else {
                let is_taken = is_taken_over(site, log, fence.epoch, snapshot)?;
                return Err(if is_taken { fenced(of) } else { gone(&key) });
            };
            rejected.old.insert(*number, file);
        }
        let mut is_more = true;
        for row in Lines::new(&rejected.old) {
            let (_, row) = row?;
            let (Some(key), true) = (&row.key, is_more) else {
                continue;
            };
            let table = row.table.as_deref().unwrap_or_default();
            is_more = rejected.waiting.note(&row.stream, table, key);
        }
        Ok(rejected)
    }

    /// Rows are loaded: what waits of their keys is older.
    pub(crate) fn loaded(&mut self, plan: &TablePlan, ops: &[Op], rows: &RecordBatch) {
        let gone = self.waiting.loaded(plan, ops, rows);
        self.end(plan, gone);
    }

    /// Takes rejected rows of one stream, into whose table `plan` says.
    pub(crate) fn reject(
        &mut self,
        site: &Site,
        plan: Option<&TablePlan>,
        rejections: &[Rejection],
        within: Option<&Within<'_>>,
    ) -> Result<()> {
        let rejected = self.waiting.reject(plan, rejections, within);
        if let Some(plan) = plan {
            self.end(plan, rejected.gone);
        }
        for line in &rejected.lines {
            self.add(site, line)?;
        }
        Ok(())
    }

    /// Rows that agree with one of `of` are gone: so are those that wait.
    pub(crate) fn cleared(&mut self, plan: &TablePlan, of: &RecordBatch) {
        let keeps = plan.mode == Mode::Append || plan.deletes == Deletes::Ignore;
        if !keeps && self.waiting.any(plan) {
            let ended = self.ended.entry(place_of(plan)).or_default();
            ended.cleared.push((self.count, Cleared::new(of)));
        }
    }

    /// Forgets what was rejected of a table that is emptied or begins anew.
    pub(crate) fn void(&mut self, stream: &StreamName, table: &TableName) {
        self.waiting.void(stream, table);
        let ended = self.ended.entry((stream.clone(), table.to_string()));
        ended.or_default().all = Some(self.count);
    }

    /// What was rejected of the table beside belongs to the plan's, in whose place it is now; what was
    /// rejected of that one before is read anew. A table that goes on in `append` keeps it.
    pub(crate) fn moved(&mut self, plan: &TablePlan, from: &TableName, old: &Old) {
        if (plan.mode, old) != (Mode::Append, &Old::Continued) {
            self.void(&plan.stream, &plan.table);
        }
        self.waiting.moved(plan, from);
        let from = (plan.stream.clone(), from.to_string());
        self.moved.insert(from, plan.table.to_string());
    }

    /// Takes rows that wait for the plan's table, at most so many, the oldest first. Of a row without
    /// its key nobody can say whether it is the newest: it stays.
    pub(crate) fn take(&mut self, plan: &TablePlan, most: usize) -> Result<Vec<Rejection>> {
        let table = plan.table.to_string();
        let mut taker = match self.takers.remove(&plan.stream) {
            Some(taker) => taker,
            None => Lines::new(&self.old),
        };
        let mut given = Vec::new();
        while given.len() < most
            && let Some(row) = taker.next().transpose()?
        {
            let (number, row) = row;
            let is_ours = row.stream == plan.stream && row.table.as_deref() == Some(&table);
            let is_known = row.key.is_some() || plan.mode == Mode::Append;
            if is_ours && is_known && !self.is_over(&row, None) {
                self.taken.insert(number);
                given.push(row.rejection());
            }
        }
        self.takers.insert(plan.stream.clone(), taker);
        Ok(given)
    }

    /// Writes what waits from now on.
    pub(crate) fn finish(mut self, site: &Arc<Site>, of: &ConnectionName) -> Result<Left> {
        let own = match self.own.take() {
            Some((mut file, path)) => {
                file.flush().map_err(|cause| local(&cause, &path))?;
                Some(path)
            }
            None => None,
        };
        let mut out = Out::new(site, of);
        let mut left = Left::default();
        if self.changes_old()? {
            left.gone = self.old.keys().copied().collect();
            for row in Lines::new(&self.old) {
                let (number, row) = row?;
                if !self.taken.contains(&number) && !self.is_over(&row, None) {
                    out.add(self.placed(row))?;
                }
            }
        }
        let own = own.map(|path| BTreeMap::from([(0, path)]));
        for row in Lines::new(&own.unwrap_or_default()) {
            let (number, row) = row?;
            if !self.is_over(&row, Some(number)) {
                out.add(self.placed(row))?;
            }
        }
        left.upload = out.end()?;
        Ok(left)
    }

    /// Whether rows of earlier loads do not stay what and where they are.
    fn changes_old(&self) -> Result<bool> {
        if !self.taken.is_empty() {
            return Ok(true);
        }
        if self.ended.is_empty() && self.moved.is_empty() {
            return Ok(false);
        }
        for row in Lines::new(&self.old) {
            let (_, row) = row?;
            let place = (row.stream.clone(), row.table.clone().unwrap_or_default());
            if self.is_over(&row, None) || self.moved.contains_key(&place) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether a row waits no more; `own` is its number among those of this load.
    fn is_over(&self, row: &Row, own: Option<u64>) -> bool {
        let place = (row.stream.clone(), row.table.clone().unwrap_or_default());
        let Some(ended) = self.ended.get(&place) else {
            return false;
        };
        let counts = |by: u64| own.is_none_or(|number| number < by);
        let of_key = row.key.as_ref().and_then(|key| ended.keys.get(key));
        ended.all.is_some_and(counts)
            || of_key.is_some_and(|by| counts(*by))
            || ended
                .cleared
                .iter()
                .any(|(by, cleared)| counts(*by) && cleared.takes(&row.row))
    }

    fn placed(&self, mut row: Row) -> Row {
        let place = (row.stream.clone(), row.table.clone().unwrap_or_default());
        if let Some(table) = self.moved.get(&place) {
            row.table = Some(table.clone());
        }
        row
    }

    fn end(&mut self, plan: &TablePlan, keys: Vec<String>) {
        if keys.is_empty() {
            return;
        }
        let ended = self.ended.entry(place_of(plan)).or_default();
        let by = self.count;
        ended.keys.extend(keys.into_iter().map(|key| (key, by)));
    }

    fn add(&mut self, site: &Site, line: &Line<'_>) -> Result<()> {
        if self.own.is_none() {
            let path = site.scratch().join(Uuid::new_v4().simple().to_string());
            let file = File::create_new(&path).map_err(|cause| local(&cause, &path))?;
            self.own = Some((BufWriter::new(file), path));
        }
        if let Some((file, path)) = &mut self.own {
            let bytes = to_line(&Row::of(site, line))?;
            file.write_all(&bytes)
                .map_err(|cause| local(&cause, path))?;
        }
        self.count += 1;
        Ok(())
    }
}

fn place_of(plan: &TablePlan) -> Place {
    (plan.stream.clone(), plan.table.to_string())
}

/// Whether somebody else has opened the connection since, or loaded: whoever does takes objects away
/// that a load has not read yet.
fn is_taken_over(site: &Site, log: &Log, epoch: u64, snapshot: &Snapshot) -> Result<bool> {
    for number in snapshot.number + 1.. {
        match site.wait(log.get(number))? {
            Some(entry) if entry.epoch == epoch && matches!(entry.body, Body::Rewrite(_)) => {}
            Some(_) => return Ok(true),
            None => return Ok(false),
        }
    }
    Ok(false)
}

fn gone(key: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("{key} is not there any more, and rejected rows wait in it"),
    )
    .fix("Put it back; where nobody needs these rows, put an empty object there.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::{LoadPlan, now};

    use super::*;
    use crate::config::Config;
    use crate::error::blocking;
    use crate::folder::Folder;

    /// What a load finds for whom the object of a commit is gone.
    async fn found(later: Option<u64>) -> Error {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Folder::new(dir.path()));
        let fence = Fence {
            connection: ConnectionName::new("shop"),
            epoch: 1,
            sequence: 7,
            last_load: None,
        };
        let log = Log::new(store.clone(), fence.connection.clone());
        let mut snapshot = Snapshot::default();
        snapshot.rejected.insert(7);
        if let Some(epoch) = later {
            let entry = Log::entry(&snapshot, epoch, 0, Body::Epoch);
            log.append(&entry).await.unwrap();
        }
        let config = Arc::new(Config::new("unused"));
        let load = LoadPlan {
            connection: fence.connection.clone(),
            load_id: "ours".to_owned(),
            started_at: now(),
            tables: Vec::new(),
        };
        let site = Site::new(store, config, None, load, 8).unwrap();
        let read = blocking(move || Rejected::read(&site, &log, &fence, &snapshot));
        read.await.unwrap_err()
    }

    #[tokio::test]
    async fn who_is_overtaken_is_told_so_and_not_of_objects_that_the_other_took_away() {
        assert_eq!(found(Some(2)).await.kind(), ErrorKind::Fenced);
        assert_eq!(found(None).await.kind(), ErrorKind::Incompatible);
    }
}
