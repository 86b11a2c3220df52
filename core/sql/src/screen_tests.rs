use arrow_array::{BinaryArray, Date32Array, StringArray};
use tributary_model::{Deletes, Presence, StreamName, TableName};

use super::*;

const LIMITS: Limits = Limits {
    warehouse: "Acme",
    times: 0..=10,
    dates: -5..=5,
    instants: 0..=10,
    json: json_fault,
    lengths: Some(Lengths {
        value: 6,
        binary: None,
        key: 4,
        forbidden: Some(0),
    }),
};

fn plan() -> TablePlan {
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
        mode: Mode::Merge,
        deletes: Deletes::Soft,
        columns: vec![
            column("id", DataType::Text),
            column("raw", DataType::Bytes),
            column("day", DataType::Date),
        ],
        key: vec!["id".to_owned()],
    }
}

#[test]
fn what_cannot_be_held_is_set_apart_with_its_reason() {
    let plan = plan();
    let ids: ArrayRef = Arc::new(StringArray::from(vec![
        Some("a"),
        Some("b\0"),
        Some("too long"),
        None,
        Some("e"),
        Some("f"),
        Some("g"),
    ]));
    let raw = vec![
        Some(&b"1"[..]),
        None,
        None,
        None,
        Some(b"1234567"),
        None,
        Some(b"1234567"),
    ];
    let raw: ArrayRef = Arc::new(BinaryArray::from(raw));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![5, 0, 0, 0, 0, 6, 0]));
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("id", ids, true),
        ("raw", raw, true),
        ("day", days, true),
    ]);
    let mut ops = vec![Op::Update; 6];
    ops.push(Op::Delete);
    let batch = Batch {
        plan: Arc::new(plan.clone()),
        ops,
        presence: Presence::Possible,
        rows: rows.expect("columns are equally long"),
    };
    let screened = screen(&LIMITS, &plan, batch).expect("rows can be screened");
    let reasons: Vec<(Option<&str>, &str)> = screened
        .rejected
        .iter()
        .map(|rejection| (rejection.column.as_deref(), rejection.reason.as_str()))
        .collect();
    let expected = [
        (Some("id"), "U+0000"),
        (Some("id"), "more than the 6"),
        (Some("id"), "NULL"),
        (Some("raw"), "7 bytes are more than the 6"),
        (Some("day"), "outside what Acme can hold: 6"),
    ];
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (found, wanted) in reasons.iter().zip(expected) {
        assert!(
            found.0 == wanted.0 && found.1.contains(wanted.1),
            "{found:?} {wanted:?}"
        );
    }
    // The delete stays, without the value at fault.
    assert_eq!(screened.ops, [Op::Update, Op::Delete]);
    let raw = screened.rows.column(1).as_binary::<i32>();
    assert!(raw.is_valid(0) && raw.is_null(1));
}

#[test]
fn a_key_that_is_too_long_together_is_told_as_one() {
    let plan = plan();
    let ids: ArrayRef = Arc::new(StringArray::from(vec!["four", "fives"]));
    let nothing: ArrayRef = Arc::new(BinaryArray::from(vec![None; 2]));
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0, 0]));
    let rows = RecordBatch::try_from_iter_with_nullable([
        ("id", ids, true),
        ("raw", nothing, true),
        ("day", days, true),
    ]);
    let faults = faults(&LIMITS, &plan, &rows.expect("columns are equally long"));
    let told: Vec<usize> = faults.iter().map(|fault| fault.row).collect();
    assert_eq!(told, [1], "{:?}", faults.first().map(|fault| &fault.reason));
}

#[test]
fn json_is_read_strictly() {
    for good in [
        "{}",
        "null",
        " [1, 1e999, \"a\\u0000\"] ",
        r#""\ud83d\ude00""#,
        r#""\\ud83d""#,
    ] {
        assert_eq!(json_fault(good), None, "{good}");
    }
    for bad in [
        "",
        "{",
        "nul",
        "[1,]",
        "NaN",
        "'a'",
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\ud83d\ude00""#,
        r#""\ud83d \ude00""#,
        r#""\ud83d\n""#,
    ] {
        assert!(json_fault(bad).is_some(), "{bad}");
    }
}
