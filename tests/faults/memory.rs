//! What is large stays bounded: wide rows, many of them, and all of them in one transaction.

use std::fs;
use std::time::Duration;

use tributary_testkit::program::Finished;
use tributary_testkit::server::Flavor;

use crate::world::{Setup, World};

/// Generous, for a build without optimisation; flat however large a table is.
const MOST_MEBIBYTES: u64 = 350;

/// Runs a sync and returns the most memory that it had.
pub(super) async fn peak(world: &World) -> (Finished, u64) {
    let mut running = world.program.start(&["sync", "--output", "json"]);
    let status = format!("/proc/{}/status", running.pid());
    let mut most = 0;
    while running.is_running() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
        most = most.max(kibibytes.unwrap_or(0));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let finished = running.wait().await.exits(0);
    assert!(most > 0, "the memory of the process could not be read");
    (finished, most / 1024)
}

pub(super) fn assert_modest(mebibytes: u64, what: &str) {
    assert!(mebibytes <= MOST_MEBIBYTES, "{what} took {mebibytes} MiB");
}

#[tokio::test]
async fn g6_a_large_table_takes_bounded_memory() {
    let texts: Vec<_> = (0..20).map(|n| format!("t{n} VARCHAR(200)")).collect();
    let values: Vec<_> = (0..20)
        .map(|n| format!("REPEAT(MD5(seq + {n}), 4)"))
        .collect();
    let sql = format!(
        "CREATE DATABASE d; CREATE TABLE d.wide (id INT PRIMARY KEY, {}, long_text MEDIUMTEXT);
         INSERT INTO d.wide SELECT seq, {}, REPEAT('x', 2000) FROM d.seq_1_to_40000",
        texts.join(", "),
        values.join(", ")
    );
    let world = World::with(Flavor::MariaDb, &sql).await;
    world.configure(Setup {
        source: "databases: [d], parallelism: 4",
        ..Setup::default()
    });
    let (_, most) = peak(&world).await;
    assert_eq!(world.number("SELECT count(*) FROM d.wide"), 40_000);
    assert_modest(most, "the first copy of 180 MB");
    world
        .server
        .execute("UPDATE d.wide SET t3 = REVERSE(t3)")
        .await;
    let (_, most) = peak(&world).await;
    assert_modest(most, "a change of every row");
    let sum =
        "SELECT count(*) FROM d.wide WHERE t3 = reverse(repeat(md5(CAST(id + 3 AS VARCHAR)), 4))";
    assert_eq!(world.number(sum), 40_000);
}

#[tokio::test]
async fn g6_a_large_transaction_takes_bounded_memory() {
    let sql = "CREATE DATABASE d;
        CREATE TABLE d.t (id INT PRIMARY KEY, a VARCHAR(100), b DECIMAL(18,4), c DATETIME)";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world.sync().await;
    let loads = world.loads();
    let insert = "INSERT INTO d.t SELECT seq, REPEAT(MD5(seq), 3), seq / 7, '2024-01-01' \
        FROM d.seq_1_to_300000";
    world.server.execute(insert).await;
    let (_, most) = peak(&world).await;
    assert_modest(most, "a transaction of 300,000 rows");
    assert_eq!(world.number("SELECT count(DISTINCT id) FROM d.t"), 300_000);
    assert_eq!(world.loads(), loads + 1, "one transaction is one load");
}

/// One row far larger than any buffer.
#[tokio::test]
async fn g6_a_large_row_arrives() {
    let sql = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, big LONGBLOB)";
    let world = World::with(Flavor::MariaDb, sql).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world
        .server
        .execute("SET GLOBAL max_allowed_packet = 67108864")
        .await;
    let insert =
        |id: u32| format!("INSERT INTO d.t VALUES ({id}, REPEAT(UNHEX('00ff10'), 8000000))");
    world.server.execute(&insert(1)).await;
    world.sync().await;
    world.server.execute(&insert(2)).await;
    world.sync().await;
    let same =
        "SELECT count(DISTINCT big) * 100 + count(*) FROM d.t WHERE octet_length(big) = 24000000";
    assert_eq!(world.number(same), 102);
}
