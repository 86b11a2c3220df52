//! The settings of a PostgreSQL destination as a user writes them.
//!
//! What they mean, and whether they fit together, is in [`crate::settings`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::Secret;

/// A PostgreSQL database: PostgreSQL 12 or newer, RDS, Aurora, Cloud SQL, and what is compatible.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The server's name or address, or the directory of its Unix socket.
    pub host: Option<String>,
    /// The server's port; 5432 by default.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Host, port, user and database in one: `postgres://loader@db.internal:5432/analytics`.
    pub url: Option<Secret>,
    /// The user to log in as.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The database; by default the one that is called like the user.
    pub database: Option<String>,
    /// The schema of tables for which `table` names none; by default the stream's namespace, or the
    /// connection's name. The state is in the schema `_tributary` all the same.
    pub schema: Option<String>,
    /// How the connection is encrypted.
    pub tls: Option<TlsConfig>,
    /// How long one statement may take, such as `30m`; by default `1h`. It is also how long an
    /// answer is waited for where the server is silent.
    pub statement_timeout: Option<String>,
    /// What the sessions are called in `pg_stat_activity`; `tributary` by default.
    pub application_name: Option<String>,
}

/// How the connection is encrypted, and what is verified.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// How much is asked of the server. By default `required`; `verify_identity` where `ca_file` is
    /// given; on the same machine encrypted only if the server offers it.
    pub mode: Option<TlsMode>,
    /// The certificates (PEM) of the authorities to trust; by default those that this machine trusts.
    pub ca_file: Option<PathBuf>,
}

/// How much is asked of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TlsMode {
    /// No encryption.
    Disabled,
    /// Encryption, whoever the server is.
    Required,
    /// Encryption, and a certificate from a trusted authority.
    VerifyCa,
    /// Encryption, a certificate from a trusted authority, and the server's name in it.
    VerifyIdentity,
}

impl Config {
    /// A destination at an address, with the usual settings.
    #[must_use]
    pub fn at(url: impl Into<String>) -> Self {
        Self {
            url: Some(Secret::new(url)),
            ..Self::default()
        }
    }
}
