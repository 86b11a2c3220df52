//! Casts that never change a value: what does not fit is named, never wrapped, rounded or lost. // G5

use std::sync::Arc;

use arrow_array::builder::BinaryBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{Array, ArrayRef, BooleanArray, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::DataType;
use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result};

use super::identity::plain;

/// Decimals in which texts of any scale that a column can have are compared.
const WIDEST: DataType = DataType::Decimal256(76, 38);

/// A column of another type, and the rows whose values that type can't hold: these are NULL in it.
#[derive(Debug)]
pub(super) struct Cast {
    pub(super) array: ArrayRef,
    pub(super) misfits: Vec<usize>,
}

/// Gives a column another type.
pub(super) fn cast(array: &ArrayRef, to: &DataType) -> Result<Cast> {
    let from = array.data_type();
    if from == to {
        return Ok(Cast {
            array: array.clone(),
            misfits: Vec::new(),
        });
    }
    match (from, to) {
        // Texts are in UTC, as all of ours; the library would look the zone's name up in a table.
        (DataType::Utf8, DataType::Timestamp(unit, Some(zone))) => {
            let made = cast(array, &DataType::Timestamp(*unit, None))?;
            let instants = made
                .array
                .as_primitive::<TimestampMicrosecondType>()
                .clone();
            Ok(Cast {
                array: Arc::new(instants.with_timezone(zone.clone())),
                ..made
            })
        }
        (DataType::Timestamp(_, Some(_)), DataType::Utf8) => {
            let made = cast(&plain(array)?, to)?;
            let texts = made.array.as_string::<i32>().iter();
            let utc: StringArray = texts
                .map(|text| text.map(|text| format!("{text}Z")))
                .collect();
            Ok(Cast {
                array: Arc::new(utc),
                ..made
            })
        }
        (DataType::Timestamp(_, Some(_)), _) => cast(&plain(array)?, to),
        _ => checked(array, to),
    }
}

fn checked(array: &ArrayRef, to: &DataType) -> Result<Cast> {
    let made = soft(array, to).map_err(|cause| {
        Error::new(
            ErrorKind::Incompatible,
            format!("values of type {} have no form as {to}", array.data_type()),
        )
        .because(cause)
        .fix("Remove the `type` chosen for this column, or choose another one.")
    })?;
    let mut misfits: Vec<usize> = match made.null_count() == array.null_count() {
        true => Vec::new(),
        false => (0..array.len())
            .filter(|row| array.is_valid(*row) && made.is_null(*row))
            .collect(),
    };
    misfits.extend(changed(array, &made));
    if misfits.is_empty() {
        return Ok(Cast {
            array: made,
            misfits,
        });
    }
    misfits.sort_unstable();
    misfits.dedup();
    Ok(Cast {
        array: without(&made, &misfits)?,
        misfits,
    })
}

/// The cast as the library makes it: NULL for what is out of range, and rounded at times.
fn soft(
    array: &ArrayRef,
    to: &DataType,
) -> std::result::Result<ArrayRef, arrow_schema::ArrowError> {
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options)
}

/// The rows whose values a cast has changed.
fn changed(array: &ArrayRef, made: &ArrayRef) -> Vec<usize> {
    let (from, to) = (array.data_type(), made.data_type());
    let there_and_back = match (from, to) {
        (DataType::Utf8, DataType::Decimal128(..) | DataType::Decimal256(..)) => {
            soft(array, &WIDEST).ok().zip(soft(made, &WIDEST).ok())
        }
        _ if may_round(from, to) => soft(made, from).ok().map(|back| (array.clone(), back)),
        _ => None,
    };
    let Some((before, after)) = there_and_back else {
        return Vec::new();
    };
    let is_blank = |row: usize| {
        let texts = array.as_string_opt::<i32>();
        texts.is_some_and(|texts| texts.value(row).trim().is_empty())
    };
    let same = |row: usize| before.slice(row, 1).to_data() == after.slice(row, 1).to_data();
    let differs = |row: &usize| made.is_valid(*row) && (is_blank(*row) || !same(*row));
    (0..array.len()).filter(differs).collect()
}

