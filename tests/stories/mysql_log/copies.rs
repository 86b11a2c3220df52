//! First copies: when they are made, by which keys, and how they make way.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tributary_testkit::server::{Flavor, Options};

use crate::world::{Setup, World};

/// Long enough for the slowest machine; nothing waits that long.
const LIMIT: Duration = Duration::from_secs(100);
const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT);
    INSERT INTO d.t VALUES (1, 1), (2, 2), (3, 3)";

#[tokio::test]
async fn copies_are_made_when_they_are_asked_for() {
    tokio::join!(
        made_when_asked_for(Flavor::MariaDb),
        made_when_asked_for(Flavor::MySql)
    );
}

async fn made_when_asked_for(flavor: Flavor) {
    let world = World::with(flavor, TABLE).await;
    world.configure(Setup {
        source: "databases: [d], snapshot: no_data",
        ..Setup::default()
    });
    world.sync().await;
    world
        .server
        .execute("INSERT INTO d.t VALUES (4, 4); UPDATE d.t SET v = 20 WHERE id = 2")
        .await;
    world.sync().await;
    let ids = world.ask("SELECT id, v FROM d.t ORDER BY id");
    let row = |id: &str, v: &str| vec![Some(id.to_owned()), Some(v.to_owned())];
    assert_eq!(ids, [row("2", "20"), row("4", "4")], "{flavor:?}");

    world
        .program
        .run(&["state", "reset", "main"])
        .await
        .exits(0);
    world.configure(Setup {
        source: "databases: [d], snapshot: initial_only",
        ..Setup::default()
    });
    world.sync().await;
    world.assert_equal(&["d.t"]).await;
    let loads = world.loads();
    world.server.execute("INSERT INTO d.t VALUES (5, 5)").await;
    world.sync().await;
    let rows = "SELECT count(*) FROM d.t WHERE NOT _tributary_deleted";
    assert_eq!(
        world.number(rows),
        4,
        "{flavor:?}: changes are not followed"
    );
    assert_eq!(world.loads(), loads);
}

/// Rows of every kind of key: each query reads a few of them, some tables are cut into ranges.
#[tokio::test]
async fn tables_are_copied_by_any_key() {
    tokio::join!(
        copied_by_any_key(Flavor::MariaDb),
        copied_by_any_key(Flavor::MySql)
    );
}

async fn copied_by_any_key(flavor: Flavor) {
    let uuid = match flavor {
        Flavor::MariaDb => {
            "CREATE TABLE k.native (id UUID PRIMARY KEY, v INT);
            INSERT INTO k.native SELECT UUID(), n FROM k.n;"
        }
        Flavor::MySql => {
            "CREATE TABLE k.native (id BINARY(16) PRIMARY KEY, v INT);
            INSERT INTO k.native SELECT UUID_TO_BIN(UUID()), n FROM k.n;"
        }
    };
    let numbers: Vec<_> = (0..400).map(|n| format!("({n})")).collect();
    let world = World::with(
        flavor,
        &format!(
            "CREATE DATABASE k; USE k; CREATE TABLE k.n (n INT PRIMARY KEY);
             INSERT INTO k.n VALUES {};
             CREATE TABLE k.composite (a INT, b VARCHAR(20), c DATE, PRIMARY KEY (a, b, c));
             INSERT INTO k.composite SELECT n % 7, CONCAT('b', n), '2024-01-01' + INTERVAL n DAY FROM k.n;
             CREATE TABLE k.text (id VARCHAR(40) COLLATE utf8mb4_general_ci PRIMARY KEY, v INT);
             INSERT INTO k.text SELECT CONCAT(CHAR(65 + n % 26), 'ä', IF(n % 2, n, -n), 'X '), n FROM k.n;
             CREATE TABLE k.hexed (id CHAR(36) CHARACTER SET ascii PRIMARY KEY, v INT);
             INSERT INTO k.hexed SELECT UUID(), n FROM k.n;
             CREATE TABLE k.raw (id VARBINARY(20) PRIMARY KEY, v INT);
             INSERT INTO k.raw SELECT UNHEX(LEFT(SHA2(n, 256), 32)), n FROM k.n; INSERT INTO k.raw VALUES ('', -1);
             CREATE TABLE k.exact (id DECIMAL(30,10) PRIMARY KEY, v INT);
             INSERT INTO k.exact SELECT (n - 200) * 12345678901.0123456789, n FROM k.n;
             CREATE TABLE k.enumerated (id ENUM('z','a','m') PRIMARY KEY, v INT);
             INSERT INTO k.enumerated VALUES ('a', 1), ('m', 2), ('z', 3);
             CREATE TABLE k.none (v INT, w TEXT); INSERT INTO k.none SELECT n, 'x' FROM k.n;
             {uuid}
             ANALYZE TABLE k.n, k.text, k.hexed, k.raw, k.exact, k.native, k.composite",
            numbers.join(",")
        ),
    )
    .await;
    world.configure(Setup {
        source: "databases: [k], chunk_rows: 37, parallelism: 3",
        connection: "flush: {rows: 150}",
        ..Setup::default()
    });
    world.sync().await;
    let tables = [
        "k.composite",
        "k.text",
        "k.hexed",
        "k.raw",
        "k.exact",
        "k.enumerated",
        "k.native",
        "k.n",
    ];
    world.assert_equal(&tables).await;
    assert_eq!(world.number("SELECT count(*) FROM k.none"), 400);
}

