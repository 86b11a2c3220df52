//! The server that is measured: large enough to hold the table in memory, and at rest before each
//! measurement.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;

use super::lineitem::{self, COLUMNS, Rows, TABLE};
use super::process::cpu_seconds_of;
use crate::server::{Flavor, MySqlServer, Options, ReaderUser};

/// Rows of one LOAD DATA.
const BLOCK: u64 = 1_000_000;
/// Memory for one row, generously.
const ROW_BYTES: u64 = 640;
const MEMORY: u64 = 256 << 20;
/// Processor time within a second of rest: the server's own housekeeping.
const REST: f64 = 0.03;
const REST_LIMIT: Duration = Duration::from_secs(120);
const SECOND: Duration = Duration::from_secs(1);

/// A place in the log.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) file: String,
    pub(super) offset: u32,
}

/// A private MariaDB with the table in it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) server: MySqlServer,
    pub(super) reader: ReaderUser,
}

impl Source {
    /// Starts the server and fills the table; `dir` is for files on their way.
    pub(super) async fn start(rows: u64, dir: &Path) -> Self {
        let memory = MEMORY + rows * ROW_BYTES;
        let extra = [
            format!("--innodb-buffer-pool-size={memory}"),
            "--innodb-log-file-size=512M".to_owned(),
            "--max-binlog-size=1G".to_owned(),
            // To be at rest soon after it was filled.
            "--innodb-io-capacity=20000".to_owned(),
            "--innodb-io-capacity-max=40000".to_owned(),
            // A server that starts takes all temporary tables in a shared folder for its own.
            format!("--tmpdir={}", dir.display()),
            // As Tributary's default connection: neither compressed nor encrypted on loopback.
            "--skip-ssl".to_owned(),
        ];
        let options = Options {
            gtid: false,
            extra: extra.to_vec(),
        };
        let server = MySqlServer::start(Flavor::MariaDb, options).await;
        let reader = server.reader().await;
        let source = Self { server, reader };
        source.fill(rows, dir).await;
        source
    }

    async fn fill(&self, rows: u64, dir: &Path) {
        let columns = COLUMNS.map(|(name, data_type, _)| format!("{name} {data_type} NOT NULL"));
        let mut statements = vec![
            // The first copy reads the table, not the log of how it was filled.
            "SET sql_log_bin = 0, unique_checks = 0".to_owned(),
            "CREATE DATABASE bench".to_owned(),
            format!(
                "CREATE TABLE {TABLE} ({}, PRIMARY KEY (l_orderkey, l_linenumber))",
                columns.join(", ")
            ),
        ];
        statements.extend(super::backlog::procedures());
        let mut conn = self.server.conn().await;
        for statement in statements {
            conn.query_drop(&statement)
                .await
                .unwrap_or_else(|e| panic!("{e}, in: {statement}"));
        }
        let file = dir.join("rows.tsv");
        let load = format!("LOAD DATA INFILE '{}' INTO TABLE {TABLE}", file.display());
        let mut generated = Rows::new();
        let mut left = rows;
        while left > 0 {
            let block = left.min(BLOCK);
            write(
                &file,
                generated
                    .by_ref()
                    .take(usize::try_from(block).expect("a count fits")),
            );
            conn.query_drop(&load)
                .await
                .unwrap_or_else(|e| panic!("{e}, in: {load}"));
            left -= block;
        }
        std::fs::remove_file(&file).expect("a file can be removed");
        conn.query_drop(format!("ANALYZE TABLE {TABLE}"))
            .await
            .expect("a table can be analyzed");
        let _ = conn.disconnect().await;
    }

    /// Waits until the server has written what it still had to write and does nothing more.
    pub(super) async fn rest(&self) {
        self.server
            .execute("SET GLOBAL innodb_max_dirty_pages_pct = 0")
            .await;
        let began = Instant::now();
        loop {
            let before = self.cpu_seconds();
            tokio::time::sleep(SECOND).await;
            if self.cpu_seconds() - before <= REST || began.elapsed() > REST_LIMIT {
                break;
            }
        }
        self.server
            .execute("SET GLOBAL innodb_max_dirty_pages_pct = 90")
            .await;
    }

    /// The processor time of the server so far.
    pub(super) fn cpu_seconds(&self) -> f64 {
        cpu_seconds_of(self.server.pid().expect("the server runs"))
    }

    /// The log's end.
    pub(super) async fn position(&self) -> Position {
        let rows = self.server.rows("SHOW MASTER STATUS").await;
        let cells: Vec<Option<String>> = rows.into_iter().flatten().collect();
        let cell = |index: usize| cells.get(index).cloned().flatten();
        let position = cell(0).zip(cell(1).and_then(|offset| offset.parse().ok()));
        let (file, offset) = position.expect("the server writes a log");
        Position { file, offset }
    }

    /// Transactions that the log has seen.
    pub(super) async fn transactions(&self) -> u64 {
        let gtid = self.server.value("SELECT @@gtid_binlog_pos").await;
        let last = gtid.rsplit('-').next().unwrap_or_default();
        if gtid.is_empty() {
            0
        } else {
            last.parse().expect("a GTID ends with a number")
        }
    }

    /// Its version.
    pub(super) async fn version(&self) -> String {
        self.server.value("SELECT version()").await
    }
}

fn write(file: &Path, rows: impl Iterator<Item = lineitem::Row>) {
    let written = File::create(file).and_then(|file| {
        let mut out = BufWriter::with_capacity(1 << 20, file);
        lineitem::write_tsv(rows, &mut out)?;
        out.flush()
    });
    written.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
}
