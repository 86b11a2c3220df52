//! The program that is measured, and what it fills.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;

use super::super::process::{self, Usage};
use super::drain::{Drained, How};
use super::records;

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Kind {
    DuckDb,
    Parquet,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::DuckDb, Self::Parquet];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::DuckDb => "duckdb",
            Self::Parquet => "parquet",
        }
    }

    fn settings(self) -> &'static str {
        match self {
            Self::DuckDb => "{type: duckdb, path: warehouse.duckdb}",
            Self::Parquet => "{type: lake, url: ./lake}",
        }
    }
}

/// What is special about the API; changes come from a feed, and there are none.
const MANIFEST: &str = r#"name: bench
base: http://127.0.0.1
kinds:
  list:
    records: "data[]"
    key: [id]
    pages: {last: id, to: starting_after, more: has_more, size: {limit: 100}}
    cursor: {field: created, format: unix, from: "created[gte]", to: "created[lt]", bounds: "[)", lag: 60s, order: desc}
feeds:
  events: {is: list, get: /v1/events, object: data.object, kind: data.object.object, id: data.object.id, event: id, type: type}
streams:
  charges: {is: list, get: /v1/charges, feed: {kind: charge}}
"#;

/// The program, set up to copy the records.
#[derive(Debug)]
pub(super) struct Target {
    binary: PathBuf,
    dir: PathBuf,
}

impl Target {
    pub(super) fn new(binary: Option<&Path>, port: u16, dir: &Path, kind: Kind) -> Self {
        let binary = binary.map_or_else(beside, Path::to_path_buf);
        let binary = binary.canonicalize().unwrap_or_else(|error| {
            let path = binary.display();
            panic!("{path}: {error}. Build it with `cargo build --release -p tributary`.")
        });
        let dir = dir.join(kind.name());
        std::fs::create_dir_all(&dir).expect("a folder can be made");
        let yaml = format!(
            "sources:
  api: {{type: rest, manifest: bench.manifest.yaml, api_url: \"http://127.0.0.1:{port}\"}}
destinations:
  warehouse: {}
connections:
  bench: {{source: api, destination: warehouse}}
",
            kind.settings()
        );
        for (name, text) in [
            ("tributary.yaml", yaml.as_str()),
            ("bench.manifest.yaml", MANIFEST),
        ] {
            std::fs::write(dir.join(name), text).expect("a file can be written");
        }
        Self { binary, dir }
    }

    pub(super) fn sync(&self) -> Usage {
        let (usage, document) = self.run(&["sync", "--output", "json"]);
        let status = &document["connections"][0]["status"];
        assert_eq!(*status, "succeeded", "{document:#}");
        usage
    }

    /// Fails where not every record is there as it was made.
    pub(super) fn verify(&self, count: u64) {
        let sql = "SELECT count(*)::VARCHAR, count(DISTINCT id)::VARCHAR, sum(amount)::VARCHAR, \
                   sum(created)::VARCHAR, sum(CAST(metadata->>'order_id' AS BIGINT))::VARCHAR, \
                   count(DISTINCT payment_method_details)::VARCHAR FROM bench.charges";
        let (_, document) = self.run(&["query", "warehouse", sql, "--output", "json"]);
        let found: Vec<String> = serde_json::from_value(document["rows"][0].clone())
            .unwrap_or_else(|error| panic!("{error}: {document:#}"));
        let sum = |of: fn(u64) -> u64| {
            (0..count)
                .map(|number| u128::from(of(number)))
                .sum::<u128>()
        };
        let expected = [
            u128::from(count),
            u128::from(count),
            sum(records::amount),
            sum(records::created),
            u128::from(count) * 6735,
            1,
        ];
        assert_eq!(found, expected.map(|sum| sum.to_string()), "contents");
    }

    fn run(&self, words: &[&str]) -> (Usage, Value) {
        let words: Vec<String> = words.iter().map(ToString::to_string).collect();
        let (usage, printed) = process::run(&self.binary, &words, &self.dir);
        (
            usage,
            serde_json::from_str(&printed).expect("`--output json` is JSON"),
        )
    }
}

/// Runs a floor in a process of its own and reads what it prints.
pub(super) fn floor(port: u16, how: How, dir: &Path) -> Drained {
    let this = std::env::current_exe().expect("a process knows its own program");
    let words = ["api", "drain", how.name(), &port.to_string()].map(str::to_owned);
    let (_, printed) = process::run(&this, &words, dir);
    serde_json::from_str(&printed).expect("a floor prints JSON")
}

fn beside() -> PathBuf {
    let this = std::env::current_exe().expect("a process knows its own program");
    this.with_file_name("tributary")
}
