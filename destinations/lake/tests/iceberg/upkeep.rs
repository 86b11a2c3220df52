use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tributary_lake::Lake;
use tributary_model::{Destination, ErrorKind, Load, Mode, Report, Verdict};

use crate::world::{World, absent, plan, rows};

const T: [&str; 2] = ["shop", "t"];

async fn maintain(lake: &Lake) -> Report {
    let report = lake.maintain().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    report
}

fn said(report: &Report) -> Vec<&str> {
    report
        .findings
        .iter()
        .map(|finding| finding.found.as_str())
        .collect()
}

/// Makes every file below a folder three days old.
fn age(folder: &Path) {
    #[allow(clippy::disallowed_methods)] // the age of files is by the real clock
    let then = SystemTime::now() - Duration::from_hours(72);
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            age(&path);
        } else {
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(then).unwrap();
        }
    }
}

fn count(folder: &Path, end: &str) -> usize {
    let mut found = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found += count(&path, end);
        } else if path.display().to_string().ends_with(end) {
            found += 1;
        }
    }
    found
}

fn operations(found: &Value) -> Vec<&str> {
    found["summaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["operation"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn small_files_become_one_and_loads_go_on() {
    for format in ["iceberg", "parquet"] {
        let world = World::new(json!({"format": format}));
        let mut shop = world.open().await;
        let plan = plan(Mode::Append, &["id int64", "name text"]);
        for id in 1..=7 {
            shop.load(&plan, vec![rows(&plan, &[&format!("c {id} x")])])
                .await;
        }
        // By another process, while this one goes on with what it knew before.
        let report = maintain(&world.lake().await).await;
        assert_eq!(said(&report), ["7 files became 1"], "{format}");
        shop.load(&plan, vec![rows(&plan, &["c 8 x"])]).await;
        shop.load(&plan, vec![rows(&plan, &["c 9 x"])]).await;
        assert_eq!(shop.fence.sequence, 9);
        assert_eq!(
            world.rows("count(*), count(DISTINCT id)").await,
            ["9 9"],
            "{format}"
        );
        if format == "iceberg" {
            let found = world.read(&T).await;
            assert_eq!((&found["rows"], &found["files"]), (&json!(9), &json!(3)));
            assert_eq!(
                operations(&found)[6..],
                ["append", "replace", "append", "append"]
            );
            let replaced = &found["summaries"][7];
            assert_eq!(
                (&replaced["tributary.sequence"], &replaced["total-records"]),
                (&json!("7"), &json!("7"))
            );
        } else {
            assert_eq!(count(&world.root().join("shop"), ".parquet"), 3);
        }
        // A new process finds everything as it is.
        let mut again = world.open().await;
        assert_eq!(again.fence.sequence, 9);
        again.load(&plan, vec![rows(&plan, &["c 10 x"])]).await;
        assert_eq!(world.rows("count(*)").await, ["10"]);
    }
}

#[tokio::test]
async fn a_load_that_is_under_way_steps_over_upkeep_or_is_made_again() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    for id in 1..=6 {
        shop.load(&plan, vec![absent(&plan, &[&format!("r {id} x")])])
            .await;
    }
    let mut adds = shop.begin(&plan).await.unwrap();
    adds.write(absent(&plan, &["r 7 y"])).await.unwrap();
    maintain(&world.lake().await).await;
    let receipt = adds.commit(&shop.commit()).await.unwrap();
    shop.fence = receipt.fence;
    assert_eq!(world.rows("count(*), count(DISTINCT id)").await, ["7 7"]);
    for id in 11..=15 {
        shop.load(&plan, vec![absent(&plan, &[&format!("r {id} x")])])
            .await;
    }
    let mut changes = shop.begin(&plan).await.unwrap();
    changes.write(rows(&plan, &["u 11 z"])).await.unwrap();
    let report = maintain(&world.lake().await).await;
    assert!(said(&report)[0].contains("became 1"), "{report:?}");
    let error = changes.commit(&shop.commit()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("tributary maintain"), "{error}");
    let mut shop = world.open().await;
    shop.load(&plan, vec![rows(&plan, &["u 11 z"])]).await;
    assert_eq!(
        world
            .rows("count(*), count(DISTINCT id), count(*) FILTER (name = 'z')")
            .await,
        ["12 12 1"]
    );
    world.read(&T).await;
}

#[tokio::test]
async fn old_snapshots_are_forgotten_and_their_files_deleted_when_they_are_old() {
    let world = World::new(json!({"keep_snapshots_days": 0}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![absent(&plan, &["r 1 a", "r 2 a"])])
        .await;
    for name in ["b", "c", "d"] {
        shop.load(&plan, vec![rows(&plan, &[&format!("u 1 {name}")])])
            .await;
    }
    let table = world.root().join("shop/t");
    let before = count(&table, ".parquet");
    assert!(before >= 4);
    std::fs::write(table.join("notes.txt"), "someone's").unwrap();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let report = maintain(&world.lake().await).await;
    assert_eq!(said(&report), ["3 snapshots were forgotten"]);
    assert_eq!(count(&table, ".parquet"), before, "too young to be deleted");
    world.read(&T).await;
    age(&table);
    let report = maintain(&world.lake().await).await;
    assert_eq!(report.findings.len(), 1, "{report:?}");
    assert!(
        said(&report)[0].contains("files that nobody names were deleted"),
        "{report:?}"
    );
    let found = world.read(&T).await;
    assert_eq!(json!(count(&table, ".parquet")), found["files"]);
    assert_eq!(operations(&found), ["overwrite"]);
    assert_eq!(count(&table, "notes.txt"), 1);
    assert_eq!(world.rows("id, name").await, ["1 d", "2 a"]);
    assert_eq!(
        said(&maintain(&world.lake().await).await),
        ["there is nothing to tidy"]
    );
    let mut again = world.open().await;
    again.load(&plan, vec![rows(&plan, &["u 2 e"])]).await;
    world.read(&T).await;
}

/// With the default of five days nothing young is forgotten.
#[tokio::test]
async fn young_snapshots_stay() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Append, &["id int64"]);
    for id in 0..3 {
        shop.load(&plan, vec![rows(&plan, &[&format!("c {id}")])])
            .await;
    }
    assert_eq!(
        said(&maintain(&world.lake().await).await),
        ["there is nothing to tidy"]
    );
    assert_eq!(operations(&world.read(&T).await).len(), 3);
}
