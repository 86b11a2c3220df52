//! Holds copies back where the server has other things to do.
//!
//! Between two chunks, never inside one: a view that is kept open makes the server keep old versions
//! of rows. Only the number of rows a second is kept batch by batch.
//!
//! Deliberately absent: any hold on the log. Whoever falls behind there loses it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tributary_model::{Error, ErrorKind, Result};

use crate::ask::{Ask, TextRow};
use crate::failure::classify;
use crate::server::{Flavor, Server, Version};
use crate::settings::Limits;

/// How often a busy server is asked whether it still is.
const STEP: Duration = Duration::from_secs(1);
/// A pause is told once in so many steps.
const TELL: u32 = 60;

/// The pace of all copies together.
#[derive(Debug)]
pub(crate) struct Pace {
    limits: Limits,
    /// When the next rows may be asked for.
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            next: Mutex::default(),
        }
    }

    /// Notes rows that have been read, and waits for as long as they should have taken.
    pub(crate) async fn read(&self, rows: usize) {
        let Some(limit) = self.limits.rows_per_second else {
            return;
        };
        let until = self.book(Instant::now(), rows, limit);
        tokio::time::sleep_until(until).await;
    }

    /// One moment behind the other, whoever reads.
    fn book(&self, now: Instant, rows: usize, limit: u64) -> Instant {
        let length = Duration::from_secs_f64(rows as f64 / limit as f64);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let until = next.map_or(now, |next| next.max(now)) + length;
        *next = Some(until);
        until
    }

    /// Waits while the server is busier than it may be.
    pub(crate) async fn wait_for_calm(&self, conn: &mut impl Ask, server: &Server) -> Result<()> {
        let mut step: u32 = 0;
        loop {
            let Some(busy) = self.busy(conn, server).await? else {
                return Ok(());
            };
            if step.is_multiple_of(TELL) {
                tracing::info!(%busy, "copying pauses");
            }
            step += 1;
            tokio::time::sleep(STEP).await;
        }
    }

    /// Why the server is too busy; `None` where it is not.
    async fn busy(&self, conn: &mut impl Ask, server: &Server) -> Result<Option<String>> {
        if let Some(limit) = self.limits.threads_running {
            let running = threads_running(conn).await?;
            if running > limit {
                let busy = format!("{running} statements run, {limit} may");
                return Ok(Some(busy));
            }
        }
        if let Some(limit) = self.limits.replica_lag
            && let Some(lag) = replica_lag(conn, server).await?
            && lag > limit
        {
            let busy = format!("the server is {lag} seconds behind its primary, {limit} may be");
            return Ok(Some(busy));
        }
        Ok(None)
    }
}

async fn threads_running(conn: &mut impl Ask) -> Result<u64> {
    let rows = conn
        .ask("SHOW GLOBAL STATUS LIKE 'Threads_running'")
        .await
        .map_err(|error| classify(error, "asking how many statements run"))?;
    let value = rows.first().and_then(|row| row.at(1)?.parse().ok());
    value.ok_or_else(|| {
        Error::new(
            ErrorKind::Malformed,
            "the server does not say how many statements run",
        )
    })
}

/// Seconds behind the primary; `None` on a server that is no replica, or whose replication stands
/// still: nothing would come of waiting for that.
async fn replica_lag(conn: &mut impl Ask, server: &Server) -> Result<Option<u64>> {
    let (statement, privilege) = match server.flavor {
        Flavor::MySql if server.version >= Version::new(8, 0, 22) => {
            ("SHOW REPLICA STATUS", "REPLICATION CLIENT")
        }
        Flavor::MySql => ("SHOW SLAVE STATUS", "REPLICATION CLIENT"),
        Flavor::MariaDb => ("SHOW ALL SLAVES STATUS", "REPLICA MONITOR"),
    };
    let rows = conn.ask(statement).await.map_err(|error| {
        let error = classify(error, "asking how far the server is behind its primary");
        match error.kind() {
            ErrorKind::Access => error.fix(format!(
                "Run on the server: GRANT {privilege} ON *.* TO {}; or take `max_replica_lag` out.",
                server.account
            )),
            _ => error,
        }
    })?;
    Ok(rows.iter().filter_map(behind).max())
}

fn behind(row: &TextRow) -> Option<u64> {
    let names = ["Seconds_Behind_Source", "Seconds_Behind_Master"];
    names.iter().find_map(|name| row.get(name)?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_are_booked_one_behind_the_other() {
        let pace = Pace::new(Limits::default());
        let now = Instant::now();
        assert_eq!(pace.book(now, 500, 1000) - now, Duration::from_millis(500));
        assert_eq!(pace.book(now, 500, 1000) - now, Duration::from_secs(1));
        let later = now + Duration::from_secs(10);
        assert_eq!(
            pace.book(later, 100, 1000) - later,
            Duration::from_millis(100)
        );
    }

    #[test]
    fn the_lag_is_read_by_either_name() {
        let row = |name: &str, value: Option<&str>| {
            let names = vec!["Channel".to_owned(), name.to_owned()];
            TextRow::new(names.into(), vec![None, value.map(ToOwned::to_owned)])
        };
        assert_eq!(behind(&row("Seconds_Behind_Source", Some("7"))), Some(7));
        assert_eq!(behind(&row("Seconds_Behind_Master", Some("0"))), Some(0));
        assert_eq!(behind(&row("Seconds_Behind_Master", None)), None);
    }
}
