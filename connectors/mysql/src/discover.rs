//! Which tables there are, from `information_schema`.
//!
//! A constant number of statements, whatever the number of tables. What can't be followed (views,
//! sequences, versioned tables) is kept aside with the reason, so that nobody has to guess why a
//! table is missing. Deliberately absent: types, which [`crate::layout`] derives.

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::prelude::{FromRow, Queryable};
use tributary_model::{Catalog, Error, ErrorKind, Result, Stream, StreamName};

use crate::column::ValueOptions;
use crate::ddl::charset_of;
use crate::failure::classify;
use crate::info::{ColumnInfo, TableInfo};
use crate::layout::Layout;
use crate::names::{is_helper_table, is_system_database, quote, quote_text};

mod columns;
mod keys;

/// A table that can't be followed, and why, as a sentence without its full stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Its name.
    pub(crate) stream: StreamName,
    /// Why.
    pub(crate) reason: &'static str,
}

/// Everything found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// What can be read, sorted by database and name.
    pub(crate) tables: Vec<TableInfo>,
    /// What can't.
    pub(crate) refused: Vec<Refused>,
}

/// The tables of the databases, of all that are not the server's own where the list is empty.
///
/// # Errors
/// [`ErrorKind::Config`] where a database is not there, or its name has a dot.
pub(crate) async fn tables(conn: &mut Conn, databases: &[String]) -> Result<Vec<TableInfo>> {
    Ok(survey(conn, databases).await?.tables)
}

/// One table; `None` where it is not there, or can't be followed.
///
/// # Errors
/// Fails where the server can't be asked.
pub(crate) async fn table(
    conn: &mut Conn,
    database: &str,
    table: &str,
) -> Result<Option<TableInfo>> {
    let filter = Filter::Table(database, table);
    Ok(look(conn, &filter).await?.tables.pop())
}

/// Waits for the end of a statement that changes a table: the server writes it to the log before
/// `information_schema` shows what it did, and holds everyone off the table until then.
///
/// # Errors
/// Fails where that takes longer than the session's `lock_wait_timeout`, or the server has gone.
pub(crate) async fn wait_for(conn: &mut Conn, database: &str, table: &str) -> Result<()> {
    let name = format!("{}.{}", quote(database), quote(table));
    let touched = conn
        .query_drop(format!("SELECT 1 FROM {name} LIMIT 0"))
        .await;
    let Err(error) = touched else { return Ok(()) };
    let error = classify(error, format!("waiting for a change of {database}.{table}"));
    match error.kind() {
        ErrorKind::Unavailable => Err(error),
        // That there is no such table, or not for us, is said by whoever asks next.
        _ => Ok(()),
    }
}

/// The tables, and what stands aside.
///
/// # Errors
/// As for [`tables`].
pub(crate) async fn survey(conn: &mut Conn, databases: &[String]) -> Result<Survey> {
    let visible: Vec<String> =
        ask(conn, "SELECT schema_name FROM information_schema.schemata").await?;
    let chosen = choose(visible, databases)?;
    if chosen.is_empty() {
        return Ok(Survey::default());
    }
    look(conn, &Filter::Databases(&chosen)).await
}

/// The streams, as users see them.
///
/// # Errors
/// Fails where a table has a column of a type that is not known.
pub(crate) fn catalog(tables: &[TableInfo], options: ValueOptions) -> Result<Catalog> {
    let mut streams = tables
        .iter()
        .map(|info| {
            let layout = Layout::from_info(info, &[], options)?;
            Ok(Stream {
                name: StreamName::within(&info.database, &info.name),
                schema: layout.schema.as_ref().clone(),
                estimated_rows: Some(info.estimated_rows),
                filter: None,
                excluded: Vec::new(),
                cursor: Vec::new(),
                is_open: false,
                needs: None,
            })
        })
        .collect::<Result<Vec<Stream>>>()?;
    // The server sorts by a collation of its own.
    streams.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Catalog { streams })
}

/// The databases to look into, as the server spells them.
fn choose(visible: Vec<String>, wanted: &[String]) -> Result<Vec<String>> {
    if wanted.is_empty() {
        return Ok(visible
            .into_iter()
            .filter(|name| !is_system_database(name) && !skip_dotted(name))
            .collect());
    }
    let mut chosen = Vec::with_capacity(wanted.len());
    for name in wanted {
        let exact = visible.iter().find(|seen| *seen == name);
        // Where the server keeps names in lower case, the user need not.
        let found = exact.or_else(|| visible.iter().find(|seen| **seen == name.to_lowercase()));
        let found = found.ok_or_else(|| missing_database(name))?;
        if found.contains('.') {
            return Err(dotted(found));
        }
        chosen.push(found.clone());
    }
    Ok(chosen)
}

fn missing_database(name: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("there is no database `{name}`, or the user may not see it"),
    )
    .fix("Check `databases`, and the user's grants: SHOW DATABASES; SHOW GRANTS;")
}

fn dotted(name: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the database `{name}` has a dot in its name"),
    )
    .fix("Such a database can't be read, since a dot ends the database in the name of a stream; rename it.")
}

/// Nobody asked for it by name: it must not keep the others from being read.
fn skip_dotted(name: &str) -> bool {
    let dotted = name.contains('.');
    if dotted {
        tracing::warn!(database = name, "skipped: its name has a dot");
    }
    dotted
}

/// Which rows of `information_schema`.
enum Filter<'a> {
    Databases(&'a [String]),
    Table(&'a str, &'a str),
}

