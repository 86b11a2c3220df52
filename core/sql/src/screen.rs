//! Rows that a warehouse would not hold as what they are, found before they get there. // G5
//!
//! What a warehouse can't hold is told by its [`Limits`]; a merge can't place a row without a key
//! either. Such a row is rejected with its reason. A delete is applied all the same, because its key
//! says enough: only the values at fault are left out of it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{
    ArrowPrimitiveType, Date32Type, Time64MicrosecondType, TimestampMicrosecondType,
};
use arrow_array::{Array, ArrayRef, BooleanArray, RecordBatch};
use arrow_schema::{Field, Schema};
use arrow_select::{filter::filter_record_batch, nullif::nullif};
use serde::de::IgnoredAny;
use serde_json::Value;
use tributary_model::{
    Batch, DataType, Error, Mode, Op, Rejection, Result, TableColumn, TablePlan,
};

use crate::cell;
use crate::long_rows::long_rows;

/// What one warehouse can hold.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Its name, for the reasons.
    pub warehouse: &'static str,
    /// Times of day, microseconds.
    pub times: RangeInclusive<i64>,
    /// Days since 1970.
    pub dates: RangeInclusive<i32>,
    /// Instants, microseconds since 1970.
    pub instants: RangeInclusive<i64>,
    /// Why a text that claims to be JSON is none; see [`json_fault`].
    pub json: fn(&str) -> Option<String>,
    /// Texts and bytes, where they have limits.
    pub lengths: Option<Lengths>,
}

/// The limits of texts and bytes.
#[derive(Clone, Copy, Debug)]
pub struct Lengths {
    /// The most bytes of a value.
    pub value: usize,
    /// The most bytes of a value of type `bytes`, where that is another number.
    pub binary: Option<usize>,
    /// The most bytes of all of a key's texts and bytes together.
    pub key: usize,
    /// A character that no text may hold.
    pub forbidden: Option<u8>,
}

/// Rows as they may go on.
#[derive(Debug)]
pub struct Screened {
    /// The rows that can be held.
    pub rows: RecordBatch,
    /// What happened to each of them.
    pub ops: Vec<Op>,
    /// The others.
    pub rejected: Vec<Rejection>,
    /// Which rows of the batch these were.
    pub at: Vec<usize>,
}

/// What is wrong with one value.
struct Fault {
    row: usize,
    column: usize,
    reason: String,
}

/// Takes the rows out that can't be held.
///
/// # Errors
/// Fails where the batch does not have the shape of the plan.
pub fn screen(limits: &Limits, plan: &TablePlan, batch: Batch) -> Result<Screened> {
    screen_rows(limits, usize::MAX, plan, batch)
}

/// Takes the rows out that can't be held, and those with more than `most` bytes of texts and bytes.
///
/// # Errors
/// Fails where the batch does not have the shape of the plan.
pub fn screen_rows(
    limits: &Limits,
    most: usize,
    plan: &TablePlan,
    batch: Batch,
) -> Result<Screened> {
    let Batch { ops, rows, .. } = batch;
    let mut faults = faults(limits, plan, &rows);
    let of_key = |column: usize| is_key(plan, &plan.columns[column]);
    let long = long_rows(most, &rows, of_key).into_iter();
    faults.extend(long.map(|(row, column, bytes)| Fault {
        row,
        column,
        reason: format!(
            "a row of {bytes} bytes is longer than the {most} that {} takes",
            limits.warehouse
        ),
    }));
    if faults.is_empty() {
        return Ok(Screened {
            rows,
            ops,
            rejected: Vec::new(),
            at: Vec::new(),
        });
    }
    let of_key = |fault: &Fault| is_key(plan, &plan.columns[fault.column]);
    let (forgiven, fatal): (Vec<Fault>, Vec<Fault>) = faults
        .into_iter()
        .partition(|fault| ops[fault.row] == Op::Delete && !of_key(fault));
    let rejected = reject(plan, &rename(plan, &rows)?, fatal);
    let rows = blank(rows, &forgiven)?;
    let keep: Vec<bool> = (0..ops.len())
        .map(|row| !rejected.contains_key(&row))
        .collect();
    let kept = ops.iter().zip(&keep).filter(|(_, keep)| **keep);
    Ok(Screened {
        ops: kept.map(|(op, _)| *op).collect(),
        rows: filter_record_batch(&rows, &BooleanArray::from(keep)).map_err(arrow)?,
        at: rejected.keys().copied().collect(),
        rejected: rejected.into_values().collect(),
    })
}

impl Screened {
    /// Leaves out the rows whose op `keep` refuses.
    ///
    /// # Errors
    /// Fails where rows and ops are not equally many.
    pub fn retain(&mut self, keep: impl Fn(Op) -> bool) -> Result<()> {
        if self.ops.iter().all(|op| keep(*op)) {
            return Ok(());
        }
        let mask: BooleanArray = self.ops.iter().map(|op| Some(keep(*op))).collect();
        self.rows = filter_record_batch(&self.rows, &mask).map_err(arrow)?;
        self.ops.retain(|op| keep(*op));
        Ok(())
    }
}

