//! The table map: what the log says of a table before each group of its rows.
//!
//! The body of an event without header and checksum. The first part (types, sizes, NULLs) is always
//! there; the optional rest depends on the server's `binlog_row_metadata`. Every length is checked
//! against what is left; what contradicts itself is an error, never a guess.

use tributary_model::{Error, ErrorKind, Result};

use crate::decode::reader::{Reader, malformed};
use crate::server::Flavor;

/// Type codes.
pub(crate) mod code {
    #![allow(missing_docs)]
    pub(crate) const DECIMAL: u8 = 0;
    pub(crate) const TINY: u8 = 1;
    pub(crate) const SHORT: u8 = 2;
    pub(crate) const LONG: u8 = 3;
    pub(crate) const FLOAT: u8 = 4;
    pub(crate) const DOUBLE: u8 = 5;
    pub(crate) const TIMESTAMP: u8 = 7;
    pub(crate) const LONGLONG: u8 = 8;
    pub(crate) const INT24: u8 = 9;
    pub(crate) const DATE: u8 = 10;
    pub(crate) const TIME: u8 = 11;
    pub(crate) const DATETIME: u8 = 12;
    pub(crate) const YEAR: u8 = 13;
    pub(crate) const NEWDATE: u8 = 14;
    pub(crate) const VARCHAR: u8 = 15;
    pub(crate) const BIT: u8 = 16;
    pub(crate) const TIMESTAMP2: u8 = 17;
    pub(crate) const DATETIME2: u8 = 18;
    pub(crate) const TIME2: u8 = 19;
    pub(crate) const BLOB_COMPRESSED: u8 = 140;
    pub(crate) const VARCHAR_COMPRESSED: u8 = 141;
    pub(crate) const VECTOR: u8 = 242;
    pub(crate) const JSON: u8 = 245;
    pub(crate) const NEWDECIMAL: u8 = 246;
    pub(crate) const ENUM: u8 = 247;
    pub(crate) const SET: u8 = 248;
    pub(crate) const BLOB: u8 = 252;
    pub(crate) const VAR_STRING: u8 = 253;
    pub(crate) const STRING: u8 = 254;
    pub(crate) const GEOMETRY: u8 = 255;
}

/// The part of a table map that every event is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head<'a> {
    /// The number that row events refer to.
    pub(crate) table_id: u64,
    /// The database.
    pub(crate) database: &'a str,
    /// The table.
    pub(crate) table: &'a str,
    /// Everything behind `table_id`: equal for equal layouts of the same table.
    pub(crate) identity: &'a [u8],
}

/// One column of a table map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MapColumn {
    /// Its type, one of [`code`]; for STRING the real one.
    pub(crate) code: u8,
    /// What the type needs besides: little endian, in STRING, ENUM and SET the length.
    pub(crate) meta: u16,
    /// Whether it can be NULL.
    pub(crate) nullable: bool,
    /// Whether a number has no sign.
    pub(crate) unsigned: Option<bool>,
    /// The number of its collation.
    pub(crate) collation: Option<u64>,
    /// Its name.
    pub(crate) name: Option<String>,
    /// The labels of an ENUM or SET, as stored.
    pub(crate) members: Option<Vec<Vec<u8>>>,
}

/// A column of a primary key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyPart {
    /// Its place in the table.
    pub(crate) column: usize,
    /// Characters of it that count; 0 for all.
    pub(crate) prefix: u64,
}

/// A table map.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TableMap {
    /// The number that row events refer to.
    pub(crate) table_id: u64,
    /// The database.
    pub(crate) database: String,
    /// The table.
    pub(crate) table: String,
    /// In the table's order.
    pub(crate) columns: Vec<MapColumn>,
    /// In key order; `None` where there is none, or the log does not say.
    pub(crate) primary_key: Option<Vec<KeyPart>>,
}

