//! Keys and values as they are told, as JSON: numbers that are exact stay numbers, everything else
//! is text. Values of hidden columns are never told.

use arrow_array::cast::AsArray;
use arrow_array::types::{Decimal128Type, Int16Type, Int32Type, Int64Type, UInt64Type};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType as Arrow, TimeUnit};
use serde_json::{Map, Value};
use tributary_model::{Error, Result};

use super::narrow::{Copies, Found, Pair, Place};
use super::report::{ColumnReport, Difference, KeyReport};
use super::subject::Subject;

/// Characters of a value that are told.
const SHOWN: usize = 200;

/// A key that differs, and how.
pub(crate) fn key(subject: &Subject<'_>, pair: &Pair, found: Found) -> Result<KeyReport> {
    let (source, destination) = (&pair.source.batches, &pair.destination.batches);
    let of_copies = |copies: Copies| match copies.missing() {
        0 => (Difference::Extra, copies.theirs(pair).next(), destination),
        _ => (Difference::Missing, copies.ours(pair).next(), source),
    };
    let (difference, (batch, row)) = match found {
        Found::Missing((batch, row)) => (Difference::Missing, (&source[batch], row)),
        Found::Extra((batch, row)) => (Difference::Extra, (&destination[batch], row)),
        Found::Different((batch, row), _) => (Difference::Different, (&source[batch], row)),
        Found::Repeated((batch, row), _) => (Difference::Repeated, (&source[batch], row)),
        Found::Counted(copies) => match of_copies(copies) {
            (difference, Some((batch, row)), side) => (difference, (&side[batch], row)),
            (_, None, _) => return Err(Error::bug("copies of a row that is nowhere")),
        },
    };
    let columns = match found {
        Found::Missing(_) | Found::Extra(_) | Found::Counted(_) => Vec::new(),
        Found::Different(ours, theirs) | Found::Repeated(ours, theirs) => {
            columns(subject, pair, ours, theirs)?
        }
    };
    Ok(KeyReport {
        key: key_of(subject, batch, row)?,
        difference,
        columns,
    })
}

/// The key's columns of a row; where it is its own key, all that may be seen of it.
fn key_of(subject: &Subject<'_>, batch: &RecordBatch, row: usize) -> Result<Map<String, Value>> {
    let cell = |&place: &usize| {
        let name = subject.columns[place].name.clone();
        Ok((name, value(batch.column(place), row)?))
    };
    let is_shown = |&&place: &&usize| {
        !subject.is_counted() || !subject.hidden.contains(&subject.columns[place].name)
    };
    subject
        .canon
        .key()
        .iter()
        .filter(is_shown)
        .map(cell)
        .collect()
}

fn columns(
    subject: &Subject<'_>,
    pair: &Pair,
    ours: Place,
    theirs: Place,
) -> Result<Vec<ColumnReport>> {
    let source = &pair.source.batches[ours.0];
    let destination = &pair.destination.batches[theirs.0];
    let places = subject
        .canon
        .differing((source, ours.1), (destination, theirs.1))?;
    let report = |place: usize| {
        let column = subject.columns[place].name.clone();
        let hidden = subject.hidden.contains(&column);
        let show = |batch: &RecordBatch, row| match hidden {
            true => Ok(Value::Null),
            false => value(batch.column(place), row),
        };
        Ok(ColumnReport {
            source: show(source, ours.1)?,
            destination: show(destination, theirs.1)?,
            column,
            hidden,
        })
    };
    places.into_iter().map(report).collect()
}

fn value(array: &ArrayRef, row: usize) -> Result<Value> {
    if array.is_null(row) {
        return Ok(Value::Null);
    }
    Ok(match array.data_type() {
        Arrow::Boolean => array.as_boolean().value(row).into(),
        Arrow::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        Arrow::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        Arrow::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        Arrow::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        Arrow::Decimal128(_, 0) => whole(array.as_primitive::<Decimal128Type>().value(row)),
        _ => cut(text(array, row)?).into(),
    })
}

fn whole(value: i128) -> Value {
    match (i64::try_from(value), u64::try_from(value)) {
        (Ok(value), _) => value.into(),
        (_, Ok(value)) => value.into(),
        _ => value.to_string().into(),
    }
}

fn text(array: &ArrayRef, row: usize) -> Result<String> {
    let plain;
    let array = match array.data_type() {
        // The zone is always UTC; its name would be looked up in a table that is not there.
        Arrow::Timestamp(TimeUnit::Microsecond, Some(_)) => {
            plain = arrow_cast::cast(array, &Arrow::Timestamp(TimeUnit::Microsecond, None))
                .map_err(|cause| Error::bug("an instant can't lose its zone").because(cause))?;
            &plain
        }
        _ => array,
    };
    let options = FormatOptions::default().with_display_error(true);
    let texts = ArrayFormatter::try_new(array.as_ref(), &options)
        .map_err(|cause| Error::bug("a column can't be read as text").because(cause))?;
    Ok(texts.value(row).to_string())
}

fn cut(text: String) -> String {
    match text.char_indices().nth(SHOWN) {
        None => text,
        Some(_) => text.chars().take(SHOWN - 1).chain(['…']).collect(),
    }
}
