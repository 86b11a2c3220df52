//! A network that cuts, stalls and swallows: the sync goes on from the last true state.

use std::time::Duration;

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
