use serde_json::{Value, json};
use tributary_model::Mode;

use crate::world::{World, absent, plan, rows};

const T: [&str; 2] = ["shop", "t"];

fn field<'a>(found: &'a Value, name: &str) -> (i64, &'a str) {
    let fields = found["fields"].as_array().unwrap();
    let field = fields
        .iter()
        .find(|field| field[1] == name)
        .unwrap_or_else(|| panic!("{fields:?}"));
    (field[0].as_i64().unwrap(), field[2].as_str().unwrap())
}

#[tokio::test]
async fn promotions_keep_the_field_and_its_files() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let before = plan(
        Mode::Append,
        &["id int32", "weight float32", "price decimal(9,2)"],
    );
    shop.load(&before, vec![rows(&before, &["c 1 0.5 12.34"])])
        .await;
    let first = world.read(&T).await;
    let after = plan(
        Mode::Append,
        &[
            "id int64",
            "weight float64",
            "price decimal(18,2)",
            "note text",
        ],
    );
    shop.load(
        &after,
        vec![rows(&after, &["c 5000000000 0.1 1234567890.12 hello"])],
    )
    .await;
    let found = world.read(&T).await;
    for (name, data_type) in [
        ("id", "long"),
        ("weight", "double"),
        ("price", "decimal(18, 2)"),
    ] {
        assert_eq!(field(&found, name), (field(&first, name).0, data_type));
    }
    assert_eq!(found["files"], 2, "the old file stays");
    let wanted = ["1 0.5 12.34 ~", "5000000000 0.1 1234567890.12 hello"];
    assert_eq!(world.rows("id, weight, price, note").await, wanted);
}

/// Iceberg has no unsigned numbers and does not turn numbers into decimals.
#[tokio::test]
async fn other_widenings_write_the_files_anew_under_a_new_field() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let before = plan(Mode::Merge, &["id int64", "amount int64", "due date"]);
    shop.load(
        &before,
        vec![absent(&before, &["r 1 7 2026-01-02", "r 2 ~ ~"])],
    )
    .await;
    let first = world.read(&T).await;
    let after = plan(
        Mode::Merge,
        &["id int64", "amount decimal(21,2)", "due timestamp"],
    );
    shop.load(
        &after,
        vec![rows(&after, &["c 3 0.25 2026-01-02T03:04:05"])],
    )
    .await;
    let found = world.read(&T).await;
    assert!(field(&found, "amount").0 > field(&first, "amount").0);
    assert_eq!(field(&found, "amount").1, "decimal(21, 2)");
    assert_eq!(field(&found, "due").1, "timestamp");
    assert_eq!(field(&found, "id").0, field(&first, "id").0);
    let wanted = [
        "1 7.00 2026-01-02T00:00:00",
        "2 ~ ~",
        "3 0.25 2026-01-02T03:04:05",
    ];
    assert_eq!(world.rows("id, amount, due").await, wanted);
}

#[tokio::test]
async fn a_default_is_written_into_the_rows_that_are_there() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let before = plan(Mode::Append, &["id int64"]);
    shop.load(&before, vec![rows(&before, &["c 1"])]).await;
    let after = plan(Mode::Append, &["id int64", "vip bool false"]);
    shop.load(&after, vec![rows(&after, &["c 2 true"])]).await;
    world.read(&T).await;
    assert_eq!(world.rows("id, vip").await, ["1 false", "2 true"]);
}

#[tokio::test]
async fn types_that_iceberg_lacks_are_held_by_wider_ones() {
    let world = World::new(json!({}));
    let mut shop = world.open().await;
    let plan = plan(Mode::Append, &["id int16", "big uint64", "doc json"]);
    shop.load(
        &plan,
        vec![rows(&plan, &["c -7 18446744073709551615 {\"a\":1}"])],
    )
    .await;
    let found = world.read(&T).await;
    assert_eq!(field(&found, "id").1, "int");
    assert_eq!(field(&found, "big").1, "decimal(20, 0)");
    assert_eq!(field(&found, "doc").1, "string");
    assert_eq!(world.rows("id, big").await, ["-7 18446744073709551615"]);
}
