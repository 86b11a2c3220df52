//! The exact statements of each kind of load, and that they are Snowflake's by somebody else's reading.

use std::sync::Arc;

use serde_json::json;
use tributary_model::{Change, DataType, Deletes, Mode, Old, TableName, TablePlan, TruncateKind};
use tributary_testkit::python;

use crate::table::{Opened, plan, rows};
use crate::world::World;

const COLUMNS: [(&str, DataType); 2] = [("name", DataType::Text), ("doc", DataType::Json)];

/// The statements since `from` that are about tables of people or rows on their way, with what differs
/// from run to run left out.
fn told(world: &World, from: usize) -> String {
    let statements = world.server.statements();
    let of_interest = |statement: &&String| {
        let about = [
            "\"SHOP\".",
            "\"STAGED_",
            "STATE\" SET \"SEQUENCE\"",
            "SELECT 1 / ",
        ];
        let is_frame = ["BEGIN TRANSACTION", "COMMIT"].contains(&statement.as_str());
        // How many bytes a file has is nobody's promise.
        let left_out = ["INFORMATION_SCHEMA", "\"SCHEMA_CHANGES\"", "\"LOADS\""];
        (is_frame || about.iter().any(|part| statement.contains(part)))
            && !left_out.iter().any(|part| statement.contains(part))
    };
    let kept: Vec<String> = statements[from..]
        .iter()
        .filter(of_interest)
        .map(|text| plain(text))
        .collect();
    kept.join(";\n")
}

/// Names of staging tables and files without what is random in them.
fn plain(statement: &str) -> String {
    let mut text = String::new();
    let mut rest = statement;
    while let Some(at) = rest
        .find("STAGED_")
        .or_else(|| rest.find("tributary-staging/"))
    {
        let (before, found) = rest.split_at(at);
        text.push_str(before);
        if let Some(after) = found.strip_prefix("STAGED_") {
            let digits = after.find('_').filter(|place| *place == 16);
            text.push_str("STAGED_");
            rest = digits.map_or(after, |place| &after[place + 1..]);
        } else {
            let end = found.find('\'').unwrap();
            text.push_str("FILE");
            rest = &found[end..];
        }
    }
    text + rest
}

