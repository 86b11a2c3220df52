use serde_json::{Value, json};
use tributary_model::{Change, Load, Mode, TruncateKind};

use crate::world::{World, absent, plan, rows};

const T: [&str; 2] = ["shop", "t"];

fn operations(found: &Value) -> Vec<&str> {
    found["summaries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["operation"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn each_load_is_one_snapshot_that_names_it() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(
        &plan,
        vec![absent(&plan, &["r 1 ann", "r 2 bob", "r 3 cid"])],
    )
    .await;
    shop.load(&plan, vec![rows(&plan, &["u 2 bea", "c 4 dan"])])
        .await;
    shop.load(&plan, vec![rows(&plan, &["d 1 ~"])]).await;
    let found = world.read(&T).await;
    assert_eq!(world.rows("id, name").await, ["2 bea", "3 cid", "4 dan"]);
    assert_eq!(operations(&found), ["append", "overwrite", "overwrite"]);
    let last = &found["summaries"][2];
    assert_eq!(last["total-records"], "3");
    assert_eq!(last["tributary.connection"], "shop");
    assert_eq!(last["tributary.sequence"], "3");
    assert_eq!(last["tributary.load-id"], "load-3");
    assert_eq!(last["tributary.epoch"], "1");
    let cursor: Value = serde_json::from_str(last["tributary.cursor"].as_str().unwrap()).unwrap();
    assert_eq!(cursor["shared"]["step"], 3);
    let mark: Value =
        serde_json::from_str(found["properties"]["tributary.state"].as_str().unwrap()).unwrap();
    assert_eq!(
        (&mark["sequence"], &mark["connection"]),
        (&json!(3), &json!("shop"))
    );
}

#[tokio::test]
async fn a_table_that_is_emptied_is_empty_for_everyone() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Replace, &["id int64", "name text"]);
    shop.load(&plan, vec![absent(&plan, &["r 1 ann", "r 2 bob"])])
        .await;
    let restart = Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Restart,
    };
    shop.load(&plan, vec![restart.clone(), absent(&plan, &["r 3 cid"])])
        .await;
    assert_eq!(world.rows("id, name").await, ["3 cid"]);
    let found = world.read(&T).await;
    assert_eq!(found["rows"], 1);
    shop.load(&plan, vec![restart]).await;
    let found = world.read(&T).await;
    assert_eq!(operations(&found), ["append", "overwrite", "delete"]);
    assert_eq!(found["summaries"][2]["total-records"], "0");
}

#[tokio::test]
async fn an_abandoned_load_leaves_no_snapshot() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Append, &["id int64"]);
    let mut load = shop.begin(&plan).await.unwrap();
    load.write(rows(&plan, &["c 1"])).await.unwrap();
    drop(load);
    assert!(world.tables().is_empty());
    shop.load(&plan, vec![rows(&plan, &["c 2"])]).await;
    let mut load = shop.begin(&plan).await.unwrap();
    load.write(rows(&plan, &["c 3"])).await.unwrap();
    drop(load);
    let found = world.read(&T).await;
    assert_eq!((&found["rows"], operations(&found).len()), (&json!(1), 1));
}

#[tokio::test]
async fn very_many_loads_leave_few_manifests_and_snapshots() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Append, &["id int64"]);
    for id in 0..140 {
        shop.load(&plan, vec![rows(&plan, &[&format!("c {id}")])])
            .await;
    }
    let found = world.read(&T).await;
    assert_eq!(found["rows"], 140);
    let metadata = world.root().join("shop/t/metadata");
    let files = std::fs::read_dir(metadata).unwrap().count();
    // One list and one manifest for each load, few that put others together, 101 of the table.
    assert!(files < 140 * 2 + 101 + 10, "{files}");
}