/// The connections that do nothing but sleep.
async fn sleepers(world: &World) -> Vec<String> {
    let rows = world.server.rows("SHOW PROCESSLIST").await;
    let sleeps = |row: &&Vec<Option<String>>| {
        let info = row[7].as_deref().unwrap_or_default();
        info.starts_with("SELECT SLEEP")
    };
    let ids = rows.iter().filter(sleeps).map(|row| row[0].clone());
    ids.map(Option::unwrap).collect()
}

/// Copies wait for a server that is busy, the log does not.
#[tokio::test]
async fn copies_make_way_for_a_busy_server() {
    let world = World::new(Flavor::MySql, Options::default()).await;
    world.server.execute(TABLE).await;
    let told =
        "CREATE TABLE d.told (id INT PRIMARY KEY, v INT); INSERT INTO d.told VALUES (1, 1), (2, 2)";
    world.server.execute(told).await;
    let wide = "CREATE DATABASE e; CREATE TABLE e.wide (id VARCHAR(700) PRIMARY KEY, v INT);
        INSERT INTO e.wide VALUES ('a', 1), ('b', 2); GRANT LOCK TABLES ON e.* TO reader@'%'";
    world.server.execute(wide).await;
    world.configure(Setup {
        source: "databases: [d], max_threads_running: 6, max_rows_per_second: 100, max_replica_lag: 5",
        connection: "flush: {rows: 1}, streams: {d.told: {mode: append}}",
        ..Setup::default()
    });
    let busy: Vec<_> = (0..8)
        .map(|_| {
            let opts = world.server.opts();
            tokio::spawn(async move {
                let mut conn = mysql_async::Conn::new(opts).await.unwrap();
                let _ = conn.query_drop("SELECT SLEEP(1000)").await;
            })
        })
        .collect();
    let began = Instant::now();
    while sleepers(&world).await.len() < 8 {
        assert!(began.elapsed() < LIMIT, "they do not run");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut sync = world.program.start(&["sync", "--log-level", "debug"]);
    sync.logged("copying pauses").await;
    world.server.execute("UPDATE d.told SET v = v + 10").await;
    sync.logged("rows=2").await;
    for id in sleepers(&world).await {
        world.server.execute(&format!("KILL {id}")).await;
    }
    for task in busy {
        task.await.unwrap();
    }
    sync.wait().await.exits(0);
    world.assert_equal(&["d.t"]).await;
    // What changed in the pause is copied like everything else: nobody had to remember it till then.
    let ops =
        "SELECT string_agg(_tributary_op || id || v, ' ' ORDER BY _tributary_op, id) FROM d.told";
    assert_eq!(world.ask(ops)[0][0].as_deref(), Some("r111 r212 u111 u212"));
    changes_without_end(&world).await;
}

/// Keys that the log touches while a copy can't begin are remembered up to a bound.
async fn changes_without_end(world: &World) {
    world.configure(Setup {
        source: "databases: [e]",
        ..Setup::default()
    });
    // The fence of a server without GTIDs waits for this lock.
    let mut locker = world.server.conn().await;
    locker.query_drop("LOCK TABLES e.wide WRITE").await.unwrap();
    let bound = [("FAILPOINTS", "mysql.touched_bytes=return(2097152)")];
    let mut sync = world.program.start_with(&bound, &["sync"]);
    let waits = "SELECT count(*) FROM information_schema.processlist \
        WHERE user = 'reader' AND state LIKE '%metadata lock%'";
    let began = Instant::now();
    while world.server.value(waits).await == "0" {
        assert!(began.elapsed() < LIMIT, "nobody waits for the lock");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let keys: Vec<_> = (0..4000)
        .map(|n| format!("(CONCAT(REPEAT('k', 690), {n}), 1)"))
        .collect();
    let insert = format!("INSERT INTO e.wide VALUES {}", keys.join(","));
    locker.query_drop(insert).await.unwrap();
    sync.logged("so many keys change").await;
    locker.query_drop("UNLOCK TABLES").await.unwrap();
    sync.wait().await.exits(0);
    world.assert_equal(&["e.wide"]).await;
}
