//! What a server must be like for its changes to be followed, and what to do where it is not.
//!
//! Pure: from a [`Server`] to findings. The preflight shows all of them; [`require`] turns the
//! first that fails into the error that ends a read before it begins. One list for both, so that
//! they can't disagree.

use tributary_model::{Error, ErrorKind, Finding, Report, Result, Verdict};

use crate::server::{Flavor, Server, Version};

mod retention;

pub(crate) use retention::{Retention, retention};

const OLDEST_MYSQL: Version = Version::new(5, 7, 0);
const OLDEST_MARIADB: Version = Version::new(10, 6, 0);
/// MariaDB's log inside InnoDB, of which file names and offsets mean something else.
const INNODB_LOG: &str = "binlog_storage_engine";

/// All that can be told from the server's variables.
pub(crate) fn examine(server: &Server) -> Report {
    let mut report = Report::default();
    for check in [
        version,
        aurora_reader,
        log_bin,
        log_format,
        row_image,
        row_metadata,
        server_id,
        log_engine,
        gtid,
    ] {
        check(server, &mut report);
    }
    report
}

/// Fails where the server's changes can't be followed.
///
/// # Errors
/// [`ErrorKind::Config`] with what was found and the fix.
pub(crate) fn require(server: &Server) -> Result<()> {
    match examine(server)
        .findings
        .into_iter()
        .find(|finding| finding.verdict == Verdict::Fail)
    {
        Some(finding) => Err(as_error(finding)),
        None => Ok(()),
    }
}

fn as_error(finding: Finding) -> Error {
    let error = Error::new(ErrorKind::Config, finding.found);
    match finding.fix {
        Some(fix) => error.fix(fix),
        None => error,
    }
}

fn version(server: &Server, report: &mut Report) {
    let oldest = match server.flavor {
        Flavor::MySql => OLDEST_MYSQL,
        Flavor::MariaDb => OLDEST_MARIADB,
    };
    if server.version < oldest {
        report.fail(
            "version",
            format!("the server is {}, which is too old", server.title()),
            format!(
                "Upgrade it to {} {}.{} or newer.",
                server.flavor, oldest.major, oldest.minor
            ),
        );
    } else {
        report.pass("version", server.title());
    }
}

fn aurora_reader(server: &Server, report: &mut Report) {
    let aurora = server.variable("aurora_version").is_some()
        || server.variable("aurora_server_id").is_some();
    if aurora && server.is_on("innodb_read_only") {
        report.fail(
            "Aurora writer",
            "this is a reader endpoint of Aurora, which has no binary log",
            "Set `host` to the cluster's writer endpoint.",
        );
    }
}

fn log_bin(server: &Server, report: &mut Report) {
    if server.is_on("log_bin") {
        report.pass("binary log", "log_bin is ON");
        return;
    }
    report.fail(
        "binary log",
        "the server writes no binary log: log_bin is OFF",
        "Set log_bin=binlog (and server_id) under [mysqld] in the server's configuration and restart \
         it. RDS and Aurora: enable automated backups and set binlog_format=ROW in the parameter \
         group. Cloud SQL: enable point-in-time recovery.",
    );
}

fn log_format(server: &Server, report: &mut Report) {
    let format = server.variable("binlog_format").unwrap_or("ROW");
    if format.eq_ignore_ascii_case("ROW") {
        report.pass("binlog_format", "ROW");
        return;
    }
    report.fail(
        "binlog_format",
        format!("binlog_format is {format}: changes are logged as statements, not as rows"),
        "Run SET GLOBAL binlog_format = 'ROW'; and set it in the server's configuration. Sessions \
         opened before keep the old value: let the applications reconnect.",
    );
}

fn row_image(server: &Server, report: &mut Report) {
    let image = server.variable("binlog_row_image").unwrap_or("FULL");
    if image.eq_ignore_ascii_case("FULL") || image.eq_ignore_ascii_case("FULL_NODUP") {
        report.pass("binlog_row_image", image);
        return;
    }
    report.fail(
        "binlog_row_image",
        format!("binlog_row_image is {image}: updates are logged without the columns that did not change"),
        "Run SET GLOBAL binlog_row_image = 'FULL'; and set it in the server's configuration. Sessions \
         opened before keep the old value: let the applications reconnect.",
    );
}

/// Without names of columns in the log, a history of our own keeps them ([`crate::history`]).
fn row_metadata(server: &Server, report: &mut Report) {
    const NAME: &str = "binlog_row_metadata";
    const INSTEAD: &str = "names of columns are not in the log; they are kept by the statements \
         that change tables, and a table is copied anew after one that is not understood";
    if server.names_columns() {
        report.pass(NAME, "FULL");
        return;
    }
    match server.variable(NAME) {
        Some(value) => report.warn(
            NAME,
            format!("binlog_row_metadata is {value}: {INSTEAD}"),
            "Run SET GLOBAL binlog_row_metadata = 'FULL'; (no restart needed) and set it in the \
             server's configuration.",
        ),
        None => report.warn(
            NAME,
            format!("{} has no binlog_row_metadata: {INSTEAD}", server.title()),
            "Upgrade the server to MySQL 8.0.1 or newer.",
        ),
    }
}

fn server_id(server: &Server, report: &mut Report) {
    if server.server_id == 0 {
        report.fail(
            "server_id of the server",
            "the server's server_id is 0: it lets no replica read its log",
            "Run SET GLOBAL server_id = 1; and set it in the server's configuration.",
        );
    } else {
        report.pass("server_id of the server", server.server_id.to_string());
    }
}

fn log_engine(server: &Server, report: &mut Report) {
    match server.variable(INNODB_LOG) {
        Some(engine) if !engine.is_empty() => report.fail(
            INNODB_LOG,
            format!("the binary log is kept in {engine}, which can't be read yet"),
            "Take binlog_storage_engine out of the server's configuration and restart it.",
        ),
        Some(_) | None => {}
    }
}

fn gtid(server: &Server, report: &mut Report) {
    match server.flavor {
        Flavor::MySql if server.gtid() => report.pass("GTID", "gtid_mode is ON"),
        Flavor::MySql => {
            let mode = server.variable("gtid_mode").unwrap_or("OFF");
            report.warn(
                "GTID",
                format!("gtid_mode is {mode}: after a fail-over the tables must be read again"),
                "Turn GTIDs on (no restart needed): set enforce_gtid_consistency = ON, then gtid_mode \
                 to OFF_PERMISSIVE, ON_PERMISSIVE and ON, one after the other.",
            );
        }
        Flavor::MariaDb if server.is_on("gtid_strict_mode") => {
            report.pass("GTID", "gtid_strict_mode is ON");
        }
        Flavor::MariaDb => report.warn(
            "GTID",
            "gtid_strict_mode is OFF: numbers of transactions may go back, which makes a place in \
             the log ambiguous after a fail-over",
            "Run SET GLOBAL gtid_strict_mode = ON; and set it in the server's configuration.",
        ),
    }
}

#[cfg(test)]
#[path = "requirements_tests.rs"]
mod tests;
