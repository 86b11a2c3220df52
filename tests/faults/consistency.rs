//! Order and whole transactions: what a reader of the destination sees between loads.

use std::fs;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tributary_testkit::random::Random;
use tributary_testkit::server::{Flavor, MySqlServer, Options};

use super::memory::peak;
use crate::world::{Setup, World, number};

/// Money moves between two tables, and between accounts of one: the sum never changes.
const ACCOUNTS: &str = "CREATE DATABASE bank;
    CREATE TABLE bank.checking (id INT PRIMARY KEY, balance BIGINT NOT NULL);
    CREATE TABLE bank.savings (id INT PRIMARY KEY, balance BIGINT NOT NULL);
    CREATE TABLE bank.versions (id INT PRIMARY KEY, version INT NOT NULL);
    INSERT INTO bank.versions VALUES (1, 0), (2, 0), (3, 0);";
const SETUP: Setup<'_> = Setup {
    port: None,
    source: "databases: [bank], chunk_rows: 40",
    connection: "flush: {rows: 25}, streams: {bank.versions: {mode: append}, \
        bank.savings: {deletes: hard}}",
};
const SUM: &str = "SELECT coalesce((SELECT sum(balance) FROM bank.checking), 0) \
    + coalesce((SELECT sum(balance) FROM bank.savings), 0)";

struct Transfers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<u64>>,
}

