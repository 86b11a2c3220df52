//! Tables follow their plans: columns appear, types widen, nothing is lost.

use std::sync::Arc;

use tributary_model::{DataType, Deletes, Destination, TableColumn, TablePlan};

use super::subject::{Subject, any_mode, plan, rows};

fn with_column(
    plan: &TablePlan,
    name: &str,
    data_type: DataType,
    default: Option<&str>,
) -> TablePlan {
    let mut plan = plan.clone();
    let default = default.map(ToOwned::to_owned);
    plan.columns.push(TableColumn {
        name: name.to_owned(),
        data_type,
        default,
    });
    plan
}

pub(super) async fn adds_columns<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("adds").await;
    let mode = any_mode(&opened.destination);
    let narrow = Arc::new(plan("adds", mode, Deletes::Hard, &[]));
    opened.load(&[&narrow], vec![rows(&narrow, &["c 1"])]).await;
    let wide = with_column(&narrow, "plain", DataType::Text, None);
    let wide = with_column(&wide, "number", DataType::Decimal(10, 2), Some("1.50"));
    let wide = with_column(&wide, "word", DataType::Text, Some("it's"));
    let wide = with_column(&wide, "day", DataType::Date, Some("2024-02-29"));
    let wide = Arc::new(with_column(&wide, "yes", DataType::Bool, Some("true")));
    opened
        .load(&[&wide], vec![rows(&wide, &["c 2 a 2.25 ~ ~ ~"])])
        .await;
    opened
        .assert_rows(&wide, &["1 ~ 1.5 it's 2024-02-29 true", "2 a 2.25 ~ ~ ~"])
        .await;
    // A plan with fewer columns than the table leaves the others alone.
    opened.load(&[&narrow], vec![rows(&narrow, &["c 3"])]).await;
    let found = opened.rows(&wide).await;
    assert_eq!(found.len(), 3);
    assert!(found[2].starts_with("3 ~ "), "{found:?}");
}

pub(super) async fn widens_columns<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("widens").await;
    let mode = any_mode(&opened.destination);
    let digits = opened.destination.capabilities().decimal_digits;
    let steps = [
        (DataType::Int16, DataType::Int32, "-32768", "2147483647"),
        (
            DataType::Int32,
            DataType::Int64,
            "2147483647",
            "-9223372036854775808",
        ),
        (
            DataType::Int64,
            DataType::Decimal(22, 2),
            "9223372036854775807",
            "0.25",
        ),
        (
            DataType::UInt64,
            DataType::Decimal(20, 0),
            "18446744073709551615",
            "-1",
        ),
        (
            DataType::Decimal(10, 2),
            DataType::Decimal(14, 4),
            "99999999.99",
            "0.0001",
        ),
        (DataType::Float32, DataType::Float64, "0.5", "0.1"),
        (DataType::Int32, DataType::Float64, "2147483647", "0.5"),
        (
            DataType::Date,
            DataType::Timestamp,
            "2024-02-29",
            "2024-02-29T01:02:03.4",
        ),
        // Where JSON has spaces once it is text is the warehouse's.
        (DataType::Json, DataType::Text, r#"["a"]"#, "no-json"),
    ];
    for (number, (from, to, old, new)) in steps.into_iter().enumerate() {
        assert_eq!(from.join(to), Some(to), "a step of the lattice");
        if matches!(to, DataType::Decimal(wanted, _) if wanted > digits) {
            continue;
        }
        let name = format!("widens_{number}");
        let before = Arc::new(plan(&name, mode, Deletes::Hard, &[("value", from)]));
        opened
            .load(&[&before], vec![rows(&before, &[&format!("c 1 {old}")])])
            .await;
        let after = Arc::new(plan(&name, mode, Deletes::Hard, &[("value", to)]));
        opened
            .load(&[&after], vec![rows(&after, &[&format!("c 2 {new}")])])
            .await;
        let canonical = |id: u8, value| format!("{id} {}", crate::cells::canonical(to, value));
        opened
            .assert_rows(&after, &[&canonical(1, old), &canonical(2, new)])
            .await;
        // Narrower rows still fit.
        opened
            .load(&[&after], vec![rows(&after, &[&format!("c 3 {old}")])])
            .await;
        assert_eq!(opened.rows(&after).await.len(), 3, "{from} to {to}");
    }
}

pub(super) async fn follows_a_newer_plan_inside_a_load<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("midway").await;
    let mode = any_mode(&opened.destination);
    let old = Arc::new(plan(
        "midway",
        mode,
        Deletes::Hard,
        &[("value", DataType::Int16)],
    ));
    let new = plan("midway", mode, Deletes::Hard, &[("value", DataType::Int64)]);
    let new = Arc::new(with_column(&new, "note", DataType::Text, Some("old")));
    let changes = vec![rows(&old, &["c 1 7"]), rows(&new, &["c 2 5000000000 new"])];
    opened.load(&[&old], changes).await;
    opened
        .assert_rows(&new, &["1 7 old", "2 5000000000 new"])
        .await;
}
