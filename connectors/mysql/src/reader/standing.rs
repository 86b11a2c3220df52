//! Tells where the reading stands between the oldest and the newest entry of the log.
//!
//! Nothing depends on it: where the server can't be asked, nothing is told.

use std::time::Duration;

use tributary_model::{LogStanding, Result, Until, now};

use crate::ask::Ask;
use crate::position::LogPosition;
use crate::requirements::{Retention, retention};
use crate::server::{LogFile, log_files};
use crate::session;

use super::Reader;

/// How often. The server walks over all files of its log for the answer.
const STEP: Duration = Duration::from_secs(15);

impl Reader<'_> {
    /// Tells it if it is time to.
    pub(super) async fn tell_standing(&mut self) {
        let is_due = self
            .progress
            .stood
            .is_none_or(|stood| stood.elapsed() >= STEP);
        if !is_due || self.until != Until::Stopped {
            return;
        }
        self.progress.stood = Some(tokio::time::Instant::now());
        match self.standing().await {
            Ok(standing) => self.meter.standing(standing),
            Err(error) => {
                tracing::debug!(%error, "not told where the log stands");
                // The connection for questions has gone, perhaps for having been idle.
                if let Ok(conn) = session::open(&self.settings).await {
                    self.conn = conn;
                }
            }
        }
    }

    async fn standing(&mut self) -> Result<LogStanding> {
        let files = log_files(&mut self.conn, &self.server).await?;
        let kept = match self.progress.retention {
            Some(kept) => kept,
            None => {
                let kept = retention(&self.server, rds_hours(&mut self.conn).await);
                *self.progress.retention.insert(kept)
            }
        };
        let age = self
            .log
            .read_up_to()
            .map(|at| (now() - at).as_seconds_f64().max(0.0));
        let standing = measure(&files, self.log.position());
        Ok(LogStanding {
            headroom_seconds: headroom(kept, age),
            ..standing
        })
    }
}

/// RDS and Aurora keep the log by a setting of their own; `None` where it is not to be seen.
pub(crate) async fn rds_hours(conn: &mut impl Ask) -> Option<Option<u64>> {
    const SQL: &str =
        "SELECT value FROM mysql.rds_configuration WHERE name = 'binlog retention hours'";
    let rows = conn.ask(SQL).await.ok()?;
    let row = rows.first()?;
    Some(row.at(0).and_then(|hours| hours.parse().ok()))
}

/// What lies in front of a place and what behind it, in bytes.
fn measure(files: &[LogFile], at: &LogPosition) -> LogStanding {
    let mut standing = LogStanding::default();
    for file in files {
        if file.name == at.file {
            standing.headroom_bytes += at.offset.min(file.size);
            standing.behind_bytes += file.size.saturating_sub(at.offset);
        } else if LogPosition::new(file.name.clone(), 0) < *at {
            standing.headroom_bytes += file.size;
        } else {
            standing.behind_bytes += file.size;
        }
    }
    standing
}

/// How long until the server deletes what is read next.
fn headroom(kept: Retention, age: Option<f64>) -> Option<f64> {
    match kept {
        Retention::Forever => None,
        Retention::Seconds(seconds) => Some((seconds as f64 - age?).max(0.0)),
        Retention::AsSoonAsPossible => Some(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_lie_in_front_or_behind() {
        let file = |name: &str, size| LogFile {
            name: name.to_owned(),
            size,
        };
        let files = [
            file("binlog.000009", 100),
            file("binlog.000010", 200),
            file("binlog.000011", 300),
        ];
        let at = measure(&files, &LogPosition::new("binlog.000010", 50));
        assert_eq!((at.headroom_bytes, at.behind_bytes), (150, 450));
        let end = measure(&files, &LogPosition::new("binlog.000011", 300));
        assert_eq!((end.headroom_bytes, end.behind_bytes), (600, 0));
    }

    #[test]
    fn time_runs_out_from_where_we_are() {
        assert_eq!(headroom(Retention::Seconds(100), Some(30.0)), Some(70.0));
        assert_eq!(headroom(Retention::Seconds(100), Some(300.0)), Some(0.0));
        assert_eq!(headroom(Retention::Seconds(100), None), None);
        assert_eq!(headroom(Retention::Forever, Some(1.0)), None);
    }
}
