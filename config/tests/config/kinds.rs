//! Kinds with the keys of the real ones.
#![allow(dead_code)] // their fields are for the schema

use std::collections::BTreeMap;
use std::path::Path;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de};
use tributary_config::{Environment, KindSpec, Kinds, Plan, Problems, parse};
use tributary_model::{Error, ErrorKind, Fault, Mode, Secret};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MySql {
    url: Option<Secret>,
    host: Option<String>,
    port: Option<u16>,
    socket: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
    tls: Option<Tls>,
    #[serde(default)]
    databases: Vec<String>,
    snapshot: Option<Snapshot>,
    zero_dates: Option<ZeroDates>,
    geometry: Option<String>,
    max_rows_per_second: Option<u64>,
    max_threads_running: Option<u64>,
    max_replica_lag: Option<u64>,
    server_id: Option<u32>,
    #[schemars(range(min = 1, max = 64))]
    parallelism: Option<u16>,
    #[schemars(range(min = 1))]
    chunk_rows: Option<u64>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Tls {
    #[serde(default)]
    mode: TlsMode,
    ca_file: Option<String>,
}

#[derive(Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum TlsMode {
    /// In clear.
    Disabled,
    /// Encrypted.
    #[default]
    Required,
    /// With a known authority.
    VerifyCa,
    /// With the right name as well.
    VerifyIdentity,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Snapshot {
    Initial,
    InitialOnly,
    NoData,
    WhenNeeded,
}

#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ZeroDates {
    Null,
    Epoch,
    Text,
    Reject,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DuckDb {
    #[serde(deserialize_with = "a_file")]
    path: String,
    memory_limit: Option<String>,
    threads: Option<u16>,
}

/// A rule that no schema says.
fn a_file<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    match path.ends_with('/') {
        true => Err(de::Error::custom(format!("{path} is a folder"))),
        false => Ok(path),
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Stripe {
    api_key: Secret,
    start_date: Option<String>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Lake {
    url: String,
    region: Option<String>,
    format: Option<String>,
    partition_by: Option<Vec<String>>,
    #[serde(default)]
    tables: BTreeMap<String, BTreeMap<String, Vec<String>>>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Postgres {
    url: Option<Secret>,
    host: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<Secret>,
    database: Option<String>,
    schema: Option<String>,
    tls: Option<Tls>,
    statement_timeout: Option<String>,
    application_name: Option<String>,
}

/// Settings that do not go together, in the whole and at a key.
fn faults_of_mysql(settings: &MySql) -> Vec<Fault> {
    let wrong = |what: String| Error::new(ErrorKind::Config, what).fix("Keep one of them.");
    let mut faults = Vec::new();
    if settings.host.is_some() && settings.socket.is_some() {
        faults.push(Fault::mistake(&[], wrong("two addresses".to_owned())));
    }
    if let (Some(tls), Some(user)) = (&settings.tls, &settings.user) {
        if let (TlsMode::Disabled, Some(file)) = (&tls.mode, &tls.ca_file) {
            let what = wrong(format!("{user} verifies nothing with {file}"));
            faults.push(Fault::mistake(&["tls", "ca_file"], what));
        }
        if tls.ca_file.as_deref() == Some("/nowhere.pem") {
            let what = wrong("there is no such file here".to_owned());
            faults.push(Fault::doubt(&["tls", "ca_file"], what));
        }
    }
    faults
}

pub(crate) fn kinds() -> Kinds {
    Kinds {
        sources: vec![
            KindSpec::of("mysql", faults_of_mysql).filtering(),
            KindSpec::of::<Stripe>("stripe", |_| Vec::new()),
        ],
        destinations: vec![
            KindSpec::of::<DuckDb>("duckdb", |_| Vec::new()),
            KindSpec::of::<Lake>("lake", |_| Vec::new()).keeping(&[Mode::Merge, Mode::Append]),
            KindSpec::of::<Postgres>("postgres", |_| Vec::new()),
        ],
    }
}

pub(crate) fn environment<const N: usize>(variables: [(&str, &str); N]) -> Environment {
    BTreeMap::from(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))
}

pub(crate) fn read<const N: usize>(
    text: &str,
    variables: [(&str, &str); N],
) -> Result<Plan, Problems> {
    parse(
        Path::new("tributary.yaml"),
        text,
        &environment(variables),
        &kinds(),
    )
}
