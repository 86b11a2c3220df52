//! Tables follow their plans, and tables of others stay as they are.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, Date32Array, Decimal128Array, Float32Array, Int16Array, Int32Array, Int64Array,
    StringArray, TimestampMicrosecondArray,
};
use tributary_model::{
    Change, DataType, Deletes, Destination, ErrorKind, Mode, Op, Presence, TableColumn, TablePlan,
    TruncateKind,
};

use super::fixture::{Fixture, batch, column, orders, rows, truncate};

const TYPES: &str = "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = 'orders' ORDER BY column_index";

fn with(
    mut plan: TablePlan,
    name: &str,
    data_type: DataType,
    default: Option<&str>,
) -> Arc<TablePlan> {
    plan.columns.push(TableColumn {
        default: default.map(str::to_owned),
        ..column(name, data_type)
    });
    Arc::new(plan)
}

fn row(plan: &Arc<TablePlan>, id: i64, last: ArrayRef) -> Change {
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![id])),
        Arc::new(StringArray::from(vec!["n"])),
        last,
    ];
    batch(plan, Presence::Possible, vec![Op::Create], columns)
}

#[tokio::test]
async fn a_new_column_starts_with_its_default_and_then_has_none() {
    let mut fixture = Fixture::new().await;
    let first = Arc::new(orders(Mode::Merge, Deletes::Hard));
    fixture
        .load(&[&first], vec![rows(&first, &[('r', 1, "a")])])
        .await;
    let wide = with(
        orders(Mode::Merge, Deletes::Soft),
        "state",
        DataType::Text,
        Some("it's \\x new"),
    );
    fixture
        .load(
            &[&wide],
            vec![row(
                &wide,
                2,
                Arc::new(StringArray::from(vec![None::<&str>])),
            )],
        )
        .await;
    // A stream that has lost the column again leaves it NULL, not at the default.
    let narrow = Arc::new(orders(Mode::Merge, Deletes::Soft));
    fixture
        .load(&[&narrow], vec![rows(&narrow, &[('c', 3, "c")])])
        .await;
    let all = "SELECT id, state, _tributary_deleted FROM shop.orders ORDER BY id";
    assert_eq!(
        fixture.text(all).await,
        "1 it's \\x new false; 2 null false; 3 null false"
    );
    let changes = "SELECT load_id, stream, \"table\", \"column\", change, from_type, to_type FROM _tributary.schema_changes ORDER BY changed_at, load_id, change, \"column\"";
    assert_eq!(
        fixture.text(changes).await,
        "load-1 shop.orders shop.orders null create_table null null; \
         load-2 shop.orders shop.orders _tributary_deleted add_column null BOOLEAN; \
         load-2 shop.orders shop.orders state add_column null VARCHAR"
    );
}

#[tokio::test]
async fn bytes_have_their_text_as_default() {
    let mut fixture = Fixture::new().await;
    let first = Arc::new(orders(Mode::Merge, Deletes::Hard));
    fixture
        .load(&[&first], vec![rows(&first, &[('r', 1, "a")])])
        .await;
    let wide = with(
        orders(Mode::Merge, Deletes::Hard),
        "raw",
        DataType::Bytes,
        Some("\\x41é"),
    );
    fixture.load(&[&wide], vec![]).await;
    assert_eq!(
        fixture.text("SELECT raw FROM shop.orders").await,
        "5c783431c3a9"
    );
}

