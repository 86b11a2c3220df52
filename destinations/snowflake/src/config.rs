//! The settings of a Snowflake destination as a user writes them.
//!
//! What they mean, and whether they fit together, is in [`crate::settings`].

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::Secret;
use tributary_store::Access;

/// A database in Snowflake, loaded by way of a bucket of yours.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The account identifier, such as `MYORG-MYACCOUNT` or `xy12345.eu-central-1`.
    pub account: Option<String>,
    /// Where the account answers, where that is not `https://ACCOUNT.snowflakecomputing.com`.
    pub url: Option<String>,
    /// The user to log in as.
    pub user: Option<String>,
    /// The user's private key, unencrypted, as PEM.
    pub private_key: Option<Secret>,
    /// The file with that key.
    pub private_key_file: Option<PathBuf>,
    /// A programmatic access token of the user, in place of a key.
    pub token: Option<Secret>,
    /// The role that does everything; by default the user's own.
    pub role: Option<String>,
    /// The warehouse that computes; by default the user's own.
    pub warehouse: Option<String>,
    /// The database; it must exist.
    pub database: Option<String>,
    /// The schema of tables for which `table` names none; by default the stream's namespace, or the
    /// connection's name. The state is in the schema `_tributary` all the same.
    pub schema: Option<String>,
    /// The bucket that rows go through on their way.
    pub staging: Access,
    /// An external stage that exists, `DATABASE.SCHEMA.NAME`, whose address is that of `staging`.
    pub stage: Option<String>,
    /// The storage integration with which a stage for `staging` is made, where there is no `stage`.
    pub storage_integration: Option<String>,
    /// How names of tables and columns are written.
    pub identifiers: Option<Identifiers>,
    /// What our statements are called in the query history; `tributary` by default.
    pub query_tag: Option<String>,
    /// How long one statement may take, such as `30m`; by default `1h`.
    pub statement_timeout: Option<String>,
}

/// How names are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identifiers {
    /// `orders` is the table `ORDERS`, which is found without quotes, as Snowflake's own names are.
    #[default]
    Upper,
    /// `orders` is the table `"orders"`, which has to be quoted in every query.
    Exact,
}
