//! What a column's declaration says: its kind, and what rows hold that are older than it.

use std::sync::Arc;

use tributary_model::{Error, ErrorKind, Result};

use crate::column::{Kind, Members, ValueOptions, ZeroDates};
use crate::decode::charset::Charset;
use crate::decode::decimal::Packing;
use crate::default::{DefaultValue, constant_default};
use crate::info::ColumnInfo;

/// The kind of a declared column.
///
/// # Errors
/// Fails on a type or charset that is not known.
pub(super) fn kind(column: &ColumnInfo) -> Result<Kind> {
    let unsigned = is_unsigned(column);
    let fraction = column.fraction.unwrap_or(0).min(6) as u8;
    let signed_or = |signed: Kind, other: Kind| if unsigned { other } else { signed };
    Ok(match column.data_type.as_str() {
        "tinyint" => signed_or(Kind::I8, Kind::U8),
        "smallint" => signed_or(Kind::I16, Kind::U16),
        "mediumint" => signed_or(Kind::I24, Kind::U24),
        "int" | "integer" => signed_or(Kind::I32, Kind::U32),
        "bigint" => signed_or(Kind::I64, Kind::U64),
        "float" => Kind::F32,
        "double" | "real" => Kind::F64,
        "decimal" | "numeric" => Kind::Decimal(Packing::new(
            column.precision.unwrap_or(10).min(255) as u8,
            column.scale.unwrap_or(0).min(255) as u8,
        )?),
        "date" => Kind::Date,
        "time" => Kind::Time { fraction },
        "datetime" => Kind::DateTime { fraction },
        "timestamp" => Kind::Timestamp { fraction },
        "year" => Kind::Year,
        "bit" => Kind::Bit(width(column).unwrap_or(1).clamp(1, 64) as u8),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" => {
            match charset(column)? {
                Charset::Binary => Kind::Bytes,
                charset => Kind::Text(charset),
            }
        }
        "binary" => Kind::FixedBytes(width(column).unwrap_or(1)),
        "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" => Kind::Bytes,
        "enum" => Kind::Enum(members(column)?),
        "set" => Kind::Set(members(column)?),
        "json" => Kind::Json,
        "geometry" | "point" | "linestring" | "polygon" | "multipoint" | "multilinestring"
        | "multipolygon" | "geometrycollection" | "geomcollection" => Kind::Geometry,
        "uuid" => Kind::Uuid,
        "inet4" => Kind::Inet4,
        "inet6" => Kind::Inet6,
        "vector" => Kind::Vector,
        other => {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("the type `{other}` is not known"),
            )
            .fix("Exclude the column with `columns: {<name>: {exclude: true}}`."));
        }
    })
}

/// Whether a number has no sign; ZEROFILL implies it.
pub(super) fn is_unsigned(column: &ColumnInfo) -> bool {
    let attributes = column.column_type.rsplit(')').next().unwrap_or_default();
    attributes
        .split_ascii_whitespace()
        .any(|word| word == "unsigned" || word == "zerofill")
}

/// The charset of a text column.
///
/// # Errors
/// Fails on one that is not known.
pub(super) fn charset(column: &ColumnInfo) -> Result<Charset> {
    let name = column.charset.as_deref().unwrap_or("utf8mb4");
    Charset::from_name(name).ok_or_else(|| {
        Error::new(
            ErrorKind::Incompatible,
            format!("the character set `{name}` is not known"),
        )
        .fix("Convert the column to utf8mb4, or exclude it.")
    })
}

/// The labels of an ENUM or SET.
///
/// # Errors
/// Fails on a charset that is not known.
pub(super) fn members(column: &ColumnInfo) -> Result<Members> {
    Ok(Members {
        labels: labels(&column.column_type),
        charset: charset(column)?,
    })
}

/// The quoted labels of `enum('a','it''s')`.
fn labels(column_type: &str) -> Arc<[String]> {
    let mut labels = Vec::new();
    let mut characters = column_type.chars().peekable();
    while characters.by_ref().any(|character| character == '\'') {
        let mut label = String::new();
        while let Some(character) = characters.next() {
            match character {
                '\'' if characters.peek() == Some(&'\'') => {
                    characters.next();
                    label.push('\'');
                }
                '\'' => break,
                '\\' => label.push(unescaped(characters.next().unwrap_or('\\'))),
                other => label.push(other),
            }
        }
        labels.push(label);
    }
    labels.into()
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        other => other,
    }
}