async fn opened(world: &World) -> Opened {
    Opened::new(world.connect(&json!({})).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_merge_is_one_statement_in_one_transaction() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let plan = Arc::new(plan("orders", Mode::Merge, Deletes::Soft, &COLUMNS));
    opened
        .load(&[&plan], vec![rows(&plan, &["c 1 ann {}"])])
        .await;
    let from = world.server.statements().len();
    let changes = rows(
        &plan,
        &[
            "u 1 anna {\"a\":1}",
            "c 2 bob ~",
            "d 2 ~ ~",
            "c 3 cy ~",
            "d 3 ~ ~",
            "c 3 cyd []",
        ],
    );
    opened.load(&[&plan], vec![changes]).await;
    insta::assert_snapshot!("merge_soft", told(&world, from));
    let found = opened
        .ask("SELECT ID, NAME, DOC, _TRIBUTARY_DELETED FROM SHOP.ORDERS ORDER BY ID")
        .await;
    assert_eq!(
        found,
        ["1 anna {\"a\":1} false", "2 bob ~ true", "3 cyd [] false"]
    );
    assert!(
        world.bucket.keys("lake").is_empty(),
        "the files are gone: {:?}",
        world.bucket.keys("lake")
    );
    let left = world.server.number(
        "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE STARTSWITH(TABLE_NAME, 'STAGED_')",
    );
    assert_eq!(left, 0, "the staging tables are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn deletes_and_truncates_keep_their_order() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let plan = Arc::new(plan("orders", Mode::Merge, Deletes::Hard, &COLUMNS[..1]));
    opened
        .load(&[&plan], vec![rows(&plan, &["c 1 ann", "c 2 bob"])])
        .await;
    let from = world.server.statements().len();
    let truncate = Change::Truncate {
        plan: plan.clone(),
        kind: TruncateKind::Change,
    };
    let changes = vec![
        rows(&plan, &["c 3 cy"]),
        truncate,
        rows(&plan, &["c 4 dan", "c 5 eve", "d 5 ~"]),
    ];
    opened.load(&[&plan], changes).await;
    insta::assert_snapshot!("merge_hard", told(&world, from));
    assert_eq!(
        opened.ask("SELECT ID, NAME FROM SHOP.ORDERS").await,
        ["4 dan"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_is_folded_in_tables_that_are_made_before() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let columns = [
        COLUMNS[0],
        COLUMNS[1],
        ("_tributary_valid_from", DataType::TimestampTz),
    ];
    let plan = Arc::new(plan("orders", Mode::History, Deletes::Hard, &columns));
    let from = world.server.statements().len();
    opened
        .load(
            &[&plan],
            vec![rows(&plan, &["c 1 ann {} 2027-01-01T00:00:00"])],
        )
        .await;
    insta::assert_snapshot!("history", told(&world, from));
    opened
        .load(
            &[&plan],
            vec![rows(&plan, &["u 1 anna {} 2027-01-02T00:00:00"])],
        )
        .await;
    let found = opened
        .ask("SELECT NAME, _TRIBUTARY_IS_CURRENT FROM SHOP.ORDERS ORDER BY _TRIBUTARY_VALID_FROM")
        .await;
    assert_eq!(found, ["ann false", "anna true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_built_beside_is_poured_into_the_one_that_is_there() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let live = Arc::new(plan("orders", Mode::Merge, Deletes::Hard, &COLUMNS[..1]));
    let next = Arc::new(TablePlan {
        table: TableName {
            table: "orders_next".to_owned(),
            ..live.table.clone()
        },
        ..(*live).clone()
    });
    opened
        .load(&[&live], vec![rows(&live, &["c 1 ann", "c 2 bob"])])
        .await;
    let renew = Change::Renew {
        plan: next.clone(),
        like: Some(live.table.clone()),
    };
    opened
        .load(&[], vec![renew, rows(&next, &["r 3 cy"])])
        .await;
    let from = world.server.statements().len();
    let swap = Change::Swap {
        plan: live.clone(),
        beside: next.table.clone(),
        old: Old::Gone,
    };
    opened
        .load(&[&next], vec![rows(&next, &["c 4 dan"]), swap])
        .await;
    insta::assert_snapshot!("swap", told(&world, from));
    assert_eq!(
        opened
            .ask("SELECT ID, NAME FROM SHOP.ORDERS ORDER BY ID")
            .await,
        ["3 cy", "4 dan"]
    );
}

/// Reads every statement as Snowflake's.
const SQLGLOT: &str = r#"
import json, sys
import sqlglot
problems = []
for text in json.load(sys.stdin):
    try:
        parsed = sqlglot.parse(text, read="snowflake", error_level=sqlglot.ErrorLevel.RAISE)
        if len(parsed) != 1:
            problems.append([text, "not one statement"])
        elif isinstance(parsed[0], sqlglot.exp.Command) and not text.startswith(("ALTER ", "DESCRIBE ")):
            problems.append([text, "not understood"])
    except Exception as error:
        problems.append([text, str(error)])
print(json.dumps(problems))
"#;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_reads_all_statements_as_those_of_snowflake() {
    let world = World::new();
    let destination = world
        .connect(&json!({"stage": null, "storage_integration": "reader"}))
        .await;
    let mut opened = Opened::new(destination).await;
    let columns = [
        COLUMNS[0],
        COLUMNS[1],
        ("at", DataType::TimestampTz),
        ("raw", DataType::Bytes),
    ];
    for (number, (mode, deletes)) in [
        (Mode::Merge, Deletes::Soft),
        (Mode::Merge, Deletes::Hard),
        (Mode::Append, Deletes::Soft),
        (Mode::History, Deletes::Soft),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("it's_{number}");
        let columns = match mode {
            Mode::History => [
                COLUMNS[0],
                ("_tributary_valid_from", DataType::TimestampTz),
                columns[2],
                columns[3],
            ],
            Mode::Merge | Mode::Append | Mode::Replace => columns,
        };
        let old = Arc::new(plan(&name, mode, deletes, &columns));
        let line = match mode {
            Mode::History => "c 1 back\\slash 2027-01-01T00:00:00 ~ 00ff",
            _ => "c 1 back\\slash {} 2027-01-01T00:00:00 00ff",
        };
        opened.load(&[&old], vec![rows(&old, &[line])]).await;
        let mut new = (*old).clone();
        new.columns.push(tributary_model::TableColumn {
            name: "more".to_owned(),
            data_type: DataType::Text,
            default: Some("it's \\ new".to_owned()),
        });
        new.columns[0].data_type = DataType::Decimal(22, 2);
        let new = Arc::new(new);
        let truncate = Change::Truncate {
            plan: new.clone(),
            kind: TruncateKind::Change,
        };
        opened
            .load(&[&new], vec![rows(&new, &[&format!("{line} x")]), truncate])
            .await;
    }
    tributary_model::Destination::check(&opened.destination)
        .await
        .unwrap();
    let mut statements = world.server.statements();
    statements.sort();
    statements.dedup();
    assert!(statements.len() > 40);
    let problems = python::run(SQLGLOT, &json!(statements));
    assert_eq!(problems, json!([]), "{problems:#}");
}
