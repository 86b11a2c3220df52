//! PostgreSQL as a destination, attacked: sessions that are cut, processes that are killed, statements
//! that take too long, rights that are taken away, a disk that is full, a second process.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tributary_model::DataType;
use tributary_testkit::proxy::{Direction, Fault, Proxy, Times};
use tributary_testkit::random::Random;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, Writer};

use super::disk::{Disk, run};
use crate::world::World;
use crate::world::postgres::{Analytics, Setup, port_of, rows};

const TABLES: &str =
    "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT, note VARCHAR(200));
    INSERT INTO d.t SELECT seq, 0, REPEAT('x', 100) FROM d.seq_1_to_3000;";
const SETUP: Setup<'_> = Setup {
    port: None,
    login: None,
    source: "databases: [d], chunk_rows: 500",
    destination: "",
    connection: "flush: {rows: 500}, defaults: {mode: append}",
};
/// No change of a key is there twice, and none is missing.
const ROWS: &str = "SELECT count(*) FROM d.t";
const CHANGES: &str = "SELECT count(DISTINCT (id, _tributary_position)) FROM d.t";

/// Stands for the harm that is done by filling the disk.
const FULL: &str = "the disk is full";

async fn assert_rows(analytics: &Analytics, rows: i64, when: &str) {
    let found = (
        analytics.number(ROWS).await,
        analytics.number(CHANGES).await,
    );
    assert_eq!(found, (rows, rows), "{when}");
    let wrong =
        "SELECT count(*) FROM _tributary.loads WHERE rows_read <> rows_written + rows_rejected";
    assert_eq!(analytics.number(wrong).await, 0, "{when}");
    let gaps = "SELECT max(sequence) - min(sequence) + 1 - count(*) FROM _tributary.loads";
    assert_eq!(analytics.number(gaps).await, 0, "{when}");
}

/// The session is cut after so many bytes: while logging in, in a `COPY`, in a merge.
#[tokio::test]
async fn g7_sessions_cut_anywhere_lose_and_double_nothing() {
    let analytics = Analytics::with(TABLES, SETUP).await;
    let proxy = Proxy::start(port_of(&analytics.postgres)).await;
    analytics.configure(Setup {
        port: Some(proxy.port()),
        destination: "tls: {mode: disabled}",
        ..SETUP
    });
    let (program, source) = (&analytics.world.program, &analytics.world.server);
    let mut rows = 3000;
    for (round, after) in [300, 9_000, 90_000].into_iter().enumerate() {
        proxy.set(Fault::Cut {
            direction: Direction::ToServer,
            after,
            times: Times::Once,
        });
        program.run(&["sync"]).await.exits(0);
        assert_rows(&analytics, rows, &format!("cut after {after} bytes")).await;
        proxy.set(Fault::None);
        source
            .execute("UPDATE d.t SET v = v + 1 WHERE id <= 2500")
            .await;
        rows += 2500;
        if round % 2 == 1 {
            program.run(&["sync"]).await.exits(0);
        }
    }
    proxy.set(Fault::None);
    program.run(&["sync"]).await.exits(0);
    assert_rows(&analytics, rows, "in the end").await;
}

/// The server does commit, and nobody hears of it: settled by the state, never loaded again.
#[tokio::test]
async fn g2_a_commit_whose_reply_is_lost_is_settled_by_the_state() {
    let analytics = Analytics::with(TABLES, SETUP).await;
    let program = &analytics.world.program;
    for failpoints in [
        "load.after_commit=1*return(error)",
        "load.after_commit=3*off->1*return(error)",
    ] {
        let env = [("FAILPOINTS", failpoints)];
        let args = ["sync", "--output", "json"];
        let report = program.start_with(&env, &args).wait().await.exits(0).json();
        let stream = &report["connections"][0]["streams"][0];
        assert_eq!(
            stream["records_read"], stream["records_written"],
            "{report:#}"
        );
    }
    assert_rows(&analytics, 3000, "after lost replies").await;
}

