//! Rows on their way into a table: which columns they have, and under which names they are copied.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{RecordBatch, TimestampMicrosecondArray};
use tributary_model::{Error, Mode, Op, Result, TablePlan};
use tributary_sql::{Dialect, VALID_FROM};

use crate::dialect::DIALECT;
use crate::encode::Column;

/// The columns of the plan.
pub(crate) fn own_columns<'a>(plan: &TablePlan, rows: &'a RecordBatch) -> Result<Vec<Column<'a>>> {
    let columns = plan.columns.iter().zip(rows.columns());
    columns
        .map(|(column, array)| Column::new(column.data_type, array))
        .collect()
}

/// Rows that begin the history of their keys: where the source does not say when, it is when the load
/// began.
pub(crate) fn begun(plan: &TablePlan, rows: &RecordBatch, began: i64) -> Result<RecordBatch> {
    let place = plan.columns.iter().position(|c| c.name == VALID_FROM);
    let Some(place) = place.filter(|_| plan.mode == Mode::History) else {
        return Ok(rows.clone());
    };
    let mut columns = rows.columns().to_vec();
    let told = columns[place].as_primitive::<TimestampMicrosecondType>();
    let from: TimestampMicrosecondArray = told.iter().map(|at| Some(at.unwrap_or(began))).collect();
    columns[place] = Arc::new(from.with_timezone("UTC"));
    RecordBatch::try_new(rows.schema(), columns)
        .map_err(|cause| Error::bug("versions could not be made").because(cause))
}

/// The `COPY` into `table`, a full name, of the plan's columns and these.
pub(crate) fn copy_statement(table: &str, plan: &TablePlan, more: &[&str]) -> String {
    let names = plan.columns.iter().map(|column| column.name.as_str());
    let names: Vec<String> = names
        .chain(more.iter().copied())
        .map(|name| DIALECT.quote(name))
        .collect();
    format!(
        "COPY {table} ({}) FROM STDIN (FORMAT binary)",
        names.join(", ")
    )
}

/// Whether a row is what was deleted.
pub(crate) fn is_delete(op: Op) -> bool {
    matches!(op, Op::Delete | Op::Truncate)
}
