//! A log that the server has cleared away behind the last sync.

use std::time::{Duration, Instant};

use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use super::{found, verify};
use crate::world::World;

/// Makes the log forget all but its newest file.
pub(super) async fn purge(world: &World) {
    let began = Instant::now();
    loop {
        let logs = world.server.rows("SHOW BINARY LOGS").await;
        if logs.len() == 1 {
            return;
        }
        // The server keeps a file until it has noticed that its last reader is gone.
        let patience = Duration::from_secs(120);
        assert!(
            began.elapsed() < patience,
            "the log is not purged: {logs:?}"
        );
        let newest = logs.last().unwrap()[0].clone().unwrap();
        let purge = format!("PURGE BINARY LOGS TO '{newest}'");
        world.server.execute(&purge).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A log that is purged behind the last sync makes a cheap difference, not a new copy.
#[tokio::test]
async fn a_purged_log_is_made_up_for() {
    made_up_for(Flavor::MariaDb, Options::default()).await;
}

/// The same where the log does not name columns: what they are is asked for at the log's new place.
#[tokio::test]
async fn a_purged_log_without_names_is_made_up_for() {
    let options = Options {
        extra: vec!["--binlog-row-metadata=MINIMAL".to_owned()],
        ..Options::default()
    };
    made_up_for(Flavor::MySql, options).await;
}

async fn made_up_for(flavor: Flavor, options: Options) {
    let world = World::shop(flavor, options, Shop::SMALL).await;
    world
        .server
        .execute("CREATE TABLE shop.keyless (n INT); INSERT INTO shop.keyless VALUES (1), (1), (2)")
        .await;
    world.sync().await;
    let loaded = world.number("SELECT sum(rows_written) FROM _tributary.loads");
    world
        .server
        .execute(
            "UPDATE shop.orders SET total = 1 WHERE id IN (1, 2, 3); DELETE FROM shop.customers WHERE id = 9; \
             INSERT INTO shop.customers SELECT id + 100000, name, email, phone, country, tier, \
             credit, newsletter, born, created_at, updated_at FROM shop.customers WHERE id = 10; \
             INSERT INTO shop.keyless VALUES (1); DELETE FROM shop.keyless WHERE n = 2; FLUSH BINARY LOGS",
        )
        .await;
    purge(&world).await;
    world
        .program
        .run(&["sync"])
        .await
        .exits(1)
        .says("no longer on the server");
    let streams = verify(&world, &["main"], 1).await;
    let of = |name: &str| streams.iter().find(|s| s["stream"] == name).unwrap();
    assert_eq!(found(of("shop.orders")), [0, 0, 3]);
    assert_eq!(found(of("shop.customers")), [1, 1, 0]);
    assert_eq!(found(of("shop.keyless")), [1, 1, 0]);
    verify(&world, &["main", "--repair"], 0).await;
    world
        .server
        .execute(
            "UPDATE shop.orders SET total = 5 WHERE id = 4; INSERT INTO shop.keyless VALUES (1)",
        )
        .await;
    world.sync().await;
    let rows = "SELECT sum(n) FROM shop.keyless WHERE NOT _tributary_deleted";
    assert_eq!(world.number(rows), 4);
    world
        .assert_equal(&[
            "shop.customers",
            "shop.orders",
            "shop.products",
            "shop.order_lines",
        ])
        .await;
    let now = world.number("SELECT sum(rows_written) FROM _tributary.loads");
    assert!(now - loaded < 20, "{} rows were written", now - loaded);
}
