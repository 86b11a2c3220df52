//! The program that is measured, and what it fills.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::bucket::Bucket;
use super::checksum;
use super::floor::Floor;
use super::process::{self, Usage};
use super::source::Source;

const FILE: &str = "warehouse.duckdb";

/// What it fills.
#[derive(Debug)]
pub(super) enum Destination {
    /// A DuckDB file.
    DuckDb,
    /// A folder of Parquet files.
    Parquet,
    /// A bucket of Parquet files.
    ParquetS3(Bucket),
    /// A table of Iceberg in a folder.
    Iceberg,
    /// A PostgreSQL at this address.
    Postgres(String),
}

/// The program, set up to copy the table.
#[derive(Debug)]
pub(super) struct Target {
    binary: PathBuf,
    dir: PathBuf,
    destination: Destination,
}

impl Target {
    /// It runs in `dir`, a folder of its own.
    pub(super) fn new(
        binary: Option<&Path>,
        source: &Source,
        dir: &Path,
        destination: Destination,
    ) -> Self {
        let binary = binary.map_or_else(beside, Path::to_path_buf);
        let binary = binary.canonicalize().unwrap_or_else(|error| {
            panic!(
                "{}: {error}. Build it with `cargo build --release -p tributary`.",
                binary.display()
            )
        });
        let yaml = configuration(source, &destination);
        let target = Self {
            binary,
            dir: dir.to_path_buf(),
            destination,
        };
        std::fs::write(dir.join("tributary.yaml"), yaml).expect("a file can be written");
        target
    }

    /// Copies what is new, all of it the first time.
    pub(super) fn sync(&self) -> Usage {
        let arguments = ["sync", "--output", "json"].map(ToOwned::to_owned);
        let (usage, printed) = process::run(&self.binary, &arguments, &self.dir);
        let document: Value = serde_json::from_str(&printed).expect("`--output json` is JSON");
        let status = &document["connections"][0]["status"];
        assert_eq!(*status, "succeeded", "{document:#}");
        usage
    }

    /// What the destination holds now. Lakes are asked through the program itself: that other
    /// readers find the same in them is what the tests are for.
    pub(super) fn contents(&self) -> Vec<String> {
        if let Destination::DuckDb = self.destination {
            let file = self.dir.join(FILE);
            return own(&Floor::Checksum { file }, &self.dir);
        }
        let sql = match self.destination {
            Destination::Postgres(_) => checksum::sql_of_postgres(),
            _ => checksum::sql(),
        };
        let arguments = ["query", "warehouse", &sql, "--output", "json"].map(ToOwned::to_owned);
        let (_, printed) = process::run(&self.binary, &arguments, &self.dir);
        let mut answer: Value = serde_json::from_str(&printed).expect("`--output json` is JSON");
        serde_json::from_value(answer["rows"][0].take()).expect("sums are texts")
    }

    /// Fails where the destination does not hold what the table holds.
    pub(super) async fn verify(&self, source: &Source) -> Vec<String> {
        let expected = checksum::of_mariadb(&source.server).await;
        let differences = checksum::differences(&expected, &self.contents());
        assert!(
            differences.is_empty(),
            "contents differ\n{}",
            differences.join("\n")
        );
        expected
    }
}

/// Runs a floor in a process of its own and reads what it prints.
pub(super) fn own<T: serde::de::DeserializeOwned>(floor: &Floor, dir: &Path) -> T {
    let this = std::env::current_exe().expect("a process knows its own program");
    let (_, printed) = process::run(&this, &floor.to_words(), dir);
    serde_json::from_str(&printed).expect("a floor prints JSON")
}

fn beside() -> PathBuf {
    let this = std::env::current_exe().expect("a process knows its own program");
    this.with_file_name("tributary")
}

/// All by default but for what must be said.
fn configuration(source: &Source, destination: &Destination) -> String {
    let (port, reader) = (source.server.port(), &source.reader);
    let (user, password) = (&reader.name, &reader.password);
    let warehouse = match destination {
        Destination::DuckDb => format!("type: duckdb, path: {FILE}"),
        Destination::Parquet => "type: lake, url: ./lake".to_owned(),
        Destination::ParquetS3(bucket) => format!("type: lake, {}", bucket.settings()),
        Destination::Iceberg => "type: lake, url: ./lake, format: iceberg".to_owned(),
        Destination::Postgres(url) => format!("type: postgres, url: \"{url}\""),
    };
    format!(
        "sources:
  bench: {{type: mysql, host: 127.0.0.1, port: {port}, user: {user}, password: {password}, databases: [bench]}}
destinations:
  warehouse: {{{warehouse}}}
connections:
  bench: {{source: bench, destination: warehouse}}
"
    )
}
