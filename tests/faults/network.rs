//! A network that cuts, stalls and swallows: the sync goes on from the last true state.

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use mysql_async::BinlogStreamRequest;
use mysql_async::prelude::Queryable;
use tributary_testkit::proxy::{Direction, Fault, Proxy, Times};
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::{Setup, World};

async fn world(flavor: Flavor) -> (World, Proxy) {
    let world = World::shop(
        flavor,
        Options {
            gtid: true,
            ..Options::default()
        },
        Shop::SMALL,
    )
    .await;
    let proxy = Proxy::start(world.server.port()).await;
    configure(&world, &proxy);
    (world, proxy)
}

fn configure(world: &World, proxy: &Proxy) {
    world.configure(Setup {
        port: Some(proxy.port()),
        source: "databases: [shop], chunk_rows: 200, tls: {mode: disabled}",
        connection: "flush: {rows: 200}",
    });
}

fn cut(after: u64) -> Fault {
    Fault::Cut {
        direction: Direction::ToClient,
        after,
        times: Times::Once,
    }
}

/// Changes for the log to have: a few hundred kilobytes of them.
async fn change(world: &World, round: u64) {
    for sql in [
        format!("UPDATE shop.orders SET note = REPEAT('n{round}', 150) WHERE id % 2 = 0"),
        format!("UPDATE shop.customers SET credit = {round} WHERE id % 3 = 0"),
        format!("DELETE FROM shop.order_lines WHERE order_id = {round}"),
    ] {
        world.server.execute(&sql).await;
    }
}

async fn survives_cuts(flavor: Flavor) {
    let (world, proxy) = world(flavor).await;
    let whole = 400_000;
    for (round, after) in (1_u64..).zip([10, 3_000, 40_000, 90_000, 200_000]) {
        // A new copy, cut somewhere in the middle of it.
        proxy.set(cut(after));
        let args = ["sync", "--full-refresh"];
        world.program.run(&args).await.exits(0).says("trying again");
        assert_eq!(
            proxy.fault(),
            Fault::None,
            "the connection was never cut after {after}"
        );
        world.assert_equal(&TABLES).await;
        // And the log, likewise.
        change(&world, round).await;
        proxy.set(cut(after * 2 % whole));
        world.program.run(&["sync"]).await.exits(0);
        world.assert_equal(&TABLES).await;
        proxy.set(Fault::None);
    }
}

#[tokio::test]
async fn g7_cut_connections_lose_nothing_on_mariadb() {
    survives_cuts(Flavor::MariaDb).await;
}

#[tokio::test]
async fn g7_cut_connections_lose_nothing_on_mysql() {
    survives_cuts(Flavor::MySql).await;
}

#[tokio::test]
async fn g7_a_stalled_network_is_waited_for() {
    let (world, proxy) = world(Flavor::MariaDb).await;
    let sync = world.program.start(&["sync"]);
    while proxy.bytes(Direction::ToClient) < 20_000 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    proxy.set(Fault::Stall);
    tokio::time::sleep(Duration::from_secs(2)).await;
    proxy.set(Fault::None);
    sync.wait().await.exits(0);
    world.assert_equal(&TABLES).await;
}

/// A server that dies takes no row with it: the sync goes on when it is back.
#[tokio::test]
async fn g7_a_server_that_dies_and_comes_back_is_waited_for() {
    let (mut world, proxy) = world(Flavor::MariaDb).await;
    let env = [("FAILPOINTS", "load.after_stage=2*off->1*sleep(1500)")];
    let mut sync = world.program.start_with(&env, &["sync"]);
    while proxy.bytes(Direction::ToClient) < 20_000 && sync.is_running() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    world.server.restart().await;
    sync.wait().await.exits(0);
    world.assert_equal(&TABLES).await;
}

