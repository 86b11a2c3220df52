//! Arrow rows into a table by DuckDB's appender.
//!
//! The appender matches by position and casts silently; it is therefore always told the columns'
//! names, and callers give it exactly the tables' types.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{Field, Schema};
use duckdb::Connection;
use tributary_model::{Error, Result};

use crate::error::Explain;

/// Rows that the appender holds, as a copy of its own, before they go to the table. // G6
const ROWS: usize = 16 * 1024;

/// Where rows go.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Place<'a> {
    /// A table of the file.
    Table {
        catalog: &'a str,
        schema: &'a str,
        table: &'a str,
    },
    /// A temporary table.
    Temporary(&'a str),
}

/// Appends batches that have the same columns.
pub(crate) fn append(
    connection: &Connection,
    place: Place<'_>,
    batches: &[RecordBatch],
) -> Result<()> {
    let Some(first) = batches.first() else {
        return Ok(());
    };
    let doing = "appending rows";
    let schema = first.schema();
    let columns: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut appender = match place {
        Place::Table {
            catalog,
            schema,
            table,
        } => connection.appender_with_columns_to_catalog_and_db(table, catalog, schema, &columns),
        Place::Temporary(table) => connection.appender_with_columns(table, &columns),
    }
    .explain(doing)?;
    let mut held = 0;
    for batch in batches {
        let mut at = 0;
        while at < batch.num_rows() {
            let rows = (batch.num_rows() - at).min(ROWS - held);
            appender
                .append_record_batch(batch.slice(at, rows))
                .explain(doing)?;
            at += rows;
            held += rows;
            if held == ROWS {
                appender.flush().explain(doing)?;
                held = 0;
            }
        }
    }
    appender.flush().explain(doing)
}

/// A batch of named arrays.
pub(crate) fn batch_of<'a>(
    columns: impl IntoIterator<Item = (&'a str, ArrayRef)>,
) -> Result<RecordBatch> {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns
        .into_iter()
        .map(|(name, array)| (Field::new(name, array.data_type().clone(), true), array))
        .unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(|cause| {
        Error::bug("columns of different length were to be appended").because(cause)
    })
}
