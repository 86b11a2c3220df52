//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.
//!
//! Invariant: what is there is missing from its table. Once a later change of a row's key is loaded,
//! or rejected, in the same load or another, the row goes in the same transaction; so it does once its
//! table is emptied or copied anew. So a row that is tried again is always the newest of its key, and
//! never comes over a newer one. // G4
//!
//! Why no change is missed: what waits is read when a load begins, within its transaction, and every
//! change of a load passes [`Waiting`], in order.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, StringArray, TimestampMicrosecondArray};
use duckdb::{params, params_from_iter};
use serde_json::Value;
use tributary_model::{
    Error, LoadPlan, Mode, Old, Rejection, Result, StreamName, TableName, TablePlan,
};
use tributary_sql::cell::cell;

use crate::append::{Place, append, batch_of};
use crate::error::Explain;
use crate::layout::Site;

/// Keys that are named in one statement.
const KEYS: usize = 500;
/// Keys that are known by heart; where more rows wait, each change is looked up. // G6
const KNOWN: usize = 1_000_000;

/// The rows of one table that wait to be tried again.
const OF_TABLE: &str = "connection = ? AND stream = ? AND \"table\" = ?";

/// The keys of the rows that wait, by stream and table, as hashes.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    keys: BTreeMap<(StreamName, String), HashSet<u64>>,
    /// Whether there are more than can be known.
    is_more: bool,
}

impl Waiting {
    /// What waits when a load begins.
    pub(crate) fn read(site: &Site) -> Result<Self> {
        let doing = "reading which rows were rejected";
        let mut statement = site
            .connection
            .prepare(
                "SELECT stream, \"table\", \"key\" FROM _tributary.rejected WHERE connection = ? \
                 AND \"key\" IS NOT NULL LIMIT ?",
            )
            .explain(doing)?;
        let of = params![site.load.connection.as_str(), KNOWN as u64 + 1];
        let mut rows = statement.query(of).explain(doing)?;
        let mut waiting = Self::default();
        let mut count = 0;
        while let Some(row) = rows.next().explain(doing)? {
            let stream: String = row.get(0).explain(doing)?;
            let table: Option<String> = row.get(1).explain(doing)?;
            let key: String = row.get(2).explain(doing)?;
            waiting.note(&stream.into(), table.unwrap_or_default(), &key);
            count += 1;
        }
        waiting.is_more = count > KNOWN;
        Ok(waiting)
    }

    fn note(&mut self, stream: &StreamName, table: String, key: &str) {
        let keys = self.keys.entry((stream.clone(), table)).or_default();
        keys.insert(hash(key));
    }

    fn of(&mut self, plan: &TablePlan) -> Option<&mut HashSet<u64>> {
        let place = (plan.stream.clone(), plan.table.to_string());
        let is_more = self.is_more;
        if is_more {
            return Some(self.keys.entry(place).or_default());
        }
        let keys = self.keys.get_mut(&place);
        keys.filter(|keys| !keys.is_empty())
    }

    /// Notes that rows were loaded: what waits of their keys is older.
    pub(crate) fn loaded(
        &mut self,
        site: &Site,
        plan: &TablePlan,
        rows: &RecordBatch,
    ) -> Result<()> {
        let is_more = self.is_more;
        if plan.mode == Mode::Append {
            return Ok(()); // every change is a row of its own
        }
        let Some(known) = self.of(plan) else {
            return Ok(());
        };
        let columns = key_columns(plan, rows);
        let keys = (0..rows.num_rows()).filter_map(|row| key_in(&columns, row));
        let newer: HashSet<String> = keys
            .filter(|key| is_more || known.contains(&hash(key)))
            .collect();
        newer.iter().for_each(|key| {
            known.remove(&hash(key));
        });
        forget(site, plan, newer)
    }

    /// Writes rejected rows. What waits of their keys is older, earlier ones of `rejections` included.
    pub(crate) fn reject(
        &mut self,
        site: &Site,
        plan: Option<&TablePlan>,
        rejections: &[Rejection],
        overtaken: &HashSet<String>,
    ) -> Result<()> {
        let keys: Vec<Option<String>> = rejections.iter().map(|r| key_of(plan, &r.row)).collect();
        let mut last: HashMap<&str, usize> = HashMap::new();
        for (place, key) in keys.iter().enumerate() {
            last.extend(key.as_deref().map(|key| (key, place)));
        }
        if let Some(plan) = plan {
            let is_more = self.is_more;
            if let Some(known) = self.of(plan) {
                let waits = |key: &&String| is_more || known.contains(&hash(key));
                forget(
                    site,
                    plan,
                    keys.iter().flatten().filter(waits).cloned().collect(),
                )?;
            }
        }
        let mut rows = Vec::with_capacity(rejections.len());
        for (place, (rejection, key)) in rejections.iter().zip(&keys).enumerate() {
            let is_newest = key
                .as_deref()
                .is_none_or(|key| last.get(key) == Some(&place) && !overtaken.contains(key));
            if !is_newest {
                continue;
            }
            if let (Some(plan), Some(key)) = (plan, key) {
                self.note(&plan.stream, plan.table.to_string(), key);
            }
            rows.push(Line {
                rejection,
                table: plan.map(|plan| plan.table.to_string()),
                key: key.clone(),
            });
        }
        write(site, &rows)
    }

