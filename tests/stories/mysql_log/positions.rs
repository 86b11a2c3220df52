//! Positions on servers that change: reset, replaced, failed over. Either the log goes on without a
//! gap, or somebody is told.

use std::time::{Duration, Instant};

use mysql_async::prelude::Queryable;
use serde_json::Value;
use tributary_testkit::compare;
use tributary_testkit::server::{Flavor, MySqlServer, Options};

use crate::world::{Setup, World};

const TABLE: &str = "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT);
    INSERT INTO d.t VALUES (1, 1); INSERT INTO d.t VALUES (2, 2); INSERT INTO d.t VALUES (3, 3)";
/// Long enough for the slowest machine; nothing waits that long.
const LIMIT: Duration = Duration::from_secs(120);

async fn world(flavor: Flavor, gtid: bool) -> World {
    let options = Options {
        gtid,
        ..Options::default()
    };
    let world = World::new(flavor, options).await;
    world.server.execute(TABLE).await;
    world.configure(Setup {
        source: "databases: [d]",
        ..Setup::default()
    });
    world.sync().await;
    world
}

/// The log begins again, and gives out the same names of files and numbers of transactions.
#[tokio::test]
async fn a_log_that_was_reset_is_noticed() {
    for (flavor, gtid) in [
        (Flavor::MariaDb, true),
        (Flavor::MySql, true),
        (Flavor::MySql, false),
    ] {
        let world = world(flavor, gtid).await;
        let reset = match flavor {
            Flavor::MariaDb => "RESET MASTER",
            Flavor::MySql => "RESET BINARY LOGS AND GTIDS",
        };
        // A log's age is known to the second.
        let clock = "SELECT UNIX_TIMESTAMP()";
        let before = world.server.value(clock).await;
        while world.server.value(clock).await == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        world.server.execute(reset).await;
        // More than there was before, so that every number of before is there again.
        for id in 100..160 {
            let sql = format!("INSERT INTO d.t VALUES ({id}, {id})");
            world.server.execute(&sql).await;
        }
        let refused = world.program.run(&["sync"]).await.exits(1);
        refused
            .says("not the one read before")
            .says("--full-refresh");
        let rows = "SELECT count(*) FROM d.t";
        assert_eq!(world.number(rows), 3, "{flavor:?}: nothing was read");
        world
            .program
            .run(&["sync", "--full-refresh"])
            .await
            .exits(0);
        world.assert_equal(&["d.t"]).await;
        world.sync().await;
    }
}

/// A server that copies another one, as replicas do.
async fn replica(of: &World) -> MySqlServer {
    let flavor = of.server.flavor();
    let mut extra = vec!["--server-id=2".to_owned()];
    if flavor == Flavor::MariaDb {
        extra.push("--log-slave-updates=ON".to_owned());
    }
    let server = MySqlServer::start(flavor, Options { gtid: true, extra }).await;
    let port = of.server.port();
    let statements = match flavor {
        Flavor::MariaDb => format!(
            "CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={port}, MASTER_USER='root', \
             MASTER_USE_GTID=slave_pos; START SLAVE"
        ),
        Flavor::MySql => format!(
            "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={port}, \
             SOURCE_USER='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA"
        ),
    };
    server.execute(&statements).await;
    caught_up(&of.server, &server).await;
    server
}

