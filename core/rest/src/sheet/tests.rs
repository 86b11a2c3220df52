#![allow(clippy::unwrap_used)]

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;

use super::*;

mod exact;

fn sheet(layout: &Layout) -> Sheet {
    Sheet::new(layout, 1)
}

fn take(sheet: &mut Sheet, text: &str) {
    sheet
        .take(Raw::parse(text).unwrap(), Op::Read, &[])
        .unwrap();
}

fn shown(batch: &ChangeBatch) -> Vec<String> {
    let columns = batch.schema.columns.iter();
    columns
        .map(|column| format!("{} {}", column.name, column.data_type))
        .collect()
}

#[test]
fn fields_become_columns_of_the_type_of_their_values() {
    let mut sheet = sheet(&Layout::default());
    take(
        &mut sheet,
        r#"{"id": "a", "n": 1, "x": null, "o": {"k": [1, 2]}}"#,
    );
    take(&mut sheet, r#"{"n": 2, "id": "b", "late": true}"#);
    let batches = sheet.take_batches().unwrap();
    assert_eq!(
        shown(&batches[0]),
        ["id text", "n int64", "o json", "late bool"]
    );
    let late = batches[0].columns.column(3).as_boolean();
    assert!(late.is_null(0) && late.value(1));
    assert_eq!(
        batches[0].columns.column(2).as_string::<i32>().value(0),
        r#"{"k":[1,2]}"#
    );
    assert!(sheet.take_batches().unwrap().is_empty());
}

#[test]
fn a_value_of_another_type_begins_a_new_batch() {
    let mut sheet = sheet(&Layout::default());
    for text in [
        r#"{"a": 1, "b": 1}"#,
        r#"{"a": 2, "b": "x"}"#,
        r#"{"a": 3, "b": "y"}"#,
    ] {
        take(&mut sheet, text);
    }
    let batches = sheet.take_batches().unwrap();
    assert_eq!(batches.len(), 2);
    assert_eq!(
        (shown(&batches[0]), shown(&batches[1])),
        (
            vec!["a int64".to_owned(), "b int64".to_owned()],
            vec!["a int64".to_owned(), "b text".to_owned()],
        )
    );
    let second = batches[1].columns.column(0).as_primitive::<Int64Type>();
    assert_eq!((second.len(), second.value(0)), (2, 2));
    assert_eq!(batches[1].positions.0[0].ordinal, 1);
}

#[test]
fn what_was_declared_is_kept_to_and_returned_to() {
    let layout = Layout {
        key: vec!["id".to_owned()],
        types: vec![("rate".to_owned(), DataType::Float64)],
        dropped: vec!["secret".to_owned()],
        null_empty: vec!["note".to_owned()],
    };
    let mut sheet = sheet(&layout);
    take(
        &mut sheet,
        r#"{"id": 1, "rate": 10, "secret": "s", "note": ""}"#,
    );
    take(&mut sheet, r#"{"id": 2, "rate": "none", "note": "n"}"#);
    take(&mut sheet, r#"{"id": 3, "rate": 0.5}"#);
    let types: Vec<_> = sheet.take_batches().unwrap().iter().map(shown).collect();
    assert_eq!(types[0], ["rate float64", "id int64"]);
    assert_eq!(types[1], ["rate text", "id int64", "note text"]);
    assert_eq!(types[2], ["rate float64", "id int64", "note text"]);
    let known = declared(&layout);
    assert_eq!(known.columns[0].name, "id");
}

#[test]
fn the_last_of_two_equal_fields_counts_and_columns_from_elsewhere_are_added() {
    let mut sheet = sheet(&Layout::default());
    let more = [("of".to_owned(), "\"p\"".to_owned())];
    sheet
        .take(
            Raw::parse(r#"{"a": 1, "a": 2}"#).unwrap(),
            Op::Update,
            &more,
        )
        .unwrap();
    let batch = sheet.take_batches().unwrap().remove(0);
    assert_eq!(
        batch.columns.column(0).as_primitive::<Int64Type>().value(0),
        2
    );
    assert_eq!(batch.columns.column(1).as_string::<i32>().value(0), "p");
    assert_eq!(batch.ops, [Op::Update]);
}

#[test]
fn equal_fields_of_different_types_are_one_value() {
    let mut sheet = sheet(&Layout::default());
    for text in [
        r#"{"a": 1}"#,
        r#"{"a": 1, "a": "x"}"#,
        r#"{"a": 2, "a": null, "b": 1, "b": true}"#,
    ] {
        take(&mut sheet, text);
    }
    let types: Vec<_> = sheet.take_batches().unwrap().iter().map(shown).collect();
    let expected = [&["a int64"][..], &["a text"], &["a text", "b bool"]];
    assert_eq!(types, expected);
}
