//! Rows that DuckDB would take and not hold as what they are, found before they get there. // G5
//!
//! The appender checks neither JSON nor the ranges of times, and a merge can't place a row without
//! a key. Such a row is rejected with its reason. A delete is applied all the same, because its key
//! says enough: only the values at fault are left out of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_select::{filter::filter_record_batch, nullif::nullif};
use serde::de::IgnoredAny;
use tributary_model::{
    Batch, DataType, Error, Mode, Op, Rejection, Result, TableColumn, TablePlan,
};

use crate::cell;

/// Microseconds of a day; DuckDB knows 24:00:00 too.
const DAY: i64 = 86_400_000_000;
/// The first instant that DuckDB can hold.
const FIRST_INSTANT: i64 = -9_223_372_022_400_000_000;

/// Rows as they may go on.
#[derive(Debug)]
pub(crate) struct Screened {
    pub(crate) rows: RecordBatch,
    pub(crate) ops: Vec<Op>,
    pub(crate) rejected: Vec<Rejection>,
}

/// What is wrong with one value.
struct Fault {
    row: usize,
    column: usize,
    reason: String,
}

/// Takes the rows out that can't be held.
pub(crate) fn screen(plan: &TablePlan, batch: Batch) -> Result<Screened> {
    let Batch { ops, rows, .. } = batch;
    let faults = faults(plan, &rows);
    if faults.is_empty() {
        return Ok(Screened {
            rows,
            ops,
            rejected: Vec::new(),
        });
    }
    let keyless = |fault: &Fault| is_key(plan, &plan.columns[fault.column]);
    let (forgiven, fatal): (Vec<Fault>, Vec<Fault>) = faults
        .into_iter()
        .partition(|fault| ops[fault.row] == Op::Delete && !keyless(fault));
    let named = rename(plan, &rows)?;
    let rejected = reject(plan, &named, fatal);
    let rows = blank(rows, &forgiven)?;
    let keep: Vec<bool> = (0..ops.len())
        .map(|row| !rejected.contains_key(&row))
        .collect();
    let kept = ops.iter().zip(&keep).filter(|(_, keep)| **keep);
    Ok(Screened {
        ops: kept.map(|(op, _)| *op).collect(),
        rows: filter_record_batch(&rows, &BooleanArray::from(keep)).map_err(arrow)?,
        rejected: rejected.into_values().collect(),
    })
}

/// Leaves out the rows that `keep` refuses.
pub(crate) fn retain(screened: &mut Screened, keep: impl Fn(Op) -> bool) -> Result<()> {
    if screened.ops.iter().all(|op| keep(*op)) {
        return Ok(());
    }
    let mask: BooleanArray = screened.ops.iter().map(|op| Some(keep(*op))).collect();
    screened.rows = filter_record_batch(&screened.rows, &mask).map_err(arrow)?;
    screened.ops.retain(|op| keep(*op));
    Ok(())
}

fn faults(plan: &TablePlan, rows: &RecordBatch) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (column, (planned, array)) in plan.columns.iter().zip(rows.columns()).enumerate() {
        let mut fault = |row: usize, reason: String| {
            faults.push(Fault {
                row,
                column,
                reason,
            });
        };
        if is_key(plan, planned) && array.null_count() > 0 {
            let absent = (0..array.len()).filter(|row| array.is_null(*row));
            absent.for_each(|row| fault(row, "a column of the key is NULL".to_owned()));
        }
        check_values(planned.data_type, array, &mut fault);
    }
    faults
}

fn is_key(plan: &TablePlan, column: &TableColumn) -> bool {
    plan.mode == Mode::Merge && plan.key.contains(&column.name)
}

fn check_values(data_type: DataType, array: &ArrayRef, fault: &mut impl FnMut(usize, String)) {
    match data_type {
        DataType::Json => {
            let texts = array.as_string::<i32>();
            for (row, text) in texts.iter().enumerate() {
                if let Some(reason) = text.and_then(json_fault) {
                    fault(row, reason);
                }
            }
        }
        DataType::Time => out_of::<Time64MicrosecondType>(array, 0, DAY, fault),
        DataType::Date => out_of::<Date32Type>(array, -i32::MAX + 1, i32::MAX - 1, fault),
        DataType::Timestamp | DataType::TimestampTz => {
            out_of::<TimestampMicrosecondType>(array, FIRST_INSTANT, i64::MAX - 1, fault);
        }
        DataType::Bool
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt64
        | DataType::Decimal(..)
        | DataType::Float32
        | DataType::Float64
        | DataType::Text
        | DataType::Bytes => {}
    }
}

