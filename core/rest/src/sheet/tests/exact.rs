//! No value is changed on its way into a column, whatever comes in which order.

use std::collections::BTreeMap;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type, UInt64Type};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// A number by its digits: equal texts are equal numbers.
fn canonical(number: &str) -> (bool, String, i64) {
    let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{}{fraction}", whole.trim_start_matches('-'));
    let significant = digits.trim_start_matches('0');
    let kept = significant.trim_end_matches('0');
    if kept.is_empty() {
        return (false, String::new(), 0);
    }
    let zeros = i64::try_from(significant.len() - kept.len()).unwrap();
    let point = exponent.parse::<i64>().unwrap() - i64::try_from(fraction.len()).unwrap();
    (number.starts_with('-'), kept.to_owned(), point + zeros)
}

/// What a cell says, in a form in which equal values are equal.
#[derive(Clone, Debug, PartialEq)]
enum Said {
    Null,
    Bool(bool),
    Number(bool, String, i64),
    Text(String),
    Nested(Value),
}

fn number(text: &str) -> Said {
    let (negative, digits, exponent) = canonical(text);
    Said::Number(negative, digits, exponent)
}

/// What a value is, read by another reader.
fn said(text: &str) -> Said {
    match text.as_bytes()[0] {
        b'n' => Said::Null,
        b't' | b'f' => Said::Bool(text == "true"),
        b'"' => Said::Text(serde_json::from_str(text).unwrap()),
        b'{' | b'[' => Said::Nested(serde_json::from_str(text).unwrap()),
        _ => number(text),
    }
}

fn cell(array: &dyn Array, row: usize, data_type: DataType) -> Said {
    if array.is_null(row) {
        return Said::Null;
    }
    match data_type {
        DataType::Bool => Said::Bool(array.as_boolean().value(row)),
        DataType::Int64 => number(&array.as_primitive::<Int64Type>().value(row).to_string()),
        DataType::UInt64 => number(&array.as_primitive::<UInt64Type>().value(row).to_string()),
        DataType::Float64 => number(&format!(
            "{:e}",
            array.as_primitive::<Float64Type>().value(row)
        )),
        DataType::Json => said(array.as_string::<i32>().value(row)),
        DataType::Text => Said::Text(array.as_string::<i32>().value(row).to_owned()),
        other => panic!("no value was declared to be {other}"),
    }
}

fn numbers() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<u64>().prop_map(|number| number.to_string()),
        (0_i64..100).prop_map(|number| number.to_string()),
        any::<f64>()
            .prop_filter("finite", |number| number.is_finite())
            .prop_map(|number| format!("{number:e}")),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?",
    ]
}

fn values() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        numbers(),
        any::<String>().prop_map(|text| Value::from(text).to_string()),
        prop::collection::vec(any::<Option<String>>(), 0..3)
            .prop_map(|texts| serde_json::to_string_pretty(&texts).unwrap()),
        prop::collection::btree_map("[a-c ]{1,3}", any::<i32>(), 0..3)
            .prop_map(|fields| serde_json::to_string(&fields).unwrap()),
    ]
}

/// Records in which a field may be there twice.
fn records() -> impl Strategy<Value = Vec<Vec<(String, String)>>> {
    let field = ("[a-e]", values());
    prop::collection::vec(prop::collection::vec(field, 0..7), 1..12)
}

fn write(record: &[(String, String)]) -> String {
    let fields: Vec<_> = record
        .iter()
        .map(|(name, value)| format!("\"{name}\": {value}"))
        .collect();
    format!("{{{}}}", fields.join(", "))
}

/// All rows, by column; columns without a value are left out.
fn rows(batches: &[ChangeBatch]) -> Vec<BTreeMap<String, Said>> {
    let mut rows = Vec::new();
    for batch in batches {
        for row in 0..batch.ops.len() {
            let columns = batch.schema.columns.iter().zip(batch.columns.columns());
            let cells = columns.map(|(column, array)| {
                (
                    column.name.clone(),
                    cell(array.as_ref(), row, column.data_type),
                )
            });
            rows.push(cells.filter(|(_, said)| *said != Said::Null).collect());
        }
    }
    rows
}

fn expected(record: &[(String, String)]) -> BTreeMap<String, Said> {
    let last: BTreeMap<_, _> = record
        .iter()
        .map(|(name, value)| (name.clone(), said(value)))
        .collect();
    last.into_iter()
        .filter(|(_, said)| *said != Said::Null)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn records_come_back_as_they_were(records in records()) {
        let mut sheet = sheet(&Layout::default());
        for record in &records {
            take(&mut sheet, &write(record));
        }
        let found = rows(&sheet.take_batches().unwrap());
        let wanted: Vec<_> = records.iter().map(|record| expected(record)).collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn what_was_taken_back_was_never_there(before in records(), between in records(), after in records()) {
        let mut sheet = sheet(&Layout::default());
        before.iter().for_each(|record| take(&mut sheet, &write(record)));
        sheet.mark();
        between.iter().for_each(|record| take(&mut sheet, &write(record)));
        sheet.back_to_mark();
        after.iter().for_each(|record| take(&mut sheet, &write(record)));
        let batches = sheet.take_batches().unwrap();
        let found = rows(&batches);
        let wanted: Vec<_> = before.iter().chain(&after).map(|record| expected(record)).collect();
        prop_assert_eq!(found, wanted);
        let mut next = 0;
        for batch in &batches {
            prop_assert_eq!(batch.positions.0[0].ordinal, next);
            next += batch.ops.len() as u64;
        }
    }
}
