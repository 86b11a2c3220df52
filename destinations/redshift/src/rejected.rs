//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.
//!
//! Which of them wait, and until when, is decided by [`tributary_sql::Waiting`]; here it is done, in
//! the transaction of the load. A row that is longer than a text of Redshift's may be is kept with
//! its long values cut, and does not wait: it could not be loaded as what it was.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use tributary_model::{
    ConnectionName, Deletes, Error, ErrorKind, LoadPlan, Mode, Rejection, Result, StreamName,
    TableName, TablePlan,
};
use tributary_sql::{Cleared, Line, MOST_WAITING, Screened, Waiting, Within};

use crate::dialect::TEXT_BYTES;
use crate::session::{Row, Session};
use crate::state::insert;
use crate::text::{instant, literal, literals, optional, values};
use crate::transaction::Site;

const REJECTED: &str = "_tributary.rejected";
/// Keys of one statement, and rows that are looked at in one go. // G6
const ROWS: usize = 1000;
/// Bytes that are kept of a value that is too long, and of what is only shown.
const CUT: usize = 1000;

/// What waits when a load of `of` begins.
pub(crate) async fn waiting(session: &mut Session, of: &ConnectionName) -> Result<Waiting> {
    let sql = format!(
        "SELECT stream, COALESCE(\"table\", ''), \"key\" FROM {REJECTED} \
         WHERE connection = {} AND \"key\" IS NOT NULL LIMIT {}",
        literal(of.as_str()),
        MOST_WAITING + 1
    );
    let mut waiting = Waiting::counting();
    for row in session
        .ask(&sql, "reading which rows were rejected")
        .await?
    {
        let stream = StreamName::from(row.text(0)?.to_owned());
        waiting.note(&stream, row.text(1)?, row.text(2)?);
    }
    Ok(waiting)
}

/// The rows of one table that wait to be tried again.
fn of_table(load: &LoadPlan, stream: &StreamName, table: &TableName) -> String {
    format!(
        "connection = {} AND stream = {} AND \"table\" = {}",
        literal(load.connection.as_str()),
        literal(&stream.to_string()),
        literal(&table.to_string())
    )
}

/// Rows are loaded: what waits of their keys is older.
pub(crate) async fn loaded(
    site: &mut Site,
    waiting: &mut Waiting,
    plan: &TablePlan,
    rows: &Screened,
) -> Result<()> {
    let gone = waiting.loaded(plan, &rows.ops, &rows.rows);
    forget(site, plan, gone).await
}

/// Writes rejected rows of one stream, into whose table `plan` says.
pub(crate) async fn reject(
    site: &mut Site,
    waiting: &mut Waiting,
    plan: Option<&TablePlan>,
    rejections: &[Rejection],
    within: Option<&Within<'_>>,
) -> Result<()> {
    let rejected = waiting.reject(plan, rejections, within);
    if let Some(plan) = plan {
        forget(site, plan, rejected.gone).await?;
    }
    write(site, &rejected.lines).await
}

/// Rejected rows by their streams.
pub(crate) fn by_stream(rejections: Vec<Rejection>) -> BTreeMap<StreamName, Vec<Rejection>> {
    let mut streams: BTreeMap<StreamName, Vec<Rejection>> = BTreeMap::new();
    for rejection in rejections {
        let of = streams.entry(rejection.stream.clone()).or_default();
        of.push(rejection);
    }
    streams
}

/// Rows that agree with one of `of` are gone: so are those that wait.
pub(crate) async fn cleared(
    site: &mut Site,
    waiting: &Waiting,
    plan: &TablePlan,
    of: &RecordBatch,
) -> Result<()> {
    let keeps = plan.mode == Mode::Append || plan.deletes == Deletes::Ignore;
    if keeps || !waiting.any(plan) {
        return Ok(());
    }
    let doing = "forgetting rejected rows that are gone";
    let cleared = Cleared::new(of);
    let here = of_table(&site.load, &plan.stream, &plan.table);
    let mut last = (String::new(), 0);
    loop {
        let sql = format!(
            "SELECT load_id, place, \"row\" FROM {REJECTED} WHERE {here} AND (load_id > {id} OR \
             (load_id = {id} AND place > {})) ORDER BY load_id, place LIMIT {ROWS}",
            last.1,
            id = literal(&last.0)
        );
        let rows = site.session.ask(&sql, doing).await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last = (end.text(0)?.to_owned(), end.number(1)?);
        let mut gone = Vec::new();
        for row in &rows {
            let json = row.optional(2)?.unwrap_or_default();
            if parse(json).is_ok_and(|row| cleared.takes(&row)) {
                gone.push((row.text(0)?.to_owned(), row.number(1)?));
            }
        }
        remove(site, &gone).await?;
    }
}

