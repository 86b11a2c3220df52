use serde_json::json;
use tributary_model::{Destination, ErrorKind, Load, Mode};

use crate::world::{World, absent, plan, rows};

const T: [&str; 2] = ["shop", "t"];

/// Filters that the reader turns into conditions on parts: with a wrong value in a manifest rows
/// would be missing.
const FILTERS: &str = r#"
import json, sys
from pyiceberg.catalog.sql import SqlCatalog
spec = json.load(sys.stdin)
catalog = SqlCatalog("tributary", uri="sqlite:///" + spec["catalog"])
table = catalog.load_table(("shop", "t"))
found = {}
for text in spec["filters"]:
    scan = table.scan(row_filter=text)
    found[text] = [scan.to_arrow().num_rows, len(list(scan.plan_files()))]
print(json.dumps(found))
"#;

#[tokio::test]
async fn parts_are_what_their_transforms_say() {
    let terms = [
        "bucket(4, id)",
        "day(at)",
        "hour(seen)",
        "truncate(2, name)",
        "country",
        "year(born)",
        "month(born)",
    ];
    for (term, parts) in terms.iter().zip([3, 2, 3, 3, 3, 2, 3]) {
        let world = World::new(json!({"partition_by": [term]}));
        let mut shop = world.open().await;
        let columns = [
            "id int64",
            "at timestamp",
            "seen timestamptz",
            "name text",
            "country text",
            "born date",
        ];
        let plan = plan(Mode::Merge, &columns);
        let lines = [
            "r 1 2026-11-20T01:00:00 2026-11-20T01:00:00 anna DE 1969-12-31",
            "r 2 2026-11-20T23:59:59 2026-11-20T02:30:00 anton FR 1970-01-01",
            "r 3 2026-11-21T00:00:00 2026-11-20T02:59:59 bert ~ 1970-02-01",
            "r 4 2026-11-21T00:00:01 1969-12-31T23:59:59 ~ DE 1970-02-28",
        ];
        shop.load(&plan, vec![absent(&plan, &lines)]).await;
        shop.load(
            &plan,
            vec![rows(
                &plan,
                &["u 4 2026-11-21T00:00:01 1969-12-31T23:59:59 ~ DE 1970-02-28"],
            )],
        )
        .await;
        let found = world.read(&T).await;
        assert_eq!(
            found["parts"].as_array().unwrap().len(),
            parts,
            "{term}: {}",
            found["parts"]
        );
        assert_eq!(found["partition"].as_array().unwrap().len(), 1, "{term}");
        let filters = [
            ("id == 3", 1),
            ("at >= '2026-11-21T00:00:00'", 2),
            ("seen < '2026-11-20T02:00:00+00:00'", 2),
            ("name == 'anna'", 1),
            ("name is null", 1),
            ("country == 'DE'", 2),
            ("country is null", 1),
            ("born < '1970-01-01'", 1),
            ("born >= '1970-02-01'", 2),
        ];
        let texts: Vec<&str> = filters.iter().map(|(text, _)| *text).collect();
        let input = json!({"catalog": world.catalog(), "filters": texts});
        let answers = tributary_testkit::python::run(FILTERS, &input);
        for (text, wanted) in filters {
            assert_eq!(answers[text][0], wanted, "{term}: {text}");
        }
    }
}

#[tokio::test]
async fn a_table_is_divided_anew_for_rows_to_come() {
    let mut world = World::new(json!({"partition_by": ["country"]}));
    let plan = plan(Mode::Merge, &["id int64", "country text"]);
    world
        .open()
        .await
        .load(&plan, vec![absent(&plan, &["r 1 DE", "r 2 FR"])])
        .await;
    world.set(json!({"partition_by": ["bucket(2, id)"]}));
    world
        .open()
        .await
        .load(&plan, vec![rows(&plan, &["u 1 AT", "c 3 DE", "c 4 DE"])])
        .await;
    let found = world.read(&T).await;
    assert_eq!(found["partition"], json!([["id_bucket", "bucket[2]"]]));
    assert_eq!(
        world.rows("id, country").await,
        ["1 AT", "2 FR", "3 DE", "4 DE"]
    );
}

#[tokio::test]
async fn the_day_of_the_load_moves_with_the_row() {
    let world = World::new(json!({"partition_by": ["tributary_date"]}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64"]);
    shop.load(&plan, vec![absent(&plan, &["r 1"])]).await;
    let found = world.read(&T).await;
    assert_eq!(
        found["partition"],
        json!([["_tributary_synced_at_day", "day"]])
    );
}

#[tokio::test]
async fn a_term_that_makes_nothing_of_its_column_is_refused() {
    let world = World::new(json!({"partition_by": ["hour(id)"]}));
    let shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64"]);
    let error = shop.begin(&plan).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    let _ = shop.lake.capabilities();
    let world = World::new(json!({"partition_by": ["no_such_column"]}));
    let shop = world.open().await;
    let mut load = shop.begin(&plan).await.unwrap();
    load.write(rows(&plan, &["c 1"])).await.unwrap();
    load.commit(&shop.commit()).await.unwrap();
    assert_eq!(world.read(&T).await["partition"], json!([]));
}
