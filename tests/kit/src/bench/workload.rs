//! The workloads, one after the other on one server: lakes and PostgreSQL first, while the table is as
//! it was made; then those that go into one DuckDB file.

use std::path::Path;

use super::backlog;
use super::bucket::Bucket;
use super::floor::{Drained, Floor, Loaded};
use super::options::{Options, Workload};
use super::plain_copy;
use super::report::{Line, Measured, Report};
use super::say;
use super::source::Source;
use super::target::{self, Destination, Target};
use crate::postgres::Postgres;

/// Measures what `options` ask for.
pub(super) fn measure(options: &Options) -> Report {
    // One thread, and nothing large in this process: a child begins with its parent's peak of
    // memory in its own figures.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let dir = tempfile::Builder::new()
        .prefix("tributary-bench-")
        .tempdir();
    let dir = dir.expect("a temporary folder can be made");
    let measured = Bench::measure(options, dir.path());
    runtime.expect("a runtime can be made").block_on(measured)
}

struct Bench<'a> {
    options: &'a Options,
    dir: &'a Path,
    source: Source,
}

impl<'a> Bench<'a> {
    async fn measure(options: &'a Options, dir: &'a Path) -> Report {
        let load_average = load_average();
        say(&format!(
            "loading {} rows into a private MariaDB",
            options.count
        ));
        let source = Source::start(options.count, dir).await;
        let bench = Self {
            options,
            dir,
            source,
        };
        let mut workloads = Vec::new();
        for lake in Workload::LAKES {
            if options.parts.contains(&lake) {
                workloads.push(bench.lake(lake).await);
            }
        }
        if options.parts.contains(&Workload::Postgres) {
            workloads.push(bench.postgres().await);
        }
        bench.duckdb(&mut workloads).await;
        Report {
            source: format!("MariaDB {}", bench.source.version().await),
            rows: options.count,
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            load_average,
            workloads,
        }
    }

    /// The workloads of one DuckDB file, which build on each other.
    async fn duckdb(&self, workloads: &mut Vec<Measured>) {
        let wanted = |workload| self.options.parts.contains(&workload);
        if !Workload::ALL[..3].iter().any(|workload| wanted(*workload)) {
            return;
        }
        let target = self.target("duckdb", Destination::DuckDb);
        if wanted(Workload::Snapshot) {
            workloads.push(self.snapshot(&target).await);
        } else {
            say("copying the table, which is not measured this time");
            target.sync();
        }
        if wanted(Workload::Bulk) {
            workloads.push(self.bulk(&target).await);
        }
        if wanted(Workload::Single) {
            workloads.push(self.single(&target).await);
        }
    }

    /// The program in a folder of its own.
    fn target(&self, name: &str, destination: Destination) -> Target {
        let dir = self.dir.join(name);
        std::fs::create_dir_all(&dir).expect("a folder can be made");
        Target::new(
            self.options.binary.as_deref(),
            &self.source,
            &dir,
            destination,
        )
    }

    async fn lake(&self, which: Workload) -> Measured {
        let destination = match which {
            Workload::ParquetS3 => Destination::ParquetS3(Bucket::start(&self.dir.join("bucket"))),
            Workload::Iceberg => Destination::Iceberg,
            Workload::Parquet
            | Workload::Snapshot
            | Workload::Bulk
            | Workload::Single
            | Workload::Postgres => Destination::Parquet,
        };
        let target = self.target(which.name(), destination);
        let port = self.source.server.port();
        let rows = self.options.count;
        let (drain, write) = (Floor::Select { port }, Floor::Parquet { rows });
        let write = || target::own(&write, self.dir);
        self.workload(which, &target, rows, &drain, write).await
    }

    async fn postgres(&self) -> Measured {
        let server = Postgres::start();
        let target = self.target("postgres", Destination::Postgres(server.url()));
        let port = self.source.server.port();
        let (drain, rows) = (Floor::Select { port }, self.options.count);
        let copy = || plain_copy::measure(&server.url(), self.dir);
        self.workload(Workload::Postgres, &target, rows, &drain, copy)
            .await
    }

    async fn snapshot(&self, target: &Target) -> Measured {
        let port = self.source.server.port();
        let drain = Floor::Select { port };
        let append = Floor::Append {
            rows: self.options.count,
        };
        let rows = self.options.count;
        let append = || target::own(&append, self.dir);
        self.workload(Workload::Snapshot, target, rows, &drain, append)
            .await
    }

    async fn bulk(&self, target: &Target) -> Measured {
        let changes = self.options.changes();
        say(&format!("making {changes} changes in bulk"));
        let drain = self.log_from_here().await;
        backlog::bulk(&self.source, changes).await;
        let merge = self.merge(changes);
        let merge = || target::own(&merge, self.dir);
        self.workload(Workload::Bulk, target, changes, &drain, merge)
            .await
    }

    async fn single(&self, target: &Target) -> Measured {
        let transactions = self.options.transactions();
        say(&format!("making {transactions} single-row transactions"));
        let drain = self.log_from_here().await;
        backlog::single(&self.source, transactions).await;
        let merge = self.merge(transactions);
        let merge = || target::own(&merge, self.dir);
        self.workload(Workload::Single, target, transactions, &drain, merge)
            .await
    }

    async fn log_from_here(&self) -> Floor {
        let position = self.source.position().await;
        Floor::Log {
            port: self.source.server.port(),
            file: position.file,
            offset: position.offset,
        }
    }

    fn merge(&self, changes: u64) -> Floor {
        Floor::Merge {
            rows: self.options.count,
            changes,
        }
    }

    /// Measures one sync between two drains of the same bytes, and what whoever takes
    /// the rows in the end takes at least.
    async fn workload(
        &self,
        which: Workload,
        target: &Target,
        rows: u64,
        drain: &Floor,
        load: impl FnOnce() -> Loaded,
    ) -> Measured {
        say(&format!(
            "measuring {}: what is passed over the wire",
            which.name()
        ));
        let first = self.drain(drain, rows).await;
        self.source.rest().await;
        say("  tributary");
        let before = self.source.cpu_seconds();
        let usage = target.sync();
        let source_cpu_seconds = self.source.cpu_seconds() - before;
        let second = self.drain(drain, rows).await;
        say("  comparing contents");
        let contents = target.verify(&self.source).await;
        say(&format!("  {} alone", which.writer()));
        let loaded = load();
        Measured {
            workload: which,
            rows,
            wire_bytes: first.1,
            tributary: Line::of_process(rows, usage, source_cpu_seconds),
            drain: first.0.least(second.0),
            append: Line::of_part(rows, loaded.append),
            merge: which.merges().then(|| Line::of_part(rows, loaded.merge)),
            contents,
        }
    }

    async fn drain(&self, floor: &Floor, rows: u64) -> (Line, u64) {
        self.source.rest().await;
        let before = self.source.cpu_seconds();
        let drained: Drained = target::own(floor, self.dir);
        let line = Line::of_part(rows, drained.spent);
        (
            line.with_source(self.source.cpu_seconds() - before),
            drained.passed.bytes,
        )
    }
}

/// How busy the machine was in the last minute.
fn load_average() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let first = text.split_whitespace().next();
    first
        .and_then(|number| number.parse().ok())
        .unwrap_or(f64::NAN)
}