/// Forgets what was rejected of a table that is emptied or begins anew.
pub(crate) async fn void(
    site: &mut Site,
    waiting: &mut Waiting,
    stream: &StreamName,
    table: &TableName,
) -> Result<()> {
    waiting.void(stream, table);
    let here = of_table(&site.load, stream, table);
    if !is_any(site, &here).await? {
        return Ok(());
    }
    let gone = format!("DELETE FROM {REJECTED} WHERE {here}");
    let doing = "forgetting rejected rows of a table that begins anew";
    site.session.run(&gone, doing).await.map(drop)
}

/// What was rejected of the table beside belongs to the table itself, in whose place it is now; what
/// was rejected of that one before is read anew.
pub(crate) async fn moved(
    site: &mut Site,
    waiting: &mut Waiting,
    plan: &TablePlan,
    from: &TableName,
) -> Result<()> {
    void(site, waiting, &plan.stream, &plan.table).await?;
    waiting.moved(plan, from);
    let here = of_table(&site.load, &plan.stream, from);
    if !is_any(site, &here).await? {
        return Ok(());
    }
    let moved = format!(
        "UPDATE {REJECTED} SET \"table\" = {} WHERE {here}",
        literal(&plan.table.to_string())
    );
    site.session
        .run(&moved, "moving rejected rows")
        .await
        .map(drop)
}

/// Looked for first: whoever writes a table keeps all other writers out until the commit.
async fn is_any(site: &mut Site, here: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM {REJECTED} WHERE {here} LIMIT 1");
    let rows = site.session.ask(&sql, "looking for rejected rows").await?;
    Ok(!rows.is_empty())
}

/// Takes rows that wait out of the table, at most so many, the oldest first. Of a row without its key
/// nobody can say whether it is the newest: it stays. So do those that this load has rejected, and
/// those that are not whole.
pub(crate) async fn take(site: &mut Site, plan: &TablePlan, most: usize) -> Result<Vec<Rejection>> {
    let doing = "taking rejected rows";
    let which = match plan.mode {
        Mode::Append => "",
        Mode::Merge | Mode::Replace | Mode::History => " AND \"key\" IS NOT NULL",
    };
    let sql = format!(
        "SELECT load_id, place, \"column\", \"value\", reason, \"row\", hidden FROM {REJECTED} \
         WHERE {} AND load_id <> {} AND is_whole{which} ORDER BY rejected_at, load_id, place \
         LIMIT {most}",
        of_table(&site.load, &plan.stream, &plan.table),
        literal(&site.load.load_id)
    );
    let rows = site.session.ask(&sql, doing).await?;
    let mut taken = Vec::with_capacity(rows.len());
    let mut gone = Vec::with_capacity(rows.len());
    for row in &rows {
        gone.push((row.text(0)?.to_owned(), row.number(1)?));
        taken.push(read(row, plan)?);
    }
    remove(site, &gone).await?;
    Ok(taken)
}

fn read(row: &Row, plan: &TablePlan) -> Result<Rejection> {
    let text = |index: usize| Ok::<_, Error>(row.optional(index)?.map(str::to_owned));
    Ok(Rejection {
        stream: plan.stream.clone(),
        column: text(2)?,
        value: text(3)?,
        reason: text(4)?.unwrap_or_default(),
        row: parse(row.text(5)?)?,
        hidden: match row.optional(6)? {
            Some(names) => serde_json::from_str(names).unwrap_or_default(),
            None => Vec::new(),
        },
    })
}

/// Removes single rows, each by its load and its place in it.
async fn remove(site: &mut Site, rows: &[(String, u64)]) -> Result<()> {
    let mut loads: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (load, place) in rows {
        loads.entry(load).or_default().push(place.to_string());
    }
    let connection = literal(site.load.connection.as_str());
    for (load, places) in loads {
        for places in places.chunks(ROWS) {
            let gone = format!(
                "DELETE FROM {REJECTED} WHERE connection = {connection} AND load_id = {} \
                 AND place IN ({})",
                literal(load),
                places.join(", ")
            );
            site.session
                .run(&gone, "forgetting rejected rows that are gone")
                .await?;
        }
    }
    Ok(())
}