#[tokio::test]
async fn types_widen_and_values_stay() {
    let cases: [(DataType, ArrayRef, DataType, ArrayRef, &str); 6] = [
        (
            DataType::Int16,
            Arc::new(Int16Array::from(vec![-5])),
            DataType::Int64,
            Arc::new(Int64Array::from(vec![i64::MAX])),
            "-5; 9223372036854775807",
        ),
        (
            DataType::Int64,
            Arc::new(Int64Array::from(vec![7])),
            DataType::Decimal(21, 2),
            decimal(12, 21, 2),
            "7.00; 0.12",
        ),
        (
            DataType::Decimal(5, 2),
            decimal(12_345, 5, 2),
            DataType::Decimal(20, 4),
            decimal(1, 20, 4),
            "123.4500; 0.0001",
        ),
        (
            DataType::Float32,
            Arc::new(Float32Array::from(vec![0.5])),
            DataType::Float64,
            Arc::new(arrow_array::Float64Array::from(vec![0.1])),
            "0.5; 0.1",
        ),
        (
            DataType::Date,
            Arc::new(Date32Array::from(vec![1])),
            DataType::Timestamp,
            Arc::new(TimestampMicrosecondArray::from(vec![1])),
            "1970-01-02T00:00:00; 1970-01-01T00:00:00.000001",
        ),
        (
            DataType::Json,
            Arc::new(StringArray::from(vec!["{\"a\": 1}"])),
            DataType::Text,
            Arc::new(StringArray::from(vec!["no json"])),
            "{\"a\": 1}; no json",
        ),
    ];
    for (from, before, to, after, shown) in cases {
        let narrow = with(orders(Mode::Merge, Deletes::Soft), "v", from, None);
        let wide = with(orders(Mode::Merge, Deletes::Soft), "v", to, None);
        // Between two loads, and within one.
        let mut fixture = Fixture::new().await;
        fixture
            .load(&[&narrow], vec![row(&narrow, 1, before.clone())])
            .await;
        fixture
            .load(&[&wide], vec![row(&wide, 2, after.clone())])
            .await;
        assert_eq!(
            fixture.text("SELECT v FROM shop.orders ORDER BY id").await,
            shown
        );
        assert!(
            fixture
                .text("SELECT change, from_type FROM _tributary.schema_changes")
                .await
                .contains("widen_type")
        );
        let mut fixture = Fixture::new().await;
        fixture
            .load(
                &[&narrow],
                vec![
                    row(&narrow, 1, before.clone()),
                    row(&wide, 2, after.clone()),
                ],
            )
            .await;
        assert_eq!(
            fixture.text("SELECT v FROM shop.orders ORDER BY id").await,
            shown
        );
        // Rows of a narrower plan go into the wide table, by every way.
        let mut fixture = Fixture::new().await;
        fixture.load(&[&wide], vec![row(&wide, 2, after)]).await;
        let mut narrow = Arc::unwrap_or_clone(narrow);
        for mode in [Mode::Append, Mode::Merge] {
            narrow.mode = mode;
            let plan = Arc::new(narrow.clone());
            let id = if mode == Mode::Merge { 1 } else { 3 };
            fixture
                .load(&[&plan], vec![row(&plan, id, before.clone())])
                .await;
        }
        assert_eq!(
            fixture
                .text("SELECT v FROM shop.orders WHERE id < 3 ORDER BY id")
                .await,
            shown
        );
        assert_eq!(
            fixture
                .text(
                    "SELECT a.v = b.v FROM shop.orders a, shop.orders b WHERE a.id = 1 AND b.id = 3"
                )
                .await,
            "true"
        );
    }
}

fn decimal(value: i128, digits: u8, scale: i8) -> ArrayRef {
    Arc::new(
        Decimal128Array::from(vec![value])
            .with_precision_and_scale(digits, scale)
            .unwrap(),
    )
}

#[tokio::test]
async fn a_direct_load_goes_on_under_a_newer_plan() {
    let mut fixture = Fixture::new().await;
    let first = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let wide = with(
        orders(Mode::Merge, Deletes::Soft),
        "n",
        DataType::Int32,
        Some("7"),
    );
    let more: Vec<ArrayRef> = vec![
        Arc::new(Int64Array::from(vec![3])),
        Arc::new(StringArray::from(vec!["c"])),
        Arc::new(Int32Array::from(vec![9])),
    ];
    let changes = vec![
        rows(&first, &[('r', 1, "a"), ('r', 2, "b")]),
        batch(&wide, Presence::Absent, vec![Op::Read], more),
        row(&wide, 2, Arc::new(Int32Array::from(vec![8]))),
    ];
    fixture.load(&[&first], changes).await;
    assert_eq!(
        fixture
            .text("SELECT id, n FROM shop.orders ORDER BY id")
            .await,
        "1 7; 2 8; 3 9"
    );
}

