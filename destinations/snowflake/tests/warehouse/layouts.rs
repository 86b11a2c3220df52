//! Columns that are built beside others: what a stop at any place leaves is repaired by the next load.

use std::sync::Arc;

use serde_json::json;
use tributary_model::{DataType, Deletes, Mode, TableColumn, TablePlan};
use tributary_standins::snowflake::Fault;

use crate::table::{Opened, plan, rows};
use crate::world::World;

fn old() -> Arc<TablePlan> {
    Arc::new(plan(
        "orders",
        Mode::Merge,
        Deletes::Hard,
        &[("value", DataType::Int64)],
    ))
}

fn new() -> Arc<TablePlan> {
    let mut plan = plan(
        "orders",
        Mode::Merge,
        Deletes::Hard,
        &[("value", DataType::Decimal(22, 2))],
    );
    plan.columns.push(TableColumn {
        name: "note".to_owned(),
        data_type: DataType::Text,
        default: Some("old".to_owned()),
    });
    Arc::new(plan)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_stops_anywhere_is_finished_by_the_next_load() {
    for place in [
        "ADD COLUMN \"_TRIBUTARY_NEW_",
        "SET \"_TRIBUTARY_NEW_",
        "TO \"_TRIBUTARY_OLD_",
    ] {
        let world = World::new();
        let mut opened = Opened::new(world.connect(&json!({})).await).await;
        let (old, new) = (old(), new());
        opened.load(&[&old], vec![rows(&old, &["c 1 7"])]).await;
        world.server.fail_once(place, Fault::Refused("000625"));
        let failed = opened.begin(&[&new]).await.map(drop);
        assert!(failed.is_err(), "{place}");
        opened
            .load(&[&new], vec![rows(&new, &["c 2 0.25 new"])])
            .await;
        let found = opened
            .ask("SELECT ID, VALUE, NOTE FROM SHOP.ORDERS ORDER BY ID")
            .await;
        assert_eq!(found, ["1 7.00 old", "2 0.25 new"], "{place}");
        let left = world
            .server
            .number("SELECT COUNT(*) FROM INFORMATION_SCHEMA.COLUMNS WHERE TABLE_NAME = 'ORDERS'");
        assert_eq!(left, 4, "{place}: id, value, note, and when it was synced");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_column_that_was_moved_away_gets_its_name_back() {
    let world = World::new();
    let mut opened = Opened::new(world.connect(&json!({})).await).await;
    let old = old();
    opened.load(&[&old], vec![rows(&old, &["c 1 7"])]).await;
    // As a process leaves it that dies between two renamings.
    let statements = world.server.statements().len();
    let new = new();
    opened.begin(&[&new]).await.unwrap();
    let renamed = world.server.statements()[statements..]
        .iter()
        .find(|statement| statement.contains("RENAME COLUMN \"VALUE\" TO"))
        .cloned()
        .unwrap();
    world.server.execute(&renamed);
    opened
        .load(&[&new], vec![rows(&new, &["c 2 0.25 new"])])
        .await;
    let found = opened
        .ask("SELECT ID, VALUE, NOTE FROM SHOP.ORDERS ORDER BY ID")
        .await;
    assert_eq!(found, ["1 7.00 old", "2 0.25 new"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_taken_over_from_changes_no_column() {
    let world = World::new();
    let mut first = Opened::new(world.connect(&json!({})).await).await;
    let (old, new) = (old(), new());
    first.load(&[&old], vec![rows(&old, &["c 1 7"])]).await;
    let fence = first.fence.clone();
    let mut second = Opened::new(world.connect(&json!({})).await).await;
    second.load(&[&old], vec![rows(&old, &["u 1 8"])]).await;
    first.fence = fence;
    let late = first
        .attempt(&[&new], vec![rows(&new, &["c 2 0.25 new"])])
        .await;
    assert_eq!(late.unwrap_err().kind(), tributary_model::ErrorKind::Fenced);
    assert_eq!(
        second.ask("SELECT ID, VALUE FROM SHOP.ORDERS").await,
        ["1 8"]
    );
}
