//! Numbers rows that are equal, in tables without a key.
//!
//! Such a table is merged by `_tributary_id`, a hash of the row. The first of several equal rows has
//! the hash as its id, the second `<hash>-2`, the third `<hash>-3`. A row that comes takes the number
//! behind the last; a row that goes takes the last away. So the ids of the rows that are there are
//! always those from 1 to their count, and which of them goes makes no difference: they are equal.
//! Where none is there, the one that goes was rejected: it is called `<hash>-0`, and waits no more.
//!
//! Why it holds: only the count decides about an id, and the count is what the destination holds,
//! asked within the load, moved on by every row since. A load that is dropped takes its counts along.
//!
//! Deliberately absent: streams whose source may send the same row twice ([`Source::COUNTS`]), and
//! `append` and `history`, where an id does not stand for one row.
//!
//! [`Source::COUNTS`]: tributary_model::Source::COUNTS

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, RecordBatch, StringArray};
use tributary_model::{AnyLoad, Batch, Deletes, Error, Mode, Op, Result, TableName, TablePlan};

use crate::normalize::ID;

/// Hashes whose counts are known at a time; more are forgotten and asked for again. // G6
const KNOWN: usize = if cfg!(test) { 4 } else { 250_000 };

/// What a load knows of equal rows.
#[derive(Debug, Default)]
pub(crate) struct Copies(BTreeMap<TableName, Counts>);

#[derive(Debug, Default)]
struct Counts {
    rows: HashMap<u128, u32>,
    /// Whether a hash that is not in `rows` has no row.
    is_complete: bool,
}

impl Copies {
    /// Notes that no row of a table counts any more.
    pub(super) fn emptied(&mut self, table: &TableName) {
        let nothing = Counts {
            rows: HashMap::new(),
            is_complete: true,
        };
        self.0.insert(table.clone(), nothing);
    }

    /// Notes that some rows of a table may be gone.
    pub(super) fn unsure(&mut self, table: &TableName) {
        self.0.remove(table);
    }

    /// Gives rows that were rejected, and fit now, ids of their own: they come as any rows, whatever
    /// they were called when they were rejected.
    pub(crate) async fn number_again(
        &mut self,
        batch: Batch,
        load: &mut dyn AnyLoad,
    ) -> Result<Batch> {
        let Some(place) = place_of_id(&batch.plan) else {
            return Ok(batch);
        };
        let ids = batch.rows.column(place).as_string::<i32>();
        let hashes = ids.iter().map(|id| id?.split('-').next());
        let hashes: StringArray = hashes.collect();
        if hashes.iter().any(|id| hash(id).is_err()) {
            return Ok(batch); // rejected when the table had a key
        }
        let batch = with_column(batch, place, Arc::new(hashes))?;
        self.number(batch, load).await
    }

    /// Gives every row its own id.
    pub(super) async fn number(&mut self, batch: Batch, load: &mut dyn AnyLoad) -> Result<Batch> {
        let Some(place) = place_of_id(&batch.plan) else {
            return Ok(batch);
        };
        let ids = batch.rows.column(place).as_string::<i32>();
        let hashes = ids.iter().map(hash).collect::<Result<Vec<_>>>()?;
        let counts = self.0.entry(batch.plan.table.clone()).or_default();
        if !counts.learn(&hashes, &batch.plan, load).await? {
            return Ok(batch);
        }
        let ids = counts.number(ids, &hashes, &batch.ops);
        with_column(batch, place, ids)
    }
}

impl Counts {
    /// Asks for the counts that are not known; `false` where the destination can't tell.
    async fn learn(
        &mut self,
        hashes: &[u128],
        plan: &Arc<TablePlan>,
        load: &mut dyn AnyLoad,
    ) -> Result<bool> {
        if self.rows.len() >= KNOWN {
            self.rows.clear();
            self.is_complete = false;
        }
        if self.is_complete {
            return Ok(true);
        }
        let mut unknown: Vec<u128> = hashes.to_vec();
        unknown.retain(|hash| !self.rows.contains_key(hash));
        unknown.sort_unstable();
        unknown.dedup();
        if unknown.is_empty() {
            return Ok(true);
        }
        let texts: Vec<String> = unknown.iter().map(|hash| format!("{hash:032x}")).collect();
        let Some(counts) = load.copies(plan, &texts).await? else {
            return Ok(false);
        };
        if counts.len() != unknown.len() {
            return Err(Error::bug("the destination counted other rows than asked"));
        }
        let counts = counts
            .into_iter()
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        self.rows.extend(unknown.into_iter().zip(counts));
        Ok(true)
    }

