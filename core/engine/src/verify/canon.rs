//! The one form of a row in which both sides are compared: bytes, and hashes of these.
//!
//! Values are hashed here and not by the servers, because two servers print the same value
//! differently: floats, instants, decimals, texts under collations. Both sides arrive in the table's
//! own types; what is left of two spellings of one value is taken out here: the two zeros, the many
//! NaNs, and the ways to write one JSON document.
//!
//! A hash has 128 bits. Hashes of a range are added up, so that order does not matter and a row that
//! comes twice counts twice. That two different rows, or two different sums, agree by chance is less
//! likely than that the disk forgets the row.

use arrow_array::cast::AsArray;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int16Type, Int32Type,
    Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt64Type,
};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::{DataType as Arrow, TimeUnit};
use tributary_model::{DataType, Error, Result, TableColumn};

use super::json;

/// Which columns are compared, and which of them are the key.
#[derive(Clone, Debug)]
pub(crate) struct Canon {
    types: Vec<DataType>,
    key: Vec<usize>,
}

/// A hash for each row of a batch.
#[derive(Debug)]
pub(crate) struct Hashes {
    /// Of its key.
    pub(crate) keys: Vec<u128>,
    /// Of all of it.
    pub(crate) rows: Vec<u128>,
}

impl Canon {
    /// The form of rows of these columns; all columns of the key are among them.
    pub(crate) fn new(columns: &[TableColumn], key: &[String]) -> Result<Self> {
        let place = |name: &String| {
            let place = columns.iter().position(|column| column.name == *name);
            place.ok_or_else(|| Error::bug(format!("the key column `{name}` is not compared")))
        };
        Ok(Self {
            types: columns.iter().map(|column| column.data_type).collect(),
            key: key.iter().map(place).collect::<Result<_>>()?,
        })
    }

    /// The places of the key's columns.
    pub(crate) fn key(&self) -> &[usize] {
        &self.key
    }

    /// Hashes the rows of a batch that has exactly these columns.
    pub(crate) fn hash(&self, batch: &RecordBatch) -> Result<Hashes> {
        let columns = self.columns(batch.columns(), 0..self.types.len())?;
        let mut hashes = Hashes {
            keys: self.keys(batch.columns())?,
            rows: Vec::with_capacity(batch.num_rows()),
        };
        let mut bytes = Vec::new();
        for row in 0..batch.num_rows() {
            hashes.rows.push(one(&columns, row, &mut bytes));
        }
        Ok(hashes)
    }

    /// Hashes the keys of rows; of the columns only those of the key have to be there in their types.
    pub(crate) fn keys(&self, columns: &[ArrayRef]) -> Result<Vec<u128>> {
        let key = self.columns(columns, self.key.iter().copied())?;
        let rows = columns.first().map_or(0, |column| column.len());
        let mut bytes = Vec::new();
        Ok((0..rows).map(|row| one(&key, row, &mut bytes)).collect())
    }

    /// The columns in which two rows of the two sides differ.
    pub(crate) fn differing(
        &self,
        (one_side, row): (&RecordBatch, usize),
        (other_side, other): (&RecordBatch, usize),
    ) -> Result<Vec<usize>> {
        let all = 0..self.types.len();
        let here = self.columns(one_side.columns(), all.clone())?;
        let there = self.columns(other_side.columns(), all.clone())?;
        let bytes = |cells: &Cells<'_>, row| {
            let mut bytes = Vec::new();
            cells.write(row, &mut bytes);
            bytes
        };
        Ok(all
            .filter(|&place| bytes(&here[place], row) != bytes(&there[place], other))
            .collect())
    }

    fn columns<'a>(
        &self,
        arrays: &'a [ArrayRef],
        places: impl Iterator<Item = usize>,
    ) -> Result<Vec<Cells<'a>>> {
        places
            .map(|place| Cells::of(&arrays[place], self.types[place] == DataType::Json))
            .collect()
    }
}

fn one(columns: &[Cells<'_>], row: usize, bytes: &mut Vec<u8>) -> u128 {
    bytes.clear();
    for column in columns {
        column.write(row, bytes);
    }
    let mut half = [0; 16];
    half.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    u128::from_le_bytes(half)
}

/// A column whose type has been looked at once.
struct Cells<'a> {
    array: &'a dyn Array,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Bool,
    Int16,
    Int32,
    Int64,
    UInt64,
    Decimal128,
    Decimal256,
    Float32,
    Float64,
    Date,
    Time,
    Timestamp,
    Text,
    Json,
    Bytes,
}

impl<'a> Cells<'a> {
    fn of(array: &'a ArrayRef, is_json: bool) -> Result<Self> {
        let kind = match array.data_type() {
            Arrow::Boolean => Kind::Bool,
            Arrow::Int16 => Kind::Int16,
            Arrow::Int32 => Kind::Int32,
            Arrow::Int64 => Kind::Int64,
            Arrow::UInt64 => Kind::UInt64,
            Arrow::Decimal128(..) => Kind::Decimal128,
            Arrow::Decimal256(..) => Kind::Decimal256,
            Arrow::Float32 => Kind::Float32,
            Arrow::Float64 => Kind::Float64,
            Arrow::Date32 => Kind::Date,
            Arrow::Time64(TimeUnit::Microsecond) => Kind::Time,
            Arrow::Timestamp(TimeUnit::Microsecond, _) => Kind::Timestamp,
            Arrow::Utf8 if is_json => Kind::Json,
            Arrow::Utf8 => Kind::Text,
            Arrow::Binary => Kind::Bytes,
            other => return Err(Error::bug(format!("a column of type {other} is compared"))),
        };
        Ok(Self { array, kind })
    }

