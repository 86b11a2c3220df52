//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.
//!
//! Which of them wait, and until when, is decided by [`tributary_sql::Waiting`]; here it is done, in
//! the transaction of the load.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use duckdb::{params, params_from_iter};
use serde_json::Value;
use tributary_model::{
    Error, LoadPlan, Mode, Old, Rejection, Result, StreamName, TableName, TablePlan,
};
use tributary_sql::{Line, MOST_WAITING, Screened, Waiting, Within, cell};

use crate::append::{Place, append, batch_of};
use crate::error::Explain;
use crate::layout::Site;

/// Keys that are named in one statement.
const KEYS: usize = 500;

/// The rows of one table that wait to be tried again.
const OF_TABLE: &str = "connection = ? AND stream = ? AND \"table\" = ?";

/// What waits when a load begins.
pub(crate) fn waiting(site: &Site) -> Result<Waiting> {
    let doing = "reading which rows were rejected";
    let mut statement = site
        .connection
        .prepare(
            "SELECT stream, \"table\", \"key\" FROM _tributary.rejected WHERE connection = ? \
             AND \"key\" IS NOT NULL LIMIT ?",
        )
        .explain(doing)?;
    let of = params![site.load.connection.as_str(), MOST_WAITING as u64 + 1];
    let mut rows = statement.query(of).explain(doing)?;
    let mut waiting = Waiting::counting();
    while let Some(row) = rows.next().explain(doing)? {
        let stream: String = row.get(0).explain(doing)?;
        let table: Option<String> = row.get(1).explain(doing)?;
        let key: String = row.get(2).explain(doing)?;
        waiting.note(&stream.into(), &table.unwrap_or_default(), &key);
    }
    Ok(waiting)
}

/// Rows are loaded: what waits of their keys is older.
pub(crate) fn loaded(
    site: &Site,
    waiting: &mut Waiting,
    plan: &TablePlan,
    rows: &Screened,
) -> Result<()> {
    let gone = waiting.loaded(plan, &rows.ops, &rows.rows);
    forget(site, plan, &gone)
}

/// Writes rejected rows of one stream, into whose table `plan` says.
pub(crate) fn reject(
    site: &Site,
    waiting: &mut Waiting,
    plan: Option<&TablePlan>,
    rejections: &[Rejection],
    within: Option<&Within<'_>>,
) -> Result<()> {
    let rejected = waiting.reject(plan, rejections, within);
    if let Some(plan) = plan {
        forget(site, plan, &rejected.gone)?;
    }
    write(site, &rejected.lines)
}

/// Rows that agree with one of `of` are gone: so are those that wait.
pub(crate) fn cleared(
    site: &Site,
    waiting: &Waiting,
    plan: &TablePlan,
    of: &RecordBatch,
) -> Result<()> {
    if !waiting.any(plan) {
        return Ok(());
    }
    let agrees = |name: &String| {
        let path = format!("$.\"{}\"", name.replace('"', "\\\""));
        format!(
            "json_extract_string(\"row\", '{}') = ?",
            path.replace('\'', "''")
        )
    };
    let schema = of.schema();
    let agree: Vec<String> = schema
        .fields()
        .iter()
        .map(|field| agrees(field.name()))
        .collect();
    let sql = format!(
        "DELETE FROM _tributary.rejected WHERE {OF_TABLE} AND {}",
        agree.join(" AND ")
    );
    let doing = "forgetting rejected rows that are gone";
    let mut statement = site.connection.prepare(&sql).explain(doing)?;
    for row in 0..of.num_rows() {
        let values = of.columns().iter().map(|array| text(&cell(array, row)));
        let place = place(site, &plan.stream, &plan.table).map(Some);
        let parameters = place.into_iter().chain(values);
        statement
            .execute(params_from_iter(parameters))
            .explain(doing)?;
    }
    Ok(())
}

/// Forgets what was rejected of a table that is emptied or begins anew.
pub(crate) fn void(
    site: &Site,
    waiting: &mut Waiting,
    stream: &StreamName,
    table: &TableName,
) -> Result<()> {
    waiting.void(stream, table);
    let sql =
        "DELETE FROM _tributary.rejected WHERE connection = ? AND stream = ? AND \"table\" = ?";
    run(site, sql, stream, table)
}

/// What waits for the table beside waits for the table itself, in whose place it is now. What waited
/// for that one stays only where each change is a row of its own, and those of before go on.
pub(crate) fn moved(
    site: &Site,
    waiting: &mut Waiting,
    plan: &TablePlan,
    from: &TableName,
    old: &Old,
) -> Result<()> {
    if (plan.mode, old) != (Mode::Append, &Old::Continued) {
        void(site, waiting, &plan.stream, &plan.table)?;
    }
    waiting.moved(plan, from);
    let sql = format!(
        "UPDATE _tributary.rejected SET \"table\" = {} WHERE connection = ? AND stream = ? AND \
         \"table\" = ?",
        literal(&plan.table.to_string())
    );
    run(site, &sql, &plan.stream, from)
}

