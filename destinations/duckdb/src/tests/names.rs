//! Names that mean something elsewhere are only names here.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use tributary_model::{
    DataType, Deletes, Destination, Mode, Op, Presence, StreamName, TableName, TablePlan,
};

use super::fixture::{Fixture, batch, column, orders, shop};
use crate::{Config, DuckDb};

fn odd() -> Vec<TableName> {
    let long = "l".repeat(1000);
    [
        ("select", "table"),
        ("main", "odd \"quoted\" 'name'; --"),
        ("größe", "注文 🦆"),
        ("temp", "memory"),
        ("shop", &long),
        ("a.b", "c.d"),
        ("warehouse", "warehouse"),
        ("tab\tnew\nline", " "),
    ]
    .map(|(schema, table)| TableName {
        schema: schema.to_owned(),
        table: table.to_owned(),
    })
    .to_vec()
}

fn plan(table: TableName) -> Arc<TablePlan> {
    let mut plan = orders(Mode::Merge, Deletes::Soft);
    plan.stream = StreamName::within(&table.schema, &table.table);
    plan.columns = ["group", "from\"x'", "größe 🦆", "rowid", "t", "f", " s "]
        .map(|name| column(name, DataType::Int64))
        .to_vec();
    plan.columns.push(column(&table.table, DataType::Int64));
    plan.key = vec!["group".to_owned(), "from\"x'".to_owned(), "t".to_owned()];
    plan.table = table;
    Arc::new(plan)
}

#[tokio::test]
async fn odd_names_are_only_names() {
    let mut fixture = Fixture::new().await;
    let plans: Vec<_> = odd().into_iter().map(plan).collect();
    let mut changes = Vec::new();
    for plan in &plans {
        let columns = |value: i64| -> Vec<ArrayRef> {
            let array: ArrayRef = Arc::new(Int64Array::from(vec![value]));
            vec![array; plan.columns.len()]
        };
        changes.push(batch(plan, Presence::Absent, vec![Op::Read], columns(1)));
        changes.push(batch(
            plan,
            Presence::Possible,
            vec![Op::Create],
            columns(2),
        ));
        changes.push(batch(
            plan,
            Presence::Possible,
            vec![Op::Delete],
            columns(1),
        ));
    }
    fixture
        .load(&plans.iter().collect::<Vec<_>>(), changes)
        .await;
    let tables: Vec<_> = plans.iter().map(|plan| plan.table.clone()).collect();
    let existing = fixture.db.describe(&tables).await.unwrap();
    for plan in &plans {
        assert_eq!(
            existing[&plan.table][..plan.columns.len()],
            plan.columns[..]
        );
        let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let (schema, table) = (quote(&plan.table.schema), quote(&plan.table.table));
        let sql = format!(
            "SELECT {table}, _tributary_deleted FROM warehouse.{schema}.{table} ORDER BY 1"
        );
        assert_eq!(fixture.text(&sql).await, "1 true; 2 false", "{sql}");
    }
}

#[tokio::test]
async fn a_file_may_be_called_like_a_schema() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["shop.duckdb", "temp.db", "main", "we ird;'\"x.db"] {
        let db = DuckDb::connect(Config::new(dir.path().join(name)))
            .await
            .unwrap();
        let (_, fence) = db.open(&shop()).await.unwrap();
        let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
        let mut fixture = Fixture {
            dir: tempfile::tempdir().unwrap(),
            db,
            fence,
        };
        fixture
            .load(
                &[&plan],
                vec![super::fixture::rows(&plan, &[('r', 1, "a"), ('r', 2, "b")])],
            )
            .await;
        fixture
            .load(
                &[&plan],
                vec![super::fixture::rows(&plan, &[('u', 1, "x")])],
            )
            .await;
        let catalog = fixture
            .text("SELECT '\"' || replace(current_database(), '\"', '\"\"') || '\"'")
            .await;
        let sql = format!("SELECT id, note FROM {catalog}.shop.orders ORDER BY id");
        assert_eq!(fixture.text(&sql).await, "1 x; 2 b", "{name}");
        assert!(fixture.db.check().await.unwrap().verdict() == tributary_model::Verdict::Pass);
    }
}

#[tokio::test]
async fn a_thousand_columns_are_not_too_many() {
    let mut fixture = Fixture::new().await;
    let mut plan = orders(Mode::Merge, Deletes::Soft);
    plan.columns = (0..1000)
        .map(|n| column(&format!("c{n}"), DataType::Int64))
        .collect();
    plan.key = vec!["c0".to_owned()];
    let plan = Arc::new(plan);
    let rows = |from: i64| {
        let array: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 3000));
        vec![array; 1000]
    };
    let changes = vec![
        batch(&plan, Presence::Absent, vec![Op::Read; 3000], rows(0)),
        batch(
            &plan,
            Presence::Possible,
            vec![Op::Update; 3000],
            rows(1500),
        ),
    ];
    fixture.load(&[&plan], changes).await;
    assert_eq!(
        fixture
            .text("SELECT count(*), sum(c999), max(c0) FROM shop.orders")
            .await,
        "4500 10122750 4499"
    );
}