fn faults(limits: &Limits, plan: &TablePlan, rows: &RecordBatch) -> Vec<Fault> {
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
        check_values(limits, planned.data_type, array, &mut fault);
    }
    if let Some(lengths) = &limits.lengths {
        faults.extend(long_keys(limits, lengths, plan, rows));
    }
    faults
}

fn is_key(plan: &TablePlan, column: &TableColumn) -> bool {
    plan.mode != Mode::Append && plan.key.contains(&column.name)
}

fn check_values(
    limits: &Limits,
    data_type: DataType,
    array: &ArrayRef,
    fault: &mut impl FnMut(usize, String),
) {
    match data_type {
        DataType::Json => {
            let texts = array.as_string::<i32>();
            for (row, text) in texts.iter().enumerate() {
                if let Some(reason) = text.and_then(limits.json) {
                    fault(row, reason);
                }
            }
            check_lengths(limits, array, fault);
        }
        DataType::Time => {
            out_of::<Time64MicrosecondType>(limits, array, &limits.times, fault);
        }
        DataType::Date => out_of::<Date32Type>(limits, array, &limits.dates, fault),
        DataType::Timestamp | DataType::TimestampTz => {
            out_of::<TimestampMicrosecondType>(limits, array, &limits.instants, fault);
        }
        DataType::Text => {
            check_characters(limits, array, fault);
            check_lengths(limits, array, fault);
        }
        DataType::Bytes => check_lengths(limits, array, fault),
        DataType::Bool
        | DataType::Int16
        | DataType::Int32
        | DataType::Int64
        | DataType::UInt64
        | DataType::Decimal(..)
        | DataType::Float32
        | DataType::Float64 => {}
    }
}

fn out_of<T: ArrowPrimitiveType>(
    limits: &Limits,
    array: &ArrayRef,
    range: &RangeInclusive<T::Native>,
    fault: &mut impl FnMut(usize, String),
) where
    T::Native: PartialOrd + Display,
{
    let values = array.as_primitive::<T>();
    if values.values().iter().all(|value| range.contains(value)) {
        return;
    }
    for row in (0..values.len()).filter(|row| values.is_valid(*row)) {
        let value = values.value(row);
        if !range.contains(&value) {
            let warehouse = limits.warehouse;
            let reason = format!("the value is outside what {warehouse} can hold: {value}");
            fault(row, reason);
        }
    }
}

/// Looks at all texts at once, since next to none holds the character.
fn check_characters(limits: &Limits, array: &ArrayRef, fault: &mut impl FnMut(usize, String)) {
    let Some(byte) = limits.lengths.and_then(|lengths| lengths.forbidden) else {
        return;
    };
    let texts = array.as_string::<i32>();
    if !texts.value_data().contains(&byte) {
        return;
    }
    for (row, text) in texts.iter().enumerate() {
        if text.is_some_and(|text| text.as_bytes().contains(&byte)) {
            let warehouse = limits.warehouse;
            let reason = format!("{warehouse} can't hold the character U+{byte:04X} in a text");
            fault(row, reason);
        }
    }
}

fn check_lengths(limits: &Limits, array: &ArrayRef, fault: &mut impl FnMut(usize, String)) {
    let Some(lengths) = limits.lengths else {
        return;
    };
    let is_binary = array.as_binary_opt::<i32>().is_some();
    let binary = lengths.binary.filter(|_| is_binary);
    let most = binary.unwrap_or(lengths.value);
    let ends = offsets(array);
    if ends
        .last()
        .zip(ends.first())
        .is_none_or(|(end, start)| length(*start, *end) <= most)
    {
        return;
    }
    for row in (0..array.len()).filter(|row| array.is_valid(*row)) {
        let bytes = length(ends[row], ends[row + 1]);
        if bytes > most {
            let warehouse = limits.warehouse;
            let reason = format!("{bytes} bytes are more than the {most} that {warehouse} holds");
            fault(row, reason);
        }
    }
}

/// Keys that are too long to be looked up.
fn long_keys(
    limits: &Limits,
    lengths: &Lengths,
    plan: &TablePlan,
    rows: &RecordBatch,
) -> Vec<Fault> {
    let has_length = |column: &TableColumn| {
        matches!(
            column.data_type,
            DataType::Text | DataType::Bytes | DataType::Json
        )
    };
    let columns: Vec<(usize, &[i32])> = plan
        .columns
        .iter()
        .zip(rows.columns())
        .enumerate()
        .filter(|(_, (column, _))| is_key(plan, column) && has_length(column))
        .map(|(index, (_, array))| (index, offsets(array)))
        .collect();
    let Some(first) = columns.first().map(|(index, _)| *index) else {
        return Vec::new();
    };
    let bytes = |row: usize| -> usize {
        let lengths = columns
            .iter()
            .map(|(_, ends)| length(ends[row], ends[row + 1]));
        lengths.sum()
    };
    let fault = |row: usize| {
        let (bytes, most, warehouse) = (bytes(row), lengths.key, limits.warehouse);
        (bytes > most).then(|| Fault {
            row,
            column: first,
            reason: format!(
                "a key of {bytes} bytes is longer than the {most} that {warehouse} can look up"
            ),
        })
    };
    (0..rows.num_rows()).filter_map(fault).collect()
}