/// What came under the old plan, in a table that was there before.
async fn change_midway(
    old: &Arc<TablePlan>,
    new: &Arc<TablePlan>,
    last: ArrayRef,
    first: Vec<Change>,
) -> String {
    let mut shown = Vec::new();
    for one_load in [true, false] {
        let mut fixture = Fixture::new().await;
        fixture
            .load(
                &[old],
                vec![rows(old, &[('r', 1, "a"), ('r', 2, "b"), ('r', 3, "c")])],
            )
            .await;
        let mut changes = first.clone();
        changes.push(row(new, 2, last.clone()));
        if one_load {
            fixture.load(&[old], changes).await;
        } else {
            for change in changes {
                let plan = if let Change::Rows(batch) = &change {
                    batch.plan.clone()
                } else {
                    old.clone()
                };
                fixture.load(&[&plan], vec![change]).await;
            }
        }
        shown.push(
            fixture
                .text("SELECT * EXCLUDE (_tributary_synced_at) FROM shop.orders ORDER BY id")
                .await,
        );
        assert!(!fixture.text("SHOW ALL TABLES").await.contains("rebuilt"));
        fixture.load(&[new], vec![row(new, 77, last.clone())]).await;
    }
    assert_eq!(shown[0], shown[1], "in one load as in many");
    shown.remove(0)
}

#[tokio::test]
async fn a_plan_may_change_after_rows_were_touched() {
    let old = Arc::new(orders(Mode::Merge, Deletes::Hard));
    let new = with(
        orders(Mode::Merge, Deletes::Hard),
        "n",
        DataType::Int32,
        Some("7"),
    );
    let last: ArrayRef = Arc::new(Int32Array::from(vec![8]));
    let staged = vec![rows(&old, &[('u', 1, "x"), ('d', 3, "c"), ('c', 4, "d")])];
    assert_eq!(
        change_midway(&old, &new, last.clone(), staged).await,
        "1 x 7; 2 n 8; 4 d 7"
    );
    for kind in [TruncateKind::Change, TruncateKind::Restart] {
        let emptied = vec![truncate(&old, kind), rows(&old, &[('r', 5, "e")])];
        assert_eq!(
            change_midway(&old, &new, last.clone(), emptied).await,
            "2 n 8; 5 e 7"
        );
    }
}

#[tokio::test]
async fn a_soft_delete_may_come_before_the_plan_changes() {
    let old = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let new = with(
        orders(Mode::Merge, Deletes::Soft),
        "n",
        DataType::Int32,
        Some("7"),
    );
    let last: ArrayRef = Arc::new(Int32Array::from(vec![8]));
    for first in [
        vec![rows(&old, &[('d', 3, "c")])],
        vec![
            rows(&old, &[('d', 3, "c")]),
            truncate(&old, TruncateKind::Change),
        ],
    ] {
        let emptied = first.len() > 1;
        let shown = change_midway(&old, &new, last.clone(), first).await;
        assert_eq!(shown, format!("1 a {emptied} 7; 2 n false 8; 3 c true 7"));
    }
}

#[tokio::test]
async fn the_key_may_change_with_the_plan() {
    let old = Arc::new(orders(Mode::Merge, Deletes::Hard));
    let mut new = Arc::unwrap_or_clone(with(
        orders(Mode::Merge, Deletes::Hard),
        "n",
        DataType::Int32,
        None,
    ));
    new.key = vec!["id".to_owned(), "n".to_owned()];
    let last: ArrayRef = Arc::new(Int32Array::from(vec![8]));
    let first = vec![rows(&old, &[('u', 1, "x"), ('d', 3, "c")])];
    assert_eq!(
        change_midway(&old, &Arc::new(new), last, first).await,
        "1 x null; 2 b null; 2 n 8"
    );
}

