//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use duckdb::Connection;
use tributary_model::{LoadPlan, Rejection, Result};

use crate::append::{Place, append, batch_of};

/// Writes `rejections`; `table` says into which table a stream's rows were to go.
pub(crate) fn write(
    connection: &Connection,
    catalog: &str,
    load: &LoadPlan,
    rejections: &[Rejection],
    table: impl Fn(&Rejection) -> Option<String>,
) -> Result<()> {
    if rejections.is_empty() {
        return Ok(());
    }
    let same = |value: &str| texts(rejections.iter().map(|_| Some(value.to_owned())));
    let at = vec![load.started_at.timestamp_micros(); rejections.len()];
    let columns: [(&str, ArrayRef); 8] = [
        ("load_id", same(&load.load_id)),
        ("connection", same(load.connection.as_str())),
        (
            "stream",
            texts(rejections.iter().map(|r| Some(r.stream.to_string()))),
        ),
        ("table", texts(rejections.iter().map(table))),
        ("column", texts(rejections.iter().map(|r| r.column.clone()))),
        (
            "reason",
            texts(rejections.iter().map(|r| Some(r.reason.clone()))),
        ),
        (
            "row",
            texts(rejections.iter().map(|r| Some(r.row.to_string()))),
        ),
        (
            "rejected_at",
            Arc::new(TimestampMicrosecondArray::from(at).with_timezone("UTC")),
        ),
    ];
    let rows: RecordBatch = batch_of(columns)?;
    let place = Place::Table {
        catalog,
        schema: "_tributary",
        table: "rejected",
    };
    append(connection, place, &[rows])
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}
