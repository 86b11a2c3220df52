//! What is on the wire: compressed logs, rows without some of their columns, rows of many megabytes.

use tributary_testkit::server::{Flavor, Options};

use crate::world::World;

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, note TEXT, n INT);
    INSERT INTO d.t VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3)";

/// Larger than any limit below which servers do not compress.
const CHANGES: &str = "BEGIN; INSERT INTO d.t SELECT id + 10, REPEAT('again ', 300), n FROM d.t;
    UPDATE d.t SET note = CONCAT(note, REPEAT(' more', 100)) WHERE id % 2 = 1; COMMIT;
    ALTER TABLE d.t ADD COLUMN later VARCHAR(300) DEFAULT 'a default that is long enough to be worth it';
    DELETE FROM d.t WHERE id = 2; INSERT INTO d.t VALUES (30, REPEAT('z', 500), 3, 'x')";

#[tokio::test]
async fn compressed_logs_are_read() {
    for (flavor, extra) in [
        (Flavor::MySql, &["--binlog-transaction-compression=ON"][..]),
        (
            Flavor::MariaDb,
            &["--log-bin-compress=ON", "--log-bin-compress-min-len=10"],
        ),
    ] {
        let extra = extra.iter().map(|&option| option.to_owned()).collect();
        let world = World::new(flavor, Options { gtid: true, extra }).await;
        world.server.execute(TABLE).await;
        world.sync().await;
        world.server.execute(CHANGES).await;
        world.sync().await;
        world.assert_table("d.t", &format!("{flavor:?}")).await;
        // Behind a compressed transaction there is a place to go on from.
        world.server.execute("DELETE FROM d.t WHERE id = 1").await;
        world.sync().await;
        world
            .assert_table("d.t", &format!("{flavor:?} again"))
            .await;
    }
}

/// A session may log less than the server is told to.
#[tokio::test]
async fn rows_without_some_of_their_columns_fail_their_stream_by_name() {
    for flavor in Flavor::ALL {
        let world = World::with(flavor, TABLE).await;
        world
            .server
            .execute("CREATE TABLE d.other (id INT PRIMARY KEY)")
            .await;
        world.sync().await;
        let minimal = "SET SESSION binlog_row_image = 'MINIMAL'; UPDATE d.t SET n = 9 WHERE id = 1;
            INSERT INTO d.other VALUES (1)";
        world.server.execute(minimal).await;
        let partial = world.program.run(&["sync"]).await.exits(3);
        partial.says("d.t").says("binlog_row_image");
        assert_eq!(world.number("SELECT count(*) FROM d.other"), 1);
        // As after every stop, the table is copied anew.
        world.sync().await;
        world.assert_table("d.t", "after the next sync").await;
        if flavor == Flavor::MySql {
            many_packets(&world).await;
        }
    }
}

/// A row of more than a packet's 16 MiB.
async fn many_packets(world: &World) {
    let sql = "CREATE TABLE d.big (id INT PRIMARY KEY, big LONGBLOB); SET GLOBAL max_allowed_packet = 67108864";
    world.server.execute(sql).await;
    let insert =
        |id: u32| format!("INSERT INTO d.big VALUES ({id}, REPEAT(UNHEX('00ff10'), 6000000))");
    world.server.execute(&insert(1)).await;
    world.sync().await;
    world.server.execute(&insert(2)).await;
    world.sync().await;
    let same =
        "SELECT count(DISTINCT big) * 100 + count(*) FROM d.big WHERE octet_length(big) = 18000000";
    assert_eq!(world.number(same), 102);
}
