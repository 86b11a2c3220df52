//! A process that dies when the log has a load and the catalog has not. Alone in its binary: a
//! failpoint is armed for all of a process.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
#[path = "iceberg/world.rs"]
mod world;

use serde_json::json;
use tributary_model::{Load, Mode};

use world::{World, absent, plan, rows};

const T: [&str; 2] = ["shop", "t"];

#[tokio::test]
async fn what_the_log_has_and_the_catalog_lacks_is_applied_once_by_the_next_opening() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![absent(&plan, &["r 1 ann"])]).await;
    let mut load = shop.begin(&plan).await.unwrap();
    load.write(rows(&plan, &["u 1 eve", "c 2 bob"]))
        .await
        .unwrap();
    {
        let scenario = fail::FailScenario::setup();
        fail::cfg("lake.after_log", "return(error)").unwrap();
        load.commit(&shop.commit()).await.unwrap_err();
        scenario.teardown();
    }
    let before = tokio::join!(world.open(), world.open(), world.open());
    assert_eq!(world.rows("id, name").await, ["1 eve", "2 bob"]);
    let found = world.read(&T).await;
    assert_eq!(found["summaries"].as_array().unwrap().len(), 2);
    let mut last = [before.0, before.1, before.2]
        .into_iter()
        .max_by_key(|it| it.fence.epoch)
        .unwrap();
    assert_eq!(last.fence.sequence, 2);
    last.load(&plan, vec![rows(&plan, &["u 2 dan"])]).await;
    let found = world.read(&T).await;
    assert_eq!(found["summaries"].as_array().unwrap().len(), 3);
}
