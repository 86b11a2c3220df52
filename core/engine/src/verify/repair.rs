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
//! Killed before the commit, nothing has happened; behind it, the keys are repaired. There is
//! nothing to clean up. // G7

use std::collections::BTreeMap;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt64Array, new_null_array};
use arrow_schema::{Field, Schema};
use arrow_select::take::take_record_batch;
use std::sync::Arc;
use tributary_model::{
    Batch, Change, Commit, Error, Fence, LoadPlan, Op, Presence, Receipt, Result, State,
    StreamCount, TablePlan, failpoint, now,
};

use super::narrow::{Found, Pair, Suspect};
use super::subject::Subject;
use super::touched::Touched;
use crate::connection::Connection;

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

/// Rows of one kind of change: of which batch, and which rows of it.
type Picked = BTreeMap<usize, Vec<u64>>;

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
        let own = |state: &State| state.streams.get(&subject.stream.name).cloned();
        if own(&state) != own(&subject.base) {
            return Err(subject.changed());
        }
        touched.read_on(subject).await?;
        let (mut upserts, mut deletes) = (Picked::new(), Picked::new());
        for suspect in suspects.iter().filter(|s| !touched.has(s.key)) {
            let (picked, (batch, row)) = match suspect.found {
                Found::Missing(place) | Found::Different(place, _) | Found::Repeated(place, _) => {
                    (&mut upserts, place)
                }
                Found::Extra(place) => (&mut deletes, place),
            };
            picked.entry(batch).or_default().push(row as u64);
        }
        let mut changes = changes(subject, &pair.source.batches, &upserts, Op::Update)?;
        changes.extend(changes_of_deletes(subject, pair, &deletes)?);
        let count = |picked: &Picked| picked.values().map(Vec::len).sum::<usize>() as u64;
        let written = count(&upserts) + count(&deletes);
        let left_to_sync = suspects.len() as u64 - written;
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

/// Rows of the destination that go: as they are, so that what stays of them keeps its values.
fn changes_of_deletes(subject: &Subject<'_>, pair: &Pair, picked: &Picked) -> Result<Vec<Batch>> {
    changes(subject, &pair.destination.batches, picked, Op::Delete)
}

fn changes(
    subject: &Subject<'_>,
    batches: &[RecordBatch],
    picked: &Picked,
    op: Op,
) -> Result<Vec<Batch>> {
    let pick = |(batch, rows): (&usize, &Vec<u64>)| {
        let rows = UInt64Array::from(rows.clone());
        let rows = take_record_batch(&batches[*batch], &rows)
            .map_err(|cause| Error::bug("rows can't be picked").because(cause))?;
        Ok(Batch {
            ops: vec![op; rows.num_rows()],
            plan: subject.plan.clone(),
            presence: Presence::Possible,
            rows: planned(&subject.plan, &rows)?,
        })
    };
    picked.iter().map(pick).collect()
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
