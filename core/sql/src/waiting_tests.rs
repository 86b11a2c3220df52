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

const UPDATES: [Op; 2] = [Op::Update; 2];

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
    assert_eq!(waiting.loaded(&plan, &UPDATES, &rows(&[(1, "a")])), [""; 0]);
    assert_eq!(
        waiting.loaded(&plan, &UPDATES, &rows(&[(7, "a"), (7, "b")])),
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
        ops: &[Op::Update; 4],
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
    assert_eq!(waiting.loaded(&plan, &UPDATES, &rows(&[(3, "c")])), [""; 0]);
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
        ops: &[Op::Update; 6],
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
        waiting.loaded(&plan, &UPDATES, &rows(&[(1, "a"), (2, "b")])),
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
    assert_eq!(
        waiting.loaded(&plan, &UPDATES, &rows(&[(9, "a")])),
        [r#"["9"]"#]
    );
    assert!(waiting.any(&plan));
}

const HASH: &str = "0123456789abcdef0123456789abcdef";

/// A plan of a table without a key.
fn keyless() -> TablePlan {
    let mut plan = plan(Mode::Merge);
    plan.columns[0] = TableColumn {
        name: "_tributary_id".to_owned(),
        data_type: DataType::Text,
        default: None,
    };
    plan.key = vec!["_tributary_id".to_owned()];
    plan
}

/// Equal rows, by what stands behind their hash.
fn equal(suffixes: &[&str]) -> RecordBatch {
    let ids = suffixes
        .iter()
        .map(|suffix| Some(format!("{HASH}{suffix}")));
    let ids: ArrayRef = Arc::new(ids.collect::<StringArray>());
    let values: ArrayRef = Arc::new(StringArray::from(vec!["a"; suffixes.len()]));
    let rows = RecordBatch::try_from_iter([("_tributary_id", ids), ("v", values)]);
    rows.expect("columns are equally long")
}

fn rejections(suffixes: &[&str]) -> Vec<Rejection> {
    let one = |suffix: &&str| Rejection {
        row: json!({"_tributary_id": format!("{HASH}{suffix}"), "v": "a"}),
        ..rejection(json!(1), "a")
    };
    suffixes.iter().map(one).collect()
}

/// What is behind the hash in each key.
fn suffixes<'k>(keys: impl IntoIterator<Item = &'k String>) -> Vec<String> {
    let suffix = |key: &String| key.replace(HASH, "").replace(['[', ']', '"'], "");
    keys.into_iter().map(suffix).collect()
}

fn reject(waiting: &mut Waiting, given: &[Rejection], within: Option<&Within<'_>>) -> Vec<String> {
    let rejected = waiting.reject(Some(&keyless()), given, within);
    assert!(rejected.gone.is_empty());
    suffixes(rejected.lines.iter().filter_map(|line| line.key.as_ref()))
}

fn load(waiting: &mut Waiting, changes: &[(&str, Op)]) -> Vec<String> {
    let names: Vec<&str> = changes.iter().map(|(suffix, _)| *suffix).collect();
    let ops: Vec<Op> = changes.iter().map(|(_, op)| *op).collect();
    suffixes(&waiting.loaded(&keyless(), &ops, &equal(&names)))
}

#[test]
fn without_a_key_each_of_equal_rows_waits_for_itself() {
    let mut waiting = Waiting::counting();
    waiting.note(&keyless().stream, "s.t", &format!(r#"["{HASH}"]"#));
    // The engine rejects three more, all with the hash as their id.
    let three = rejections(&["", "", ""]);
    assert_eq!(reject(&mut waiting, &three, None), ["-2", "-3", "-4"]);
    // One more comes, which fits, and goes: those that wait are others.
    let comes_and_goes = [("", Op::Create), ("", Op::Delete)];
    assert_eq!(load(&mut waiting, &comes_and_goes), [""; 0]);
    // The table has none any more: what goes is one that waits.
    assert_eq!(load(&mut waiting, &[("-0", Op::Delete)]), ["-4"]);
    let two = [("-0", Op::Delete), ("-0", Op::Delete)];
    assert_eq!(load(&mut waiting, &two), ["-3", "-2"]);
    assert_eq!(reject(&mut waiting, &rejections(&[""]), None), ["-2"]);
    assert_eq!(load(&mut waiting, &two), ["-2", ""]);
    assert_eq!(load(&mut waiting, &two), [""; 0]);
    assert!(!waiting.any(&keyless()));
}

#[test]
fn a_delete_of_what_the_destination_rejected_means_that_it_waits_no_more() {
    let mut waiting = Waiting::counting();
    waiting.note(&keyless().stream, "s.t", &format!(r#"["{HASH}"]"#));
    // The second of these goes in its own batch, and comes again.
    let batch = equal(&["", "-2", "-2", "-2"]);
    let ops = [Op::Create, Op::Create, Op::Delete, Op::Create];
    let within = Within {
        rows: &batch,
        ops: &ops,
        at: &[0, 1, 3],
    };
    let given = rejections(&["", "-2", "-2"]);
    let lines = reject(&mut waiting, &given, Some(&within));
    assert_eq!(lines, ["-2", "-3"]);
    let both = [("-2", Op::Delete), ("", Op::Delete)];
    assert_eq!(load(&mut waiting, &both), ["-3", "-2"]);
    // By now these are rows of the table.
    assert_eq!(load(&mut waiting, &both), [""; 0]);
    assert!(waiting.any(&keyless()));
}

/// A repair writes all copies that the source has, those that wait too.
#[test]
fn what_is_written_once_more_waits_once() {
    let mut waiting = Waiting::counting();
    waiting.note(&keyless().stream, "s.t", &format!(r#"["{HASH}"]"#));
    let batch = equal(&["", "-2"]);
    let within = Within {
        rows: &batch,
        ops: &[Op::Update; 2],
        at: &[0, 1],
    };
    let given = rejections(&["", "-2"]);
    assert_eq!(reject(&mut waiting, &given, Some(&within)), ["-2"]);
}

/// Where nobody counts them, and where none ever goes, equal rows are one.
#[test]
fn equal_rows_that_are_not_counted_are_one() {
    let ignoring = TablePlan {
        deletes: Deletes::Ignore,
        ..keyless()
    };
    for (mut waiting, plan) in [
        (Waiting::default(), keyless()),
        (Waiting::counting(), ignoring),
    ] {
        let two = rejections(&["", ""]);
        assert_eq!(waiting.reject(Some(&plan), &two, None).lines.len(), 1);
        let gone = waiting.loaded(&plan, &[Op::Create], &equal(&[""]));
        assert_eq!(suffixes(&gone), [""]);
    }
}
