//! From a table map, and what `information_schema` adds to it, to a layout.
//!
//! Each column of the map meets its declaration: by name where the map has names, else by place, and
//! then only if all places agree in number, type and size. A row whose layout is not certain is
//! never decoded.

use std::collections::HashMap;

use tributary_model::{Error, ErrorKind, Result};

use super::{ImageColumn, Layout, LayoutColumn, declared, of};
use crate::column::{Format, Kind, Members, ValueOptions, Wire};
use crate::decode::charset::Charset;
use crate::decode::decimal::Packing;
use crate::info::{ColumnInfo, TableInfo};
use crate::log::table_map::{MapColumn, TableMap, code};

/// MariaDB's invisible helper of a unique index over long columns.
const HIDDEN: &str = "DB_ROW_HASH_";

pub(super) fn layout(
    map: &TableMap,
    info: Option<&TableInfo>,
    excluded: &[String],
    options: ValueOptions,
) -> Result<Layout> {
    let pairs = if map.is_named() {
        by_name(map, info)
    } else {
        by_place(map, info)?
    };
    let mut columns = Vec::new();
    let mut image = Vec::new();
    for Pair { name, mapped, info } in &pairs {
        let place = |error: Error| error.context(of(&map.database, &map.table, name));
        let (wire, format) = shape(mapped).map_err(place)?;
        let hidden = name.starts_with(HIDDEN) && info.is_none();
        let kept = !hidden && !excluded.contains(name);
        let kind = kind(mapped, *info);
        image.push(ImageColumn {
            name: name.clone(),
            kind: kind.as_ref().ok().cloned(),
            compressed: is_compressed(mapped.code),
            wire,
            format,
            kept,
            in_key: false,
        });
        if kept {
            let kind = kind.map_err(place)?;
            columns.push(LayoutColumn {
                name: name.clone(),
                nullable: mapped.nullable,
                default: info.and_then(|info| declared::default(info, &kind, options)),
                kind,
            });
        }
    }
    let table = format!("{}.{}", map.database, map.table);
    Layout::new(&table, columns, &key(map, info, &pairs), image, options)
}

/// A column of the map, its name, and what is known of the column of that name.
struct Pair<'a> {
    name: String,
    mapped: &'a MapColumn,
    info: Option<&'a ColumnInfo>,
}

fn by_name<'a>(map: &'a TableMap, info: Option<&'a TableInfo>) -> Vec<Pair<'a>> {
    let declared: HashMap<&str, &ColumnInfo> = info
        .into_iter()
        .flat_map(|info| &info.columns)
        .map(|column| (column.name.as_str(), column))
        .collect();
    map.columns
        .iter()
        .map(|mapped| {
            let name = mapped.name.clone().unwrap_or_default();
            let info = declared.get(name.as_str()).copied();
            Pair { name, mapped, info }
        })
        .collect()
}

fn by_place<'a>(map: &'a TableMap, info: Option<&'a TableInfo>) -> Result<Vec<Pair<'a>>> {
    let declared = info.map_or(&[][..], |info| &info.columns);
    let fits = declared.len() == map.columns.len()
        && map
            .columns
            .iter()
            .zip(declared)
            .all(|(mapped, info)| agrees(mapped, info));
    if !fits {
        return Err(incomplete(map));
    }
    let pairs = map.columns.iter().zip(declared).map(|(mapped, info)| Pair {
        name: info.name.clone(),
        mapped,
        info: Some(info),
    });
    Ok(pairs.collect())
}

