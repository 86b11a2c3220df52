//! What accounts, users and stages are set to, and values that would be taken for others: rows are what
//! they were in the source, or the load fails.

use std::sync::Arc;

use serde_json::json;
use tributary_model::{Change, DataType, Deletes, ErrorKind, Mode, Old, TableName, TablePlan};
use tributary_standins::snowflake::{BARRED_INTEGRATION, Fault};

use crate::table::{Opened, plan, rows};
use crate::world::World;

const ROWS: &str = "SELECT ID, NAME FROM SHOP.ORDERS ORDER BY ID";
const COLUMNS: [(&str, DataType); 2] = [("name", DataType::Text), ("doc", DataType::Json)];

fn orders(mode: Mode) -> Arc<TablePlan> {
    let mut plan = plan("orders", mode, Deletes::Hard, &COLUMNS);
    if mode == Mode::History {
        plan.columns.push(tributary_model::TableColumn {
            name: "_tributary_valid_from".to_owned(),
            data_type: DataType::TimestampTz,
            default: None,
        });
    }
    Arc::new(plan)
}

/// A row, with the instant that a history has besides.
fn ann(plan: &Arc<TablePlan>) -> Change {
    match plan.mode {
        Mode::History => rows(plan, &["c 1 ann {} 2027-01-01T00:00:00"]),
        Mode::Merge | Mode::Append | Mode::Replace => rows(plan, &["c 1 ann {}"]),
    }
}

async fn opened(world: &World) -> Opened {
    Opened::new(world.connect(&json!({})).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_arrive_where_nothing_commits_by_itself() {
    let world = World::new();
    world.server.without_autocommit();
    let mut opened = opened(&world).await;
    let plan = orders(Mode::Merge);
    opened
        .load(&[&plan], vec![rows(&plan, &["c 1 ann {}", "c 2 bob {}"])])
        .await;
    opened
        .load(&[&plan], vec![rows(&plan, &["u 1 anna {}", "d 2 ~ ~"])])
        .await;
    assert_eq!(opened.ask(ROWS).await, ["1 anna"]);
    let mut history = (*orders(Mode::History)).clone();
    history.table.table = "versions".to_owned();
    let history = Arc::new(history);
    opened.load(&[&history], vec![ann(&history)]).await;
    assert_eq!(opened.ask("SELECT NAME FROM SHOP.VERSIONS").await, ["ann"]);
    let noted = "SELECT COUNT(*) FROM \"_TRIBUTARY\".\"SCHEMA_CHANGES\"";
    assert_eq!(world.server.number(noted), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_leaves_rows_out_fails_the_load() {
    let world = World::new();
    let mut opened = opened(&world).await;
    for mode in [Mode::Merge, Mode::Append, Mode::History] {
        let mut plan = (*orders(mode)).clone();
        plan.table.table = format!("{mode:?}").to_lowercase();
        let plan = Arc::new(plan);
        world.server.fail_always("COPY INTO", Fault::Skipped);
        let failed = opened.attempt(&[&plan], vec![ann(&plan)]).await;
        let error = failed.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{mode:?}: {error}");
        assert!(error.help().unwrap().contains("COPY_OPTIONS"), "{error}");
        world.server.heal();
        opened.load(&[&plan], vec![ann(&plan)]).await;
        let sql = format!("SELECT NAME FROM SHOP.{mode:?}").to_uppercase();
        assert_eq!(opened.ask(&sql).await, ["ann"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_looks_like_null_is_a_text() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let mut plan = (*orders(Mode::Merge)).clone();
    plan.key = vec!["name".to_owned()];
    let plan = Arc::new(plan);
    for line in [r"c 1 \N {}", r"u 2 \N {}"] {
        opened.load(&[&plan], vec![rows(&plan, &[line])]).await;
    }
    assert_eq!(opened.ask(ROWS).await, [r"2 \N"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_rejected_of_a_table_beside_is_kept_under_the_tables_name() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let live = orders(Mode::Merge);
    let next = Arc::new(TablePlan {
        table: TableName {
            table: "orders_next".to_owned(),
            ..live.table.clone()
        },
        ..(*live).clone()
    });
    opened.load(&[&live], vec![ann(&live)]).await;
    let renew = Change::Renew {
        plan: next.clone(),
        like: Some(live.table.clone()),
    };
    let swap = Change::Swap {
        plan: live.clone(),
        beside: next.table.clone(),
        old: Old::Gone,
    };
    // A number that a VARIANT would change.
    let odd = format!("r 4 dan 1{}", "0".repeat(40));
    opened
        .load(&[], vec![renew, rows(&next, &["r 3 cy {}", &odd]), swap])
        .await;
    assert_eq!(opened.ask(ROWS).await, ["3 cy"]);
    let rejected = "SELECT \"TABLE\" FROM \"_TRIBUTARY\".\"REJECTED\"";
    assert_eq!(opened.ask(rejected).await, ["shop.orders"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_integration_gets_a_stage_of_its_own() {
    let world = World::new();
    let plan = orders(Mode::Append);
    let by = |integration: &str| json!({"stage": null, "storage_integration": integration});
    let barred = world.connect(&by(BARRED_INTEGRATION)).await;
    let barred = Opened::new(barred).await;
    let failed = barred.attempt(&[&plan], vec![ann(&plan)]).await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Access);
    let mut opened = Opened::new(world.connect(&by("LAKE_READER")).await).await;
    opened.load(&[&plan], vec![ann(&plan)]).await;
    assert_eq!(opened.ask(ROWS).await, ["1 ann"]);
}