    /// Writes a cell so that no two cells, and no two rows of cells, are written alike: its first
    /// byte tells NULL, all else has a fixed length or its length before it.
    fn write(&self, row: usize, to: &mut Vec<u8>) {
        let array = self.array;
        if array.is_null(row) {
            to.push(0);
            return;
        }
        to.push(1);
        match self.kind {
            Kind::Bool => to.push(array.as_boolean().value(row).into()),
            Kind::Int16 => whole(array.as_primitive::<Int16Type>().value(row).into(), to),
            Kind::Int32 => whole(array.as_primitive::<Int32Type>().value(row).into(), to),
            Kind::Int64 => whole(array.as_primitive::<Int64Type>().value(row).into(), to),
            Kind::UInt64 => whole(array.as_primitive::<UInt64Type>().value(row).into(), to),
            Kind::Decimal128 => whole(array.as_primitive::<Decimal128Type>().value(row), to),
            Kind::Decimal256 => {
                let value = array.as_primitive::<Decimal256Type>().value(row);
                to.extend_from_slice(&value.to_le_bytes());
            }
            Kind::Float32 => float(array.as_primitive::<Float32Type>().value(row).into(), to),
            Kind::Float64 => float(array.as_primitive::<Float64Type>().value(row), to),
            Kind::Date => whole(array.as_primitive::<Date32Type>().value(row).into(), to),
            Kind::Time => {
                let value = array.as_primitive::<Time64MicrosecondType>().value(row);
                whole(value.into(), to);
            }
            Kind::Timestamp => {
                let value = array.as_primitive::<TimestampMicrosecondType>().value(row);
                whole(value.into(), to);
            }
            Kind::Text => framed(array.as_string::<i32>().value(row).as_bytes(), to),
            Kind::Json => framed(&json::canonical(array.as_string::<i32>().value(row)), to),
            Kind::Bytes => framed(array.as_binary::<i32>().value(row), to),
        }
    }
}

fn whole(value: i128, to: &mut Vec<u8>) {
    to.extend_from_slice(&value.to_le_bytes());
}

fn float(value: f64, to: &mut Vec<u8>) {
    let value = match value {
        0.0 => 0.0, // of either sign
        nan if nan.is_nan() => f64::NAN,
        value => value,
    };
    to.extend_from_slice(&value.to_bits().to_le_bytes());
}

fn framed(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    to.extend_from_slice(bytes);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{Float64Array, Int32Array, StringArray};

    use super::*;

    fn column(name: &str, data_type: DataType) -> TableColumn {
        TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        }
    }

    fn canon() -> Canon {
        let columns = [
            column("id", DataType::Int32),
            column("a", DataType::Text),
            column("b", DataType::Json),
            column("f", DataType::Float64),
        ];
        Canon::new(&columns, &["id".to_owned()]).unwrap()
    }

    fn batch(id: i32, a: Option<&str>, b: Option<&str>, f: f64) -> RecordBatch {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("id", Arc::new(Int32Array::from(vec![id]))),
            ("a", Arc::new(StringArray::from(vec![a]))),
            ("b", Arc::new(StringArray::from(vec![b]))),
            ("f", Arc::new(Float64Array::from(vec![f]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn spellings_of_one_value_are_alike() {
        let hash = |batch| canon().hash(&batch).unwrap().rows[0];
        let one = batch(1, Some("x"), Some(r#"{"a":1,"b":[2.50]}"#), 0.0);
        let same = batch(1, Some("x"), Some(r#"{ "b": [2.5], "a": 1 }"#), -0.0);
        assert_eq!(hash(one), hash(same));
    }

    #[test]
    fn no_two_rows_are_written_alike() {
        let rows = [
            batch(1, Some("x"), Some("1"), 0.5),
            batch(1, Some("x"), Some("\"1\""), 0.5),
            batch(1, Some("x"), None, 0.5),
            batch(1, Some(""), None, 0.5),
            batch(1, None, Some(""), 0.5),
            batch(1, Some("X"), None, 0.5),
            batch(1, Some("x "), None, 0.5),
            batch(2, Some("x"), None, 0.5),
            batch(1, Some("x"), None, f64::NAN),
            batch(1, Some("x"), None, f64::MIN_POSITIVE),
        ];
        let hashes: std::collections::BTreeSet<u128> = rows
            .iter()
            .map(|row| canon().hash(row).unwrap().rows[0])
            .collect();
        assert_eq!(hashes.len(), rows.len());
    }

    #[test]
    fn the_columns_that_differ_are_told() {
        let one = batch(1, Some("x"), None, 0.5);
        let other = batch(1, Some("x"), Some("{}"), 1.5);
        let differing = canon().differing((&one, 0), (&other, 0)).unwrap();
        assert_eq!(differing, [2, 3]);
    }
}
