//! Keys of rows as numbers, to be looked up by.
//!
//! A key whose row encoding has at most 15 bytes is its number; a longer one is known by 128 bits of
//! its BLAKE3 hash, of which no two have ever been found alike.

use arrow_array::{ArrayRef, RecordBatch};
use arrow_row::{RowConverter, SortField};
use arrow_schema::SchemaRef;
use tributary_model::{Error, Result};

use crate::error::arrow;

/// Bytes that fit a number beside their count.
const SHORT: usize = 15;

/// The key of a table.
#[derive(Debug)]
pub(crate) struct Keys {
    /// Where its columns are in rows of the table's layout.
    places: Vec<usize>,
    converter: RowConverter,
}

impl Keys {
    /// The key of these columns.
    pub(crate) fn new(schema: &SchemaRef, key: &[String]) -> Result<Self> {
        let mut places = Vec::new();
        let mut fields = Vec::new();
        for name in key {
            let same = |field: &&std::sync::Arc<arrow_schema::Field>| field.name() == name;
            let alike = |field: &&std::sync::Arc<arrow_schema::Field>| {
                field.name().eq_ignore_ascii_case(name)
            };
            let all = schema.fields();
            let place = all
                .iter()
                .position(|f| same(&f))
                .or_else(|| all.iter().position(|f| alike(&f)));
            let place =
                place.ok_or_else(|| Error::bug(format!("there is no key column {name}")))?;
            places.push(place);
            fields.push(SortField::new(schema.field(place).data_type().clone()));
        }
        let converter = RowConverter::new(fields).map_err(arrow("preparing to compare keys"))?;
        Ok(Self { places, converter })
    }

    /// The place of the first column.
    pub(crate) fn first(&self) -> Option<usize> {
        self.places.first().copied()
    }

    /// The places of all its columns.
    pub(crate) fn places(&self) -> &[usize] {
        &self.places
    }

    /// The number of each row's key; `rows` have the table's layout.
    pub(crate) fn of(&self, rows: &RecordBatch) -> Result<Vec<u128>> {
        let columns: Vec<ArrayRef> = self
            .places
            .iter()
            .map(|&place| rows.column(place).clone())
            .collect();
        let encoded = self
            .converter
            .convert_columns(&columns)
            .map_err(arrow("comparing keys"))?;
        Ok(encoded.iter().map(|row| number(row.as_ref())).collect())
    }
}

fn number(bytes: &[u8]) -> u128 {
    let mut number = [0; 16];
    if bytes.len() <= SHORT {
        number[..bytes.len()].copy_from_slice(bytes);
        number[SHORT] = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    } else {
        number.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
    }
    u128::from_le_bytes(number)
}
