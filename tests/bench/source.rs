//! How fast a MySQL source is alone: rows and changes of a private MariaDB through the engine into a
//! destination that counts them and keeps nothing but the state. `cargo bench --bench source`.
//!
//! Everything is in this process: its CPU is the source's and the engine's. The server is a process
//! of its own.
//!
//! Deliberately absent: what arrives is counted, not compared; `make bench` and the tests do that.

mod nowhere;

use std::fmt::Display;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tributary_engine::{Connection, Status, SyncRequest, sync};
use tributary_model::{
    ConnectionName, ConnectionOptions, FlushPolicy, Selection, Source, StreamOptions,
};
use tributary_mysql::MySql;
use tributary_testkit::server::{Flavor, MySqlServer, Options};

use nowhere::Nowhere;

/// Rows of the table, unless the first argument says otherwise.
const ROWS: u64 = 1_000_000;
/// Transactions that large changes are cut into.
const CUTS: u64 = 100;
/// Of how many rows one is changed in a transaction of its own.
const SINGLE: u64 = 5;
/// Clock ticks of a second in what the kernel tells programs.
const TICKS: f64 = 100.0;

const TABLE: &str = "CREATE TABLE bench.lineitem (
    l_orderkey BIGINT NOT NULL, l_partkey INT NOT NULL, l_suppkey INT NOT NULL,
    l_linenumber INT NOT NULL, l_quantity DECIMAL(15,2) NOT NULL,
    l_extendedprice DECIMAL(15,2) NOT NULL, l_discount DECIMAL(15,2) NOT NULL,
    l_tax DECIMAL(15,2) NOT NULL, l_returnflag CHAR(1) NOT NULL, l_linestatus CHAR(1) NOT NULL,
    l_shipdate DATE NOT NULL, l_commitdate DATE NOT NULL, l_receiptdate DATE NOT NULL,
    l_shipinstruct CHAR(25) NOT NULL, l_shipmode CHAR(10) NOT NULL, l_comment VARCHAR(44) NOT NULL,
    PRIMARY KEY (l_orderkey, l_linenumber))";
/// A row of TPC-H's widths for each number of a sequence.
const FILL: &str = "INSERT INTO bench.lineitem
    SELECT seq DIV 4, 1 + seq * 7 % 200000, 1 + seq * 11 % 10000, seq % 4,
        1 + seq % 50, 900 + seq * 13 % 90000 + (seq % 100) / 100, (seq % 11) / 100,
        (seq % 9) / 100, ELT(1 + seq % 3, 'A', 'N', 'R'), ELT(1 + seq % 2, 'O', 'F'),
        '1992-01-02' + INTERVAL seq % 2400 DAY, '1992-02-02' + INTERVAL seq % 2400 DAY,
        '1992-01-12' + INTERVAL seq % 2400 DAY,
        ELT(1 + seq % 4, 'DELIVER IN PERSON', 'COLLECT COD', 'NONE', 'TAKE BACK RETURN'),
        ELT(1 + seq % 7, 'REG AIR', 'AIR', 'RAIL', 'SHIP', 'TRUCK', 'MAIL', 'FOB'),
        LEFT('carefully final deposits haggle furiously above', 10 + seq % 34)";

/// The server, and the connection that is measured.
struct Bench {
    server: MySqlServer,
    connection: Connection,
    nowhere: Nowhere,
}

/// What a sync took.
struct Taken {
    rows: u64,
    seconds: f64,
    cpu_seconds: f64,
    first: Option<Duration>,
}

