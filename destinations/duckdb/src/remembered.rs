//! `_tributary.tables`: what is remembered of tables, a part of the state.

use std::collections::{BTreeMap, BTreeSet};

use duckdb::{Connection, params};
use serde::de::DeserializeOwned;
use serde_json::json;
use tributary_model::{ConnectionName, Remembered, Result, StreamName};

use crate::error::Explain;
use crate::system::exists;

/// What is remembered of the connection's tables.
pub(crate) fn read(
    connection: &Connection,
    of: &ConnectionName,
) -> Result<BTreeMap<StreamName, Remembered>> {
    let doing = "reading what is remembered of tables";
    if !exists(connection, "tables")? {
        return Ok(BTreeMap::new());
    }
    let mut statement = connection
        .prepare(
            "SELECT stream, \"table\", CAST(names AS VARCHAR), CAST(ways AS VARCHAR) \
             FROM _tributary.tables WHERE connection = ?",
        )
        .explain(doing)?;
    let mut rows = statement.query([of.as_str()]).explain(doing)?;
    let mut tables = BTreeMap::new();
    while let Some(row) = rows.next().explain(doing)? {
        let stream: String = row.get(0).explain(doing)?;
        let known = Remembered {
            table: row.get(1).explain(doing)?,
            names: known(row.get(2).explain(doing)?),
            ways: known(row.get(3).explain(doing)?),
        };
        tables.insert(stream.into(), known);
    }
    Ok(tables)
}

/// What can't be read is not remembered: nothing depends on it but the names of later columns.
fn known<T: DeserializeOwned + Default>(json: Option<String>) -> T {
    json.and_then(|json| serde_json::from_str(&json).ok())
        .unwrap_or_default()
}

/// Writes what is remembered of tables, where it differs from what is stored.
pub(crate) fn write(
    connection: &Connection,
    of: &ConnectionName,
    stored: &BTreeMap<StreamName, Remembered>,
    tables: &BTreeMap<StreamName, Remembered>,
) -> Result<()> {
    let doing = "writing what is remembered of tables";
    let streams: BTreeSet<&StreamName> = stored.keys().chain(tables.keys()).collect();
    for stream in streams {
        let (before, after) = (stored.get(stream), tables.get(stream));
        if before == after {
            continue;
        }
        connection
            .execute(
                "DELETE FROM _tributary.tables WHERE connection = ? AND stream = ?",
                params![of.as_str(), stream.to_string()],
            )
            .explain(doing)?;
        let Some(after) = after else { continue };
        connection
            .execute(
                "INSERT INTO _tributary.tables (connection, stream, \"table\", names, ways) \
                 VALUES (?, ?, ?, CAST(? AS JSON), CAST(? AS JSON))",
                params![
                    of.as_str(),
                    stream.to_string(),
                    after.table,
                    json!(after.names).to_string(),
                    json!(after.ways).to_string()
                ],
            )
            .explain(doing)?;
    }
    Ok(())
}
