//! `_tributary.tables`: what is remembered of streams' tables, for the engine alone.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::json;
use tributary_model::{ConnectionName, Remembered, Result, StreamName};
use tributary_sql::Dialect;

use crate::answer::Rows;
use crate::dialect::Snow;
use crate::system::replace_rows;

/// Asks for what is remembered of a connection's tables.
pub(crate) fn question(dialect: Snow, of: &ConnectionName) -> String {
    let columns = ["stream", "table", "names", "ways"].map(|name| dialect.quote(name));
    format!(
        "SELECT {} FROM {} WHERE {} = {}",
        columns.join(", "),
        dialect.own("tables"),
        dialect.quote("connection"),
        dialect.literal(of.as_str())
    )
}

/// Reads the answer.
pub(crate) fn read(rows: &[Vec<Option<String>>]) -> Result<BTreeMap<StreamName, Remembered>> {
    let mut tables = BTreeMap::new();
    for row in rows {
        let cell = |place: usize| row.get(place).and_then(Option::as_deref);
        let remembered = Remembered {
            table: Rows::text(row, 1)?.to_owned(),
            names: known(cell(2)),
            ways: known(cell(3)),
        };
        tables.insert(Rows::text(row, 0)?.to_owned().into(), remembered);
    }
    Ok(tables)
}

/// What can't be read is not remembered: nothing depends on it but the names of later columns.
fn known<T: DeserializeOwned + Default>(json: Option<&str>) -> T {
    json.and_then(|json| serde_json::from_str(json).ok())
        .unwrap_or_default()
}

/// The statements that write it; part of the load's transaction.
pub(crate) fn write(
    dialect: Snow,
    of: &ConnectionName,
    tables: &BTreeMap<StreamName, Remembered>,
) -> Vec<String> {
    let rows: Vec<[String; 4]> = tables
        .iter()
        .map(|(stream, known)| {
            [
                stream.to_string(),
                known.table.clone(),
                json!(known.names).to_string(),
                json!(known.ways).to_string(),
            ]
        })
        .collect();
    let rows = rows
        .iter()
        .map(|row| row.iter().map(String::as_str).collect());
    replace_rows(
        dialect,
        "tables",
        of,
        &["table", "names", "ways"],
        rows,
        &[],
    )
}
