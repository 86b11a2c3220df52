//! A row that can't be loaded, as JSON: enough to load it later.

use serde_json::{Map, Value};

use super::cell::{Cell, Store};
use super::decimal;
use super::store::Fixed;
use super::temporal::Moment;

const DAY: i64 = 86_400_000_000;

/// A row that the policy for impossible dates refuses.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    /// The column at fault.
    pub(crate) column: String,
    /// Why, as a sentence.
    pub(crate) reason: String,
    /// The whole row; impossible dates as the server prints them.
    pub(crate) row: Value,
}

/// Row `row` of the cells, under the columns' names; `impossible` are the cells whose stand-ins are
/// to be shown as what they stand for.
pub(super) fn row_as_json<'a>(
    cells: &mut [Cell],
    names: impl Iterator<Item = &'a str>,
    row: usize,
    impossible: &[usize],
) -> Value {
    let fields = names.zip(cells).enumerate().map(|(index, (name, cell))| {
        let value = if impossible.contains(&index) {
            cell.last_impossible().map_or(Value::Null, Value::from)
        } else {
            value(cell.store(), row)
        };
        (name.to_owned(), value)
    });
    Value::Object(fields.collect::<Map<_, _>>())
}

fn value(store: Store<'_>, row: usize) -> Value {
    match store {
        Store::Int16(out) => out.get(row).into(),
        Store::Int32(out) => out.get(row).into(),
        Store::Int64(out) => out.get(row).into(),
        Store::UInt64(out) => out.get(row).into(),
        Store::Float32(out) => out.get(row).into(),
        Store::Float64(out) => out.get(row).into(),
        Store::Bool(out) => out.get(row).into(),
        Store::Decimal(packing, out) => number(out, row, packing.scale()),
        Store::WideDecimal(packing, out) => number(out, row, packing.scale()),
        Store::Date(out) => shown(out.get(row), |days, to| {
            Moment::from_epoch(i64::from(days) * DAY).write_date(to);
        }),
        Store::Timestamp(out) | Store::TimestampTz(out) => shown(out.get(row), |micros, to| {
            Moment::from_epoch(micros).write(6, to);
        }),
        Store::Text(out) => out
            .get(row)
            .map(String::from_utf8_lossy)
            .map(String::from)
            .into(),
        Store::Bytes(out) => shown(out.get(row), |bytes, to| {
            for byte in bytes {
                to.extend_from_slice(format!("{byte:02x}").as_bytes());
            }
        }),
    }
}

fn number<T: Copy + Default + ToString>(out: &Fixed<T>, row: usize, scale: u8) -> Value {
    shown(out.get(row), |number, to| {
        decimal::write(&number.to_string(), scale, to);
    })
}

fn shown<T>(value: Option<T>, write: impl FnOnce(T, &mut Vec<u8>)) -> Value {
    let text = value.map(|value| {
        let mut text = Vec::new();
        write(value, &mut text);
        String::from_utf8_lossy(&text).into_owned()
    });
    text.into()
}