/// Where the values of a text or bytes array begin and end.
fn offsets(array: &ArrayRef) -> &[i32] {
    match array.as_string_opt::<i32>() {
        Some(texts) => texts.value_offsets(),
        None => array.as_binary::<i32>().value_offsets(),
    }
}

fn length(start: i32, end: i32) -> usize {
    usize::try_from(end - start).unwrap_or_default()
}

/// Why `text` is not JSON by a strict reading, in which no half of a surrogate pair stands alone.
#[must_use]
pub fn json_fault(text: &str) -> Option<String> {
    if let Err(cause) = serde_json::from_str::<IgnoredAny>(text) {
        return Some(format!("the value is not JSON: {cause}"));
    }
    let mut high = None;
    for (at, unit) in escaped_units(text) {
        let follows = high == Some(at);
        let is_low = unit.is_some_and(|unit| (0xDC00..0xE000).contains(&unit));
        if (is_low || high.is_some()) && !(is_low && follows) {
            return Some(lone_surrogate());
        }
        let is_high = unit.is_some_and(|unit| (0xD800..0xDC00).contains(&unit));
        high = is_high.then_some(at + 6);
    }
    high.map(|_| lone_surrogate())
}

fn lone_surrogate() -> String {
    "the value is not JSON: half of a surrogate pair stands alone".to_owned()
}

/// The escapes of a text that is JSON: where each begins, and the unit of UTF-16 that one with a
/// number stands for.
pub fn escaped_units(text: &str) -> impl Iterator<Item = (usize, Option<u16>)> + '_ {
    let bytes = text.as_bytes();
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + bytes.get(from..)?.iter().position(|byte| *byte == b'\\')?;
        let unit = match bytes.get(at + 1) {
            Some(b'u') => std::str::from_utf8(bytes.get(at + 2..at + 6).unwrap_or_default())
                .ok()
                .and_then(|digits| u16::from_str_radix(digits, 16).ok()),
            _ => None,
        };
        from = at + if unit.is_some() { 6 } else { 2 };
        Some((at, unit))
    })
}

/// The numbers in a text that is JSON.
pub fn json_numbers(text: &str) -> impl Iterator<Item = &str> {
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        let mut inside = false;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'\\' => at += 1,
                b'"' => inside = !inside,
                b'-' | b'0'..=b'9' if !inside => {
                    let rest = &text[at..];
                    let part_of = |c: char| c.is_ascii_digit() || "+-.eE".contains(c);
                    let end = rest.find(|c| !part_of(c)).unwrap_or(rest.len());
                    at += end;
                    return Some(&rest[..end]);
                }
                _ => {}
            }
            at += 1;
        }
        None
    })
}

/// The first fault of each row, with the row.
fn reject(plan: &TablePlan, rows: &RecordBatch, fatal: Vec<Fault>) -> BTreeMap<usize, Rejection> {
    let mut rejected = BTreeMap::new();
    for fault in fatal {
        rejected.entry(fault.row).or_insert_with(|| {
            let column = &plan.columns[fault.column].name;
            let row = cell::row(rows, fault.row);
            Rejection {
                stream: plan.stream.clone(),
                value: row.get(column).and_then(text),
                column: Some(column.clone()),
                reason: fault.reason,
                row,
                hidden: Vec::new(),
            }
        });
    }
    rejected
}

/// A value as text; `None` for NULL.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
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
    let fields = rows.schema();
    let nullable = fields
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true));
    let schema = Schema::new(nullable.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), columns).map_err(arrow)
}

/// The rows under the names of the table's columns.
fn rename(plan: &TablePlan, rows: &RecordBatch) -> Result<RecordBatch> {
    let fields = plan
        .columns
        .iter()
        .zip(rows.columns())
        .map(|(column, array)| Field::new(&column.name, array.data_type().clone(), true));
    let schema = Schema::new(fields.collect::<Vec<_>>());
    RecordBatch::try_new(Arc::new(schema), rows.columns().to_vec()).map_err(arrow)
}

fn arrow(cause: arrow_schema::ArrowError) -> Error {
    Error::bug("rows could not be set apart").because(cause)
}

#[cfg(test)]
#[path = "screen_tests.rs"]
mod tests;