/// The cut falls between the `COMMIT` and its answer: all bytes reach the server, no answer returns.
#[tokio::test]
async fn g2_a_session_cut_at_its_commit_is_settled_by_the_state() {
    let analytics = Analytics::with(TABLES, SETUP).await;
    let proxy = Proxy::start(port_of(&analytics.postgres)).await;
    analytics.configure(Setup {
        port: Some(proxy.port()),
        destination: "tls: {mode: disabled}",
        connection: "flush: {rows: 100000}, defaults: {mode: append}",
        ..SETUP
    });
    let (program, source) = (&analytics.world.program, &analytics.world.server);
    program.run(&["sync"]).await.exits(0);
    // How many bytes of answers a sync of one change takes in all.
    source.execute("UPDATE d.t SET v = 1 WHERE id = 1").await;
    proxy.set(Fault::None);
    program.run(&["sync"]).await.exits(0);
    let usual = proxy.bytes(Direction::ToClient);
    let mut rows = 3001;
    // The last bytes that come back are the answer to the commit, then to what is read after it.
    for before_the_end in [1, 40, 300] {
        source
            .execute("UPDATE d.t SET v = v + 1 WHERE id = 1")
            .await;
        rows += 1;
        proxy.set(Fault::Cut {
            direction: Direction::ToClient,
            after: usual.saturating_sub(before_the_end),
            times: Times::Once,
        });
        program.run(&["sync"]).await.exits(0);
        proxy.set(Fault::None);
        assert_rows(
            &analytics,
            rows,
            &format!("{before_the_end} bytes before the end"),
        )
        .await;
    }
}

/// Killed at each step of a load and at any other moment, while the source is written to.
#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_into_postgres() {
    const STEPS: [&str; 6] = [
        "load.after_begin",
        "load.after_stage",
        "load.before_merge",
        "load.before_commit",
        "load.after_commit",
        "engine.after_commit",
    ];
    let shop = Shop::SMALL;
    let world = World::shop(Flavor::MariaDb, Options::default(), shop).await;
    let streams = "streams: {shop.products: {deletes: hard}, shop.orders: {deletes: hard}, \
        shop.order_lines: {mode: append}}";
    let connection = format!("flush: {{rows: 150, every: 200ms}}, {streams}");
    let setup = Setup {
        source: "databases: [shop], chunk_rows: 250",
        connection: &connection,
        ..SETUP
    };
    let analytics = Analytics::beside(world, setup);
    let program = &analytics.world.program;
    let writer = Writer::start(&analytics.world.server, shop, 2, 5);
    let mut random = Random::new(17);
    let mut killed = 0;
    for turn in 0..18 {
        let finished = if turn % 2 == 0 {
            let passed = turn / 2 / STEPS.len();
            let step = format!(
                "{}={passed}*off->return(kill)",
                STEPS[turn / 2 % STEPS.len()]
            );
            program
                .start_with(&[("FAILPOINTS", &step)], &["sync"])
                .wait()
                .await
        } else {
            let running = program.start(&["sync"]);
            tokio::time::sleep(Duration::from_millis(10 + random.below(400))).await;
            running.kill().await
        };
        killed += usize::from(finished.code().is_none());
        assert!(matches!(finished.code(), None | Some(0)), "{finished}");
    }
    assert!(killed >= 6, "only {killed} of 18 runs were killed");
    writer.stop().await;
    analytics.mirror(streams);
    program.run(&["sync"]).await.exits(0);
    let money = DataType::Decimal(14, 2);
    for (table, columns, types) in [
        (
            "customers",
            "id, email, credit",
            [DataType::Int32, DataType::Text, money],
        ),
        (
            "products",
            "sku, title, price",
            [DataType::Text, DataType::Text, money],
        ),
        (
            "orders",
            "id, note, total",
            [DataType::Decimal(20, 0), DataType::Text, money],
        ),
    ] {
        let live = if table == "customers" {
            "WHERE NOT _tributary_deleted"
        } else {
            ""
        };
        let sql = format!("SELECT {columns} FROM shop.{table} {live}");
        let there = rows(program, "warehouse", &sql, &types).await;
        let here = rows(program, "mirror", &sql, &types).await;
        assert!(!here.is_empty(), "{table} is empty");
        assert_eq!(there, here, "{table}");
    }
    let twice = "SELECT count(*) - count(DISTINCT (order_id, line_no, _tributary_position)) FROM shop.order_lines";
    assert_eq!(
        analytics.number(twice).await,
        0,
        "rows of the log came twice"
    );
    let gaps = "SELECT max(sequence) - min(sequence) + 1 - count(*) FROM _tributary.loads";
    assert_eq!(
        analytics.number(gaps).await,
        0,
        "the loads are not numbered one by one"
    );
}

