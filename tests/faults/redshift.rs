//! Redshift as a destination, attacked by its stand-in: sessions that are cut, replies that are lost,
//! transactions that cross, processes that are killed, a second one.

use tributary_standins::redshift::{Fault, Rule};

use crate::world::redshift::{BUCKET, Cloud};

const TABLES: &str =
    "CREATE DATABASE d; CREATE TABLE d.t (id INT PRIMARY KEY, v INT, note VARCHAR(200));
    INSERT INTO d.t SELECT seq, 0, REPEAT('x', 20) FROM d.seq_1_to_1200;";
const SOURCE: &str = "databases: [d], chunk_rows: 400";
const CONNECTION: &str = "flush: {rows: 400}, defaults: {mode: append}";
/// No change of a key is there twice, and none is missing.
const ROWS: &str = "SELECT COUNT(*) FROM d.t";
const CHANGES: &str =
    "SELECT COUNT(*) FROM (SELECT DISTINCT id, _tributary_position FROM d.t) AS c";

async fn assert_rows(cloud: &Cloud, rows: i64, when: &str) {
    let found = (cloud.number(ROWS).await, cloud.number(CHANGES).await);
    assert_eq!(found, (rows, rows), "{when}");
    let wrong =
        "SELECT COUNT(*) FROM _tributary.loads WHERE rows_read <> rows_written + rows_rejected";
    assert_eq!(cloud.number(wrong).await, 0, "{when}");
    let gaps = "SELECT MAX(sequence) - MIN(sequence) + 1 - COUNT(*) FROM _tributary.loads";
    assert_eq!(cloud.number(gaps).await, 0, "{when}");
}

/// Whatever fails, and whenever: the next attempt settles it by the state.
#[tokio::test]
async fn g2_cuts_lost_replies_and_crossing_transactions_lose_and_double_nothing() {
    let cloud = Cloud::with(TABLES, SOURCE, CONNECTION).await;
    let (program, source) = (&cloud.world.program, &cloud.world.server);
    let mut rows = 1200;
    let faults = [
        ("COPY", Fault::CutDuring),
        ("COPY", Fault::CutAfter),
        ("COMMIT", Fault::CutBefore),
        ("COMMIT", Fault::CutAfter),
        ("COMMIT", Fault::Serializable),
        ("INSERT INTO \"d\".\"t\"", Fault::CutBefore),
        ("LOCK", Fault::Serializable),
    ];
    for (round, (words, fault)) in faults.into_iter().enumerate() {
        // The first commit of a sync is that of its opening.
        let after = if words == "COMMIT" || words == "LOCK" {
            1
        } else {
            0
        };
        cloud.warehouse.fail(Rule::new(words, fault).after(after));
        program.run(&["sync", "main"]).await.exits(0);
        assert_rows(&cloud, rows, &format!("{words} {fault:?}")).await;
        cloud.warehouse.heal();
        let changed = 10 + i64::try_from(round).unwrap();
        source
            .execute(&format!("UPDATE d.t SET v = v + 1 WHERE id <= {changed}"))
            .await;
        rows += changed;
    }
    program.run(&["sync", "main"]).await.exits(0);
    assert_rows(&cloud, rows, "in the end").await;
}

/// A process that is killed leaves nothing half done; what it left in the bucket is no one's data.
#[tokio::test]
async fn g2_kills_at_every_step_lose_and_double_nothing() {
    let cloud = Cloud::with(TABLES, SOURCE, CONNECTION).await;
    let (program, source) = (&cloud.world.program, &cloud.world.server);
    let mut rows = 1200;
    for (round, point) in [
        "load.after_begin",
        "redshift.before_copy",
        "redshift.after_copy",
        "load.before_commit",
        "load.after_commit",
    ]
    .into_iter()
    .enumerate()
    {
        let kill = format!("{point}=return(kill)");
        let env = [("FAILPOINTS", kill.as_str())];
        let killed = program.start_with(&env, &["sync", "main"]).wait().await;
        assert_eq!(killed.code(), None, "{point}: {killed}");
        program.run(&["sync", "main"]).await.exits(0);
        assert_rows(&cloud, rows, point).await;
        let changed = 10 + i64::try_from(round).unwrap();
        source
            .execute(&format!("UPDATE d.t SET v = v + 1 WHERE id <= {changed}"))
            .await;
        rows += changed;
    }
    program.run(&["sync", "main"]).await.exits(0);
    assert_rows(&cloud, rows, "in the end").await;
    let left = cloud.bucket.keys(BUCKET);
    assert!(
        left.iter()
            .all(|key| key.starts_with("in/tributary-staging/")),
        "{left:?}"
    );
}
