//! Commits that are in the log and cannot be seen yet, while a table is copied.
//!
//! Semi-synchronous replication without a replica holds a commit between its two halves for as long
//! as the test wants: the log has the transaction, and no query shows it. A copy that takes such a
//! place in the log for granted loses the row. (With the fence taken out of the connector each of
//! these tests fails with the row `99` missing; that was tried.)

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use tokio::task::JoinHandle;
use tributary_testkit::program::Running;
use tributary_testkit::server::{Flavor, MySqlServer, Options};

use crate::world::{Setup, World};

const TABLES: &str = "CREATE DATABASE d;
    CREATE TABLE d.a (id INT PRIMARY KEY, v INT);
    CREATE TABLE d.b (id INT PRIMARY KEY, v INT);
    INSERT INTO d.a VALUES (1, 1), (2, 2);
    INSERT INTO d.b VALUES (1, 1), (2, 2);";
const SETUP: Setup<'_> = Setup {
    port: None,
    source: "databases: [d], parallelism: 1",
    connection: "",
};
/// How long a copy that does not wait for the commit is given to go wrong.
const TEMPTATION: Duration = Duration::from_secs(3);
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);

/// Waits until the server has a process of which `condition` is true.
async fn until(server: &MySqlServer, condition: &str) {
    let sql = format!("SELECT count(*) FROM information_schema.processlist WHERE {condition}");
    let began = Instant::now();
    while server.value(&sql).await == "0" {
        if began.elapsed() > LIMIT {
            let all = server.rows("SHOW FULL PROCESSLIST").await;
            panic!("no process has {condition}: {all:?}");
        }
        tokio::time::sleep(POLL).await;
    }
}

/// A commit that hangs between its two halves.
struct Stalled<'a> {
    server: &'a MySqlServer,
    commit: JoinHandle<()>,
}

impl<'a> Stalled<'a> {
    async fn commit(server: &'a MySqlServer, sql: &'static str) -> Self {
        match server.flavor() {
            Flavor::MariaDb => {
                let on = "SET GLOBAL rpl_semi_sync_master_timeout = 600000, \
                    rpl_semi_sync_master_wait_no_slave = ON, \
                    rpl_semi_sync_master_wait_point = 'AFTER_SYNC', \
                    rpl_semi_sync_master_enabled = ON";
                server.execute(on).await;
            }
            Flavor::MySql => {
                let plugin = "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'";
                server.execute(plugin).await;
                let on = "SET GLOBAL rpl_semi_sync_source_timeout = 600000, \
                    rpl_semi_sync_source_wait_no_replica = ON, \
                    rpl_semi_sync_source_wait_point = 'AFTER_SYNC', \
                    rpl_semi_sync_source_enabled = ON";
                server.execute(on).await;
            }
        }
        let mut conn = server.conn().await;
        let commit = tokio::spawn(async move { conn.query_drop(sql).await.unwrap() });
        until(server, "state LIKE '%semi-sync ACK%'").await;
        Self { server, commit }
    }

    /// Lets it end.
    async fn release(self) {
        assert!(!self.commit.is_finished(), "the commit did not hang");
        let off = match self.server.flavor() {
            Flavor::MariaDb => "SET GLOBAL rpl_semi_sync_master_enabled = OFF",
            Flavor::MySql => "SET GLOBAL rpl_semi_sync_source_enabled = OFF",
        };
        self.server.execute(off).await;
        self.commit.await.unwrap();
    }
}

async fn tempt(sync: &mut Running) {
    let began = Instant::now();
    while began.elapsed() < TEMPTATION && sync.is_running() {
        tokio::time::sleep(POLL).await;
    }
}

async fn world(flavor: Flavor, gtid: bool) -> World {
    let world = World::new(
        flavor,
        Options {
            gtid,
            ..Options::default()
        },
    )
    .await;
    world.server.execute(TABLES).await;
    world.configure(SETUP);
    world
}

/// The commit hangs before the sync begins: the end of the log is already behind it.
async fn waits_for_a_commit_before_the_start(world: &World) {
    let stalled = Stalled::commit(&world.server, "INSERT INTO d.b VALUES (99, 99)").await;
    let mut sync = world.program.start(&["sync"]);
    tempt(&mut sync).await;
    stalled.release().await;
    sync.wait().await.exits(0);
    world.assert_equal(&["d.a", "d.b"]).await;
    world.sync().await;
    world.assert_equal(&["d.a", "d.b"]).await;
}

/// The commit hangs while another table is copied: the log's reader has passed it when the copy
/// of its own table begins.
async fn waits_for_a_commit_that_the_log_has_shown(world: &World) {
    let mut locker = world.server.conn().await;
    locker.query_drop("LOCK TABLES d.a WRITE").await.unwrap();
    let mut sync = world.program.start(&["sync"]);
    until(
        &world.server,
        "user = 'reader' AND state LIKE '%metadata lock%'",
    )
    .await;
    let stalled = Stalled::commit(&world.server, "INSERT INTO d.b VALUES (99, 99)").await;
    // The reader's connection has it once the server has nothing more to send.
    until(
        &world.server,
        "command LIKE 'Binlog Dump%' AND state LIKE '%sent all%'",
    )
    .await;
    locker.query_drop("UNLOCK TABLES").await.unwrap();
    tempt(&mut sync).await;
    stalled.release().await;
    sync.wait().await.exits(0);
    world.assert_equal(&["d.a", "d.b"]).await;
    world.sync().await;
    world.assert_equal(&["d.a", "d.b"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_commits_that_cannot_be_seen_yet_are_waited_for_on_mariadb() {
    waits_for_a_commit_before_the_start(&world(Flavor::MariaDb, false).await).await;
    waits_for_a_commit_that_the_log_has_shown(&world(Flavor::MariaDb, false).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_commits_that_cannot_be_seen_yet_are_waited_for_with_gtids() {
    waits_for_a_commit_before_the_start(&world(Flavor::MySql, true).await).await;
    waits_for_a_commit_that_the_log_has_shown(&world(Flavor::MySql, true).await).await;
}

/// Without GTIDs the copy reads under shared locks, or, where it may, locks the table for a moment.
#[tokio::test(flavor = "multi_thread")]
async fn g2_commits_that_cannot_be_seen_yet_are_waited_for_without_gtids() {
    waits_for_a_commit_before_the_start(&world(Flavor::MySql, false).await).await;
    for grant in ["", "GRANT LOCK TABLES ON d.* TO reader@'%'"] {
        let world = world(Flavor::MySql, false).await;
        if !grant.is_empty() {
            world.server.execute(grant).await;
        }
        waits_for_a_commit_that_the_log_has_shown(&world).await;
    }
}