    fn number(&mut self, ids: &StringArray, hashes: &[u128], ops: &[Op]) -> ArrayRef {
        let mut numbered = StringBuilder::with_capacity(hashes.len(), hashes.len() * 32);
        for ((id, hash), op) in ids.iter().zip(hashes).zip(ops) {
            let count = self.rows.entry(*hash).or_default();
            let own = match op {
                Op::Delete | Op::Truncate => {
                    let last = *count;
                    *count = count.saturating_sub(1);
                    last
                }
                Op::Read | Op::Create | Op::Update => {
                    *count = count.saturating_add(1);
                    *count
                }
            };
            let id = id.unwrap_or_default();
            match own {
                1 => numbered.append_value(id),
                own => numbered.append_value(copy_id(id, own)),
            }
        }
        Arc::new(numbered.finish())
    }
}

/// The identity of one of several equal rows, counted from 1.
pub(crate) fn copy_id(hash: &str, copy: impl Into<u64>) -> String {
    match copy.into() {
        1 => hash.to_owned(),
        copy => format!("{hash}-{copy}"),
    }
}

/// The place of `_tributary_id` where it is what a table is merged by.
fn place_of_id(plan: &TablePlan) -> Option<usize> {
    // Where no row ever goes, those that are there say nothing of how many the source has.
    let counts = matches!(plan.mode, Mode::Merge | Mode::Replace)
        && plan.deletes != Deletes::Ignore
        && plan.key == [ID];
    let place = || plan.columns.iter().position(|column| column.name == ID);
    counts.then(place).flatten()
}

fn hash(id: Option<&str>) -> Result<u128> {
    id.and_then(|id| u128::from_str_radix(id, 16).ok())
        .ok_or_else(|| Error::bug("the id of a row is no hash"))
}