/// A network that stays broken ends in a sentence, after a bounded number of attempts.
#[tokio::test]
async fn g6_attempts_are_bounded() {
    let (world, proxy) = world(Flavor::MariaDb).await;
    world.sync().await;
    let loads = world.loads();
    proxy.set(Fault::Refuse);
    let before = proxy.connections();
    let failed = world.program.run(&["sync"]).await.exits(1);
    let attempts = proxy.connections() - before;
    assert!(
        (2..=30).contains(&attempts),
        "{attempts} connections\n{failed}"
    );
    assert_eq!(world.loads(), loads);
    proxy.set(Fault::None);
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

/// Long enough for the slowest machine; nothing waits that long.
const LIMIT: Duration = Duration::from_secs(100);

/// The connections of the reader of which `condition` is true; waits until there is one.
async fn processes(world: &World, condition: &str) -> Vec<String> {
    let sql = format!(
        "SELECT id FROM information_schema.processlist WHERE user = 'reader' AND {condition}"
    );
    let began = Instant::now();
    loop {
        let found = world.server.rows(&sql).await;
        if !found.is_empty() {
            return found.into_iter().filter_map(|row| row[0].clone()).collect();
        }
        assert!(began.elapsed() < LIMIT, "no process has {condition}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn until_gone(world: &World, id: &str) {
    let sql = format!("SELECT count(*) FROM information_schema.processlist WHERE id = {id}");
    let began = Instant::now();
    while world.server.value(&sql).await != "0" {
        assert!(began.elapsed() < LIMIT, "process {id} does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a copy is held up by a lock, and the log is followed beside it.
async fn until_held_up(world: &World) {
    processes(world, "state LIKE '%metadata lock%'").await;
    processes(world, "command LIKE 'Binlog Dump%'").await;
}

/// An administrator ends connections, and another replica has our number.
async fn thrown_out(flavor: Flavor) {
    let (world, _) = world(flavor).await;
    world.configure(Setup {
        source: "databases: [shop], server_id: 77777",
        ..Setup::default()
    });
    let mut locker = world.server.conn().await;
    let lock = "LOCK TABLES shop.orders WRITE";
    locker.query_drop(lock).await.unwrap();
    let mut sync = world.program.start(&["sync"]);
    until_held_up(&world).await;
    for id in processes(&world, "1 = 1").await {
        // One of them may have ended by itself.
        let _ = locker.query_drop(format!("KILL {id}")).await;
        until_gone(&world, &id).await;
    }
    sync.logged("trying again").await;
    until_held_up(&world).await;
    let file = match flavor {
        Flavor::MariaDb => world.server.rows("SHOW MASTER STATUS").await,
        Flavor::MySql => world.server.rows("SHOW BINARY LOG STATUS").await,
    };
    let file = file[0][0].clone().unwrap();
    tokio::select! {
        () = read_for_ever(&world, &file) => {}
        () = sync.logged("another replica reads the log with the same server_id") => {}
    }
    locker.query_drop("UNLOCK TABLES").await.unwrap();
    sync.wait().await.exits(0);
    world.assert_equal(&TABLES).await;
    if flavor == Flavor::MySql {
        damaged(&world, &file).await;
    }
}

/// Reads the log with the number of our sync, and again whenever it has been thrown out: the sync may
/// begin an attempt at any time.
async fn read_for_ever(world: &World, file: &str) {
    loop {
        let request = BinlogStreamRequest::new(77777)
            .with_filename(file.as_bytes())
            .with_pos(4_u64);
        let other = world.server.conn().await;
        let id = other.id().to_string();
        let _stream = other.get_binlog_stream(request).await;
        until_gone(world, &id).await;
    }
}

/// A byte of the log is another one than was written.
async fn damaged(world: &World, file: &str) {
    const NOTE: &[u8] = b"a note that is found again";
    let loads = world.loads();
    let change = format!(
        "UPDATE shop.orders SET note = '{}' WHERE id = 1",
        String::from_utf8_lossy(NOTE)
    );
    world.server.execute(&change).await;
    let path = world.server.datadir().join(file);
    let whole = fs::read(&path).unwrap();
    let mut parts = whole.windows(NOTE.len());
    let place = parts.rposition(|part| part == NOTE).unwrap();
    let log = fs::OpenOptions::new().write(true).open(&path).unwrap();
    log.write_all_at(b"A", place as u64).unwrap();
    let failed = world.program.run(&["sync"]).await.exits(1);
    failed.says("does not fit its checksum");
    assert_eq!(world.loads(), loads);
    log.write_all_at(&NOTE[..1], place as u64).unwrap();
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn g7_connections_that_are_ended_lose_nothing() {
    tokio::join!(thrown_out(Flavor::MariaDb), thrown_out(Flavor::MySql));
}