/// Takes rows that wait out of the table, at most so many, the oldest first. Of a row without its key
/// nobody can say whether it is the newest: it stays.
pub(crate) fn take(site: &Site, plan: &TablePlan, most: usize) -> Result<Vec<Rejection>> {
    let doing = "taking rejected rows";
    let load_id = literal(&site.load.load_id);
    let sql = format!(
        "SELECT rowid, \"column\", \"value\", reason, CAST(\"row\" AS VARCHAR), \
         CAST(hidden AS VARCHAR) FROM _tributary.rejected WHERE {OF_TABLE} AND load_id <> {load_id} \
         AND (\"key\" IS NOT NULL OR {}) ORDER BY rejected_at, rowid LIMIT {most}",
        plan.mode == Mode::Append
    );
    let mut statement = site.connection.prepare(&sql).explain(doing)?;
    let of = params_from_iter(place(site, &plan.stream, &plan.table));
    let mut rows = statement.query(of).explain(doing)?;
    let (mut taken, mut ids) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().explain(doing)? {
        ids.push(row.get::<_, i64>(0).explain(doing)?.to_string());
        let json: Option<String> = row.get(4).explain(doing)?;
        let hidden: Option<String> = row.get(5).explain(doing)?;
        taken.push(Rejection {
            stream: plan.stream.clone(),
            column: row.get(1).explain(doing)?,
            value: row.get(2).explain(doing)?,
            reason: row
                .get::<_, Option<String>>(3)
                .explain(doing)?
                .unwrap_or_default(),
            row: json.as_deref().map(parse).transpose()?.unwrap_or_default(),
            hidden: match hidden.as_deref() {
                Some(names) => serde_json::from_value(parse(names)?).unwrap_or_default(),
                None => Vec::new(),
            },
        });
    }
    for ids in ids.chunks(KEYS) {
        let sql = format!(
            "DELETE FROM _tributary.rejected WHERE rowid IN ({})",
            ids.join(", ")
        );
        site.connection.execute_batch(&sql).explain(doing)?;
    }
    Ok(taken)
}

fn write(site: &Site, lines: &[Line<'_>]) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let load: &LoadPlan = &site.load;
    let of = |text: &dyn Fn(&Line<'_>) -> Option<String>| texts(lines.iter().map(text));
    let same = |value: &str| of(&|_| Some(value.to_owned()));
    let at = load.started_at.timestamp_micros();
    let times = TimestampMicrosecondArray::from(vec![at; lines.len()]).with_timezone("UTC");
    let columns: [(&str, ArrayRef); 11] = [
        ("load_id", same(&load.load_id)),
        ("connection", same(load.connection.as_str())),
        (
            "stream",
            of(&|line| Some(line.rejection.stream.to_string())),
        ),
        ("table", of(&|line| line.table.clone())),
        ("column", of(&|line| line.rejection.column.clone())),
        ("value", of(&|line| line.rejection.value.clone())),
        ("reason", of(&|line| Some(line.rejection.reason.clone()))),
        ("row", of(&|line| Some(line.rejection.row.to_string()))),
        ("hidden", of(&|line| names(&line.rejection.hidden))),
        ("key", of(&|line| line.key.clone())),
        ("rejected_at", Arc::new(times)),
    ];
    let place = Place::Table {
        catalog: &site.dialect.catalog,
        schema: "_tributary",
        table: "rejected",
    };
    append(&site.connection, place, &[batch_of(columns)?])
}

/// Forgets the rows of these keys.
fn forget(site: &Site, plan: &TablePlan, keys: &[String]) -> Result<()> {
    for keys in keys.chunks(KEYS) {
        let marks = vec!["?"; keys.len()].join(", ");
        let sql =
            format!("DELETE FROM _tributary.rejected WHERE {OF_TABLE} AND \"key\" IN ({marks})");
        let of = place(site, &plan.stream, &plan.table);
        let parameters = params_from_iter(of.iter().chain(keys));
        let done = site.connection.execute(&sql, parameters);
        done.map(drop)
            .explain("forgetting rejected rows that were overtaken")?;
    }
    Ok(())
}

fn run(site: &Site, sql: &str, stream: &StreamName, table: &TableName) -> Result<()> {
    let of = params_from_iter(place(site, stream, table));
    let done = site.connection.execute(sql, of);
    done.map(drop).explain("keeping the rejected rows")
}

fn place(site: &Site, stream: &StreamName, table: &TableName) -> [String; 3] {
    [
        site.load.connection.to_string(),
        stream.to_string(),
        table.to_string(),
    ]
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn names(names: &[String]) -> Option<String> {
    (!names.is_empty()).then(|| Value::from(names.to_vec()).to_string())
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|cause| {
        Error::new(
            tributary_model::ErrorKind::Incompatible,
            "a row of `_tributary.rejected` is not JSON",
        )
        .because(cause)
        .fix("Delete the row if it was changed by hand.")
    })
}

fn texts(values: impl Iterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.collect::<StringArray>())
}
