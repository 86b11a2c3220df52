//! The fence row: who may write, and whether a load has committed.
//!
//! Why a load commits only by the last opening, and once. Its transaction first changes the fence row
//! where that has its epoch and number, and then divides by how many rows say that they are this
//! load's. Where another opening or this very load was there before, no row has changed, the division
//! fails, and with it the request: no statement after it runs, and its session ends without a COMMIT.
//! Where it has changed, the row is locked until the COMMIT, so nobody comes in between. // G1 G2

use tributary_model::{ConnectionName, Error, ErrorKind, Fence, Result, now};
use tributary_sql::Dialect;

use crate::answer::Rows;
use crate::client::{Client, Scope};
use crate::dialect::Snow;
use crate::system::{ALL, instant, question};

/// Fails, and all of the request with it, unless exactly one row of `table` is so.
pub(crate) fn guard(table: &str, condition: &str) -> String {
    format!("SELECT 1 / CASE WHEN COUNT(*) = 1 THEN 1 ELSE 0 END FROM {table} WHERE {condition}")
}

/// Fails, and all of the request with it, unless `table` has so many rows.
pub(crate) fn count_guard(table: &str, rows: u64) -> String {
    format!("SELECT 1 / CASE WHEN COUNT(*) = {rows} THEN 1 ELSE 0 END FROM {table}")
}

/// The conditions of a load's own mark in the fence row.
fn marked(dialect: Snow, fence: &Fence, load_id: &str) -> String {
    let column = |name: &str| dialect.quote(name);
    format!(
        "{} = {} AND {} = '{ALL}' AND {} = {} AND {} = {} AND {} = {}",
        column("connection"),
        dialect.literal(fence.connection.as_str()),
        column("stream"),
        column("epoch"),
        fence.epoch,
        column("sequence"),
        fence.sequence + 1,
        column("load_id"),
        dialect.literal(load_id)
    )
}

/// Claims the next load: the first statements of its transaction. // G1 G7
pub(crate) fn claim(dialect: Snow, fence: &Fence, load_id: &str) -> [String; 2] {
    let state = dialect.own("state");
    let column = |name: &str| dialect.quote(name);
    let (sequence, load) = (column("sequence"), column("load_id"));
    let take = format!(
        "UPDATE {state} SET {sequence} = {sequence} + 1, {load} = {} \
         WHERE {} = {} AND {} = '{ALL}' AND {} = {} AND {sequence} = {}",
        dialect.literal(load_id),
        column("connection"),
        dialect.literal(fence.connection.as_str()),
        column("stream"),
        column("epoch"),
        fence.epoch,
        fence.sequence
    );
    [take, guard(&state, &marked(dialect, fence, load_id))]
}

/// Holds the fence row of a load that may not go on where somebody else has taken over: the first
/// statements of a transaction that belongs to it and commits before it.
pub(crate) fn hold(dialect: Snow, fence: &Fence) -> [String; 2] {
    let state = dialect.own("state");
    let column = |name: &str| dialect.quote(name);
    let mine = format!(
        "{} = {} AND {} = '{ALL}' AND {} = {} AND {} = {}",
        column("connection"),
        dialect.literal(fence.connection.as_str()),
        column("stream"),
        column("epoch"),
        fence.epoch,
        column("sequence"),
        fence.sequence
    );
    let updated_at = column("updated_at");
    [
        format!(
            "UPDATE {state} SET {updated_at} = {} WHERE {mine}",
            instant(dialect, now())
        ),
        guard(&state, &mine),
    ]
}

/// Where a load stands, by the fence row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may begin, or has not committed.
    Open,
    /// It has committed.
    Committed,
    /// Somebody else has opened the connection, or another load of this opening has committed.
    Fenced,
}

/// Looks where a load stands. // G1
pub(crate) async fn standing(
    client: &Client,
    dialect: Snow,
    fence: &Fence,
    load_id: &str,
) -> Result<Standing> {
    let rows = client
        .ask(
            Scope::Database,
            &question(dialect, &fence.connection),
            "looking who writes",
        )
        .await?;
    let is_fence = |row: &&Vec<Option<String>>| row.first() == Some(&Some(ALL.to_owned()));
    let Some(row) = rows.rows.iter().find(is_fence) else {
        return Ok(Standing::Fenced);
    };
    let (epoch, sequence) = (Rows::number(row, 2)?, Rows::number(row, 3)?);
    let last_load = row.get(4).and_then(Option::as_deref);
    Ok(if (epoch, sequence) == (fence.epoch, fence.sequence) {
        Standing::Open
    } else if (epoch, sequence, last_load) == (fence.epoch, fence.sequence + 1, Some(load_id)) {
        Standing::Committed
    } else {
        Standing::Fenced
    })
}

/// The error of a load whose connection someone else has taken over.
pub(crate) fn fenced(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!("another run of the connection `{of}` has taken over; this one wrote nothing"),
    )
    .fix("Let one process at a time run a connection.")
}
