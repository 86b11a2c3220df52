//! The program that is measured, and the file that it fills.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::checksum;
use super::floor::Floor;
use super::process::{self, Usage};
use super::source::Source;

const FILE: &str = "warehouse.duckdb";

/// The program, set up to copy the table.
#[derive(Debug)]
pub(super) struct Target {
    binary: PathBuf,
    dir: PathBuf,
}

impl Target {
    pub(super) fn new(binary: Option<&Path>, source: &Source, dir: &Path) -> Self {
        let binary = binary.map_or_else(beside, Path::to_path_buf);
        let binary = binary.canonicalize().unwrap_or_else(|error| {
            panic!(
                "{}: {error}. Build it with `cargo build --release -p tributary`.",
                binary.display()
            )
        });
        let target = Self {
            binary,
            dir: dir.to_path_buf(),
        };
        let yaml = configuration(source);
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

    /// What the file holds now.
    pub(super) fn contents(&self) -> Vec<String> {
        let floor = Floor::Checksum {
            file: self.dir.join(FILE),
        };
        own(&floor, &self.dir)
    }

    /// Fails where the file does not hold what the table holds.
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
fn configuration(source: &Source) -> String {
    let (port, reader) = (source.server.port(), &source.reader);
    let (user, password) = (&reader.name, &reader.password);
    format!(
        "sources:
  bench: {{type: mysql, host: 127.0.0.1, port: {port}, user: {user}, password: {password}, databases: [bench]}}
destinations:
  warehouse: {{type: duckdb, path: {FILE}}}
connections:
  bench: {{source: bench, destination: warehouse}}
"
    )
}