#[tokio::test]
async fn a_column_that_leaves_the_plan_keeps_its_values() {
    let old = with(
        orders(Mode::Merge, Deletes::Hard),
        "n",
        DataType::Int32,
        None,
    );
    let new = Arc::new(orders(Mode::Merge, Deletes::Hard));
    let mut fixture = Fixture::new().await;
    let changes = vec![
        row(&old, 1, Arc::new(Int32Array::from(vec![5]))),
        rows(&new, &[('c', 2, "b")]),
    ];
    fixture.load(&[&old], changes).await;
    assert_eq!(
        fixture
            .text("SELECT id, n FROM shop.orders ORDER BY id")
            .await,
        "1 5; 2 null"
    );
}

#[tokio::test]
async fn what_a_user_dropped_is_made_again() {
    let mut fixture = Fixture::new().await;
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    fixture
        .load(&[&plan], vec![rows(&plan, &[('r', 1, "a")])])
        .await;
    fixture.execute("ALTER TABLE shop.orders DROP COLUMN note");
    fixture
        .load(&[&plan], vec![rows(&plan, &[('c', 2, "b")])])
        .await;
    assert_eq!(
        fixture
            .text("SELECT id, note FROM shop.orders ORDER BY id")
            .await,
        "1 null; 2 b"
    );
    fixture.execute("DROP TABLE shop.orders; DROP SCHEMA shop");
    fixture
        .load(&[&plan], vec![rows(&plan, &[('c', 3, "c")])])
        .await;
    assert_eq!(
        fixture.text("SELECT id, note FROM shop.orders").await,
        "3 c"
    );
}

#[tokio::test]
async fn columns_of_the_user_and_their_order_do_not_matter() {
    let mut fixture = Fixture::new().await;
    fixture.execute("CREATE SCHEMA shop; CREATE TABLE shop.Orders (mine INTEGER DEFAULT 5, _tributary_synced_at TIMESTAMPTZ, NOTE VARCHAR, Id BIGINT)");
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    fixture
        .load(
            &[&plan],
            vec![rows(&plan, &[('r', 1, "a")]), rows(&plan, &[('c', 2, "b")])],
        )
        .await;
    assert_eq!(
        fixture
            .text("SELECT mine, id, note FROM shop.orders ORDER BY id")
            .await,
        "5 1 a; 5 2 b"
    );
}

#[tokio::test]
async fn a_table_of_someone_else_is_left_alone() {
    for sql in [
        "CREATE TABLE shop.ORDERS (id BIGINT)",
        "CREATE VIEW shop.orders AS SELECT 1 AS id, now() AS _tributary_synced_at",
    ] {
        let mut fixture = Fixture::new().await;
        fixture.execute(&format!("CREATE SCHEMA shop; {sql}"));
        let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
        let error = fixture.try_load(&[&plan], vec![]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible, "{error}");
        assert!(error.help().unwrap().contains("table:"), "{error}");
        assert!(!fixture.text(TYPES).await.contains("note"));
        assert!(
            fixture
                .db
                .loads(&super::fixture::shop(), 9)
                .await
                .unwrap()
                .is_empty()
        );
    }
}

#[tokio::test]
async fn a_column_that_cannot_become_the_plans_is_refused() {
    let mut fixture = Fixture::new().await;
    fixture.execute("CREATE SCHEMA shop; CREATE TABLE shop.orders (id HUGEINT, _tributary_synced_at TIMESTAMPTZ)");
    let plan = Arc::new(orders(Mode::Merge, Deletes::Soft));
    let error = fixture.try_load(&[&plan], vec![]).await.unwrap_err();
    assert!(error.to_string().contains("HUGEINT"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Incompatible);
}
