//! The optional part of a table map: signs, charsets, names, labels, the primary key.
//!
//! Each field counts only the columns it is about, therefore it matters exactly which those are:
//! YEAR counts as a number on both servers; a geometry has a charset on MariaDB only, a vector (as
//! any MySQL blob) has one too, MySQL's JSON has none.

use tributary_model::Result;

use super::table_map::{KeyPart, MapColumn, TableMap, code};
use crate::decode::reader::{Reader, malformed};
use crate::server::Flavor;

const SIGNEDNESS: u8 = 1;
const DEFAULT_CHARSET: u8 = 2;
const COLUMN_CHARSET: u8 = 3;
const COLUMN_NAME: u8 = 4;
const SET_LABELS: u8 = 5;
const ENUM_LABELS: u8 = 6;
const PRIMARY_KEY: u8 = 8;
const PRIMARY_KEY_WITH_PREFIX: u8 = 9;
const ENUM_AND_SET_DEFAULT_CHARSET: u8 = 10;
const ENUM_AND_SET_COLUMN_CHARSET: u8 = 11;

/// Reads all fields into `map`; those that nothing here needs (7 geometry types, 12 visibility, 13
/// vector dimensions, and what later servers add) are passed over.
pub(super) fn read(map: &mut TableMap, reader: &mut Reader<'_>, flavor: Flavor) -> Result<()> {
    while !reader.is_empty() {
        let field = reader.byte()?;
        let mut body = Reader::new(reader.length_encoded_bytes()?);
        match field {
            SIGNEDNESS => signedness(map, body.rest())?,
            DEFAULT_CHARSET => default_charset(text(map, flavor), &mut body)?,
            COLUMN_CHARSET => column_charset(text(map, flavor), &mut body)?,
            ENUM_AND_SET_DEFAULT_CHARSET => default_charset(labelled(map), &mut body)?,
            ENUM_AND_SET_COLUMN_CHARSET => column_charset(labelled(map), &mut body)?,
            COLUMN_NAME => names(map, &mut body)?,
            SET_LABELS => labels(map, code::SET, &mut body)?,
            ENUM_LABELS => labels(map, code::ENUM, &mut body)?,
            PRIMARY_KEY => primary_key(map, &mut body, |_| Ok(0))?,
            PRIMARY_KEY_WITH_PREFIX => primary_key(map, &mut body, Reader::length_encoded)?,
            _ => {}
        }
    }
    Ok(())
}

/// One bit for each number, the highest first.
fn signedness(map: &mut TableMap, bits: &[u8]) -> Result<()> {
    let numbers = map.columns.iter_mut().filter(|column| {
        matches!(
            column.code,
            code::TINY
                | code::SHORT
                | code::INT24
                | code::LONG
                | code::LONGLONG
                | code::FLOAT
                | code::DOUBLE
                | code::DECIMAL
                | code::NEWDECIMAL
                | code::YEAR
        )
    });
    for (index, column) in numbers.enumerate() {
        let byte = bits
            .get(index / 8)
            .ok_or_else(|| malformed("there are signs for fewer columns than there are"))?;
        column.unsigned = Some(byte << (index % 8) & 0x80 != 0);
    }
    Ok(())
}

/// The columns that the fields of text charsets count.
fn text(map: &mut TableMap, flavor: Flavor) -> Vec<&mut MapColumn> {
    let counts = |column: &&mut MapColumn| match column.code {
        code::VARCHAR
        | code::VAR_STRING
        | code::STRING
        | code::BLOB
        | code::VECTOR
        | code::BLOB_COMPRESSED
        | code::VARCHAR_COMPRESSED => true,
        code::GEOMETRY => flavor == Flavor::MariaDb,
        _ => false,
    };
    map.columns.iter_mut().filter(counts).collect()
}

/// The columns that the fields of label charsets count.
fn labelled(map: &mut TableMap) -> Vec<&mut MapColumn> {
    map.columns
        .iter_mut()
        .filter(|column| matches!(column.code, code::ENUM | code::SET))
        .collect()
}

/// One collation for all, and pairs of place and collation for those that differ.
fn default_charset(mut columns: Vec<&mut MapColumn>, body: &mut Reader<'_>) -> Result<()> {
    let default = body.length_encoded()?;
    for column in &mut columns {
        column.collation = Some(default);
    }
    while !body.is_empty() {
        let index = body.length_encoded()?;
        let collation = body.length_encoded()?;
        let column = usize::try_from(index)
            .ok()
            .and_then(|index| columns.get_mut(index))
            .ok_or_else(|| malformed("there is a charset for a column that is not there"))?;
        column.collation = Some(collation);
    }
    Ok(())
}

/// A collation for each.
fn column_charset(columns: Vec<&mut MapColumn>, body: &mut Reader<'_>) -> Result<()> {
    for column in columns {
        column.collation = Some(body.length_encoded()?);
    }
    if body.is_empty() {
        Ok(())
    } else {
        Err(malformed(
            "there are charsets for more columns than there are",
        ))
    }
}

fn names(map: &mut TableMap, body: &mut Reader<'_>) -> Result<()> {
    for column in &mut map.columns {
        let name = simdutf8::basic::from_utf8(body.length_encoded_bytes()?)
            .map_err(|_| malformed("the name of a column is not UTF-8"))?;
        column.name = Some(name.to_owned());
    }
    Ok(())
}

fn labels(map: &mut TableMap, of: u8, body: &mut Reader<'_>) -> Result<()> {
    for column in map.columns.iter_mut().filter(|column| column.code == of) {
        let count = body.count()?;
        let labels = (0..count)
            .map(|_| body.length_encoded_bytes().map(<[u8]>::to_vec))
            .collect::<Result<_>>()?;
        column.members = Some(labels);
    }
    Ok(())
}

fn primary_key<'a>(
    map: &mut TableMap,
    body: &mut Reader<'a>,
    prefix: impl Fn(&mut Reader<'a>) -> Result<u64>,
) -> Result<()> {
    let mut parts = Vec::new();
    while !body.is_empty() {
        let column = usize::try_from(body.length_encoded()?)
            .ok()
            .filter(|column| *column < map.columns.len())
            .ok_or_else(|| malformed("the primary key has a column that is not there"))?;
        let prefix = prefix(body)?;
        parts.push(KeyPart { column, prefix });
    }
    map.primary_key = Some(parts);
    Ok(())
}
