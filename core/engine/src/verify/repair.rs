//! Writing keys that differ anew, by an ordinary load.
//!
//! # Why nothing newer is overwritten
//!
//! The rows are those of the source at every moment since `P`, for keys that the log has not touched
//! since (see [`super::stream`]). To write them, the connection is opened, which tells the cursor `Q`
//! that is stored now and fences everybody else off: from here on only this process can move it. Then
//! the log is read once more, up to its end, which is behind `Q`. Keys that it names are left alone.
//! For each of the others the source's row at `Q` is the one that is written, or is not there. So the
//! load makes the destination for those keys what it should be at `Q`, and commits the state as it
//! is, with a new number: as if the sync that brought `Q` had done it. // G1 G2 G3
//!
//! Rows without a key are written as often as the source has them: all copies that the destination has
//! go first, whatever their identities are by now, and come again with those that a load gives them.
//!
//! Killed before the commit, nothing has happened; behind it, the keys are repaired. There is
//! nothing to clean up. // G7

use std::collections::{BTreeMap, HashMap};

use arrow_array::cast::AsArray;
use arrow_array::{
    Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt64Array, new_null_array,
};
use arrow_schema::{Field, Schema};
use arrow_select::take::take_record_batch;
use std::sync::Arc;
use tributary_model::{
    Batch, Change, Commit, Error, Fence, LoadPlan, Op, Presence, Receipt, Result, State,
    StreamCount, TablePlan, failpoint, now,
};

use super::narrow::{Found, Pair, Place, Suspect};
use super::subject::Subject;
use super::touched::Touched;
use crate::connection::Connection;
use crate::loading::copy_id;
use crate::normalize::ID;

/// Repairs of one connection: opened once.
#[derive(Debug, Default)]
pub(crate) struct Repair {
    open: Option<(State, Fence)>,
}

/// What became of keys that were to be written.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Written {
    pub(crate) repaired: u64,
    /// Left alone, because the log names them by now.
    pub(crate) left_to_sync: u64,
}

/// Rows of one kind of change: of which batch, which rows of it, and whether they are told apart by
/// their identities as they are.
type Picked = BTreeMap<usize, Vec<(u64, Identity)>>;

/// How a picked row has its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Identity {
    /// As it is.
    Named,
    /// As a load gives it: one of several rows with this hash.
    Counted,
}

impl Repair {
    /// Writes these keys.
    pub(crate) async fn write(
        &mut self,
        subject: &Subject<'_>,
        pair: &Pair,
        suspects: Vec<Suspect>,
        touched: &mut Touched,
    ) -> Result<Written> {
        if suspects.is_empty() || !subject.missing.is_empty() {
            return Ok(Written::default());
        }
        let (state, fence) = self.opened(subject.connection).await?;
        if state.streams.get(&subject.stream.name) != subject.stored.as_ref() {
            return Err(subject.changed());
        }
        touched.read_on(subject).await?;
        let (left, now): (Vec<&Suspect>, Vec<&Suspect>) = suspects
            .iter()
            .partition(|suspect| touched.has(suspect.key));
        let (mut upserts, mut deletes) = (Picked::new(), Picked::new());
        for suspect in &now {
            pick(pair, suspect.found, &mut upserts, &mut deletes);
        }
        let mut changes = changes(subject, &pair.destination.batches, &deletes, Op::Delete)?;
        changes.extend(self::changes(
            subject,
            &pair.source.batches,
            &upserts,
            Op::Update,
        )?);
        let left_to_sync = left.len() as u64;
        if changes.is_empty() {
            self.open = Some((state, fence));
            return Ok(Written {
                repaired: 0,
                left_to_sync,
            });
        }
        let receipt = load(subject, &state, &fence, changes).await?;
        self.open = Some((state, receipt.fence));
        let rejected: u64 = receipt.rejected.values().sum();
        let written: u64 = now.iter().map(|suspect| keys_of(suspect.found)).sum();
        Ok(Written {
            repaired: written.saturating_sub(rejected),
            left_to_sync,
        })
    }

