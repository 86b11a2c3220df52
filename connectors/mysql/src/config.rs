//! The settings of a MySQL source as a user writes them.
//!
//! What they mean, and whether they fit together, is in [`crate::settings`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tributary_model::Secret;

use crate::column::{Geometries, ZeroDates};

/// A MySQL or MariaDB server: MySQL 5.7 to 9.x, MariaDB 10.6 or newer, and what is compatible.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name or address.
    pub(crate) host: Option<String>,
    /// The server's port; 3306 by default.
    pub(crate) port: Option<u16>,
    /// The server's Unix socket, instead of host and port.
    pub(crate) socket: Option<PathBuf>,
    /// Host, port, user and more in one: `mysql://reader@db.internal:3306/shop`.
    pub(crate) url: Option<Secret>,
    /// The user to log in as.
    pub(crate) user: Option<String>,
    /// The user's password.
    pub(crate) password: Option<Secret>,
    /// How the connection is encrypted.
    pub(crate) tls: Option<TlsConfig>,
    /// The databases to read; by default all that the user may see, except the system's own.
    pub(crate) databases: Option<Vec<String>>,
    /// When tables are copied in full.
    #[serde(default)]
    pub(crate) snapshot: SnapshotMode,
    /// What becomes of dates that no calendar has, such as `0000-00-00`.
    #[serde(default, deserialize_with = "null_means_null")]
    #[schemars(with = "Option<ZeroDates>")]
    pub(crate) zero_dates: ZeroDates,
    /// What becomes of geometries; `wkb` by default.
    #[serde(default)]
    pub(crate) geometry: Geometries,
    /// The replica id under which the log is read, unique among the server's replicas; by default
    /// a random one for each run.
    #[schemars(range(min = 1))]
    pub(crate) server_id: Option<u32>,
    /// How many connections copy tables at the same time; 2 by default.
    #[schemars(range(min = 1, max = 64))]
    pub(crate) parallelism: Option<usize>,
    /// How many rows of a table are copied at a time; 100000 by default.
    #[schemars(range(min = 1))]
    pub(crate) chunk_rows: Option<u64>,
    /// How many rows a second all copies together read at most; no limit by default.
    #[schemars(range(min = 1))]
    pub(crate) max_rows_per_second: Option<u64>,
    /// Copies pause while more statements than this run on the server; no limit by default.
    #[schemars(range(min = 1))]
    pub(crate) max_threads_running: Option<u64>,
    /// Copies pause while the server, being a replica, is more seconds than this behind its primary;
    /// no limit by default.
    #[schemars(range(min = 1))]
    pub(crate) max_replica_lag: Option<u64>,
}

/// How the connection is encrypted, and what is verified.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsConfig {
    /// How much is asked of the server. By default `required`; `verify_identity` where `ca_file` is
    /// given; on the same machine encrypted only if the server offers it.
    pub(crate) mode: Option<TlsMode>,
    /// The certificates (PEM) of the authorities to trust; by default those browsers trust.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How much is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TlsMode {
    /// No encryption.
    Disabled,
    /// Encryption, whoever the server is.
    Required,
    /// Encryption, and a certificate from a trusted authority.
    VerifyCa,
    /// Encryption, a certificate from a trusted authority, and the server's name in it.
    VerifyIdentity,
}

/// When tables are copied in full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SnapshotMode {
    /// Each table once, before its changes are followed.
    #[default]
    Initial,
    /// Each table once; changes are not followed.
    InitialOnly,
    /// Never: only changes from now on.
    NoData,
    /// Each table once, and again where the log no longer reaches back to the last change read.
    WhenNeeded,
}

/// In YAML `zero_dates: null` is no text but nothing; here it means what it says.
fn null_means_null<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ZeroDates, D::Error> {
    let written = Option::<ZeroDates>::deserialize(deserializer)?;
    Ok(written.unwrap_or(ZeroDates::Null))
}