impl<'a> Head<'a> {
    /// Reads the head of an event's body.
    ///
    /// # Errors
    /// Fails where it is no table map.
    pub(crate) fn parse(body: &'a [u8]) -> Result<Self> {
        Self::read(&mut Reader::new(body))
    }

    fn read(reader: &mut Reader<'a>) -> Result<Self> {
        let table_id = reader.little(6)?;
        let identity = reader.rest();
        reader.take(2)?; // flags
        Ok(Self {
            table_id,
            database: name(reader)?,
            table: name(reader)?,
            identity,
        })
    }
}

impl TableMap {
    /// Reads an event's body.
    ///
    /// # Errors
    /// Fails where it is no table map, or has a type whose size is not known.
    pub(crate) fn parse(body: &[u8], flavor: Flavor) -> Result<Self> {
        let mut reader = Reader::new(body);
        let head = Head::read(&mut reader)?;
        let mut map = Self {
            table_id: head.table_id,
            database: head.database.to_owned(),
            table: head.table.to_owned(),
            columns: columns(&mut reader)?,
            primary_key: None,
        };
        let context = |error: Error| {
            error.context(format!("the table map of {}.{}", head.database, head.table))
        };
        super::metadata::read(&mut map, &mut reader, flavor).map_err(context)?;
        Ok(map)
    }

    /// Whether it names all its columns.
    #[must_use]
    pub(crate) fn is_named(&self) -> bool {
        self.columns.iter().all(|column| column.name.is_some())
    }
}

fn name<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    let length = reader.byte()?;
    let bytes = reader.take(length.into())?;
    reader.take(1)?; // a zero byte
    simdutf8::basic::from_utf8(bytes).map_err(|_| malformed("a name in a table map is not UTF-8"))
}

fn columns(reader: &mut Reader<'_>) -> Result<Vec<MapColumn>> {
    let count = reader.count()?;
    let codes = reader.take(count)?;
    let mut metas = Reader::new(reader.length_encoded_bytes()?);
    let nulls = reader.take(count.div_ceil(8))?;
    let mut columns = Vec::with_capacity(count);
    for (index, code) in codes.iter().enumerate() {
        let (code, meta) = typed(*code, &mut metas)?;
        columns.push(MapColumn {
            code,
            meta,
            nullable: nulls[index / 8] >> (index % 8) & 1 == 1,
            ..MapColumn::default()
        });
    }
    Ok(columns)
}

/// A column's real type, and what its type needs besides.
fn typed(code: u8, metas: &mut Reader<'_>) -> Result<(u8, u16)> {
    let meta = match code {
        code::FLOAT
        | code::DOUBLE
        | code::TIMESTAMP2
        | code::DATETIME2
        | code::TIME2
        | code::BLOB_COMPRESSED
        | code::VECTOR
        | code::JSON
        | code::BLOB
        | code::GEOMETRY => metas.byte()?.into(),
        code::VARCHAR
        | code::VAR_STRING
        | code::VARCHAR_COMPRESSED
        | code::BIT
        | code::NEWDECIMAL => metas.little(2)? as u16,
        code::STRING | code::ENUM | code::SET => return string(metas),
        code::DECIMAL..=code::NEWDATE => 0,
        other => {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("a table map has a column of type {other}, which is not known"),
            )
            .fix("Change the column's type."));
        }
    };
    Ok((code, meta))
}

/// CHAR, BINARY, ENUM and SET share one type: the first byte has the real one, with two bits of the
/// length mixed in upside down.
fn string(metas: &mut Reader<'_>) -> Result<(u8, u16)> {
    let (first, second) = (metas.byte()?, metas.byte()?);
    let real = first | 0x30;
    match real {
        code::ENUM | code::SET => Ok((real, u16::from(second) << 8)),
        code::STRING => Ok((
            real,
            u16::from(first & 0x30 ^ 0x30) << 4 | u16::from(second),
        )),
        other => Err(malformed(format!("a CHAR column has the type {other}"))),
    }
}

#[cfg(test)]
#[path = "table_map_tests.rs"]
mod tests;