impl Filter<'_> {
    fn sql(&self) -> String {
        match self {
            Self::Databases(names) => {
                let names: Vec<String> = names.iter().map(|name| quote_text(name)).collect();
                format!("table_schema IN ({})", names.join(", "))
            }
            Self::Table(database, table) => format!(
                "table_schema = {} AND table_name = {}",
                quote_text(database),
                quote_text(table)
            ),
        }
    }
}

impl Filter<'_> {
    fn is_exactly(&self, database: &str, table: &str) -> bool {
        match self {
            Self::Databases(names) => names.iter().any(|name| name == database),
            Self::Table(in_database, name) => *in_database == database && *name == table,
        }
    }
}

/// Database, name, kind, engine, estimated rows, collation.
type Cells = (
    String,
    String,
    String,
    Option<String>,
    Option<u64>,
    Option<String>,
);

/// Names of a database and of a table in it.
type Place = (String, String);

async fn look(conn: &mut Conn, filter: &Filter<'_>) -> Result<Survey> {
    let sql = filter.sql();
    // MySQL 8 labels columns of these views in capitals: rows are read by place, never by label.
    let mut tables: Vec<Cells> = ask(
        conn,
        &format!(
            "SELECT table_schema, table_name, table_type, engine, table_rows, table_collation \
             FROM information_schema.tables WHERE {sql} ORDER BY 1, 2"
        ),
    )
    .await?;
    // These views compare without regard to case, also where `Shop` and `shop` are two databases.
    if tables
        .iter()
        .any(|(database, name, ..)| filter.is_exactly(database, name))
    {
        tables.retain(|(database, name, ..)| filter.is_exactly(database, name));
    }
    let mut columns = columns::read(conn, &sql).await?;
    let mut keys = keys::read(conn, &sql).await?;
    let mut survey = Survey::default();
    for (database, name, kind, engine, estimated_rows, collation) in tables {
        if is_helper_table(&name) {
            continue;
        }
        if let Some(reason) = refusal(&kind) {
            let stream = StreamName::within(database, name);
            survey.refused.push(Refused { stream, reason });
            continue;
        }
        let place = (database, name);
        let columns = columns.remove(&place).unwrap_or_default();
        let key = keys.remove(&place);
        survey.tables.push(TableInfo {
            charset: collation.map(|collation| charset_of(&collation)),
            ..assemble(place, columns, key, engine, estimated_rows)
        });
    }
    Ok(survey)
}

/// Why a kind of table can't be followed.
fn refusal(kind: &str) -> Option<&'static str> {
    match kind.to_uppercase().as_str() {
        "BASE TABLE" => None,
        "VIEW" | "SYSTEM VIEW" => Some("it is a view: views have no changes in the log"),
        "SEQUENCE" => Some("it is a sequence"),
        "SYSTEM VERSIONED" => {
            Some("it is system-versioned: the log holds its old rows among the new ones")
        }
        "TEMPORARY" | "LOCAL TEMPORARY" => Some("it is temporary"),
        _ => Some("it is of a kind that is not known"),
    }
}

fn assemble(
    (database, name): Place,
    columns: Vec<ColumnInfo>,
    key: Option<keys::Key>,
    engine: Option<String>,
    estimated_rows: Option<u64>,
) -> TableInfo {
    let (key_index, key) = match key {
        Some(key) => (Some(key.index), key.columns),
        None => (None, Vec::new()),
    };
    TableInfo {
        database,
        name,
        engine: engine.unwrap_or_default().to_uppercase(),
        estimated_rows: estimated_rows.unwrap_or(0),
        columns,
        key,
        key_index,
        charset: None,
    }
}

async fn ask<T>(conn: &mut Conn, statement: &str) -> Result<Vec<T>>
where
    T: FromRow + Send + 'static,
{
    conn.query(statement)
        .await
        .map_err(|error| classify(error, "looking for tables"))
}

/// Rows grouped by their table, in the order in which they came.
fn grouped<T>(rows: impl IntoIterator<Item = (Place, T)>) -> HashMap<Place, Vec<T>> {
    let mut groups: HashMap<Place, Vec<T>> = HashMap::new();
    for (place, row) in rows {
        groups.entry(place).or_default().push(row);
    }
    groups
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn chosen(visible: &[&str], wanted: &[&str]) -> Result<Vec<String>> {
        let own = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        choose(own(visible), &own(wanted))
    }

    #[test]
    fn all_databases_but_the_servers_own() {
        let visible = ["information_schema", "mysql", "shop", "a.b", "sys"];
        assert_eq!(chosen(&visible, &[]).unwrap(), ["shop"]);
    }

    #[test]
    fn a_wanted_database_must_be_there_and_have_no_dot() {
        assert_eq!(chosen(&["shop"], &["Shop"]).unwrap(), ["shop"]);
        assert_eq!(chosen(&["Shop", "shop"], &["Shop"]).unwrap(), ["Shop"]);
        let error = chosen(&["shop"], &["shpo"]).unwrap_err();
        assert!(error.to_string().contains("`shpo`"), "{error}");
        let error = chosen(&["a.b"], &["a.b"]).unwrap_err();
        assert!(error.to_string().contains("has a dot"), "{error}");
    }

    #[test]
    fn only_base_tables_are_followed() {
        assert_eq!(refusal("BASE TABLE"), None);
        for kind in ["VIEW", "SEQUENCE", "SYSTEM VERSIONED", "NEW KIND"] {
            assert!(refusal(kind).is_some(), "{kind}");
        }
    }
}
