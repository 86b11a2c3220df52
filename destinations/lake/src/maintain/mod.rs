//! Upkeep: what loads leave behind and no run tidies by itself.
//!
//! 1. Small files of a table become larger ones ([`compact`]): an entry of the connection's log,
//!    like a load's, that leaves the state as it is. It does not raise the epoch, so that a sync
//!    that is under way goes on ([`meanwhile`]).
//! 2. Tables of Iceberg that their catalog has lost are made again, and of all of them snapshots that
//!    are old are forgotten.
//! 3. Files that nobody names and that are old are deleted ([`orphans`]), and uploads that nobody
//!    will complete are given up.
//!
//! All of it may be stopped at any point and run at any time, by several processes at once.

mod compact;
pub(crate) mod meanwhile;
mod orphans;

use std::sync::Arc;
use std::time::Duration;

use tributary_model::{ConnectionName, Error, Report, Result, TableName};

use crate::destination::Lake;
use crate::log::Snapshot;
use crate::table::Table;

/// What nobody names is deleted when it is older than this: a load that is under way, or a reader
/// that began before, may still need it.
pub(crate) const GRACE: Duration = Duration::from_hours(48);

/// Tidies every connection of the lake.
pub(crate) async fn maintain(lake: &Lake) -> Result<Report> {
    let mut report = Report::default();
    for (of, snapshot) in lake.snapshots().await? {
        lake.catch_up(&of, &snapshot).await?;
        let snapshot = compact::all(lake, &of, snapshot, &mut report).await?;
        let seen = |table: &&Arc<Table>| !table.definition.is_beside();
        for table in snapshot.tables.values().filter(seen) {
            let table = &table.definition.table;
            restore(lake, &of, table, &snapshot, &mut report).await;
            expire(lake, &of, table, &snapshot, &mut report).await;
            note(
                &mut report,
                table,
                orphans::of_table(lake, table, &snapshot).await,
            );
        }
        if let Err(error) = lake.collect(&of, &snapshot).await {
            failed(&mut report, &format!("uploads of `{of}`"), &error);
        }
    }
    if report.findings.is_empty() {
        report.pass("lake", "there is nothing to tidy");
    }
    Ok(report)
}

async fn restore(
    lake: &Lake,
    of: &ConnectionName,
    table: &TableName,
    snapshot: &Snapshot,
    report: &mut Report,
) {
    let (Some(iceberg), Some(there)) = (&lake.iceberg, snapshot.tables.get(table)) else {
        return;
    };
    let restored = iceberg.restore(of, there, snapshot).await;
    let said = restored.map(|had_gone| {
        had_gone.then(|| "the catalog had lost the table; it was made again".to_owned())
    });
    note(report, table, said);
}

async fn expire(
    lake: &Lake,
    of: &ConnectionName,
    table: &TableName,
    snapshot: &Snapshot,
    report: &mut Report,
) {
    let (Some(iceberg), Some(there)) = (&lake.iceberg, snapshot.tables.get(table)) else {
        return;
    };
    let keep = lake.config.keep_snapshots();
    let expired = iceberg.expire(of, &there.definition, keep).await;
    let said = expired.map(|count| match count {
        0 => None,
        1 => Some("1 snapshot was forgotten".to_owned()),
        count => Some(format!("{count} snapshots were forgotten")),
    });
    note(report, table, said);
}

/// Notes what was done to a table, or why it was not.
fn note(report: &mut Report, table: &TableName, outcome: Result<Option<String>>) {
    match outcome {
        Ok(None) => {}
        Ok(Some(done)) => report.pass(table.to_string(), done),
        Err(error) => failed(report, &table.to_string(), &error),
    }
}

fn failed(report: &mut Report, what: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(what, found, error.help().unwrap_or("See the message."));
}