/// Forgets the rows of these keys.
async fn forget(site: &mut Site, plan: &TablePlan, keys: Vec<String>) -> Result<()> {
    let here = of_table(&site.load, &plan.stream, &plan.table);
    for keys in keys.chunks(ROWS) {
        let gone = format!(
            "DELETE FROM {REJECTED} WHERE {here} AND \"key\" IN ({})",
            literals(keys)
        );
        site.session
            .run(&gone, "forgetting rejected rows that were overtaken")
            .await?;
    }
    Ok(())
}

async fn write(site: &mut Site, lines: &[Line<'_>]) -> Result<()> {
    let load = site.load.clone();
    let mut rows = Vec::with_capacity(lines.len());
    for line in lines {
        site.rejected += 1;
        rows.push(row_of(&load, line, site.rejected));
    }
    insert(&mut site.session, REJECTED, &rows, "writing rejected rows").await
}

/// The row of a line, which is the load's `place`-th.
fn row_of(load: &LoadPlan, line: &Line<'_>, place: u64) -> String {
    let rejection = line.rejection;
    let whole = rejection.row.to_string();
    let is_whole = whole.len() <= TEXT_BYTES;
    let row = match is_whole {
        true => whole,
        false => shortened(&rejection.row),
    };
    let key = line.key.as_deref().filter(|key| key.len() <= TEXT_BYTES);
    values(&[
        literal(&load.load_id),
        literal(load.connection.as_str()),
        literal(&rejection.stream.to_string()),
        optional(line.table.as_deref()),
        optional(rejection.column.as_deref()),
        optional(
            rejection
                .value
                .as_deref()
                .map(|value| cut(value, TEXT_BYTES))
                .as_deref(),
        ),
        literal(&cut(&rejection.reason, TEXT_BYTES)),
        literal(&row),
        literal(&json!(rejection.hidden).to_string()),
        optional(key),
        instant(load.started_at),
        place.to_string(),
        is_whole.to_string(),
    ])
}

/// A text, or its beginning where it has more bytes than that.
fn cut(text: &str, bytes: usize) -> String {
    // The characters that take the place of U+0000 are longer.
    let text = text.replace('\0', "\u{fffd}");
    if text.len() <= bytes {
        return text;
    }
    let end = text.floor_char_boundary(bytes - '…'.len_utf8());
    format!("{}…", &text[..end])
}

/// A row as JSON in which long values are cut; where that does not do, it says so instead.
fn shortened(row: &Value) -> String {
    let Value::Object(cells) = row else {
        return json!({"…": "the row is too long to be kept"}).to_string();
    };
    let short = cells.iter().map(|(name, value)| {
        let text = match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let value = match text.len() > CUT {
            true => Value::String(cut(&text, CUT)),
            false => value.clone(),
        };
        (name.clone(), value)
    });
    let short = Value::Object(short.collect()).to_string();
    match short.len() <= TEXT_BYTES {
        true => short,
        false => json!({"…": "the row is too long to be kept"}).to_string(),
    }
}

fn parse(text: &str) -> Result<Value> {
    serde_json::from_str(text).map_err(|cause| {
        Error::new(
            ErrorKind::Incompatible,
            "a row of `_tributary.rejected` is not JSON",
        )
        .because(cause)
        .fix("Delete the row if it was changed by hand.")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_row_is_kept_as_what_can_be_shown_of_it() {
        let row = json!({"id": 7, "text": "é".repeat(70_000), "n": null});
        let kept: Value = serde_json::from_str(&shortened(&row)).unwrap();
        assert_eq!((&kept["id"], &kept["n"]), (&json!(7), &Value::Null));
        assert!(kept["text"].as_str().unwrap().ends_with("é…"));
        let wide: Value = (0..2000)
            .map(|n| (format!("c{n}"), json!("x".repeat(900))))
            .collect();
        assert!(shortened(&wide).contains("too long"));
        assert_eq!(cut("ab", 2), "ab");
        assert!(cut(&"é".repeat(50), 60).len() <= 60);
    }
}
