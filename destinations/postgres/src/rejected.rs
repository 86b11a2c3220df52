//! `_tributary.rejected`: rows that could not be loaded, ready to be loaded later.

use serde_json::json;
use tributary_model::{LoadPlan, Rejection, Result, TableName, TablePlan};

use crate::session::Session;
use crate::system::instant;

/// Rows of one statement. // G6
const ROWS: usize = 1000;

/// Writes `rejections`; `table` says into which table a stream's rows were to go.
pub(crate) async fn write(
    session: &mut Session,
    load: &LoadPlan,
    rejections: &[Rejection],
    table: impl Fn(&Rejection) -> Option<String>,
) -> Result<()> {
    for rejections in rejections.chunks(ROWS) {
        let each = |of: fn(&Rejection) -> Option<String>| -> Vec<Option<String>> {
            rejections.iter().map(of).collect()
        };
        let sql = "INSERT INTO _tributary.rejected (load_id, connection, stream, \"table\", \"column\", \
             \"value\", reason, \"row\", hidden, rejected_at) SELECT $1, $2, r.stream, r.place, r.part, \
             r.value, r.reason, r.content::json, r.hidden::json, $10::timestamptz \
             FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], \
             $9::text[]) AS r (stream, place, part, value, reason, content, hidden)";
        let query = sqlx::query(sql)
            .bind(&load.load_id)
            .bind(load.connection.as_str())
            .bind(each(|rejection| Some(rejection.stream.to_string())))
            .bind(rejections.iter().map(&table).collect::<Vec<_>>())
            .bind(each(|rejection| {
                rejection.column.as_deref().map(without_nul)
            }))
            .bind(each(|rejection| {
                rejection.value.as_deref().map(without_nul)
            }))
            .bind(each(|rejection| Some(without_nul(&rejection.reason))))
            .bind(each(|rejection| Some(rejection.row.to_string())))
            .bind(each(|rejection| Some(json!(rejection.hidden).to_string())))
            .bind(instant(load.started_at));
        session.tell(query, "writing rejected rows").await?;
    }
    Ok(())
}

/// What was rejected of the table beside belongs to the table itself, in whose place it is now; what
/// was rejected of that one before is read anew.
pub(crate) async fn moved(
    session: &mut Session,
    load: &LoadPlan,
    plan: &TablePlan,
    from: &TableName,
) -> Result<()> {
    let doing = "moving rejected rows";
    let of = "WHERE connection = $1 AND stream = $2 AND \"table\" = $3";
    let gone = format!("DELETE FROM _tributary.rejected {of}");
    let gone = sqlx::query(&gone)
        .bind(load.connection.as_str())
        .bind(plan.stream.to_string())
        .bind(plan.table.to_string());
    session.tell(gone, doing).await?;
    let moved = format!("UPDATE _tributary.rejected SET \"table\" = $4 {of}");
    let moved = sqlx::query(&moved)
        .bind(load.connection.as_str())
        .bind(plan.stream.to_string())
        .bind(from.to_string())
        .bind(plan.table.to_string());
    session.tell(moved, doing).await?;
    Ok(())
}

/// A text that PostgreSQL takes; in JSON that character is an escape, and stays.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
