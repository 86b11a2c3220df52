//! What a comparison asks of both ends: the rows they hold now, by ranges of the key.
//!
//! Invariant: nothing here moves a cursor or changes a row. Values are compared by the engine, once
//! both sides are in the table's types; neither side hashes.

use std::sync::Arc;

use arrow_array::RecordBatch;
use async_trait::async_trait;
use tokio::sync::mpsc;

use crate::{Error, ErrorKind, Result, State, Stream, TableColumn, TablePlan};

/// Rows whose first key column lies in a range; without bounds all rows. Only asked with bounds
/// where that column is a whole number on both sides: numbers have one order everywhere. A NULL, which
/// no key of ours is, counts as less than all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyRange {
    /// Its least value.
    pub from: Option<i128>,
    /// Its values are less than this.
    pub below: Option<i128>,
}

/// Which rows a source is asked for.
#[derive(Debug)]
pub struct ScanRequest<'a, C> {
    /// The stream.
    pub stream: &'a Stream,
    /// Every row shows at least what this state covers.
    pub state: &'a State<C>,
    /// Which of its rows.
    pub range: KeyRange,
}

/// Which rows of a table a destination is asked for: those that are there for readers. A row that is
/// marked as deleted is not, and of `history` only what is current is.
#[derive(Clone, Debug)]
pub struct TableScan {
    /// The table.
    pub plan: Arc<TablePlan>,
    /// The columns wanted, in this order; all of them are in the table.
    pub columns: Vec<TableColumn>,
    /// Which rows, by the first column of the plan's key.
    pub range: KeyRange,
}

/// Rows on their way, a few batches of them at most. Dropping it ends the reading.
pub type Batches = mpsc::Receiver<Result<RecordBatch>>;

/// The tables of a destination and the state of a connection, all as of one moment.
#[async_trait]
pub trait View: Send + Sync {
    /// The state that was stored then.
    fn state(&self) -> &State;
    /// Whether equal rows of a stream without a key are as many rows in its table as in the source,
    /// so that such a table can be compared: where [`crate::Load::copies`] answers.
    fn counts_equal_rows(&self) -> bool {
        false
    }
    /// Rows in any order, one array for each column asked for, of any Arrow type that casts to the
    /// column's without loss.
    async fn scan(&self, scan: &TableScan) -> Result<Batches>;
}

/// A side that can't be compared.
pub(crate) fn not_comparable(kind: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`verify` can't read `{kind}` yet"),
    )
    .fix("It compares mysql sources with destinations that can be asked for their rows; `tributary sync --full-refresh` reads a stream anew.")
}
