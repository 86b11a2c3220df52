//! Other programs at the same tables.

use serde_json::{Value, json};
use tributary_model::{Destination, ErrorKind, Load, Mode};
use tributary_testkit::python;

use crate::world::{World, absent, plan, rows};

const CATALOG: &str = r#"
import json, sys
import pyarrow as pa
from pyiceberg.catalog.sql import SqlCatalog
from pyiceberg.schema import Schema
from pyiceberg.types import *
spec = json.load(sys.stdin)
catalog = SqlCatalog("tributary", uri="sqlite:///" + spec["catalog"])
"#;

fn script(world: &World, body: &str) -> Value {
    let script = format!("{CATALOG}\n{body}\nprint(json.dumps(None))\n");
    python::run(
        &script,
        &json!({"catalog": world.catalog(), "root": world.root()}),
    )
}

#[tokio::test]
async fn what_others_rename_widen_and_add_stays() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let before = plan(Mode::Append, &["id int32", "name text"]);
    shop.load(&before, vec![rows(&before, &["c 1 ann"])]).await;
    script(
        &world,
        r#"
table = catalog.load_table(("shop", "t"))
with table.update_schema() as update:
    update.rename_column("name", "full_name")
    update.update_column("id", LongType())
table.transaction().set_properties({"owner": "analysts"}).commit_transaction()
"#,
    );
    shop.load(&before, vec![rows(&before, &["c 2 bob"])]).await;
    let found = python::run(
        &format!(
            "{CATALOG}\ntable = catalog.load_table(('shop', 't'))\nprint(json.dumps(sorted(\
         [r['id'], r['full_name']] for r in table.scan().to_arrow().to_pylist())))"
        ),
        &json!({"catalog": world.catalog()}),
    );
    assert_eq!(found, json!([[1, "ann"], [2, "bob"]]));
}

#[tokio::test]
async fn a_column_of_others_in_the_place_of_ours_is_refused_and_its_removal_followed() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let before = plan(Mode::Append, &["id int64"]);
    shop.load(&before, vec![rows(&before, &["c 1"])]).await;
    script(
        &world,
        r#"
table = catalog.load_table(("shop", "t"))
with table.update_schema() as update:
    update.add_column("theirs", DoubleType())
"#,
    );
    let after = plan(Mode::Append, &["id int64", "ours text"]);
    let mut load = shop.begin(&after).await.unwrap();
    load.write(rows(&after, &["c 2 x"])).await.unwrap();
    let error = load.commit(&shop.commit()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
    assert!(error.to_string().contains("theirs"), "{error}");
}

#[tokio::test]
async fn a_table_of_others_is_not_touched() {
    let world = World::new(json!({}));
    drop(world.open().await);
    std::fs::create_dir_all(world.root().join("_tributary")).unwrap();
    script(
        &world,
        r#"
catalog.create_namespace("shop")
catalog.create_table(("shop", "t"), Schema(NestedField(1, "id", LongType())), location="file://" + spec["root"] + "/theirs")
"#,
    );
    let shop = world.open().await;
    let plan = plan(Mode::Append, &["id int64"]);
    let error = shop.begin(&plan).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(error.to_string().contains("did not make"), "{error}");
}

/// Rows that others append stay; the loads go on from their snapshot.
#[tokio::test]
async fn snapshots_of_others_are_built_upon() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64"]);
    shop.load(&plan, vec![absent(&plan, &["r 1", "r 2"])]).await;
    script(
        &world,
        r#"
table = catalog.load_table(("shop", "t"))
table.append(pa.table({"id": pa.array([100], pa.int64())}))
"#,
    );
    shop.load(&plan, vec![rows(&plan, &["d 1", "c 3"])]).await;
    let found = python::run(
        &format!(
            "{CATALOG}\ntable = catalog.load_table(('shop', 't'))\n\
         print(json.dumps(sorted(table.scan().to_arrow()['id'].to_pylist())))"
        ),
        &json!({"catalog": world.catalog()}),
    );
    assert_eq!(found, json!([2, 3, 100]));
}

const DROP: &str = "catalog.drop_table((\"shop\", \"t\"))";

/// The files are the table's as long as the log says so: the catalog only knows where it is.
#[tokio::test]
async fn a_table_that_the_catalog_has_lost_is_made_again() {
    for merge in ["copy_on_write", "position_deletes"] {
        let world = World::new(json!({"merge": merge, "partition_by": ["bucket(2, id)"]}));
        let mut shop = world.open().await;
        let before = plan(Mode::Merge, &["id int64"]);
        let lines: Vec<String> = (1..=40).map(|id| format!("r {id}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        shop.load(&before, vec![absent(&before, &lines)]).await;
        let after = plan(Mode::Merge, &["id int64", "note text"]);
        shop.load(&after, vec![rows(&after, &["d 1 ~", "u 2 x"])])
            .await;
        script(&world, DROP);
        // By the next load that has something for it, whoever makes it,
        let mut shop = world.open().await;
        shop.load(&after, vec![rows(&after, &["d 3 ~", "c 41 y"])])
            .await;
        let found = world.read(&["shop", "t"]).await;
        assert_eq!(found["rows"], 39);
        let mark = found["properties"]["tributary.state"].as_str().unwrap();
        assert!(mark.contains("\"sequence\":3"), "{mark}");
        // and by upkeep, where nothing waits to be applied.
        drop(world.open().await);
        script(&world, DROP);
        let report = world.lake().await.maintain().await.unwrap();
        let text = format!("{report:?}");
        // Where files full of deletes were written anew, that has made the table.
        let made = ["made again", "files became"]
            .iter()
            .any(|said| text.contains(said));
        assert!(made, "{text}");
        let found = world.read(&["shop", "t"]).await;
        assert_eq!(found["rows"], 39);
        let mut shop = world.open().await;
        shop.load(&after, vec![rows(&after, &["d 4 ~"])]).await;
        assert_eq!(world.read(&["shop", "t"]).await["rows"], 38);
    }
}
