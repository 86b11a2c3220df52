//! The settings of a BigQuery destination as meant: defaults filled in, contradictions refused.
//!
//! Invariant: what is here has been checked; nothing was contacted for it.

use std::collections::BTreeMap;
use std::time::Duration;

use tributary_model::{Error, ErrorKind, Fault, Result, TableName};
use url::Url;

use crate::auth::Credentials;
use crate::config::{Config, PartitionConfig, TableConfig};

const API: &str = "https://bigquery.googleapis.com";
const STORAGE: &str = "https://bigquerystorage.googleapis.com";
const LOCATION: &str = "US";
const JOB_TIMEOUT: Duration = Duration::from_secs(3600);
/// Columns by which a table can be clustered.
pub(crate) const MOST_CLUSTERED: usize = 4;
/// Labels of a job that are the user's; some are ours.
const MOST_LABELS: usize = 60;

/// The settings of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) project: String,
    pub(crate) dataset: Option<String>,
    pub(crate) location: String,
    pub(crate) credentials: Credentials,
    pub(crate) api: Url,
    pub(crate) storage: Url,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) maximum_bytes_billed: Option<u64>,
    pub(crate) job_timeout: Duration,
    partition_by: Option<PartitionConfig>,
    cluster_by: Option<Vec<String>>,
    tables: BTreeMap<String, TableConfig>,
}

impl Settings {
    /// Checks what the user wrote and fills in the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the fix.
    pub(crate) fn from_config(config: &Config) -> Result<Self> {
        let mut faults = Vec::new();
        let gathered = gather(config, &mut faults);
        match (gathered, faults.into_iter().next()) {
            (Some(settings), None) => Ok(settings),
            (_, Some(fault)) => Err(fault.error),
            (None, None) => Err(Error::bug("settings were refused without a reason")),
        }
    }

    /// How the rows of a table are partitioned.
    pub(crate) fn partition_by(&self, table: &TableName) -> Option<&PartitionConfig> {
        let own = self.tables.get(&table.to_string());
        own.and_then(|table| table.partition_by.as_ref())
            .or(self.partition_by.as_ref())
    }

    /// By which columns a table is clustered, where the user says so.
    pub(crate) fn cluster_by(&self, table: &TableName) -> Option<&[String]> {
        let own = self.tables.get(&table.to_string());
        own.and_then(|table| table.cluster_by.as_deref())
            .or(self.cluster_by.as_deref())
    }
}

/// What is wrong with settings, without contacting anything.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    gather(config, &mut faults);
    faults
}

/// Looks at every setting before it gives up.
fn gather(config: &Config, faults: &mut Vec<Fault>) -> Option<Settings> {
    let api = keep(
        faults,
        endpoint("api_endpoint", config.api_endpoint.as_deref(), API),
    );
    let storage = endpoint(
        "storage_endpoint",
        config.storage_endpoint.as_deref(),
        STORAGE,
    );
    let storage = keep(faults, storage);
    let timeout = keep(faults, timeout(config.job_timeout.as_deref()));
    let dataset = keep(faults, dataset(config.dataset.as_deref()));
    let labels = keep(faults, labels(&config.labels));
    keep(faults, clustering(config));
    let credentials = keep(faults, Credentials::from_config(config));
    let project = credentials
        .as_ref()
        .and_then(|(_, project)| project.clone());
    let project = keep(faults, needed_project(config.project.clone().or(project)));
    let (credentials, _) = credentials?;
    let (api, storage) = (api?, storage?);
    Some(Settings {
        project: project?,
        dataset: dataset?,
        location: config
            .location
            .clone()
            .unwrap_or_else(|| LOCATION.to_owned()),
        credentials: credentials.at(&api),
        api,
        storage,
        labels: labels?,
        maximum_bytes_billed: config.maximum_bytes_billed,
        job_timeout: timeout?,
        partition_by: config.partition_by.clone(),
        cluster_by: config.cluster_by.clone(),
        tables: config.tables.clone(),
    })
}

type Checked<T> = std::result::Result<T, Fault>;

fn keep<T>(faults: &mut Vec<Fault>, checked: Checked<T>) -> Option<T> {
    checked.map_err(|fault| faults.push(fault)).ok()
}

pub(crate) fn wrong(
    keys: &'static [&'static str],
    what: impl Into<String>,
    fix: impl Into<String>,
) -> Fault {
    Fault::mistake(keys, Error::new(ErrorKind::Config, what).fix(fix))
}

fn needed_project(project: Option<String>) -> Checked<String> {
    match project.filter(|project| !project.trim().is_empty()) {
        // Quoted as a part of every table's name.
        Some(project) if project.contains(['`', '\\', '/']) => Err(wrong(
            &["project"],
            format!("`project: {project}` is not the id of a project"),
            "Write the project's id as the console shows it.",
        )),
        Some(project) => Ok(project),
        None => Err(wrong(
            &[],
            "a BigQuery destination needs `project`",
            "Add `project:` with the project's id; the credentials do not name one.",
        )),
    }
}

