//! Where the server's log ends and begins.

use std::str::FromStr;

use tributary_model::{Error, ErrorKind, Result};

use super::{Flavor, Server, Version, silent};
use crate::ask::{Ask, TextRow};
use crate::failure::classify;
use crate::gtid::{DomainGtid, GtidPosition, Gtids};
use crate::names::quote_text;
use crate::position::LogPosition;

/// The end of the log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Status {
    /// Where the next event will be written.
    pub(crate) position: LogPosition,
    /// The transactions before it; `None` where the server counts none.
    pub(crate) gtids: Option<Gtids>,
}

/// A file of the log that is still there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFile {
    /// Its name.
    pub(crate) name: String,
    /// Its size, bytes.
    pub(crate) size: u64,
}

impl Server {
    /// MySQL renamed the statement in 8.2 and dropped the old name in 8.4; MariaDB keeps it.
    pub(crate) fn status_statement(&self) -> &'static str {
        match self.flavor {
            Flavor::MySql if self.version >= Version::new(8, 2, 0) => "SHOW BINARY LOG STATUS",
            Flavor::MySql | Flavor::MariaDb => "SHOW MASTER STATUS",
        }
    }
}

/// Asks where the log ends.
///
/// # Errors
/// [`ErrorKind::Config`] where there is no log; [`ErrorKind::Access`] with the grant where we may
/// not ask.
pub(crate) async fn status(conn: &mut impl Ask, server: &Server) -> Result<Status> {
    match server.flavor {
        Flavor::MySql => mysql_status(conn, server).await,
        Flavor::MariaDb => mariadb_status(conn, server).await,
    }
}

async fn mysql_status(conn: &mut impl Ask, server: &Server) -> Result<Status> {
    let row = status_row(conn, server).await?;
    let gtids = if server.gtid() {
        let text: Option<String> = cell(&row, "Executed_Gtid_Set");
        Some(Gtids::Mysql(text.unwrap_or_default().parse()?))
    } else {
        None
    };
    Ok(Status {
        position: position(&row, server)?,
        gtids,
    })
}

/// MariaDB tells place and GTIDs by two statements: if no transaction came between, they belong
/// together; on a busy server it is asked to look into the file, which takes longer.
async fn mariadb_status(conn: &mut impl Ask, server: &Server) -> Result<Status> {
    const TRIES: usize = 3;
    let mut before = mariadb_gtids(conn).await?;
    for _ in 0..TRIES {
        let position = position(&status_row(conn, server).await?, server)?;
        let after = mariadb_gtids(conn).await?;
        if before == after {
            let gtids = Some(Gtids::Mariadb(after));
            return Ok(Status { position, gtids });
        }
        before = after;
    }
    let position = position(&status_row(conn, server).await?, server)?;
    let gtids = gtids_at(conn, &position).await?.map(Gtids::Mariadb);
    Ok(Status { position, gtids })
}

async fn mariadb_gtids(conn: &mut impl Ask) -> Result<GtidPosition> {
    let rows = conn
        .ask("SELECT @@GLOBAL.gtid_binlog_pos")
        .await
        .map_err(|error| classify(error, "asking for the GTID position"))?;
    let text = rows.first().and_then(|row| row.at(0));
    text.unwrap_or_default().parse()
}

/// The last transaction of each server in each domain that is in MariaDB's own log.
pub(crate) async fn gtid_state(conn: &mut impl Ask) -> Result<Vec<DomainGtid>> {
    let rows = conn
        .ask("SELECT @@GLOBAL.gtid_binlog_state")
        .await
        .map_err(|error| classify(error, "asking for the transactions in the log"))?;
    let text = rows.first().and_then(|row| row.at(0));
    DomainGtid::list(text.unwrap_or_default())
}

/// The GTID position that belongs to a place in MariaDB's log; `None` where the place is not
/// between two events of a file that is there, or behind an event that the server does not read
/// because it is longer than `max_allowed_packet`.
pub(crate) async fn gtids_at(
    conn: &mut impl Ask,
    position: &LogPosition,
) -> Result<Option<GtidPosition>> {
    let (file, offset) = (quote_text(&position.file), position.offset);
    let rows = conn
        .ask(&format!("SELECT BINLOG_GTID_POS({file}, {offset})"))
        .await
        .map_err(|error| classify(error, "asking for the GTID position of a place in the log"))?;
    let text = rows.first().and_then(|row| row.at(0));
    text.map(str::parse).transpose()
}

/// The files of the log, the oldest first.
///
/// # Errors
/// As for [`status`].
pub(crate) async fn log_files(conn: &mut impl Ask, server: &Server) -> Result<Vec<LogFile>> {
    let rows = conn.ask("SHOW BINARY LOGS").await.map_err(|error| {
        grant(
            classify(error, "listing the files of the binary log"),
            server,
        )
    })?;
    rows.iter()
        .map(|row| {
            let name = cell(row, "Log_name").ok_or_else(|| silent("SHOW BINARY LOGS"))?;
            let size = cell(row, "File_size").ok_or_else(|| silent("SHOW BINARY LOGS"))?;
            Ok(LogFile { name, size })
        })
        .collect()
}

async fn status_row(conn: &mut impl Ask, server: &Server) -> Result<TextRow> {
    let rows = conn
        .ask(server.status_statement())
        .await
        .map_err(|error| grant(classify(error, "asking where the binary log ends"), server))?;
    rows.into_iter().next().ok_or_else(|| {
        Error::new(ErrorKind::Config, "the server writes no binary log")
            .fix("Set log_bin in the server's configuration and restart it.")
    })
}

/// A column of a row; `None` where it is missing, NULL or of another type.
fn cell<T: FromStr>(row: &TextRow, name: &str) -> Option<T> {
    row.get(name)?.parse().ok()
}

fn position(row: &TextRow, server: &Server) -> Result<LogPosition> {
    match (cell(row, "File"), cell(row, "Position")) {
        (Some(file), Some(offset)) => Ok(LogPosition { file, offset }),
        _ => Err(silent(server.status_statement())),
    }
}

/// The grant that these statements need.
fn grant(error: Error, server: &Server) -> Error {
    match error.kind() {
        ErrorKind::Access => error.fix(format!("Run on the server: {}", server.client_grant())),
        _ => error,
    }
}

impl Server {
    /// The grant that lets our account see where the log is.
    pub(crate) fn client_grant(&self) -> String {
        let privilege = match self.flavor {
            Flavor::MariaDb if self.version >= Version::new(10, 5, 2) => "BINLOG MONITOR",
            Flavor::MySql | Flavor::MariaDb => "REPLICATION CLIENT",
        };
        format!("GRANT {privilege} ON *.* TO {};", self.account)
    }

    /// The grant that lets our account read the log.
    pub(crate) fn replica_grant(&self) -> String {
        format!("GRANT REPLICATION SLAVE ON *.* TO {};", self.account)
    }
}
