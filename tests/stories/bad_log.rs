//! Servers whose log can't be followed: each a sentence with the statement that helps, and nothing
//! changed in the warehouse.

use std::time::{Duration, Instant};

use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::{Setup, World};

async fn server(flavor: Flavor, extra: &[&str]) -> World {
    let extra = extra.iter().map(|&option| option.to_owned()).collect();
    World::shop(flavor, Options { gtid: true, extra }, Shop::SMALL).await
}

#[tokio::test]
async fn a_log_of_statements_is_refused_with_the_fix() {
    for (flavor, option, name, fix) in [
        (
            Flavor::MariaDb,
            "--binlog-format=STATEMENT",
            "binlog_format is STATEMENT",
            "SET GLOBAL binlog_format = 'ROW'",
        ),
        (
            Flavor::MariaDb,
            "--binlog-format=MIXED",
            "binlog_format is MIXED",
            "SET GLOBAL binlog_format = 'ROW'",
        ),
        (
            Flavor::MySql,
            "--binlog-format=STATEMENT",
            "binlog_format is STATEMENT",
            "SET GLOBAL binlog_format = 'ROW'",
        ),
        (
            Flavor::MariaDb,
            "--binlog-row-image=MINIMAL",
            "binlog_row_image is MINIMAL",
            "SET GLOBAL binlog_row_image = 'FULL'",
        ),
        (
            Flavor::MariaDb,
            "--skip-log-bin",
            "log_bin is OFF",
            "log_bin",
        ),
    ] {
        let world = server(flavor, &[option]).await;
        let refused = world.program.run(&["sync"]).await.says(name).says(fix);
        assert!(matches!(refused.code(), Some(1 | 2)), "{refused}");
        let checked = world.program.run(&["check"]).await.exits(1).says("FAIL");
        checked.says(name).says(fix);
        if world.file().exists() {
            let tables = "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'shop'";
            assert_eq!(world.number(tables), 0, "{option}: something was written");
        }
    }
}

/// Statements logged by a session that had its own idea of the format.
#[tokio::test]
async fn rows_changed_by_a_logged_statement_fail_their_stream() {
    let world = server(Flavor::MariaDb, &[]).await;
    world.sync().await;
    world
        .server
        .execute("SET SESSION binlog_format = 'STATEMENT'; UPDATE shop.orders SET total = 1")
        .await;
    world
        .server
        .execute("UPDATE shop.customers SET credit = 2")
        .await;
    let partial = world.program.run(&["sync"]).await.exits(3);
    partial
        .says("shop.orders")
        .says("logged statement")
        .says("binlog_format=ROW");
    world
        .assert_equal(&["shop.customers", "shop.products", "shop.order_lines"])
        .await;
    // As the sentence says.
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_missing_replication_privilege_is_refused_with_the_grant() {
    for flavor in Flavor::ALL {
        let world = server(flavor, &[]).await;
        // The second has another name on newer MariaDB, which is the one that is told.
        let second = match flavor {
            Flavor::MariaDb => "BINLOG MONITOR",
            Flavor::MySql => "REPLICATION CLIENT",
        };
        for privilege in ["REPLICATION SLAVE", second] {
            let privileges = [("REVOKE", "FROM"), ("GRANT", "TO")]
                .map(|(verb, to)| format!("{verb} {privilege} ON *.* {to} reader@'%'"));
            world.server.execute(&privileges[0]).await;
            let refused = world.program.run(&["sync"]).await.exits(1);
            refused.says(&format!("GRANT {privilege} ON *.*"));
            let checked = world.program.run(&["check"]).await.exits(1);
            checked.says("FAIL").says(privilege);
            world.server.execute(&privileges[1]).await;
        }
        world.sync().await;
        world.assert_equal(&TABLES).await;
    }
}

/// Makes the log forget what comes next.
async fn purge(world: &World) {
    world
        .server
        .execute(
            "DELETE FROM shop.orders WHERE id % 2 = 0; FLUSH BINARY LOGS;
        UPDATE shop.customers SET credit = 1; FLUSH BINARY LOGS",
        )
        .await;
    // The server keeps a file until it has noticed that its last reader is gone.
    let began = Instant::now();
    loop {
        let logs = world.server.rows("SHOW BINARY LOGS").await;
        if logs.len() == 1 {
            return;
        }
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the log is not purged: {logs:?}"
        );
        let newest = logs.last().unwrap()[0].clone().unwrap();
        world
            .server
            .execute(&format!("PURGE BINARY LOGS TO '{newest}'"))
            .await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_purged_log_position_is_an_error_with_choices() {
    for flavor in Flavor::ALL {
        let world = server(flavor, &[]).await;
        world.sync().await;
        let before = world.loads();
        purge(&world).await;
        let refused = world.program.run(&["sync"]).await.exits(1);
        refused
            .says("no longer on the server")
            .says("--full-refresh")
            .says("when_needed");
        assert_eq!(world.loads(), before);
        assert_eq!(
            world.number("SELECT count(*) FROM shop.orders WHERE NOT _tributary_deleted"),
            500
        );
        world
            .program
            .run(&["sync", "--full-refresh"])
            .await
            .exits(0);
        world.assert_equal(&TABLES).await;
    }
}

#[tokio::test]
async fn a_purged_log_position_is_no_error_when_copies_may_be_made_anew() {
    for flavor in Flavor::ALL {
        let world = server(flavor, &[]).await;
        world.configure(Setup {
            source: "snapshot: when_needed",
            ..Setup::default()
        });
        world.sync().await;
        purge(&world).await;
        world.sync().await.says("copied anew");
        world.assert_equal(&TABLES).await;
    }
}

/// Without GTIDs another server's log can't be told from ours by its positions.
#[tokio::test]
async fn another_server_at_the_same_address_is_noticed() {
    let world = World::shop(Flavor::MySql, Options::default(), Shop::SMALL).await;
    world.sync().await;
    let other = World::shop(Flavor::MySql, Options::default(), Shop::SMALL).await;
    world.configure(Setup {
        port: Some(other.server.port()),
        ..Setup::default()
    });
    let refused = world.program.run(&["sync"]).await.exits(1);
    refused.says("another server").says("--full-refresh");
    world.configure(Setup::default());
    world.sync().await;
    world.assert_equal(&TABLES).await;
}
