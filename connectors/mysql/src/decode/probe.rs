//! One value of a row image, looked at without a batch.

use tributary_model::Result;

use super::cell::{Cell, InKey, Store};
use super::decimal;
use crate::column::{Format, Kind, ValueOptions, ZeroDates};
use crate::server::Flavor;

/// Decodes the values of one column, one at a time.
#[derive(Debug)]
pub(crate) struct Probe(Cell);

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Seen<'a> {
    /// A whole number.
    Int(i128),
    /// A decimal, with its sign and all its digits.
    Decimal(String),
    /// A floating point number.
    Double(f64),
    /// A text in UTF-8; of a date what the server prints, possible or not.
    Text(&'a [u8]),
    /// Anything else.
    Other,
}

impl Probe {
    /// For a column.
    pub(crate) fn new(kind: &Kind, format: Format, flavor: Flavor) -> Self {
        let options = ValueOptions {
            // A date is seen as it is, whatever becomes of it elsewhere.
            zero_dates: ZeroDates::Text,
            geometry: crate::column::Geometries::Wkb,
            flavor,
        };
        Self(Cell::new(kind, format, InKey::No, options))
    }

    /// The value that `raw` is in a row image.
    ///
    /// # Errors
    /// Fails where the bytes are no value of the column's kind.
    pub(crate) fn look(&mut self, raw: &[u8]) -> Result<Seen<'_>> {
        self.0.truncate(0);
        self.0.push_image(raw)?;
        let int = |number: Option<i128>| number.map_or(Seen::Other, Seen::Int);
        Ok(match self.0.store() {
            Store::Int16(out) => int(out.get(0).map(i128::from)),
            Store::Int32(out) => int(out.get(0).map(i128::from)),
            Store::Int64(out) => int(out.get(0).map(i128::from)),
            Store::UInt64(out) => int(out.get(0).map(i128::from)),
            Store::Bool(out) => int(out.get(0).map(i128::from)),
            Store::Float32(out) => out.get(0).map_or(Seen::Other, |n| Seen::Double(n.into())),
            Store::Float64(out) => out.get(0).map_or(Seen::Other, Seen::Double),
            Store::Decimal(packing, out) => shown(out.get(0), packing.scale()),
            Store::WideDecimal(packing, out) => shown(out.get(0), packing.scale()),
            Store::Text(out) => out.get(0).map_or(Seen::Other, Seen::Text),
            Store::Date(_) | Store::Timestamp(_) | Store::TimestampTz(_) | Store::Bytes(_) => {
                Seen::Other
            }
        })
    }
}

fn shown<T: ToString>(number: Option<T>, scale: u8) -> Seen<'static> {
    let Some(number) = number else {
        return Seen::Other;
    };
    let mut text = Vec::new();
    decimal::write(&number.to_string(), scale, &mut text);
    Seen::Decimal(String::from_utf8_lossy(&text).into_owned())
}