/// The number in `bit(5)`.
fn width(column: &ColumnInfo) -> Option<usize> {
    let (_, rest) = column.column_type.split_once('(')?;
    let (number, _) = rest.split_once(')')?;
    number.trim().parse().ok()
}

/// What rows hold in a column that was added after them, as text that casts to its type. `None`
/// where that is NULL, or can't be known.
pub(super) fn default(column: &ColumnInfo, kind: &Kind, options: ValueOptions) -> Option<String> {
    let DefaultValue::Constant(text) = constant_default(column, options.flavor) else {
        return None;
    };
    match kind {
        Kind::Bit(1) => Some((text == "1").to_string()),
        Kind::Bytes | Kind::FixedBytes(_) | Kind::Geometry | Kind::Vector => None,
        Kind::Date | Kind::DateTime { .. } | Kind::Timestamp { .. } => date(text, kind, options),
        _ => Some(text),
    }
}

/// A date by the policy for impossible ones, with its zone where it has one.
fn date(text: String, kind: &Kind, options: ValueOptions) -> Option<String> {
    let zone = match kind {
        Kind::Timestamp { .. } => "+00:00",
        _ => "",
    };
    let impossible = text.starts_with("0000-") || text.contains("-00");
    match (options.zero_dates, kind) {
        (ZeroDates::Text, _) => Some(text),
        (ZeroDates::Null | ZeroDates::Reject, _) if impossible => None,
        (ZeroDates::Epoch, Kind::Date) if impossible => Some("1970-01-01".to_owned()),
        (ZeroDates::Epoch, _) if impossible => Some(format!("1970-01-01 00:00:00{zone}")),
        (ZeroDates::Null | ZeroDates::Reject | ZeroDates::Epoch, _) => Some(text + zone),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::server::Flavor;

    fn column(column_type: &str, default: Option<&str>) -> ColumnInfo {
        let end = column_type.find(['(', ' ']).unwrap_or(column_type.len());
        ColumnInfo {
            name: "c".to_owned(),
            data_type: column_type[..end].to_owned(),
            column_type: column_type.to_owned(),
            default: default.map(ToOwned::to_owned),
            precision: Some(5),
            scale: Some(2),
            ..ColumnInfo::default()
        }
    }

    fn default_of(column_type: &str, default: Option<&str>) -> Option<String> {
        let column = column(column_type, default);
        let kind = kind(&column).unwrap();
        let options = ValueOptions {
            zero_dates: ZeroDates::Null,
            geometry: crate::column::Geometries::Wkb,
            flavor: Flavor::MySql,
        };
        super::default(&column, &kind, options)
    }

    #[test]
    fn declarations_become_kinds() {
        for (declared, expected) in [
            ("int(10) unsigned", Kind::U32),
            ("int(10) unsigned zerofill", Kind::U32),
            ("bigint", Kind::I64),
            ("tinyint(1)", Kind::I8),
            ("bit(5)", Kind::Bit(5)),
            ("binary(16)", Kind::FixedBytes(16)),
            ("decimal(5,2)", Kind::Decimal(Packing::new(5, 2).unwrap())),
            ("point", Kind::Geometry),
        ] {
            assert_eq!(
                kind(&column(declared, None)).unwrap(),
                expected,
                "{declared}"
            );
        }
        assert!(kind(&column("hologram", None)).is_err());
        let odd = kind(&column(r"enum('a','it''s','x,y','unsigned)','b\\c')", None)).unwrap();
        let Kind::Enum(members) = odd else {
            unreachable!()
        };
        assert_eq!(*members.labels, ["a", "it's", "x,y", "unsigned)", r"b\c"]);
    }

    #[test]
    fn defaults_cast_to_their_types() {
        let text = |declared: &str, default: &str| default_of(declared, Some(default));
        assert_eq!(text("varchar(9)", "n/a").as_deref(), Some("n/a"));
        assert_eq!(text("bit(1)", "b'1'").as_deref(), Some("true"));
        assert_eq!(text("bit(9)", "b'101'").as_deref(), Some("5"));
        assert_eq!(text("date", "0000-00-00"), None);
        assert_eq!(text("binary(2)", "ab"), None);
        assert_eq!(
            text("timestamp", "2024-05-06 07:08:09").as_deref(),
            Some("2024-05-06 07:08:09+00:00")
        );
        assert_eq!(default_of("int(11)", None).as_deref(), Some("0"));
        assert_eq!(default_of("datetime", None), None);
    }
}
