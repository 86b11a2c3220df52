//! `bench shapes`: what tables and logs of different shapes cost, with the peak of memory beside
//! each: narrow rows, wide ones, very many small tables, a log of updates, one huge transaction.
//!
//! A figure is printed only where counts and sums in the destination equal the source's. Deliberately
//! absent: floors, which the lineitem table of the main benchmark has.

mod options;
mod report;
mod shape;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;

use super::arguments::Options;
use super::process::{self, Usage};
use super::say;
use crate::server::{Flavor, MySqlServer, Options as ServerOptions, ReaderUser};
use options::GRAMMAR;
use report::{Measured, Report};
use shape::{Check, Shape};

/// Runs what the words after `bench shapes` ask for. Fails with what to show to whoever typed them.
pub(super) fn main(words: &[&str]) -> Result<ExitCode, String> {
    let Some(options) = GRAMMAR.parse(words)? else {
        return Ok(super::print(GRAMMAR.usage));
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime can be made");
    let report = runtime.block_on(measure(&options));
    Ok(super::show(&report, options.format))
}

async fn measure(options: &Options<Shape>) -> Report {
    let dir = tempfile::Builder::new()
        .prefix("tributary-bench-shapes-")
        .tempdir();
    let dir = dir.expect("a temporary folder can be made");
    let extra = [
        "--innodb-buffer-pool-size=2G",
        "--innodb-log-file-size=512M",
        "--max-binlog-size=1G",
        "--skip-ssl",
        "--table-open-cache=4000",
    ];
    let server = MySqlServer::start(
        Flavor::MariaDb,
        ServerOptions {
            gtid: false,
            extra: extra.map(ToOwned::to_owned).to_vec(),
        },
    )
    .await;
    let reader = server.reader().await;
    let mut measured = Vec::new();
    for shape in &options.parts {
        let folder = dir.path().join(shape.name());
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let bench = Bench {
            server: &server,
            shape: *shape,
            rows: shape.rows(options.count),
            target: Target::new(options.binary.as_deref(), &server, &reader, *shape, &folder),
        };
        bench.run(&mut measured).await;
    }
    Report {
        source: format!("MariaDB {}", server.value("SELECT version()").await),
        cores: std::thread::available_parallelism().map_or(0, Into::into),
        measured,
    }
}

struct Bench<'a> {
    server: &'a MySqlServer,
    shape: Shape,
    rows: u64,
    target: Target,
}

impl Bench<'_> {
    /// The first copy, then the changes, then nothing new.
    async fn run(&self, measured: &mut Vec<Measured>) {
        let name = self.shape.name();
        say(&format!("{name}: making {} rows", self.rows));
        for statement in self.shape.make(self.rows) {
            self.server.execute(&statement).await;
        }
        say(&format!("{name}: the first copy"));
        measured.push(self.sync("first copy", self.rows).await);
        let changes = self.shape.changes(self.rows);
        if !changes.is_empty() {
            say(&format!("{name}: making changes"));
            for statement in &changes {
                self.server.execute(statement).await;
            }
            let rows = self.shape.changed(self.rows);
            measured.push(self.sync("changes", rows).await);
        }
        measured.push(self.sync("nothing new", 0).await);
    }

    async fn sync(&self, step: &'static str, rows: u64) -> Measured {
        let usage = self.target.sync();
        for check in self.shape.checks() {
            self.verify(&check).await;
        }
        Measured {
            shape: self.shape,
            step,
            rows,
            usage,
        }
    }

    async fn verify(&self, check: &Check) {
        let expected = self.server.value(&check.source).await;
        let found = self.target.value(&check.target);
        assert_eq!(found, expected, "contents differ: {}", check.target);
    }
}

/// The program in a folder of its own.
struct Target {
    binary: PathBuf,
    dir: PathBuf,
}

impl Target {
    fn new(
        binary: Option<&Path>,
        server: &MySqlServer,
        reader: &ReaderUser,
        shape: Shape,
        dir: &Path,
    ) -> Self {
        let beside = || {
            let this = std::env::current_exe().expect("a process knows its own program");
            this.with_file_name("tributary")
        };
        let binary = binary.map_or_else(beside, Path::to_path_buf);
        let binary = binary.canonicalize().unwrap_or_else(|error| {
            panic!(
                "{}: {error}. Build it with `cargo build --release -p tributary`.",
                binary.display()
            )
        });
        let (port, user, password) = (server.port(), &reader.name, &reader.password);
        let yaml = format!(
            "sources:
  bench: {{type: mysql, host: 127.0.0.1, port: {port}, user: {user}, password: {password}, databases: [{}]}}
destinations:
  warehouse: {{type: duckdb, path: warehouse.duckdb}}
connections:
  bench: {{source: bench, destination: warehouse}}
",
            shape.database()
        );
        std::fs::write(dir.join("tributary.yaml"), yaml).expect("a file can be written");
        Self {
            binary,
            dir: dir.to_path_buf(),
        }
    }

    fn sync(&self) -> Usage {
        let (usage, document) = self.run(&["sync"]);
        let status = &document["connections"][0]["status"];
        assert_eq!(*status, "succeeded", "{document:#}");
        usage
    }

    fn value(&self, sql: &str) -> String {
        let (_, document) = self.run(&["query", "warehouse", sql]);
        match &document["rows"][0][0] {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    fn run(&self, words: &[&str]) -> (Usage, Value) {
        let words = words.iter().chain(&["--output", "json"]);
        let arguments: Vec<String> = words.map(|word| (*word).to_owned()).collect();
        let (usage, printed) = process::run(&self.binary, &arguments, &self.dir);
        let document = serde_json::from_str(&printed).expect("`--output json` is JSON");
        (usage, document)
    }
}
