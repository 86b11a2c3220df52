use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use serde_json::json;
use tributary_model::{DataType, Deletes, TableColumn};

use super::*;

fn plan(mode: Mode) -> TablePlan {
    let column = |name: &str, data_type| TableColumn {
        name: name.to_owned(),
        data_type,
        default: None,
    };
    TablePlan {
        stream: StreamName::plain("t"),
        table: TableName {
            schema: "s".to_owned(),
            table: "t".to_owned(),
        },
        mode,
        deletes: Deletes::Soft,
        columns: vec![column("id", DataType::Int64), column("v", DataType::Text)],
        key: vec!["id".to_owned()],
    }
}

fn rows(of: &[(i64, &str)]) -> RecordBatch {
    let ids: ArrayRef = Arc::new(of.iter().map(|(id, _)| Some(*id)).collect::<Int64Array>());
    let values: StringArray = of.iter().map(|(_, value)| Some(*value)).collect();
    let values: ArrayRef = Arc::new(values);
    let rows = RecordBatch::try_from_iter([("id", ids), ("v", values)]);
    rows.expect("columns are equally long")
}

fn rejection(id: Value, value: &str) -> Rejection {
    Rejection {
        stream: StreamName::plain("t"),
        column: None,
        value: None,
        reason: String::new(),
        row: json!({"id": id, "v": value}),
        hidden: Vec::new(),
    }
}

#[test]
fn a_newer_change_of_a_key_ends_the_wait() {
    let (plan, mut waiting) = (plan(Mode::Merge), Waiting::default());
    assert!(!waiting.any(&plan));
    assert!(waiting.note(&plan.stream, "s.t", r#"["7"]"#));
    assert_eq!(waiting.loaded(&plan, &rows(&[(1, "a")])), [""; 0]);
    assert_eq!(
        waiting.loaded(&plan, &rows(&[(7, "a"), (7, "b")])),
        [r#"["7"]"#]
    );
    assert!(!waiting.any(&plan));
    // Of several in one batch the last stays, and the load knows it from then on.
    let given = [
        rejection(json!(3), "a"),
        rejection(json!("3"), "b"),
        rejection(json!(4), "c"),
    ];
    let batch = rows(&[(3, "a"), (3, "b"), (4, "c"), (4, "d")]);
    let within = Within {
        rows: &batch,
        at: &[0, 1, 2],
    };
    let rejected = waiting.reject(Some(&plan), &given, Some(&within));
    assert!(rejected.gone.is_empty());
    assert_eq!(rejected.lines.len(), 1);
    assert_eq!(rejected.lines[0].rejection.row["v"], "b");
    let again = [rejection(json!(3), "c")];
    let rejected = waiting.reject(Some(&plan), &again, None);
    assert_eq!(rejected.gone, [r#"["3"]"#]);
    waiting.void(&plan.stream, &plan.table);
    assert!(!waiting.any(&plan));
}

#[test]
fn in_append_each_change_waits_for_itself() {
    let (plan, mut waiting) = (plan(Mode::Append), Waiting::default());
    let given = [rejection(json!(3), "a"), rejection(json!(3), "b")];
    let rejected = waiting.reject(Some(&plan), &given, None);
    assert_eq!(rejected.lines.len(), 2);
    assert!(rejected.lines.iter().all(|line| line.key.is_none()));
    assert_eq!(waiting.loaded(&plan, &rows(&[(3, "c")])), [""; 0]);
}

#[test]
fn what_comes_behind_a_rejected_row_overtakes_it() {
    let plan = plan(Mode::Merge);
    // The row of 3 comes, and goes with the same values.
    let batch = rows(&[
        (1, "bad"),
        (1, "good"),
        (2, "good"),
        (2, "bad"),
        (3, "bad"),
        (3, "bad"),
    ]);
    let given = [
        rejection(json!(2), "bad"),
        rejection(json!(1), "bad"),
        rejection(json!(3), "bad"),
    ];
    let within = Within {
        rows: &batch,
        at: &[3, 0, 4],
    };
    let mut waiting = Waiting::default();
    let rejected = waiting.reject(Some(&plan), &given, Some(&within));
    let keys: Vec<_> = rejected.lines.iter().map(|line| line.key.clone()).collect();
    assert_eq!(keys, [Some(r#"["2"]"#.to_owned())]);
}

#[test]
fn what_waits_beside_waits_for_the_table_in_whose_place_it_is() {
    let (plan, mut waiting) = (plan(Mode::Merge), Waiting::default());
    let beside = TableName {
        table: "t_next".to_owned(),
        ..plan.table.clone()
    };
    waiting.note(&plan.stream, &plan.table.to_string(), r#"["1"]"#);
    waiting.note(&plan.stream, &beside.to_string(), r#"["2"]"#);
    waiting.moved(&plan, &beside);
    assert_eq!(
        waiting.loaded(&plan, &rows(&[(1, "a"), (2, "b")])),
        [r#"["2"]"#]
    );
}

#[test]
fn rows_that_are_cleared_wait_no_more() {
    let cleared = Cleared::new(&rows(&[(1, "a"), (2, "b")]));
    assert!(cleared.takes(&json!({"id": 1, "v": "a", "more": true})));
    assert!(cleared.takes(&json!({"id": "2", "v": "b"})));
    assert!(!cleared.takes(&json!({"id": 1, "v": "b"})));
}

/// Beyond what is known by heart nothing is taken for granted.
#[test]
fn where_too_many_wait_every_change_is_looked_up() {
    let (plan, mut waiting) = (plan(Mode::Merge), Waiting::default());
    waiting.count = MOST_WAITING;
    assert!(!waiting.note(&plan.stream, "s.t", r#"["1"]"#));
    assert_eq!(waiting.loaded(&plan, &rows(&[(9, "a")])), [r#"["9"]"#]);
    assert!(waiting.any(&plan));
}
