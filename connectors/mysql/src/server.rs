//! Which server this is: its flavor, version, identity, and how it is set up.
//!
//! Read once for each group of sessions, by statements that every version understands: an unknown
//! variable is a missing row, never an error. Deliberately absent: any judgement, which is in
//! [`crate::requirements`], except for products that are no MySQL at all.

use std::collections::BTreeMap;
use std::fmt;

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use serde::{Deserialize, Serialize};
use tributary_model::{Error, ErrorKind, Result};

use crate::failure::classify;

mod product;
mod status;
mod version;

pub(crate) use product::unsupported_product;
pub(crate) use status::{LogFile, Status, gtid_state, gtids_at, log_files, status};
pub(crate) use version::Version;

/// The two families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Flavor {
    /// MySQL, Percona Server, RDS, Aurora, Cloud SQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

impl fmt::Display for Flavor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MySql => "MySQL",
            Self::MariaDb => "MariaDB",
        })
    }
}

/// Who a server is, over restarts and new addresses: a position in the log of one means nothing in
/// the log of another.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Identity {
    /// MySQL's `server_uuid`.
    Uuid(String),
    /// MariaDB has no such thing: its `server_id`.
    ServerId(u32),
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid(uuid) => f.write_str(uuid),
            Self::ServerId(id) => write!(f, "server_id {id}"),
        }
    }
}

/// A server and its variables.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Its family.
    pub(crate) flavor: Flavor,
    /// Its version.
    pub(crate) version: Version,
    /// The version as printed.
    pub(crate) version_text: String,
    /// Who it is.
    pub(crate) identity: Identity,
    /// Its replica id.
    pub(crate) server_id: u32,
    /// Our account, as a GRANT names it: `'reader'@'%'`.
    pub(crate) account: String,
    /// Global variables that were asked for and exist, by lower-case name.
    pub(crate) variables: BTreeMap<String, String>,
}

/// The variables that decide anything.
const VARIABLES: [&str; 29] = [
    "aurora_server_id",
    "aurora_version",
    "binlog_checksum",
    "binlog_expire_logs_auto_purge",
    "binlog_expire_logs_seconds",
    "binlog_format",
    "binlog_row_event_fragment_threshold",
    "binlog_row_image",
    "binlog_row_metadata",
    "binlog_row_value_options",
    "binlog_storage_engine",
    "expire_logs_days",
    "gtid_domain_id",
    "gtid_mode",
    "gtid_slave_pos",
    "gtid_strict_mode",
    "innodb_native_foreign_keys",
    "innodb_read_only",
    "log_bin",
    "log_replica_updates",
    "log_slave_updates",
    "lower_case_table_names",
    "max_allowed_packet",
    "read_only",
    "server_id",
    "server_uuid",
    "system_time_zone",
    "time_zone",
    "version_comment",
];

impl Server {
    /// Asks a server who it is.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a product that has no binary log of MySQL's kind; else why asking
    /// failed.
    pub(crate) async fn read(conn: &mut Conn) -> Result<Self> {
        let doing = "asking the server who it is";
        let (version_text, comment, account): (String, String, String) = conn
            .query_first("SELECT VERSION(), @@version_comment, CURRENT_USER()")
            .await
            .map_err(|error| classify(error, doing))?
            .ok_or_else(|| silent("SELECT VERSION()"))?;
        if let Some(refusal) = product::refuse(&version_text, &comment) {
            return Err(refusal);
        }
        let names = VARIABLES.map(|name| format!("'{name}'")).join(",");
        let rows: Vec<(String, Option<String>)> = conn
            .query(format!(
                "SHOW GLOBAL VARIABLES WHERE Variable_name IN ({names})"
            ))
            .await
            .map_err(|error| classify(error, doing))?;
        let variables = rows
            .into_iter()
            .map(|(name, value)| (name.to_lowercase(), value.unwrap_or_default()))
            .collect();
        Self::assemble(version_text, &account, variables)
    }

    pub(crate) fn assemble(
        version_text: String,
        account: &str,
        variables: BTreeMap<String, String>,
    ) -> Result<Self> {
        let flavor = version::flavor(&version_text);
        let version = Version::read(&version_text).ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                format!("`{version_text}` is not a version that is known"),
            )
        })?;
        let server_id = variables
            .get("server_id")
            .and_then(|id| id.parse().ok())
            .unwrap_or(0);
        let identity = match variables.get("server_uuid") {
            Some(uuid) if !uuid.is_empty() => Identity::Uuid(uuid.clone()),
            Some(_) | None => Identity::ServerId(server_id),
        };
        Ok(Self {
            flavor,
            version,
            version_text,
            identity,
            server_id,
            account: quote_account(account),
            variables,
        })
    }

    /// A variable, `None` where the server does not know it.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str)
    }

    /// Whether a variable is there and on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.variable(name)
            .is_some_and(|value| value.eq_ignore_ascii_case("ON") || value == "1")
    }

    /// Whether transactions can be followed by GTID: always on MariaDB; on MySQL only with
    /// `gtid_mode` exactly ON, for the permissive modes write some transactions without.
    pub(crate) fn gtid(&self) -> bool {
        match self.flavor {
            Flavor::MariaDb => true,
            Flavor::MySql => self
                .variable("gtid_mode")
                .is_some_and(|mode| mode.eq_ignore_ascii_case("ON")),
        }
    }

    /// Whether the table maps of its log name their columns.
    pub(crate) fn names_columns(&self) -> bool {
        self.variable("binlog_row_metadata")
            .is_some_and(|value| value.eq_ignore_ascii_case("FULL"))
    }

    /// Whether names of databases and tables are compared without regard to case.
    pub(crate) fn ignores_case(&self) -> bool {
        self.variable("lower_case_table_names")
            .is_some_and(|value| value != "0")
    }

    /// `MariaDB 10.11.19-MariaDB-log`.
    pub(crate) fn title(&self) -> String {
        format!("{} {}", self.flavor, self.version_text)
    }
}

/// `reader@%` is `'reader'@'%'`.
fn quote_account(account: &str) -> String {
    match account.rsplit_once('@') {
        Some((user, host)) => format!("'{user}'@'{host}'"),
        None => format!("'{account}'"),
    }
}

/// A statement that must have a row had none.
fn silent(statement: &str) -> Error {
    Error::new(
        ErrorKind::Malformed,
        format!("the server had no answer to {statement}"),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn server(version: &str, variables: &[(&str, &str)]) -> Server {
        let variables = variables
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Server::assemble(version.to_owned(), "reader@%", variables).unwrap()
    }

    #[test]
    fn identity_and_gtid_depend_on_the_flavor() {
        let maria = server("10.11.19-MariaDB-log", &[("server_id", "11")]);
        assert_eq!(maria.identity, Identity::ServerId(11));
        assert!(maria.gtid());
        let mode = |mode| server("9.7.4", &[("gtid_mode", mode), ("server_uuid", "u-1")]);
        assert_eq!(mode("ON").identity, Identity::Uuid("u-1".to_owned()));
        assert!(mode("ON").gtid() && !mode("ON_PERMISSIVE").gtid() && !mode("OFF").gtid());
        assert_eq!(mode("ON").account, "'reader'@'%'");
    }

    #[test]
    fn what_a_server_does_not_know_is_off() {
        let old = server("5.7.44-log", &[]);
        assert!(!old.gtid() && !old.is_on("log_bin") && !old.ignores_case());
        assert!(server("8.4.0", &[("log_bin", "on")]).is_on("log_bin"));
    }
}
