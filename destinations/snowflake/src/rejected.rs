//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.
//!
//! They go through the bucket like other rows, since a statement's text has a limit that one of them
//! may reach; the load's transaction copies them in.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef, TimeUnit};
use serde_json::json;
use tributary_model::{Error, LoadPlan, Rejection, Result, TableName, TablePlan};
use tributary_sql::Dialect;

use crate::dialect::Snow;

const TEXTS: [&str; 9] = [
    "load_id",
    "connection",
    "stream",
    "table",
    "column",
    "value",
    "reason",
    "row",
    "hidden",
];
/// Bytes that a text may have.
const LONGEST: usize = 16 << 20;

/// The columns of a file with rejected rows.
pub(crate) fn schema(dialect: Snow) -> SchemaRef {
    let texts = TEXTS
        .iter()
        .map(|name| Field::new(dialect.fold(name), Arrow::Utf8, true));
    let at = Arrow::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    let at = Field::new(dialect.fold("rejected_at"), at, true);
    Arc::new(Schema::new(texts.chain([at]).collect::<Vec<_>>()))
}

/// Rejected rows as a file carries them; `table` says into which table a stream's rows were to go.
pub(crate) fn carry(
    dialect: Snow,
    load: &LoadPlan,
    rejections: &[Rejection],
    table: impl Fn(&Rejection) -> Option<String>,
) -> Result<RecordBatch> {
    let cells = |rejection: &Rejection| {
        [
            Some(load.load_id.clone()),
            Some(load.connection.as_str().to_owned()),
            Some(rejection.stream.to_string()),
            table(rejection),
            rejection.column.clone(),
            rejection.value.as_deref().map(cut),
            Some(cut(&rejection.reason)),
            // Whole or not at all: half of it would be no JSON.
            Some(rejection.row.to_string()).filter(|row| row.len() <= LONGEST),
            Some(json!(rejection.hidden).to_string()),
        ]
    };
    let rows: Vec<[Option<String>; 9]> = rejections.iter().map(cells).collect();
    let mut columns: Vec<ArrayRef> = (0..TEXTS.len())
        .map(|place| {
            let texts: StringArray = rows.iter().map(|row| row[place].as_deref()).collect();
            Arc::new(texts) as ArrayRef
        })
        .collect();
    let at = vec![load.started_at.timestamp_micros(); rows.len()];
    columns.push(Arc::new(
        TimestampMicrosecondArray::from(at).with_timezone("UTC"),
    ));
    RecordBatch::try_new(schema(dialect), columns)
        .map_err(|cause| Error::bug("rejected rows do not make a batch").because(cause))
}

fn cut(text: &str) -> String {
    text[..text.floor_char_boundary(LONGEST)].to_owned()
}

/// What was rejected of the table beside belongs to the table itself, in whose place it is now; what
/// was rejected of that one before is read anew.
pub(crate) fn moved(
    dialect: Snow,
    load: &LoadPlan,
    plan: &TablePlan,
    from: &TableName,
) -> [String; 2] {
    let (rejected, table) = (dialect.own("rejected"), dialect.quote("table"));
    let of = |name: &TableName| {
        format!(
            "{} = {} AND {} = {} AND {table} = {}",
            dialect.quote("connection"),
            dialect.literal(load.connection.as_str()),
            dialect.quote("stream"),
            dialect.literal(&plan.stream.to_string()),
            dialect.literal(&name.to_string())
        )
    };
    [
        format!("DELETE FROM {rejected} WHERE {}", of(&plan.table)),
        format!(
            "UPDATE {rejected} SET {table} = {} WHERE {}",
            dialect.literal(&plan.table.to_string()),
            of(from)
        ),
    ]
}
