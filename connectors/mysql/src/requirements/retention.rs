//! How long the server keeps its log: a sync that stops for longer has lost its place.

use tributary_model::Report;

use crate::server::Server;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// How long the log is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Retention {
    /// Until somebody deletes it.
    Forever,
    /// This many seconds.
    Seconds(u64),
    /// RDS without a setting: until its own backup is made.
    AsSoonAsPossible,
}

/// `rds_hours` is the row of `mysql.rds_configuration` where there is such a table: its value.
pub(crate) fn retention(server: &Server, rds_hours: Option<Option<u64>>) -> Retention {
    match rds_hours {
        Some(None) => return Retention::AsSoonAsPossible,
        Some(Some(hours)) => return Retention::Seconds(hours * HOUR),
        None => {}
    }
    if server.variable("binlog_expire_logs_auto_purge") == Some("OFF") {
        return Retention::Forever;
    }
    let number = |name| {
        server
            .variable(name)
            .and_then(|value| value.parse::<f64>().ok())
    };
    let seconds = number("binlog_expire_logs_seconds").filter(|&seconds| seconds > 0.0);
    let days = number("expire_logs_days").filter(|&days| days > 0.0);
    match seconds.or(days.map(|days| days * DAY as f64)) {
        Some(seconds) => Retention::Seconds(seconds as u64),
        None => Retention::Forever,
    }
}

impl Retention {
    /// Notes whether that is long enough.
    pub(crate) fn judge(self, report: &mut Report) {
        const NAME: &str = "log retention";
        const FIX: &str = "Run SET GLOBAL binlog_expire_logs_seconds = 604800; and set it in the \
             server's configuration (RDS and Aurora: \
             CALL mysql.rds_set_configuration('binlog retention hours', 168);).";
        match self {
            Self::Forever => report.pass(NAME, "the log is kept until it is deleted by hand"),
            Self::Seconds(seconds) if seconds < DAY => report.fail(
                NAME,
                format!(
                    "the log is kept for {}: a pause of one night loses changes",
                    time(seconds)
                ),
                FIX,
            ),
            Self::Seconds(seconds) if seconds < 3 * DAY => report.warn(
                NAME,
                format!(
                    "the log is kept for {}: a pause of one weekend loses changes",
                    time(seconds)
                ),
                FIX,
            ),
            Self::Seconds(seconds) => {
                report.pass(NAME, format!("the log is kept for {}", time(seconds)));
            }
            Self::AsSoonAsPossible => report.fail(
                NAME,
                "RDS deletes the log as soon as it can: 'binlog retention hours' is not set",
                "CALL mysql.rds_set_configuration('binlog retention hours', 168);",
            ),
        }
    }
}

fn time(seconds: u64) -> String {
    match seconds {
        0..DAY if seconds < HOUR => format!("{seconds} seconds"),
        0..DAY => format!("{} hours", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}
