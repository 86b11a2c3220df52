//! The settings of a Redshift destination as a user writes them.
//!
//! What they mean, and whether they fit together, is in [`crate::settings`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::Secret;
use tributary_store::Access;

/// A Redshift warehouse, provisioned or serverless, and the bucket that it loads from.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the cluster's or workgroup's endpoint.
    pub host: Option<String>,
    /// Its port; 5439 by default.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// Host, port, user and database in one:
    /// `redshift://loader@analytics.abc.eu-central-1.redshift.amazonaws.com:5439/dev`.
    pub url: Option<Secret>,
    /// The user to log in as.
    pub user: Option<String>,
    /// The user's password.
    pub password: Option<Secret>,
    /// The database; `dev` by default.
    pub database: Option<String>,
    /// The schema of tables for which `table` names none; by default the stream's namespace, or the
    /// connection's name. The state is in the schema `_tributary` all the same.
    pub schema: Option<String>,
    /// How the connection is encrypted.
    pub tls: Option<TlsConfig>,
    /// How long one statement may take, such as `30m`; by default `1h`. It is also how long an
    /// answer is waited for where the server is silent.
    pub statement_timeout: Option<String>,
    /// What the sessions are called in `stv_sessions`; `tributary` by default. Each load also sets
    /// `query_group`, for the cost of a connection.
    pub application_name: Option<String>,
    /// The bucket that rows go through, in the region of the warehouse. Files are removed when their
    /// load has ended.
    pub staging: Option<Access>,
    /// The role by which Redshift reads the bucket: its ARN, or `default` for the warehouse's own.
    /// Without it, Redshift is given the access key of `staging`.
    pub iam_role: Option<String>,
}

/// How the connection is encrypted, and what is verified.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// How much is asked of the server. By default `required`; `verify_identity` where `ca_file` is
    /// given; on the same machine encrypted only if the server offers it.
    pub mode: Option<TlsMode>,
    /// The certificates (PEM) of the authorities to trust; by default the public ones, Amazon's among
    /// them.
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
