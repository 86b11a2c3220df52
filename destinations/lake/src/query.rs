//! Questions: DuckDB in memory, looking at exactly the files that the logs name.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use duckdb::Connection;
use tempfile::TempDir;
use tributary_model::{Answer, ConnectionName, Error, ErrorKind, Result};
use tributary_sql::cell;

use crate::destination::Lake;
use crate::error::blocking;
use crate::log::Snapshot;
use crate::sql::{self, Paths};
use crate::table::Table;

/// How often a question is asked again whose files a writer replaced meanwhile. // G6
const TRIES: usize = 4;
/// Objects of one listing.
const PAGE: usize = 1000;
/// The tables of `_tributary`.
const SYSTEM: [&str; 4] = ["state", "loads", "rejected", "schema_changes"];

/// Answers `sql`, which must not change anything.
pub(crate) async fn answer(lake: &Lake, sql: &str) -> Result<Answer> {
    if sql.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    let mut tries = 0;
    loop {
        tries += 1;
        match attempt(lake, sql).await {
            Err(error) if tries < TRIES && is_stale(&error) => {
                tracing::debug!(%error, "asking again");
            }
            answer => return answer,
        }
    }
}

/// Whether a file was gone that was there when the log was read.
fn is_stale(error: &Error) -> bool {
    error
        .why()
        .is_some_and(|why| why.contains("No files found") || why.contains("Cannot open file"))
}

async fn attempt(lake: &Lake, sql: &str) -> Result<Answer> {
    let scratch = TempDir::new().map_err(|cause| {
        Error::new(
            ErrorKind::Unavailable,
            "no folder for temporary files can be made",
        )
        .because(cause)
    })?;
    let mut statements = Vec::new();
    for (of, snapshot) in lake.snapshots().await? {
        lake.catch_up(&of, &snapshot).await?;
        let seen = |table: &&Arc<Table>| !table.definition.is_beside();
        for table in snapshot.tables.values().filter(seen) {
            statements.extend(view(lake, &of, &snapshot, table, sql, scratch.path()).await?);
        }
    }
    statements.push(sql::schema("_tributary"));
    for name in SYSTEM {
        let paths = match mentions(sql, name) {
            true => objects(lake, name, scratch.path()).await?,
            false => Vec::new(),
        };
        statements.push(sql::system_table(name, &paths));
    }
    let sql = sql.to_owned();
    blocking(move || ask(&statements, &sql, &scratch)).await
}

/// The statements that make a table's view.
async fn view(
    lake: &Lake,
    of: &ConnectionName,
    snapshot: &Snapshot,
    table: &Table,
    sql: &str,
    scratch: &Path,
) -> Result<Vec<String>> {
    let mut paths = Paths::new();
    // What the question does not speak of is not fetched; where in doubt it is.
    if mentions(sql, &table.definition.table.table) {
        for key in table.keys() {
            let path = lake.store.as_file(key, scratch).await?;
            let path = path.ok_or_else(|| {
                Error::new(
                    ErrorKind::Unavailable,
                    format!("entry {} of `{of}` names {key}", snapshot.number),
                )
                .because("No files found: a writer has replaced it, or somebody removed it")
            })?;
            paths.insert(key.clone(), path);
        }
    }
    Ok(vec![
        sql::schema(&table.definition.table.schema),
        sql::view(table, &paths),
    ])
}

fn mentions(sql: &str, name: &str) -> bool {
    sql.to_lowercase()
        .contains(&name.replace('"', "\"\"").to_lowercase())
        || sql.to_lowercase().contains("all tables")
}

/// The objects of a table of the system, as files.
async fn objects(lake: &Lake, name: &str, scratch: &Path) -> Result<Vec<PathBuf>> {
    let prefix = format!("_tributary/{name}/");
    let mut paths = Vec::new();
    let mut after: Option<String> = None;
    loop {
        let page = lake.store.list(&prefix, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(paths);
        };
        after = Some(last.key.clone());
        for entry in &page {
            paths.extend(lake.store.as_file(&entry.key, scratch).await?);
        }
    }
}

fn ask(statements: &[String], sql: &str, scratch: &TempDir) -> Result<Answer> {
    let connection = connect(scratch).map_err(|cause| {
        Error::bug("DuckDB could not be started in memory").because(cause.to_string())
    })?;
    for statement in statements {
        connection.execute_batch(statement).map_err(|cause| {
            Error::bug("a view of the lake could not be made").because(brief(&cause.to_string()))
        })?;
    }
    let answer = read_only(&connection, sql);
    answer.map_err(|cause| refused(sql, &cause.to_string()))
}

pub(crate) fn connect(scratch: &TempDir) -> duckdb::Result<Connection> {
    let settings = duckdb::Config::default()
        .with("temp_directory", scratch.path().to_string_lossy())?
        // Nothing is ever fetched from the network behind the user's back.
        .with("autoinstall_known_extensions", "false")?
        .with("autoload_known_extensions", "false")?;
    let connection = Connection::open_in_memory_with_flags(settings)?;
    // Instants are shown in UTC. A DuckDB without time zones refuses this, and knows UTC only.
    let _ = connection.execute_batch("SET GLOBAL TimeZone = 'UTC'");
    Ok(connection)
}

fn read_only(connection: &Connection, sql: &str) -> duckdb::Result<Answer> {
    connection.execute_batch("BEGIN TRANSACTION READ ONLY")?;
    let mut statement = connection.prepare(sql)?;
    let batches = statement.query_arrow([])?;
    let schema = batches.get_schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| field.name().clone())
        .collect();
    let mut rows = Vec::new();
    for batch in batches {
        for index in 0..batch.num_rows() {
            rows.push(
                batch
                    .columns()
                    .iter()
                    .map(|array| cell(array, index))
                    .collect(),
            );
        }
    }
    Ok(Answer { columns, rows })
}

fn refused(sql: &str, cause: &str) -> Error {
    let error =
        Error::new(ErrorKind::Config, format!("the query failed: {sql}")).because(brief(cause));
    if cause.contains("read-only") {
        error.fix("Queries only read; a lake is changed by `tributary sync`.")
    } else {
        error.fix("Correct the SQL; `SHOW ALL TABLES` lists what there is.")
    }
}

/// The first line: DuckDB repeats the statement below it.
pub(crate) fn brief(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
