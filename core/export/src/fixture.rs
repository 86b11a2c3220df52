//! A configuration with a bit of everything, and kinds like the real ones.
#![allow(clippy::unwrap_used, dead_code)]

use std::path::{Path, PathBuf};

use serde_json::Value;
use tributary_config::{Environment, KindSpec, Kinds, Outline, outline};
use tributary_model::{Place, Secret};

/// Every schedule there is, ends that are shared and ends that are not.
pub(crate) const ALL: &str = r#"sources:
  shop: {type: database, host: db.internal, user: reader, password: "${SHOP_PASSWORD}", ca_file: /etc/ssl/shop.pem}
  again: {type: database, host: db.internal, user: reader, password: "${SHOP_PASSWORD}"}
  billing: {type: api, api_key: "file:secrets/billing", manifest: billing.yaml}
  clear: {type: api, api_key: sk_live_hunter2, manifest: "${MANIFEST:-clear.yaml}"}
destinations:
  warehouse: {type: file, path: warehouse.db}
  lake: {type: remote, url: "s3://acme/raw"}
connections:
  shop: {source: shop, destination: lake, schedule: 5m, export: {timeout: 2h}}
  shop_again: {source: again, destination: lake, schedule: "0 6 * * mon-fri", time_zone: Europe/Berlin}
  Billing-2: {source: billing, destination: warehouse, schedule: "30 5/6 * * 7"}
  live: {source: clear, destination: lake, schedule: continuous}
  odd: {source: clear, destination: lake, schedule: 7m}
  nights: {source: clear, destination: lake, schedule: 1h, windows: ["22:00-06:00", "sun 00:00-24:00"]}
  fresh: {source: clear, destination: lake, freshness: 10m}
  hand: {source: billing, destination: lake}
  mixed:
    source: clear
    destination: lake
    schedule: 1h
    streams:
      charges: {schedule: 5m}
      'a "quoted" {{ one }}': {schedule: 5m}
      same: {schedule: 1h}
export: {retries: 2, retry_delay: 30s}
daemon: {workers: 3}
memory: 1GiB
"#;

/// Settings of any of the kinds.
#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Settings {
    host: Option<String>,
    user: Option<String>,
    password: Option<Secret>,
    ca_file: Option<String>,
    api_key: Option<Secret>,
    #[schemars(extend("format" = "file"))]
    manifest: Option<String>,
    path: Option<PathBuf>,
    url: Option<String>,
}

pub(crate) fn kinds() -> Kinds {
    let kind = |name| KindSpec::of::<Settings>(name, |_| Vec::new());
    let path = |settings: &Value| Some(Place::File(settings["path"].as_str()?.into()));
    Kinds {
        sources: vec![kind("database"), kind("api")],
        destinations: vec![kind("file").kept(path), kind("remote")],
    }
}

/// The outline of a configuration, with no variable set.
pub(crate) fn read(yaml: &str) -> Outline {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tributary.yaml");
    std::fs::write(&file, yaml).unwrap();
    outline(&file, &Environment::new(), &kinds()).unwrap_or_else(|why| panic!("{why}"))
}

pub(crate) fn config() -> &'static Path {
    Path::new("/etc/tributary/tributary.yaml")
}
