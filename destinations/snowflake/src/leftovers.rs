//! What killed processes left behind: tables of staged rows, and files in the bucket. By age: no load
//! takes as long.

use tributary_model::{Report, Result, now};
use tributary_sql::Dialect;
use tributary_store::staging::{LEFT_BEHIND, sweep};

use crate::answer::Rows;
use crate::client::Scope;
use crate::dialect::{SYSTEM, Snow};
use crate::site::{Place, STAGED};
use crate::system::instant;

/// Removes what is old enough; says how many tables and files there were.
async fn remove(place: &Place) -> Result<(usize, usize)> {
    let dialect = place.dialect;
    let schema = dialect.fold(SYSTEM);
    let prefix = dialect.fold(STAGED);
    let sql = format!(
        "SELECT TABLE_NAME FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA = {} \
         AND STARTSWITH(TABLE_NAME, {}) AND CREATED < {}",
        dialect.literal(&schema),
        dialect.literal(&prefix),
        instant(dialect, now() - LEFT_BEHIND)
    );
    let doing = "looking for tables that were left behind";
    let rows = place.client.ask(Scope::Database, &sql, doing).await?;
    let drops = rows.rows.iter().map(|row| {
        let name = Snow::exact(Rows::text(row, 0)?);
        Ok(format!(
            "DROP TABLE IF EXISTS {}.{name}",
            dialect.schema(SYSTEM)
        ))
    });
    let drops: Vec<String> = drops.collect::<Result<_>>()?;
    place.client.run(Scope::Database, &drops, doing).await?;
    let files = sweep(place.store.as_ref(), LEFT_BEHIND).await?;
    Ok((drops.len(), files))
}

/// The same, where nothing depends on it.
pub(crate) async fn sweep_quietly(place: &Place) {
    if let Err(error) = remove(place).await {
        tracing::warn!(%error, "what earlier processes left behind was not removed");
    }
}

/// The same, for a report.
pub(crate) async fn tidy(place: &Place) -> Result<Report> {
    let (tables, files) = remove(place).await?;
    let mut report = Report::default();
    report.pass(
        "staging",
        format!("{tables} tables and {files} files that were left behind were removed"),
    );
    Ok(report)
}