    /// Stores the state that goes on from a later place, once all streams have been repaired.
    pub(crate) async fn go_on(
        &mut self,
        connection: &Connection,
        seen: &State,
        next: &State,
    ) -> Result<()> {
        let (before, fence) = self.opened(connection).await?;
        if (&before.shared, &before.streams) != (&seen.shared, &seen.streams) {
            return Err(Error::new(
                tributary_model::ErrorKind::Fenced,
                "the connection was synced or reset while it was compared",
            )
            .fix("Run `tributary sync`."));
        }
        let state = State {
            epoch: before.epoch,
            ..next.clone()
        };
        let plan = load_plan(connection, &fence, Vec::new());
        let load = connection.destination.begin(&plan, &fence).await?;
        let commit = Commit {
            state: state.clone(),
            before,
            streams: BTreeMap::new(),
            committed_at: now(),
        };
        failpoint::reach("verify.before_commit")?;
        let receipt = load.commit(&commit).await?;
        failpoint::reach("verify.after_commit")?;
        self.open = Some((state, receipt.fence));
        Ok(())
    }

    async fn opened(&mut self, connection: &Connection) -> Result<(State, Fence)> {
        match self.open.take() {
            Some(opened) => Ok(opened),
            None => connection.destination.open(&connection.options.name).await,
        }
    }
}

async fn load(
    subject: &Subject<'_>,
    state: &State,
    fence: &Fence,
    changes: Vec<Batch>,
) -> Result<Receipt> {
    let connection = subject.connection;
    let plan = load_plan(connection, fence, vec![subject.plan.clone()]);
    let mut load = connection.destination.begin(&plan, fence).await?;
    let mut count = StreamCount::default();
    for batch in changes {
        count.rows_read += batch.rows.num_rows() as u64;
        count.bytes_read += batch.rows.get_array_memory_size() as u64;
        load.write(Change::Rows(batch)).await?;
    }
    count.rows_written = count.rows_read;
    let commit = Commit {
        state: state.clone(),
        before: state.clone(),
        streams: BTreeMap::from([(subject.stream.name.clone(), count)]),
        committed_at: now(),
    };
    failpoint::reach("verify.before_commit")?;
    let receipt = load.commit(&commit).await?;
    failpoint::reach("verify.after_commit")?;
    Ok(receipt)
}

fn load_plan(connection: &Connection, fence: &Fence, tables: Vec<Arc<TablePlan>>) -> LoadPlan {
    let time = now();
    LoadPlan {
        connection: connection.options.name.clone(),
        load_id: format!(
            "{}-{}-repair-{}",
            time.format("%Y%m%dT%H%M%S%.6f"),
            fence.epoch,
            fence.sequence + 1
        ),
        started_at: time,
        tables,
    }
}

/// Chooses the rows that come, and those of the destination that go: as they are, so that what stays of
/// them keeps its values.
fn pick(pair: &Pair, found: Found, upserts: &mut Picked, deletes: &mut Picked) {
    let add = |picked: &mut Picked, (batch, row): Place, identity: Identity| {
        picked
            .entry(batch)
            .or_default()
            .push((row as u64, identity));
    };
    match found {
        Found::Missing(place) | Found::Different(place, _) | Found::Repeated(place, _) => {
            add(upserts, place, Identity::Named);
        }
        Found::Extra(place) => add(deletes, place, Identity::Named),
        Found::Counted(copies) => {
            for place in copies.ours(pair) {
                add(upserts, place, Identity::Counted);
            }
            let batches = &pair.destination.batches;
            // A row that somebody else put there may have no identity, and can't be named.
            let has_id = |(batch, row): &Place| {
                let id = batches[*batch].column_by_name(ID);
                id.is_some_and(|id| id.is_valid(*row))
            };
            for place in copies.theirs(pair).filter(has_id) {
                add(deletes, place, Identity::Named);
            }
        }
    }
}