fn endpoint(key: &'static str, text: Option<&str>, usual: &str) -> Checked<Url> {
    let keys: &'static [&'static str] = match key {
        "api_endpoint" => &["api_endpoint"],
        _ => &["storage_endpoint"],
    };
    let fix = "Write an address such as `https://bigquery.europe-west3.rep.googleapis.com`.";
    match Url::parse(text.unwrap_or(usual)) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) | Err(_) => Err(wrong(keys, format!("`{key}` is not an address"), fix)),
    }
}

fn dataset(dataset: Option<&str>) -> Checked<Option<String>> {
    match dataset {
        Some("") => Err(wrong(
            &["dataset"],
            "`dataset` is empty",
            "Name the dataset, or take the line out.",
        )),
        Some("_tributary") => Err(wrong(
            &["dataset"],
            "`dataset: _tributary` is where the state is kept",
            "Choose another name for the tables.",
        )),
        other => Ok(other.map(str::to_owned)),
    }
}

fn labels(labels: &BTreeMap<String, String>) -> Checked<BTreeMap<String, String>> {
    let is_legal = |text: &str| {
        text.chars().count() <= 63
            && text
                .chars()
                .all(|c| c.is_lowercase() || c.is_numeric() || "_-".contains(c))
    };
    let odd = labels.iter().find(|(name, value)| {
        !is_legal(name) || !is_legal(value) || !name.starts_with(char::is_lowercase)
    });
    match odd {
        None if labels.len() <= MOST_LABELS => Ok(labels.clone()),
        None => Err(wrong(
            &["labels"],
            format!(
                "there are {} labels, and a job has at most 64",
                labels.len()
            ),
            format!("Keep {MOST_LABELS} of them."),
        )),
        Some((name, value)) => Err(wrong(
            &["labels"],
            format!("`{name}: {value}` is not a label"),
            "Use at most 63 lower-case letters, digits, `_` and `-`; a name begins with a letter.",
        )),
    }
}

fn clustering(config: &Config) -> Checked<()> {
    let of_tables = config
        .tables
        .values()
        .filter_map(|table| table.cluster_by.as_ref());
    let most = config
        .cluster_by
        .iter()
        .chain(of_tables)
        .map(Vec::len)
        .max();
    match most.unwrap_or_default() {
        0..=MOST_CLUSTERED => Ok(()),
        many => Err(wrong(
            &["cluster_by"],
            format!("`cluster_by` has {many} columns, and BigQuery takes {MOST_CLUSTERED}"),
            "Keep those that queries filter by most.",
        )),
    }
}

fn timeout(text: Option<&str>) -> Checked<Duration> {
    let Some(text) = text else {
        return Ok(JOB_TIMEOUT);
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds: Option<u64> = match unit.trim() {
        "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let read = number.parse::<u64>().ok().zip(seconds);
    let read = read.and_then(|(number, unit)| number.checked_mul(unit));
    // BigQuery ends a job itself after six hours.
    match read.filter(|seconds| (1..=21_600).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(wrong(
            &["job_timeout"],
            format!("`job_timeout: {text}` is not a time from one second to six hours"),
            "Write a number and a unit, e.g. `90s`, `30m` or `2h`.",
        )),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(json: serde_json::Value) -> Vec<String> {
        let config: Config = serde_json::from_value(json).unwrap();
        let faults = faults(&config);
        faults.iter().map(|fault| fault.error.what()).collect()
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let wrong = of(serde_json::json!({
            "project": "p", "dataset": "_tributary", "api_endpoint": "nowhere",
            "job_timeout": "7 days", "labels": {"Team": "x"},
            "cluster_by": ["a", "b", "c", "d", "e"], "credentials": "hunter2",
        }));
        assert_eq!(wrong.len(), 6, "{wrong:?}");
        assert!(
            wrong.iter().all(|fault| !fault.contains("hunter2")),
            "{wrong:?}"
        );
        assert_eq!(of(serde_json::json!({"project": "p"})), [""; 0]);
        assert_eq!(of(serde_json::json!({})).len(), 1);
    }

    #[test]
    fn a_table_may_differ() {
        let config = serde_json::from_value(serde_json::json!({
            "project": "p", "cluster_by": ["a"], "partition_by": {"column": "day"},
            "tables": {"shop.orders": {"cluster_by": []}},
        }));
        let settings = Settings::from_config(&config.unwrap()).unwrap();
        let table = |table: &str| TableName {
            schema: "shop".to_owned(),
            table: table.to_owned(),
        };
        assert_eq!(settings.cluster_by(&table("orders")), Some([].as_slice()));
        assert_eq!(
            settings.cluster_by(&table("other")).map(<[_]>::len),
            Some(1)
        );
        let partition = settings.partition_by(&table("orders"));
        assert_eq!(partition.and_then(|p| p.column.as_deref()), Some("day"));
    }
}