/// A process that hangs in the middle of a load holds nobody up: the next one takes over, and the
/// first one is told when it wakes up. Its rows are not there.
#[tokio::test]
async fn g3_a_second_process_takes_over_from_one_that_hangs() {
    let analytics = Analytics::with(TABLES, SETUP).await;
    let program = &analytics.world.program;
    let env = [("FAILPOINTS", "load.before_commit=1*off->sleep(600000)")];
    let mut first = program.start_with(&env, &["sync"]);
    let under_way = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tributary' \
        AND state = 'idle in transaction' AND query LIKE 'INSERT INTO _tributary.loads%'";
    let mut tries = 0;
    while analytics.number(under_way).await == 0 {
        assert!(
            first.is_running() && tries < 3000,
            "the first process never got to its second commit"
        );
        tries += 1;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.freeze();
    program.run(&["sync"]).await.exits(0);
    assert_rows(&analytics, 3000, "after the second process").await;
    first.thaw();
    first.kill().await;
    program.run(&["sync"]).await.exits(0);
    assert_rows(&analytics, 3000, "after both").await;
}

/// A right that is taken away, a statement that takes too long, a disk that is full and a limit of the
/// server's: each says what to do, leaves no row and no cursor, and once it is mended the rest arrives.
#[tokio::test]
async fn g1_what_the_server_refuses_leaves_nothing_half_done() {
    let analytics = Analytics::with(TABLES, SETUP).await;
    let program = &analytics.world.program;
    let disk = Disk::mount(12);
    let space = disk.path().join("space");
    fs::create_dir(&space).unwrap();
    run(Command::new("chown").arg("postgres").arg(&space));
    let prepare = format!(
        "CREATE USER loader PASSWORD 'secret'; GRANT CREATE ON DATABASE postgres TO loader; \
         CREATE TABLESPACE small LOCATION '{}'; GRANT CREATE ON TABLESPACE small TO loader; \
         ALTER USER loader SET default_tablespace = small",
        space.display()
    );
    for statement in prepare.split("; ") {
        analytics.execute(statement).await;
    }
    let setup = Setup {
        login: Some("loader:secret"),
        connection: "flush: {rows: 100000}",
        ..SETUP
    };
    analytics.configure(setup);
    program.run(&["sync"]).await.exits(0);
    let (loads, sum) = (analytics.loads().await, "SELECT sum(v) FROM d.t");
    analytics.world.server.execute("UPDATE d.t SET v = 1").await;

    let faults = [
        (
            "REVOKE UPDATE ON d.t FROM loader",
            "GRANT UPDATE ON d.t TO loader",
            "the user lacks a right",
        ),
        (
            "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(3); RETURN NEW; END $$; \
             CREATE TRIGGER slow BEFORE UPDATE ON d.t FOR EACH ROW EXECUTE FUNCTION slow()",
            "DROP FUNCTION slow CASCADE",
            "Raise `statement_timeout`",
        ),
        (FULL, "SELECT 1", "Free space on that disk"),
        (
            "ALTER TABLE d.t ADD CONSTRAINT odd CHECK (v <> 1)",
            "ALTER TABLE d.t DROP CONSTRAINT odd",
            "Remove the constraint",
        ),
    ];
    for (harm, mend, said) in faults {
        // Only where a statement is meant to take longer: a busy machine may need a second for any.
        let destination = match harm.contains("pg_sleep") {
            true => "statement_timeout: 1s",
            false => "",
        };
        analytics.configure(Setup {
            destination,
            ..setup
        });
        let filler = match harm {
            FULL => Some(disk.fill()),
            harm => {
                analytics.execute(harm).await;
                None
            }
        };
        program.run(&["sync"]).await.exits(1).says(said);
        assert_eq!(
            (analytics.loads().await, analytics.number(sum).await),
            (loads, 0),
            "{said}"
        );
        analytics.execute(mend).await;
        if let Some(filler) = filler {
            fs::remove_file(filler).unwrap();
        }
    }
    analytics.configure(setup);
    program.run(&["sync"]).await.exits(0);
    assert_eq!(analytics.number(sum).await, 3000);
}