fn keys_of(found: Found) -> u64 {
    match found {
        Found::Missing(_) | Found::Extra(_) | Found::Different(..) | Found::Repeated(..) => 1,
        Found::Counted(copies) => copies.missing() + copies.extra(),
    }
}

fn changes(
    subject: &Subject<'_>,
    batches: &[RecordBatch],
    picked: &Picked,
    op: Op,
) -> Result<Vec<Batch>> {
    let mut counts = HashMap::new();
    let pick = |(batch, picked): (&usize, &Vec<(u64, Identity)>)| {
        let rows = UInt64Array::from_iter_values(picked.iter().map(|(row, _)| *row));
        let rows = take_record_batch(&batches[*batch], &rows)
            .map_err(|cause| Error::bug("rows can't be picked").because(cause))?;
        let rows = numbered(
            rows,
            picked.iter().map(|(_, identity)| *identity),
            &mut counts,
        )?;
        Ok(Batch {
            ops: vec![op; rows.num_rows()],
            plan: subject.plan.clone(),
            presence: Presence::Possible,
            rows: planned(&subject.plan, &rows)?,
        })
    };
    picked.iter().map(pick).collect()
}

/// Gives copies of a row the identities that a load gives them. Those are counted by their hashes, of
/// what the source has: rows that look the same in the table may have come of different ones.
fn numbered(
    rows: RecordBatch,
    copies: impl Iterator<Item = Identity>,
    counts: &mut HashMap<String, u64>,
) -> Result<RecordBatch> {
    let Some((place, _)) = rows.schema().column_with_name(ID) else {
        return Ok(rows);
    };
    let ids = rows.column(place).as_string::<i32>().iter().zip(copies);
    let mut own = |(id, identity): (Option<&str>, Identity)| {
        let id = id?;
        if identity == Identity::Named {
            return Some(id.to_owned());
        }
        let count = counts.entry(id.to_owned()).or_default();
        *count += 1;
        Some(copy_id(id, *count))
    };
    let ids: StringArray = ids.map(&mut own).collect();
    let mut columns = rows.columns().to_vec();
    columns[place] = Arc::new(ids);
    RecordBatch::try_new(rows.schema(), columns)
        .map_err(|cause| Error::bug("copies of rows can't be numbered").because(cause))
}

/// The rows in the plan's columns; those of the system that the engine fills are not known.
fn planned(plan: &TablePlan, rows: &RecordBatch) -> Result<RecordBatch> {
    let fields: Vec<Field> = plan
        .columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.to_arrow(), true))
        .collect();
    let array = |field: &Field| -> ArrayRef {
        match rows.column_by_name(field.name()) {
            Some(array) => array.clone(),
            None => new_null_array(field.data_type(), rows.num_rows()),
        }
    };
    let arrays = fields.iter().map(array).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
        .map_err(|cause| Error::bug("repaired rows do not fit their plan").because(cause))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn ids(of: &[&str]) -> RecordBatch {
        let ids: ArrayRef = Arc::new(StringArray::from(of.to_vec()));
        RecordBatch::try_from_iter([(ID, ids)]).unwrap()
    }

    /// Masked rows look the same, and each of them goes by the hash of what it was.
    #[test]
    fn copies_are_counted_by_their_hashes() {
        let mut counts = HashMap::new();
        let mut told = |of: &[&str], identity: Identity| -> Vec<String> {
            let each = of.iter().map(|_| identity);
            let rows = numbered(ids(of), each, &mut counts).unwrap();
            let ids = rows.column(0).as_string::<i32>();
            ids.iter().flatten().map(str::to_owned).collect()
        };
        assert_eq!(told(&["x", "y", "x"], Identity::Counted), ["x", "y", "x-2"]);
        assert_eq!(told(&["y", "z"], Identity::Counted), ["y-2", "z"]);
        assert_eq!(told(&["y-2", "x"], Identity::Named), ["y-2", "x"]);
    }
}
