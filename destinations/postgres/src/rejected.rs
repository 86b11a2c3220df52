//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.
//!
//! Which of them wait, and until when, is decided by [`tributary_sql::Waiting`]; here it is done, in
//! the transaction of the load.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::postgres::PgRow;
use tributary_model::{
    ConnectionName, Deletes, Error, ErrorKind, LoadPlan, Mode, Old, Rejection, Result, StreamName,
    TableName, TablePlan,
};
use tributary_sql::{Cleared, Line, MOST_WAITING, Screened, Waiting, Within};

use crate::error::Explain;
use crate::session::Session;
use crate::system::{big, instant};
use crate::transaction::Site;

/// Rows of one statement. // G6
const ROWS: usize = 1000;

/// The rows of one table that wait to be tried again.
const OF_TABLE: &str = "connection = $1 AND stream = $2 AND \"table\" = $3";

/// What waits when a load of `of` begins.
pub(crate) async fn waiting(session: &mut Session, of: &ConnectionName) -> Result<Waiting> {
    let doing = "reading which rows were rejected";
    let sql = "SELECT stream, coalesce(\"table\", ''), \"key\" FROM _tributary.rejected \
         WHERE connection = $1 AND \"key\" IS NOT NULL LIMIT $2";
    let query = sqlx::query(sql)
        .bind(of.as_str())
        .bind(big(MOST_WAITING as u64 + 1));
    let mut waiting = Waiting::counting();
    for row in session.ask(query, doing).await? {
        let stream: String = row.try_get(0).explain(doing)?;
        let table: &str = row.try_get(1).explain(doing)?;
        waiting.note(&stream.into(), table, row.try_get(2).explain(doing)?);
    }
    Ok(waiting)
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
    // Looked at here: the server's operators fail on a row with U+0000 in a text.
    let sql = format!(
        "SELECT ctid::text, \"row\"::text FROM _tributary.rejected WHERE {OF_TABLE} \
         AND ctid > $4::tid ORDER BY ctid LIMIT {ROWS}"
    );
    let mut last = "(0,0)".to_owned();
    loop {
        let query = sqlx::query(&sql)
            .bind(site.load.connection.as_str())
            .bind(plan.stream.to_string())
            .bind(plan.table.to_string())
            .bind(&last);
        let rows = site.session.ask(query, doing).await?;
        let Some(end) = rows.last() else {
            return Ok(());
        };
        last = end.try_get(0).explain(doing)?;
        let mut gone: Vec<String> = Vec::new();
        for row in &rows {
            let json: Option<&str> = row.try_get(1).explain(doing)?;
            if json.is_some_and(|json| parse(json).is_ok_and(|row| cleared.takes(&row))) {
                gone.push(row.try_get(0).explain(doing)?);
            }
        }
        if !gone.is_empty() {
            let sql = "DELETE FROM _tributary.rejected WHERE ctid = ANY ($1::tid[])";
            let delete = sqlx::query(sql).bind(gone);
            site.session.tell(delete, doing).await?;
        }
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
    let sql = format!("DELETE FROM _tributary.rejected WHERE {OF_TABLE}");
    let query = sqlx::query(&sql)
        .bind(site.load.connection.as_str())
        .bind(stream.to_string())
        .bind(table.to_string());
    let doing = "forgetting rejected rows of a table that begins anew";
    site.session.tell(query, doing).await.map(drop)
}

/// What was rejected of the table beside belongs to the table itself, in whose place it is now. What was
/// rejected of that one before is read anew; it stays only where each change is a row of its own, and
/// those of before go on.
pub(crate) async fn moved(
    site: &mut Site,
    waiting: &mut Waiting,
    plan: &TablePlan,
    from: &TableName,
    old: &Old,
) -> Result<()> {
    if (plan.mode, old) != (Mode::Append, &Old::Continued) {
        void(site, waiting, &plan.stream, &plan.table).await?;
    }
    waiting.moved(plan, from);
    let sql = format!("UPDATE _tributary.rejected SET \"table\" = $4 WHERE {OF_TABLE}");
    let query = sqlx::query(&sql)
        .bind(site.load.connection.as_str())
        .bind(plan.stream.to_string())
        .bind(from.to_string())
        .bind(plan.table.to_string());
    let doing = "moving rejected rows";
    site.session.tell(query, doing).await.map(drop)
}

/// Takes rows that wait out of the table, at most so many, the oldest first. Of a row without its key
/// nobody can say whether it is the newest: it stays. So do those that this load has rejected.
pub(crate) async fn take(site: &mut Site, plan: &TablePlan, most: usize) -> Result<Vec<Rejection>> {
    let doing = "taking rejected rows";
    let which = match plan.mode {
        Mode::Append => "",
        Mode::Merge | Mode::Replace | Mode::History => " AND \"key\" IS NOT NULL",
    };
    let sql = format!(
        "WITH taken AS (DELETE FROM _tributary.rejected WHERE ctid = ANY (ARRAY(\
         SELECT ctid FROM _tributary.rejected WHERE {OF_TABLE} AND load_id <> $4{which} \
         ORDER BY rejected_at, ctid LIMIT $5)) RETURNING \"column\", \"value\", reason, \
         \"row\"::text AS content, hidden::text AS names, rejected_at, ctid AS place) \
         SELECT \"column\", \"value\", reason, content, names FROM taken ORDER BY rejected_at, place"
    );
    let query = sqlx::query(&sql)
        .bind(site.load.connection.as_str())
        .bind(plan.stream.to_string())
        .bind(plan.table.to_string())
        .bind(&site.load.load_id)
        .bind(big(most as u64));
    let rows = site.session.ask(query, doing).await?;
    rows.iter().map(|row| read(row, plan)).collect()
}

fn read(row: &PgRow, plan: &TablePlan) -> Result<Rejection> {
    let text = |index: usize| -> Result<Option<String>> {
        row.try_get(index).explain("reading a rejected row")
    };
    let json = |index: usize| text(index)?.as_deref().map(parse).transpose();
    Ok(Rejection {
        stream: plan.stream.clone(),
        column: text(0)?,
        value: text(1)?,
        reason: text(2)?.unwrap_or_default(),
        row: json(3)?.unwrap_or_default(),
        hidden: match json(4)? {
            Some(names) => serde_json::from_value(names).unwrap_or_default(),
            None => Vec::new(),
        },
    })
}

/// Forgets the rows of these keys.
async fn forget(site: &mut Site, plan: &TablePlan, keys: Vec<String>) -> Result<()> {
    let sql =
        format!("DELETE FROM _tributary.rejected WHERE {OF_TABLE} AND \"key\" = ANY ($4::text[])");
    for keys in keys.chunks(ROWS) {
        let query = sqlx::query(&sql)
            .bind(site.load.connection.as_str())
            .bind(plan.stream.to_string())
            .bind(plan.table.to_string())
            .bind(keys);
        let doing = "forgetting rejected rows that were overtaken";
        site.session.tell(query, doing).await?;
    }
    Ok(())
}

async fn write(site: &mut Site, lines: &[Line<'_>]) -> Result<()> {
    let Site { session, load } = site;
    let load: &LoadPlan = load;
    for lines in lines.chunks(ROWS) {
        let each = |of: fn(&Rejection) -> Option<String>| -> Vec<Option<String>> {
            lines.iter().map(|line| of(line.rejection)).collect()
        };
        let tables: Vec<_> = lines.iter().map(|line| line.table.clone()).collect();
        let keys: Vec<_> = lines.iter().map(|line| line.key.clone()).collect();
        let sql = "INSERT INTO _tributary.rejected (load_id, connection, stream, \"table\", \"column\", \
             \"value\", reason, \"row\", hidden, \"key\", rejected_at) SELECT $1, $2, r.stream, r.place, \
             r.part, r.value, r.reason, r.content::json, r.hidden::json, r.key, $11::timestamptz \
             FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
             $9::text[], $10::text[]) AS r (stream, place, part, value, reason, content, hidden, key)";
        let query = sqlx::query(sql)
            .bind(&load.load_id)
            .bind(load.connection.as_str())
            .bind(each(|rejection| Some(rejection.stream.to_string())))
            .bind(tables)
            .bind(each(|rejection| {
                rejection.column.as_deref().map(without_nul)
            }))
            .bind(each(|rejection| {
                rejection.value.as_deref().map(without_nul)
            }))
            .bind(each(|rejection| Some(without_nul(&rejection.reason))))
            .bind(each(|rejection| Some(rejection.row.to_string())))
            .bind(each(|rejection| Some(json!(rejection.hidden).to_string())))
            .bind(keys)
            .bind(instant(load.started_at));
        session.tell(query, "writing rejected rows").await?;
    }
    Ok(())
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

/// A text that PostgreSQL takes; in JSON that character is an escape, and stays.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
