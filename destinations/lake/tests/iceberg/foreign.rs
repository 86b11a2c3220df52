//! Other programs at the same tables.

use serde_json::{Value, json};
use tributary_model::{ErrorKind, Load, Mode};
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