impl Transfers {
    fn start(server: &MySqlServer) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tasks = (0..3_u64)
            .map(|index| {
                let (opts, stopped) = (server.opts(), stopped.clone());
                tokio::spawn(async move {
                    let mut conn = mysql_async::Conn::new(opts).await.unwrap();
                    let (mut random, mut done) = (Random::new(index), 0);
                    while !*stopped.borrow() {
                        let (from, to) = (1 + random.below(100), 1 + random.below(100));
                        let amount = random.below(50);
                        let transfer = format!(
                            "BEGIN; \
                             UPDATE bank.checking SET balance = balance - {amount} WHERE id = {from}; \
                             UPDATE bank.savings SET balance = balance + {amount} WHERE id = {to}; \
                             UPDATE bank.versions SET version = version + 1 WHERE id = {}; COMMIT",
                            index + 1
                        );
                        conn.query_drop(transfer).await.unwrap();
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        Self { stop, tasks }
    }

    async fn stop(self) -> u64 {
        self.stop.send_replace(true);
        let mut done = 0;
        for task in self.tasks {
            done += task.await.unwrap();
        }
        done
    }
}

async fn bank(flavor: Flavor) -> World {
    let world = World::new(flavor, Options::default()).await;
    world.server.execute(ACCOUNTS).await;
    for table in ["checking", "savings"] {
        let rows: Vec<_> = (1..=100).map(|id| format!("({id}, 1000)")).collect();
        let insert = format!("INSERT INTO bank.{table} VALUES {}", rows.join(","));
        world.server.execute(&insert).await;
    }
    world.configure(SETUP);
    world
}

async fn shows_whole_transactions(flavor: Flavor) {
    let world = bank(flavor).await;
    let transfers = Transfers::start(&world.server);
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("copy.duckdb");
    world.sync().await;
    assert_eq!(world.number(SUM), 200_000, "after the first sync");
    for turn in 0..12 {
        // What a load shows, seen at a load where nobody chose to stop.
        let kill = format!("load.after_commit={turn}*off->return(kill)");
        let died = world.sync_with(&kill).await;
        assert!(matches!(died.code(), None | Some(0)), "{died}");
        fs::copy(world.file(), &copy).unwrap();
        let wal = world.file().with_extension("duckdb.wal");
        if wal.exists() {
            fs::copy(&wal, copy.with_extension("duckdb.wal")).unwrap();
        }
        duckdb::Connection::open(&copy)
            .unwrap()
            .execute_batch("CHECKPOINT")
            .unwrap();
        assert_eq!(
            number(&copy, SUM),
            200_000,
            "half a transaction can be seen after load {turn}"
        );
    }
    assert!(transfers.stop().await > 100);
    world.sync().await;
    world.assert_equal(&["bank.checking", "bank.savings"]).await;
    assert_versions_are_in_order(&world).await;
}

/// G4: the changes of a key arrived in the order in which they were made, one by one.
async fn assert_versions_are_in_order(world: &World) {
    let steps = "SELECT count(*) FROM (SELECT version - lag(version) OVER \
        (PARTITION BY id ORDER BY _tributary_position) AS step FROM bank.versions) WHERE step <> 1";
    assert_eq!(
        world.number(steps),
        0,
        "changes are out of order, missing, or there twice"
    );
    // As they arrived, whatever their positions say.
    let back = "SELECT count(*) FROM (SELECT version - lag(version) OVER \
        (PARTITION BY id ORDER BY rowid) AS step FROM bank.versions) WHERE step < 0";
    assert_eq!(
        world.number(back),
        0,
        "an older change arrived after a newer one"
    );
    for id in 1..=3 {
        let newest = format!("SELECT max(version) FROM bank.versions WHERE id = {id}");
        let source = world.server.value(&newest).await;
        assert_eq!(world.number(&newest).to_string(), source, "key {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_transactions_are_whole_and_in_order_on_mariadb() {
    shows_whole_transactions(Flavor::MariaDb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_transactions_are_whole_and_in_order_on_mysql() {
    shows_whole_transactions(Flavor::MySql).await;
}

/// G3: cursors go back when they are told to, and by nothing else.
#[tokio::test]
async fn g3_cursors_move_back_only_by_command() {
    let world = bank(Flavor::MariaDb).await;
    world.sync().await;
    let early = world
        .program
        .run(&["state", "export"])
        .await
        .exits(0)
        .stdout;
    world
        .server
        .execute("UPDATE bank.checking SET balance = balance + 1")
        .await;
    world.sync().await;
    let place = "SELECT CAST(\"cursor\"->>'$.offset' AS BIGINT) FROM _tributary.state \
        WHERE stream = '*'";
    let late = world.number(place);
    // Neither failing nor running again moves it back.
    world.sync_with("load.before_commit=return(error)").await;
    world.sync().await;
    assert!(world.number(place) >= late);
    world.program.write("early.json", &early);
    world
        .program
        .run(&["state", "import", "early.json"])
        .await
        .exits(0);
    assert!(
        world.number(place) < late,
        "importing a state moves the cursor"
    );
    world.sync().await;
    assert!(world.number(place) >= late);
    world.assert_equal(&["bank.checking", "bank.savings"]).await;
}

/// The largest transaction that is tried: too long for every day, so `make huge` runs it.
const ROWS: u64 = 5_000_000;
/// Far less than the transaction, which has about 700 MB in the log.
const MOST_MEBIBYTES: u64 = 400;
/// For a build without optimisation on a slow machine.
const LIMIT: Duration = Duration::from_secs(3600);

#[tokio::test]
#[ignore = "takes minutes: make huge"]
#[allow(clippy::print_stderr)] // What it is run for.
async fn g6_five_million_rows_in_one_transaction_take_bounded_memory() {
    let sql = "CREATE DATABASE d;
        CREATE TABLE d.t (id INT PRIMARY KEY, a VARCHAR(100), b DECIMAL(18,4), c DATETIME)";
    let mut world = World::with(Flavor::MariaDb, sql).await;
    world.program = world.program.limit(LIMIT);
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world.sync().await;
    let loads = world.loads();
    let insert = format!(
        "INSERT INTO d.t SELECT seq, REPEAT(MD5(seq), 3), seq / 7, '2024-01-01' \
         FROM d.seq_1_to_{ROWS}"
    );
    world.server.execute(&insert).await;
    let (finished, most) = peak(&world).await;
    let seconds = finished.elapsed.as_secs_f64();
    eprintln!("{ROWS} rows in one transaction: {most} MiB at most, {seconds:.1} s");
    assert!(most <= MOST_MEBIBYTES, "{most} MiB");
    let distinct = world.number("SELECT count(DISTINCT id) FROM d.t");
    assert_eq!(distinct as u64, ROWS);
    assert_eq!(world.loads(), loads + 1, "one transaction is one load");
}