/// Waits until a replica has what its primary has.
async fn caught_up(primary: &MySqlServer, replica: &MySqlServer) {
    let sql = match primary.flavor() {
        Flavor::MariaDb => "SELECT @@GLOBAL.gtid_binlog_pos",
        Flavor::MySql => "SELECT @@GLOBAL.gtid_executed",
    };
    let wanted = primary.value(sql).await;
    let began = Instant::now();
    loop {
        let found = match primary.flavor() {
            Flavor::MariaDb => replica.value(sql).await == wanted,
            Flavor::MySql => {
                let sql = format!("SELECT GTID_SUBSET('{wanted}', @@GLOBAL.gtid_executed)");
                replica.value(&sql).await == "1"
            }
        };
        if found {
            return;
        }
        assert!(began.elapsed() < LIMIT, "the replica does not catch up");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn stand_alone(replica: &MySqlServer) {
    let sql = match replica.flavor() {
        Flavor::MariaDb => "STOP SLAVE",
        Flavor::MySql => "STOP REPLICA",
    };
    replica.execute(sql).await;
}

#[tokio::test]
async fn a_fail_over_to_a_replica_loses_and_repeats_nothing() {
    tokio::join!(fails_over(Flavor::MariaDb), fails_over(Flavor::MySql));
}

async fn fails_over(flavor: Flavor) {
    let mut world = world(flavor, true).await;
    let second = replica(&world).await;
    // Another number of files, so that places in them mean something else.
    second.execute("FLUSH BINARY LOGS; FLUSH BINARY LOGS").await;
    world
        .server
        .execute("INSERT INTO d.t VALUES (4, 4); UPDATE d.t SET v = 10 WHERE id = 1")
        .await;
    world.sync().await;
    world
        .server
        .execute("INSERT INTO d.t VALUES (5, 5); DELETE FROM d.t WHERE id = 2")
        .await;
    caught_up(&world.server, &second).await;
    stand_alone(&second).await;
    world.server.kill();
    second
        .execute("INSERT INTO d.t VALUES (6, 6); UPDATE d.t SET v = 30 WHERE id = 3")
        .await;
    world.configure(Setup {
        port: Some(second.port()),
        source: "databases: [d]",
        ..Setup::default()
    });
    let finished = world.program.run(&["sync", "--output", "json"]).await;
    let finished = finished.exits(0);
    let report: Value = serde_json::from_str(&finished.stdout).unwrap();
    let read = &report["connections"][0]["streams"][0]["records_read"];
    assert_eq!(read, 4, "{flavor:?}: what was not read before\n{finished}");
    compare::assert_equal(&second, &world.file(), &["d.t"]).await;
    second.execute("UPDATE d.t SET v = 60 WHERE id = 6").await;
    world.sync().await;
    compare::assert_equal(&second, &world.file(), &["d.t"]).await;
}

/// On the successor domains follow each other in another order: a place in its files says less than
/// the GTIDs that are known, until it has passed over them all.
#[tokio::test]
async fn a_fail_over_between_domains_is_gone_on_with_after_a_kill() {
    let mut world = World::with(Flavor::MariaDb, TABLE).await;
    let configure = |world: &World, port: u16, flush: &str| {
        world.configure(Setup {
            port: Some(port),
            source: "databases: [d]",
            connection: &format!("{flush}streams: {{d.t: {{mode: append}}}}"),
        });
    };
    configure(&world, world.server.port(), "");
    world.sync().await;
    let second = replica(&world).await;
    stand_alone(&second).await;
    let last = world.server.value("SELECT @@gtid_binlog_pos").await;
    let last: u64 = last.rsplit('-').next().unwrap().parse().unwrap();
    let domain = |domain: u32, sequence: u64, sql: &str| {
        format!(
            "SET gtid_domain_id = {domain}; SET server_id = 1; SET gtid_seq_no = {sequence}; {sql}"
        )
    };
    let other = "INSERT INTO d.t VALUES (50, 50)";
    world.server.execute(&domain(1, 1, other)).await;
    world.sync().await;
    // So many that they are sent, and committed, before what is known already is passed over.
    let many = "INSERT INTO d.t SELECT seq, 1 FROM d.seq_1001_to_41000";
    second.execute(&domain(0, last + 1, many)).await;
    second.execute(&domain(1, 1, other)).await;
    second.execute("INSERT INTO d.t VALUES (52, 52)").await;
    world.server.kill();
    configure(&world, second.port(), "flush: {rows: 1}, ");
    let died = world.sync_with("engine.after_commit=return(kill)").await;
    assert_eq!(died.code(), None, "{died}");
    assert_eq!(world.number("SELECT count(*) FROM d.t"), 40_004);
    world.sync().await;
    world.sync().await;
    let told = "SELECT count(*) * 100000 + count(DISTINCT id) FROM d.t WHERE _tributary_op = 'c'";
    assert_eq!(world.number(told), 40_002 * 100_000 + 40_002);
}

/// A commit that is in the log, and so has been read, and waits for a replica: the server does not
/// count it yet, and has not lost it.
#[tokio::test]
async fn a_commit_that_waits_for_a_replica_is_not_lacking() {
    let world = world(Flavor::MySql, true).await;
    let wait = "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so';
        SET GLOBAL rpl_semi_sync_source_timeout = 600000, rpl_semi_sync_source_wait_no_replica = ON,
            rpl_semi_sync_source_wait_point = 'AFTER_SYNC', rpl_semi_sync_source_enabled = ON";
    world.server.execute(wait).await;
    let mut writer = world.server.conn().await;
    let commit = tokio::spawn(async move {
        let sql = "INSERT INTO d.t VALUES (4, 4)";
        writer.query_drop(sql).await.unwrap();
    });
    has_process(&world.server, "state LIKE '%semi-sync ACK%'").await;
    world.sync().await;
    assert_eq!(world.number("SELECT count(*) FROM d.t"), 4);
    let sync = world.program.start(&["sync"]);
    has_process(
        &world.server,
        "info LIKE '%WAIT_FOR_EXECUTED%' AND user = 'reader'",
    )
    .await;
    let off = "SET GLOBAL rpl_semi_sync_source_enabled = OFF";
    world.server.execute(off).await;
    sync.wait().await.exits(0);
    commit.await.unwrap();
    world.assert_equal(&["d.t"]).await;
}

/// Waits until the server has a process of which `condition` is true.
async fn has_process(server: &MySqlServer, condition: &str) {
    let sql = format!("SELECT count(*) FROM information_schema.processlist WHERE {condition}");
    let began = Instant::now();
    while server.value(&sql).await == "0" {
        assert!(began.elapsed() < LIMIT, "no process has {condition}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// What we have read and it has not would be lost on it.
#[tokio::test]
async fn a_replica_that_lags_behind_is_no_successor() {
    tokio::join!(lags_behind(Flavor::MariaDb), lags_behind(Flavor::MySql));
}

async fn lags_behind(flavor: Flavor) {
    let world = world(flavor, true).await;
    let second = replica(&world).await;
    stand_alone(&second).await;
    world.server.execute("INSERT INTO d.t VALUES (4, 4)").await;
    world.sync().await;
    second.execute("INSERT INTO d.t VALUES (40, 40)").await;
    world.configure(Setup {
        port: Some(second.port()),
        source: "databases: [d]",
        ..Setup::default()
    });
    let refused = world.program.run(&["sync"]).await.exits(1);
    refused.says("lacks transactions").says("--full-refresh");
    assert_eq!(world.number("SELECT count(*) FROM d.t"), 4);
}
