//! The settings of a BigQuery destination as a user writes them.
//!
//! What they mean, and whether they fit together, is in [`crate::settings`].

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::Secret;

/// Google BigQuery: tables of one project.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The project in which tables are kept and jobs run; by default the one of the credentials.
    pub project: Option<String>,
    /// The dataset of tables for which `table` names none; by default the stream's namespace, or the
    /// connection's name. The state is in the dataset `_tributary` all the same.
    pub dataset: Option<String>,
    /// Where jobs run and datasets are made, such as `EU` or `europe-west3`; `US` by default.
    pub location: Option<String>,
    /// The JSON file of a service account's key, or of a workload identity (`external_account`). Without
    /// it, and without `credentials`, the machine's own service account is asked for.
    pub credentials_file: Option<PathBuf>,
    /// What such a file holds.
    pub credentials: Option<Secret>,
    /// How tables are partitioned that are made from now on; by default not at all.
    pub partition_by: Option<PartitionConfig>,
    /// The columns by which new tables are clustered, at most four; by default the first ones of the key.
    pub cluster_by: Option<Vec<String>>,
    /// The same for single tables, by their names as `dataset.table`.
    #[serde(default)]
    pub tables: BTreeMap<String, TableConfig>,
    /// Labels of every job, for the bill: lower-case letters, digits, `_` and `-`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// A job that would be billed for more bytes than this fails, and costs nothing.
    #[schemars(range(min = 1))]
    pub maximum_bytes_billed: Option<u64>,
    /// How long one job may take, such as `30m`; by default `1h`.
    pub job_timeout: Option<String>,
    /// The address of the REST API; `https://bigquery.googleapis.com` by default. For a private endpoint
    /// or an emulator.
    pub api_endpoint: Option<String>,
    /// The address of the Storage Write API; `https://bigquerystorage.googleapis.com` by default.
    pub storage_endpoint: Option<String>,
}

/// How one table is made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableConfig {
    /// How it is partitioned.
    pub partition_by: Option<PartitionConfig>,
    /// The columns by which it is clustered, at most four; an empty list means none.
    pub cluster_by: Option<Vec<String>>,
}

/// The column by whose time a table is partitioned.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartitionConfig {
    /// A date or a point in time; by default `_tributary_synced_at`, when a row was loaded.
    pub column: Option<String>,
    /// How much time a partition holds; `day` by default.
    #[serde(default)]
    pub granularity: Granularity,
}

/// How much time a partition holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Granularity {
    /// An hour; not for dates.
    Hour,
    /// A day.
    #[default]
    Day,
    /// A month.
    Month,
    /// A year.
    Year,
}
