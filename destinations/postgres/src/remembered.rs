//! `_tributary.tables`: what is remembered of streams' tables, for the engine alone.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde_json::json;
use sqlx::Row;
use tributary_model::{ConnectionName, Remembered, Result, StreamName};

use crate::error::Explain;
use crate::session::Session;
use crate::system::exists;

/// What is remembered of a connection's tables.
pub(crate) async fn read(
    session: &mut Session,
    of: &ConnectionName,
) -> Result<BTreeMap<StreamName, Remembered>> {
    let doing = "reading what is remembered of tables";
    if !exists(session, "tables").await? {
        return Ok(BTreeMap::new());
    }
    let sql = "SELECT stream, \"table\", names::text, ways::text FROM _tributary.tables \
         WHERE connection = $1";
    let rows = session
        .ask(sqlx::query(sql).bind(of.as_str()), doing)
        .await?;
    let mut tables = BTreeMap::new();
    for row in &rows {
        let stream: String = row.try_get(0).explain(doing)?;
        let known = Remembered {
            table: row.try_get(1).explain(doing)?,
            names: known(row.try_get(2).explain(doing)?),
            ways: known(row.try_get(3).explain(doing)?),
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

/// Writes what is remembered of tables; part of the load's transaction.
pub(crate) async fn write(
    session: &mut Session,
    of: &ConnectionName,
    tables: &BTreeMap<StreamName, Remembered>,
) -> Result<()> {
    let doing = "writing what is remembered of tables";
    let each = |part: fn(&Remembered) -> String| tables.values().map(part).collect::<Vec<_>>();
    let streams: Vec<String> = tables.keys().map(ToString::to_string).collect();
    let gone = sqlx::query(
        "DELETE FROM _tributary.tables WHERE connection = $1 AND stream <> ALL ($2::text[])",
    );
    session
        .tell(gone.bind(of.as_str()).bind(streams.clone()), doing)
        .await?;
    let sql = "INSERT INTO _tributary.tables AS t (connection, stream, \"table\", names, ways) \
         SELECT $1, n.stream, n.place, n.names::json, n.ways::json \
         FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS n (stream, place, names, ways) \
         ON CONFLICT (connection, stream) DO UPDATE SET \"table\" = EXCLUDED.\"table\", \
         names = EXCLUDED.names, ways = EXCLUDED.ways \
         WHERE (t.\"table\", t.names::text, t.ways::text) IS DISTINCT FROM \
         (EXCLUDED.\"table\", EXCLUDED.names::text, EXCLUDED.ways::text)";
    let new = sqlx::query(sql)
        .bind(of.as_str())
        .bind(streams)
        .bind(each(|known| known.table.clone()))
        .bind(each(|known| json!(known.names).to_string()))
        .bind(each(|known| json!(known.ways).to_string()));
    session.tell(new, doing).await?;
    Ok(())
}