impl Bench {
    async fn start(rows: u64) -> Self {
        let options = Options {
            gtid: false,
            extra: vec![
                format!("--innodb-buffer-pool-size={}", (256 << 20) + rows * 640),
                "--innodb-flush-log-at-trx-commit=0".to_owned(),
                "--max-binlog-size=1G".to_owned(),
                "--skip-ssl".to_owned(),
            ],
        };
        let server = MySqlServer::start(Flavor::MariaDb, options).await;
        server.execute("CREATE DATABASE bench").await;
        server.execute(TABLE).await;
        server
            .execute(&format!("{FILL} FROM bench.seq_1_to_{rows}"))
            .await;
        let reader = server.reader().await;
        let settings = serde_json::json!({
            "url": reader.url(server.port()), "databases": ["bench"],
        });
        let config = serde_json::from_value(settings).expect("these are settings");
        let source = MySql::connect(config).await.expect("it can be configured");
        let nowhere = Nowhere::default();
        let options = ConnectionOptions {
            name: ConnectionName::new("bench"),
            select: Selection::default(),
            defaults: StreamOptions::default(),
            streams: std::collections::BTreeMap::new(),
            flush: FlushPolicy::default(),
            memory: 256 << 20,
            salt: None,
        };
        let connection = Connection {
            options,
            source: Arc::new(source),
            destination: Arc::new(nowhere.clone()),
        };
        Self {
            server,
            connection,
            nowhere,
        }
    }

    /// A sync to its end.
    async fn sync(&self) -> Taken {
        self.nowhere.forget();
        let (began, cpu) = (Instant::now(), cpu_seconds());
        let report = sync(
            &self.connection,
            &SyncRequest::default(),
            &tributary_engine::Silent,
        )
        .await;
        assert_eq!(report.status, Status::Succeeded, "{report:?}");
        Taken {
            rows: self.nowhere.rows(),
            seconds: began.elapsed().as_secs_f64(),
            cpu_seconds: cpu_seconds() - cpu,
            first: self.nowhere.first().map(|at| at - began),
        }
    }

    /// A new row for each of the table's and an update of it, in transactions of a hundredth.
    async fn bulk(&self, rows: u64) {
        for cut in 0..CUTS {
            let part = rows / 2 / CUTS;
            let (from, to) = (rows + 8 + cut * part, rows + 8 + (cut + 1) * part - 1);
            let insert = format!("{FILL} FROM bench.seq_{from}_to_{to}");
            self.server.execute(&insert).await;
            let update = format!(
                "UPDATE bench.lineitem SET l_quantity = l_quantity + 1
                 WHERE l_orderkey BETWEEN {} AND {}",
                from.div_ceil(4),
                to / 4
            );
            self.server.execute(&update).await;
        }
    }

    /// Updates of single rows, each a transaction.
    async fn single(&self, transactions: u64) {
        let procedure = format!(
            "CREATE OR REPLACE PROCEDURE bench.trickle() BEGIN
               DECLARE i INT DEFAULT 1;
               WHILE i <= {transactions} DO
                 UPDATE bench.lineitem SET l_tax = l_tax + 0.01
                 WHERE l_orderkey = i AND l_linenumber = 1;
                 SET i = i + 1;
               END WHILE;
             END"
        );
        self.server.execute(&procedure).await;
        self.server.execute("CALL bench.trickle()").await;
    }
}

/// User and system time of this process so far, its children's not.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("the kernel tells");
    let (_, rest) = stat.rsplit_once(')').expect("a name in brackets");
    let fields = rest.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS
}

fn say(line: impl Display) {
    let _ = writeln!(io::stdout(), "{line}");
}

fn show(what: &str, taken: &Taken) {
    let (rows, first) = (taken.rows as f64, taken.first.unwrap_or_default());
    say(format!(
        "{what:<22}{:>10} {:>12.0} {:>8.2} {:>14.0} {:>12.3}",
        taken.rows,
        rows / taken.seconds,
        taken.cpu_seconds,
        rows / taken.cpu_seconds,
        first.as_secs_f64()
    ));
}

async fn run(rows: u64) {
    let bench = Bench::start(rows).await;
    say("                            rows       rows/s    CPU s     rows/CPU s  first row, s");
    show("first copy", &bench.sync().await);
    bench.bulk(rows).await;
    show("bulk changes", &bench.sync().await);
    bench.single(rows / SINGLE).await;
    show("single-row changes", &bench.sync().await);
    bench.single(1).await;
    show("restart for one row", &bench.sync().await);
}

fn main() {
    let number = std::env::args().skip(1).find_map(|word| word.parse().ok());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime can be made");
    runtime.block_on(run(number.unwrap_or(ROWS)));
}