fn out_of<T: ArrowPrimitiveType>(
    array: &ArrayRef,
    low: T::Native,
    high: T::Native,
    fault: &mut impl FnMut(usize, String),
) where
    T::Native: PartialOrd + std::fmt::Display,
{
    let values = array.as_primitive::<T>();
    let is_out = |value: &T::Native| *value < low || *value > high;
    if !values.values().iter().any(is_out) {
        return;
    }
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let value = values.value(row);
        if is_out(&value) {
            fault(
                row,
                format!("the value is outside what DuckDB can hold: {value}"),
            );
        }
    }
}

/// Why `text` is not JSON by DuckDB's own reading, which is stricter than most about surrogates.
fn json_fault(text: &str) -> Option<String> {
    if let Err(cause) = serde_json::from_str::<IgnoredAny>(text) {
        return Some(format!("the value is not JSON: {cause}"));
    }
    let escapes = text.contains("\\u");
    (escapes && has_lone_surrogate(text))
        .then(|| "the value is not JSON: half of a surrogate pair stands alone".to_owned())
}

fn has_lone_surrogate(text: &str) -> bool {
    let mut high = None;
    let mut rest = text.as_bytes();
    let mut at = 0;
    while let Some(escape) = rest.iter().position(|byte| *byte == b'\\') {
        let unit = match rest.get(escape + 1) {
            Some(b'u') => std::str::from_utf8(rest.get(escape + 2..escape + 6).unwrap_or_default())
                .ok()
                .and_then(|digits| u16::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        let follows = high == Some(at + escape);
        let is_low = unit.is_some_and(|unit| (0xDC00..0xE000).contains(&unit));
        if (is_low || high.is_some()) && !(is_low && follows) {
            return true;
        }
        let length = if unit.is_some() { 6 } else { 2 };
        let is_high = unit.is_some_and(|unit| (0xD800..0xDC00).contains(&unit));
        at += escape + length;
        high = is_high.then_some(at);
        rest = rest.get(escape + length..).unwrap_or_default();
    }
    high.is_some()
}

/// The first fault of each row, with the row.
fn reject(plan: &TablePlan, rows: &RecordBatch, fatal: Vec<Fault>) -> BTreeMap<usize, Rejection> {
    let mut rejected = BTreeMap::new();
    for fault in fatal {
        rejected.entry(fault.row).or_insert_with(|| Rejection {
            stream: plan.stream.clone(),
            column: Some(plan.columns[fault.column].name.clone()),
            reason: fault.reason,
            row: cell::row(rows, fault.row),
        });
    }
    rejected
}

/// NULL in place of the values at fault.
fn blank(rows: RecordBatch, faults: &[Fault]) -> Result<RecordBatch> {
    if faults.is_empty() {
        return Ok(rows);
    }
    let mut columns = rows.columns().to_vec();
    for (index, array) in columns.iter_mut().enumerate() {
        let mut at_fault = vec![false; array.len()];
        for fault in faults.iter().filter(|fault| fault.column == index) {
            at_fault[fault.row] = true;
        }
        if at_fault.contains(&true) {
            *array = nullif(array, &BooleanArray::from(at_fault)).map_err(arrow)?;
        }
    }
    RecordBatch::try_new(nullable(&rows), columns).map_err(arrow)
}

fn nullable(rows: &RecordBatch) -> arrow_schema::SchemaRef {
    let fields = rows.schema();
    let fields = fields
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    Arc::new(arrow_schema::Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows under the names of the table's columns.
fn rename(plan: &TablePlan, rows: &RecordBatch) -> Result<RecordBatch> {
    let names = plan.columns.iter().map(|column| column.name.as_str());
    crate::append::batch_of(names.zip(rows.columns().iter().cloned()))
}

fn arrow(cause: arrow_schema::ArrowError) -> Error {
    Error::bug("rows could not be set apart").because(cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_what_duckdb_takes_for_it() {
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
}