/// The names of the key's columns: the map's own primary key, else what `information_schema` knows
/// of other unique indexes. A primary key over prefixes counts on neither road.
fn key(map: &TableMap, info: Option<&TableInfo>, pairs: &[Pair<'_>]) -> Vec<String> {
    if let Some(primary) = &map.primary_key
        && primary.iter().all(|part| part.prefix == 0)
    {
        let names = primary
            .iter()
            .filter_map(|part| Some(pairs.get(part.column)?.name.clone()));
        return names.collect();
    }
    let Some(info) = info else {
        return Vec::new();
    };
    // The map of a named table would have said so, had the primary key been there already.
    let newer = map.is_named() && info.key_index.as_deref() == Some("PRIMARY");
    let present = |name: &String| pairs.iter().any(|pair| pair.name == *name);
    if newer || !info.key.iter().all(present) {
        return Vec::new();
    }
    info.key.clone()
}

/// Whether MariaDB compresses the column's values.
fn is_compressed(code: u8) -> bool {
    matches!(code, code::BLOB_COMPRESSED | code::VARCHAR_COMPRESSED)
}

/// How the values of a column lie in a row image.
fn shape(column: &MapColumn) -> Result<(Wire, Format)> {
    let [low, high] = column.meta.to_le_bytes();
    let with_fraction = |whole: usize| Wire::Fixed(whole + usize::from(low.div_ceil(2)));
    let wire = match column.code {
        code::TINY | code::YEAR => Wire::Fixed(1),
        code::SHORT => Wire::Fixed(2),
        code::INT24 | code::DATE | code::NEWDATE | code::TIME => Wire::Fixed(3),
        code::LONG | code::FLOAT | code::TIMESTAMP => Wire::Fixed(4),
        code::LONGLONG | code::DOUBLE | code::DATETIME => Wire::Fixed(8),
        code::NEWDECIMAL => Wire::Fixed(Packing::new(low, high)?.size()),
        code::TIME2 => with_fraction(3),
        code::TIMESTAMP2 => with_fraction(4),
        code::DATETIME2 => with_fraction(5),
        code::BIT => Wire::Fixed(usize::from(high) + usize::from(low > 0)),
        code::ENUM | code::SET => Wire::Fixed(usize::from(high)),
        code::VARCHAR | code::VAR_STRING | code::STRING | code::VARCHAR_COMPRESSED => {
            Wire::Prefixed(1 + u8::from(column.meta > 255))
        }
        code::BLOB | code::BLOB_COMPRESSED | code::JSON | code::GEOMETRY | code::VECTOR
            if (1..=4).contains(&low) =>
        {
            Wire::Prefixed(low)
        }
        other => return Err(unknown(other)),
    };
    let format = match column.code {
        code::TIME | code::TIMESTAMP | code::DATETIME => Format::Legacy,
        _ => Format::Packed,
    };
    Ok((wire, format))
}

/// What the values of a column mean.
fn kind(column: &MapColumn, info: Option<&ColumnInfo>) -> Result<Kind> {
    let [low, high] = column.meta.to_le_bytes();
    let fraction = low.min(6);
    let sign = |signed: Kind, unsigned: Kind| {
        let is_unsigned = column.unsigned.or(info.map(declared::is_unsigned));
        is_unsigned
            .map(|is| if is { unsigned } else { signed })
            .ok_or_else(unsaid)
    };
    Ok(match column.code {
        code::TINY => sign(Kind::I8, Kind::U8)?,
        code::SHORT => sign(Kind::I16, Kind::U16)?,
        code::INT24 => sign(Kind::I24, Kind::U24)?,
        code::LONG => sign(Kind::I32, Kind::U32)?,
        code::LONGLONG => sign(Kind::I64, Kind::U64)?,
        code::FLOAT => Kind::F32,
        code::DOUBLE => Kind::F64,
        code::NEWDECIMAL => Kind::Decimal(Packing::new(low, high)?),
        code::DATE | code::NEWDATE => Kind::Date,
        code::YEAR => Kind::Year,
        code::TIME2 => Kind::Time { fraction },
        code::DATETIME2 => Kind::DateTime { fraction },
        code::TIMESTAMP2 => Kind::Timestamp { fraction },
        code::TIME | code::DATETIME | code::TIMESTAMP => legacy(column.code, info)?,
        code::BIT => Kind::Bit(high.saturating_mul(8).saturating_add(low).clamp(1, 64)),
        code::ENUM => Kind::Enum(members(column, info)?),
        code::SET => Kind::Set(members(column, info)?),
        code::JSON => Kind::Json,
        code::GEOMETRY => Kind::Geometry,
        code::VECTOR => Kind::Vector,
        code::STRING | code::VARCHAR | code::VAR_STRING | code::BLOB => text(column, info)?,
        code::BLOB_COMPRESSED | code::VARCHAR_COMPRESSED => text(column, info)?,
        other => return Err(unknown(other)),
    })
}

/// Text, bytes, and MariaDB's types that look like either.
fn text(column: &MapColumn, info: Option<&ColumnInfo>) -> Result<Kind> {
    let declared = info.map_or("", |info| info.data_type.as_str());
    let charset = charset(column.collation, info)?;
    let width = usize::from(column.meta);
    Ok(match (column.code, charset) {
        (code::STRING, Charset::Binary) => match (declared, width) {
            ("uuid", 16) => Kind::Uuid,
            ("inet6", 16) => Kind::Inet6,
            ("inet4", 4) => Kind::Inet4,
            _ => Kind::FixedBytes(width),
        },
        (_, Charset::Binary) if declared == "vector" => Kind::Vector,
        (_, Charset::Binary) => Kind::Bytes,
        (code::BLOB, charset) if declared == "json" => Kind::JsonText(charset),
        (_, charset) => Kind::Text(charset),
    })
}

fn charset(collation: Option<u64>, info: Option<&ColumnInfo>) -> Result<Charset> {
    match (collation, info) {
        (Some(number), info) => match (Charset::from_collation(number), info) {
            (Some(charset), _) => Ok(charset),
            (None, Some(info)) if info.charset.is_some() => declared::charset(info),
            (None, _) => Err(Error::new(
                ErrorKind::Incompatible,
                format!("the collation number {number} is not known"),
            )
            .fix("Convert the column to utf8mb4, or exclude it.")),
        },
        (None, Some(info)) if info.charset.is_none() => Ok(Charset::Binary),
        (None, Some(info)) => declared::charset(info),
        (None, None) => Err(unsaid()),
    }
}

fn members(column: &MapColumn, info: Option<&ColumnInfo>) -> Result<Members> {
    let Some(labels) = &column.members else {
        return declared::members(info.ok_or_else(unsaid)?);
    };
    let charset = charset(column.collation, info)?;
    Ok(Members {
        labels: labels.iter().map(|label| charset.text(label)).collect(),
        charset,
    })
}

fn legacy(code: u8, info: Option<&ColumnInfo>) -> Result<Kind> {
    if info.is_some_and(|info| info.fraction.unwrap_or(0) > 0) {
        return Err(Error::new(
            ErrorKind::Incompatible,
            "it is stored in the format of before MariaDB 10.1, with a fraction",
        )
        .fix("Run SET GLOBAL mysql56_temporal_format=ON and ALTER TABLE <table> FORCE."));
    }
    Ok(match code {
        code::TIME => Kind::Time { fraction: 0 },
        code::DATETIME => Kind::DateTime { fraction: 0 },
        _ => Kind::Timestamp { fraction: 0 },
    })
}

/// Whether a column of a map without names can be the one declared: its wire type and size.
fn agrees(column: &MapColumn, info: &ColumnInfo) -> bool {
    let [low, high] = column.meta.to_le_bytes();
    let fraction = info.fraction.unwrap_or(0) as u8;
    let blob =
        |width: u8| matches!(column.code, code::BLOB | code::BLOB_COMPRESSED) && low == width;
    match info.data_type.as_str() {
        "time" => fractional(column, code::TIME2, code::TIME, fraction),
        "datetime" => fractional(column, code::DATETIME2, code::DATETIME, fraction),
        "timestamp" => fractional(column, code::TIMESTAMP2, code::TIMESTAMP, fraction),
        "tinyblob" | "tinytext" => blob(1),
        "blob" | "text" => blob(2),
        "mediumblob" | "mediumtext" => blob(3),
        "longblob" | "longtext" => blob(4),
        "json" => column.code == code::JSON || blob(4),
        "varchar" | "varbinary" => {
            matches!(column.code, code::VARCHAR | code::VARCHAR_COMPRESSED)
        }
        "vector" => matches!(column.code, code::VECTOR | code::VARCHAR | code::BLOB),
        "char" => column.code == code::STRING,
        "binary" => match declared::kind(info) {
            Ok(Kind::FixedBytes(width)) => {
                column.code == code::STRING && usize::from(column.meta) == width
            }
            _ => false,
        },
        "uuid" | "inet6" => column.code == code::STRING && column.meta == 16,
        "inet4" => column.code == code::STRING && column.meta == 4,
        "enum" => column.code == code::ENUM && label_bytes(info) == usize::from(high),
        "set" => column.code == code::SET && label_bytes(info) == usize::from(high),
        // For the others the map says it all but the sign, which is taken from the declaration.
        _ => declared::kind(info)
            .is_ok_and(|declared| kind(column, Some(info)).is_ok_and(|mapped| declared == mapped)),
    }
}

fn fractional(column: &MapColumn, packed: u8, legacy: u8, fraction: u8) -> bool {
    column.code == packed && column.meta == u16::from(fraction)
        || column.code == legacy && fraction == 0
}

/// Bytes of a value of a declared ENUM or SET.
fn label_bytes(info: &ColumnInfo) -> usize {
    let labels = declared::members(info).map_or(0, |members| members.labels.len());
    match (info.data_type.as_str(), labels) {
        ("enum", 0..=255) => 1,
        ("enum", _) => 2,
        (_, 0..=32) => labels.div_ceil(8),
        (_, _) => 8,
    }
}

#[cold]
fn incomplete(map: &TableMap) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "the log does not name the columns of {}.{}, and its {} columns are not those the table has now",
            map.database,
            map.table,
            map.columns.len()
        ),
    )
    .fix("Run SET GLOBAL binlog_row_metadata=FULL, then read the table again with `tributary state reset`.")
}

#[cold]
fn unsaid() -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "the log does not say its sign, character set or labels",
    )
    .fix("Run SET GLOBAL binlog_row_metadata=FULL, then read the table again with `tributary state reset`.")
}

#[cold]
fn unknown(code: u8) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the log's type {code} is not known"),
    )
    .fix("Change the column's type; leaving it out does not help, since its length is not known.")
}