/// Whether a cast between two types may give a value that is near and not the same.
fn may_round(from: &DataType, to: &DataType) -> bool {
    match (from, to) {
        (_, DataType::Utf8) | (DataType::Float32, DataType::Float64) => false,
        (DataType::Decimal128(_, before), DataType::Decimal128(_, after)) => after < before,
        (from, to) if from.is_integer() => to.is_floating(),
        (DataType::Float32 | DataType::Float64 | DataType::Decimal128(..), _) => true,
        (DataType::Timestamp(..), DataType::Timestamp(..)) => false,
        (DataType::Timestamp(..), _) => true,
        _ => false,
    }
}

/// NULL in place of these rows.
fn without(array: &ArrayRef, rows: &[usize]) -> Result<ArrayRef> {
    let mut at_fault = vec![false; array.len()];
    rows.iter().for_each(|row| at_fault[*row] = true);
    arrow_select::nullif::nullif(array, &BooleanArray::from(at_fault))
        .map_err(|cause| Error::bug("values could not be set apart").because(cause))
}

/// Texts as a column of a type, as they stand in rejected rows.
pub(super) fn parse(texts: &StringArray, to: &DataType) -> Result<Cast> {
    if to != &DataType::Binary {
        return cast(&(Arc::new(texts.clone()) as ArrayRef), to);
    }
    let mut bytes = BinaryBuilder::new();
    let mut misfits = Vec::new();
    for (row, text) in texts.iter().enumerate() {
        let read = text.and_then(unhex);
        if text.is_some() && read.is_none() {
            misfits.push(row);
        }
        bytes.append_option(read);
    }
    Ok(Cast {
        array: Arc::new(bytes.finish()),
        misfits,
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect(),
    )
}

/// A value's text; `None` for NULL.
pub(super) fn text(array: &ArrayRef, row: usize) -> Result<Option<String>> {
    if array.is_null(row) {
        return Ok(None);
    }
    let options = FormatOptions::default();
    let (one, zone) = match array.data_type() {
        DataType::Timestamp(_, Some(_)) => (plain(&array.slice(row, 1))?, "Z"),
        _ => (array.slice(row, 1), ""),
    };
    let texts = ArrayFormatter::try_new(one.as_ref(), &options)
        .map_err(|cause| Error::bug("a value can't be read as text").because(cause))?;
    Ok(Some(format!("{}{zone}", texts.value(0))))
}

/// A value as JSON: numbers that JSON readers keep exactly as numbers, all else as text.
pub(super) fn json(array: &ArrayRef, row: usize) -> Result<Value> {
    let Some(text) = text(array, row)? else {
        return Ok(Value::Null);
    };
    let kind = array.data_type();
    let is_number = kind.is_integer() || kind.is_floating() || kind == &DataType::Boolean;
    let number = is_number
        .then(|| serde_json::from_str(&text).ok())
        .flatten();
    Ok(number.unwrap_or(Value::String(text)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::{
        BinaryArray, Date32Array, Decimal128Array, Float64Array, Int64Array,
        TimestampMicrosecondArray,
    };
    use arrow_schema::TimeUnit;
    use tributary_model::DataType as Ours;

    use super::*;

    fn misfits(array: impl Array + 'static, to: Ours) -> Vec<usize> {
        let array: ArrayRef = Arc::new(array);
        let made = cast(&array, &to.to_arrow()).unwrap();
        for row in &made.misfits {
            assert!(made.array.is_null(*row));
        }
        made.misfits
    }

    fn money(values: &[i128]) -> Decimal128Array {
        Decimal128Array::from(values.to_vec())
            .with_precision_and_scale(10, 2)
            .unwrap()
    }

    #[test]
    fn what_does_not_fit_is_named_and_nothing_is_rounded() {
        let whole = Int64Array::from(vec![Some(1), Some(40_000), None, Some(-40_000)]);
        assert_eq!(misfits(whole, Ours::Int16), [1, 3]);
        let texts = StringArray::from(vec!["7", "7.5", "", "seven", "99999999999999999999"]);
        assert_eq!(misfits(texts.clone(), Ours::Int64), [1, 2, 3, 4]);
        assert_eq!(misfits(texts, Ours::Decimal(5, 0)), [1, 2, 3, 4]);
        let parts = StringArray::from(vec!["1.5", "1.50", "1.239", "-0.01", "123456789.1"]);
        assert_eq!(misfits(parts, Ours::Decimal(10, 2)), [2, 4]);
        assert_eq!(misfits(money(&[150, 175]), Ours::Decimal(10, 1)), [1]);
        assert_eq!(misfits(money(&[100, 150]), Ours::Int32), [1]);
        let floats = Float64Array::from(vec![1.0, 1.5, 1e300, -3.0]);
        assert_eq!(misfits(floats, Ours::Int32), [1, 2]);
        let large = Int64Array::from(vec![1 << 53, (1 << 53) + 1]);
        assert_eq!(misfits(large, Ours::Float64), [1]);
        let moments = TimestampMicrosecondArray::from(vec![0, 1]);
        assert_eq!(misfits(moments, Ours::Date), [1]);
    }

    #[test]
    fn what_fits_stays_what_it_is() {
        let numbers = Int64Array::from(vec![Some(1), None]);
        assert_eq!(misfits(numbers.clone(), Ours::Decimal(20, 2)), [0; 0]);
        assert_eq!(misfits(numbers, Ours::Text), [0; 0]);
        assert_eq!(misfits(money(&[1, -1]), Ours::Decimal(12, 4)), [0; 0]);
        let days = Date32Array::from(vec![-1, 20_000]);
        assert_eq!(misfits(days, Ours::Timestamp), [0; 0]);
        let instants = TimestampMicrosecondArray::from(vec![1]).with_timezone("UTC");
        let texts = cast(&(Arc::new(instants) as ArrayRef), &DataType::Utf8).unwrap();
        let text = texts.array.as_string::<i32>().value(0).to_owned();
        assert_eq!(text, "1970-01-01T00:00:00.000001Z");
    }

    #[test]
    fn values_come_back_from_their_texts() {
        let instant = TimestampMicrosecondArray::from(vec![Some(-1), None, Some(1_000_000)]);
        let arrays: [ArrayRef; 6] = [
            Arc::new(Int64Array::from(vec![Some(i64::MIN), None])),
            Arc::new(Float64Array::from(vec![Some(0.1), None])),
            Arc::new(money(&[-1, 12_345])),
            Arc::new(BinaryArray::from(vec![Some(&[0_u8, 255][..]), None])),
            Arc::new(Date32Array::from(vec![19_782])),
            Arc::new(instant.with_timezone("UTC")),
        ];
        for array in arrays {
            let texts = (0..array.len()).map(|row| match json(&array, row).unwrap() {
                Value::Null => None,
                Value::String(text) => Some(text),
                other => Some(other.to_string()),
            });
            let texts: StringArray = texts.collect();
            let back = parse(&texts, array.data_type()).unwrap();
            assert_eq!(back.misfits, [0; 0]);
            assert_eq!(back.array.to_data(), array.to_data());
        }
        let bad = parse(&StringArray::from(vec!["0g", "abc"]), &DataType::Binary).unwrap();
        assert_eq!(bad.misfits, [0, 1]);
    }

    #[test]
    fn types_without_a_common_form_are_an_error() {
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&[1_u8][..]]));
        let error = cast(&bytes, &DataType::Time64(TimeUnit::Microsecond)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
    }
}