    /// Notes that rows are gone that agree with one of `of`: so are those that wait.
    pub(crate) fn cleared(
        &mut self,
        site: &Site,
        plan: &TablePlan,
        of: &RecordBatch,
    ) -> Result<()> {
        if self.of(plan).is_none() {
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
        &mut self,
        site: &Site,
        stream: &StreamName,
        table: &TableName,
    ) -> Result<()> {
        self.keys.remove(&(stream.clone(), table.to_string()));
        let sql =
            "DELETE FROM _tributary.rejected WHERE connection = ? AND stream = ? AND \"table\" = ?";
        run(site, sql, stream, table)
    }

    /// What waits for the table beside waits for the table itself, in whose place it is now. What waited
    /// for that one stays only where each change is a row of its own, and those of before go on.
    pub(crate) fn moved(
        &mut self,
        site: &Site,
        plan: &TablePlan,
        from: &TableName,
        old: &Old,
    ) -> Result<()> {
        if (plan.mode, old) != (Mode::Append, &Old::Continued) {
            self.void(site, &plan.stream, &plan.table)?;
        }
        let of = |table: &TableName| (plan.stream.clone(), table.to_string());
        if let Some(keys) = self.keys.remove(&of(from)) {
            self.keys.insert(of(&plan.table), keys);
        }
        let sql = format!(
            "UPDATE _tributary.rejected SET \"table\" = {} WHERE connection = ? AND stream = ? AND \
             \"table\" = ?",
            literal(&plan.table.to_string())
        );
        run(site, &sql, &plan.stream, from)
    }
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

/// The keys of rejected rows of which a newer row of the same batch is loaded.
pub(crate) fn overtaken(
    plan: &TablePlan,
    all: &RecordBatch,
    rejections: &[Rejection],
) -> HashSet<String> {
    let mut newest: HashMap<String, &Value> = HashMap::new();
    for rejection in rejections {
        newest.extend(key_of(Some(plan), &rejection.row).map(|key| (key, &rejection.row)));
    }
    if newest.is_empty() {
        return HashSet::new();
    }
    let columns = key_columns(plan, all);
    let mut last: HashMap<String, usize> = HashMap::new();
    for row in 0..all.num_rows() {
        last.extend(
            key_in(&columns, row)
                .filter(|key| newest.contains_key(key))
                .map(|key| (key, row)),
        );
    }
    let is_loaded = |(key, row): (String, usize)| {
        let cells = plan.columns.iter().zip(all.columns());
        let whole = cells.map(|(column, array)| (column.name.clone(), cell(array, row)));
        let whole = Value::Object(whole.collect());
        (newest.get(&key) != Some(&&whole)).then_some(key)
    };
    last.into_iter().filter_map(is_loaded).collect()
}

/// A row of the table.
struct Line<'r> {
    rejection: &'r Rejection,
    table: Option<String>,
    key: Option<String>,
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
fn forget(site: &Site, plan: &TablePlan, keys: HashSet<String>) -> Result<()> {
    let keys: Vec<String> = keys.into_iter().collect();
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

/// The columns of the key in their order; none where rows are not told apart by one.
fn key_columns<'r>(plan: &TablePlan, rows: &'r RecordBatch) -> Vec<&'r ArrayRef> {
    if plan.mode == Mode::Append {
        return Vec::new();
    }
    let of = |key: &String| {
        let index = plan.columns.iter().position(|column| column.name == *key)?;
        rows.columns().get(index)
    };
    plan.key.iter().filter_map(of).collect()
}

fn key_in(columns: &[&ArrayRef], row: usize) -> Option<String> {
    key(columns.iter().map(|array| cell(array, row)))
}

fn key_of(plan: Option<&TablePlan>, row: &Value) -> Option<String> {
    let plan = plan.filter(|plan| plan.mode != Mode::Append)?;
    let value = |name: &String| row.get(name).cloned().unwrap_or_default();
    key(plan.key.iter().map(value))
}

/// A key as a list of texts; `None` where a part of it is missing.
fn key(values: impl Iterator<Item = Value>) -> Option<String> {
    let texts: Option<Vec<Value>> = values
        .map(|value| text(&value).map(Value::String))
        .collect();
    let texts = texts.filter(|texts| !texts.is_empty())?;
    Some(Value::Array(texts).to_string())
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

fn hash(key: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    hasher.finish()
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