fn with_column(batch: Batch, place: usize, column: ArrayRef) -> Result<Batch> {
    let mut columns = batch.rows.columns().to_vec();
    columns[place] = column;
    let rows = RecordBatch::try_new(batch.rows.schema(), columns)
        .map_err(|cause| Error::bug("numbered rows do not fit their plan").because(cause))?;
    Ok(Batch { rows, ..batch })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_schema::{DataType as Arrow, Field, Schema};
    use async_trait::async_trait;
    use tributary_model::{Change, Commit, DataType, Presence, Receipt, StreamName, TableColumn};

    use super::*;

    /// A load that knows of some rows, and how often it was asked.
    #[derive(Default)]
    struct Known {
        rows: HashMap<String, u64>,
        asked: usize,
        is_unable: bool,
    }

    #[async_trait]
    impl AnyLoad for Known {
        async fn write(&mut self, _: Change) -> Result<()> {
            unreachable!("nothing is written")
        }

        async fn copies(
            &mut self,
            _: &Arc<TablePlan>,
            hashes: &[String],
        ) -> Result<Option<Vec<u64>>> {
            self.asked += 1;
            let count = |hash: &String| self.rows.get(hash).copied().unwrap_or(0);
            Ok((!self.is_unable).then(|| hashes.iter().map(count).collect()))
        }

        async fn commit(self: Box<Self>, _: &Commit) -> Result<Receipt> {
            unreachable!("nothing is committed")
        }
    }

    fn plan() -> Arc<TablePlan> {
        Arc::new(TablePlan {
            stream: StreamName::plain("s"),
            table: TableName {
                schema: "a".to_owned(),
                table: "s".to_owned(),
            },
            mode: Mode::Merge,
            deletes: Deletes::Hard,
            columns: vec![TableColumn {
                name: ID.to_owned(),
                data_type: DataType::Text,
                default: None,
            }],
            key: vec![ID.to_owned()],
        })
    }

    fn id(of: u8) -> String {
        format!("{of:032x}")
    }

    fn batch(rows: &[(u8, Op)]) -> Batch {
        let ids: StringArray = rows.iter().map(|(of, _)| Some(id(*of))).collect();
        let schema = Schema::new(vec![Field::new(ID, Arrow::Utf8, true)]);
        Batch {
            plan: plan(),
            ops: rows.iter().map(|(_, op)| *op).collect(),
            presence: Presence::Possible,
            rows: RecordBatch::try_new(Arc::new(schema), vec![Arc::new(ids)]).unwrap(),
        }
    }

    async fn numbered(copies: &mut Copies, load: &mut Known, rows: &[(u8, Op)]) -> Vec<String> {
        let batch = copies.number(batch(rows), load).await.unwrap();
        let ids = batch.rows.column(0).as_string::<i32>();
        ids.iter().flatten().map(str::to_owned).collect()
    }

    #[tokio::test]
    async fn equal_rows_are_counted_up_and_down() {
        let (mut copies, mut load) = (Copies::default(), Known::default());
        load.rows.insert(id(7), 2);
        let rows = [
            (7, Op::Create),
            (1, Op::Read),
            (1, Op::Read),
            (7, Op::Delete),
        ];
        let more = [
            (7, Op::Delete),
            (7, Op::Delete),
            (7, Op::Create),
            (1, Op::Delete),
        ];
        assert_eq!(
            numbered(&mut copies, &mut load, &rows).await,
            [id(7) + "-3", id(1), id(1) + "-2", id(7) + "-3"]
        );
        assert_eq!(
            numbered(&mut copies, &mut load, &more).await,
            [id(7) + "-2", id(7), id(7), id(1) + "-2"]
        );
        assert_eq!(load.asked, 1, "what is known is not asked again");
    }

    #[tokio::test]
    async fn a_row_that_goes_and_is_not_there_was_rejected() {
        let (mut copies, mut load) = (Copies::default(), Known::default());
        let rows = [(7, Op::Delete), (7, Op::Create), (7, Op::Delete)];
        assert_eq!(
            numbered(&mut copies, &mut load, &rows).await,
            [id(7) + "-0", id(7), id(7)]
        );
    }

    #[tokio::test]
    async fn rejected_rows_are_numbered_anew() {
        let (mut copies, mut load) = (Copies::default(), Known::default());
        load.rows.insert(id(7), 1);
        let ids = StringArray::from(vec![id(7) + "-2", id(7), id(1)]);
        let given = batch(&[(7, Op::Read), (7, Op::Read), (1, Op::Read)]);
        let given = with_column(given, 0, Arc::new(ids)).unwrap();
        let batch = copies.number_again(given, &mut load).await.unwrap();
        let ids = batch.rows.column(0).as_string::<i32>();
        let ids: Vec<_> = ids.iter().flatten().collect();
        assert_eq!(ids, [id(7) + "-2", id(7) + "-3", id(1)]);
    }

    #[tokio::test]
    async fn an_emptied_table_is_not_asked_until_there_is_too_much_to_know() {
        let (mut copies, mut load) = (Copies::default(), Known::default());
        copies.emptied(&plan().table);
        let rows: Vec<_> = (0..5).map(|of| (of, Op::Read)).collect();
        numbered(&mut copies, &mut load, &rows).await;
        assert_eq!(load.asked, 0);
        load.rows.insert(id(0), 1);
        let second = numbered(&mut copies, &mut load, &[(0, Op::Read)]).await;
        assert_eq!((second, load.asked), (vec![id(0) + "-2"], 1));
    }

    #[tokio::test]
    async fn where_nobody_counts_equal_rows_are_one() {
        let (mut copies, mut load) = (Copies::default(), Known::default());
        load.is_unable = true;
        let twice = [(1, Op::Read), (1, Op::Read)];
        assert_eq!(
            numbered(&mut copies, &mut load, &twice).await,
            [id(1), id(1)]
        );
    }
}
