//! What rows hold in a column that was added after they were written.
//!
//! An `ALTER TABLE … ADD COLUMN` fills the existing rows and writes no events: for constant
//! defaults the value is known from the declaration, for others the rows must be read again.

use crate::info::ColumnInfo;
use crate::server::Flavor;

/// The value of existing rows in an added column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DefaultValue {
    /// NULL.
    Null,
    /// This value, as the text that the server prints for it; of an impossible date the zeros.
    Constant(String),
    /// An expression, a generated value or a number of its own for each row.
    Unknown,
}

use DefaultValue::{Constant, Null, Unknown};

/// What existing rows got when the column was added.
pub(crate) fn constant_default(info: &ColumnInfo, flavor: Flavor) -> DefaultValue {
    if is_generated(&info.extra) || info.extra.contains("auto_increment") {
        return Unknown;
    }
    match flavor {
        Flavor::MySql => of_mysql(info),
        Flavor::MariaDb => of_mariadb(info),
    }
}

/// `stored generated`, `virtual generated`; not `default_generated`, which is an expression that
/// only new rows are filled with.
fn is_generated(extra: &str) -> bool {
    [
        "stored generated",
        "virtual generated",
        "persistent",
        "row start",
        "row end",
    ]
    .iter()
    .any(|mark| extra.contains(mark))
        || extra.trim() == "virtual"
}

/// MySQL prints texts bare, and marks expressions in `extra` (from version 8 on).
fn of_mysql(info: &ColumnInfo) -> DefaultValue {
    if info.extra.contains("default_generated") {
        return Unknown;
    }
    match &info.default {
        None if info.nullable => Null,
        None => implicit(info),
        Some(text) if is_temporal(info) && is_now(text) => Unknown,
        Some(text) => literal(info, text.clone()),
    }
}

/// MariaDB prints an expression: texts in quotes, NULL as a word, functions with parentheses.
fn of_mariadb(info: &ColumnInfo) -> DefaultValue {
    let Some(text) = info.default.as_deref().map(str::trim) else {
        return if info.nullable { Null } else { implicit(info) };
    };
    if text.eq_ignore_ascii_case("NULL") {
        return Null;
    }
    if let Some(inner) = unquote(text) {
        return literal(info, inner);
    }
    if is_number(text) || text.starts_with("b'") {
        return literal(info, text.to_owned());
    }
    Unknown
}

fn is_temporal(info: &ColumnInfo) -> bool {
    matches!(
        info.data_type.as_str(),
        "datetime" | "timestamp" | "date" | "time"
    )
}

fn is_now(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    [
        "current_timestamp",
        "now(",
        "localtime",
        "curdate",
        "current_date",
    ]
    .iter()
    .any(|now| text.starts_with(now))
}

fn is_number(text: &str) -> bool {
    let begins = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '-' | '+' | '.'));
    begins && text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// A declared constant, brought into the form in which values of the type are printed.
fn literal(info: &ColumnInfo, text: String) -> DefaultValue {
    if let Some(bits) = text
        .strip_prefix("b'")
        .and_then(|rest| rest.strip_suffix('\''))
    {
        return u64::from_str_radix(bits, 2).map_or(Unknown, |bits| Constant(bits.to_string()));
    }
    match info.data_type.as_str() {
        // How bytes are written as text is the destination's matter: no form fits all.
        "binary" | "varbinary" | "tinyblob" | "blob" | "mediumblob" | "longblob" | "vector" => {
            Unknown
        }
        "bit" => match text.parse::<u64>() {
            Ok(_) => Constant(text),
            Err(_) => Unknown,
        },
        _ => Constant(text),
    }
}

/// What a NOT NULL column without a default is filled with.
fn implicit(info: &ColumnInfo) -> DefaultValue {
    let zeros = |text: &str| Constant(fraction(text, info.fraction));
    match info.data_type.as_str() {
        "tinyint" | "smallint" | "mediumint" | "int" | "integer" | "bigint" | "decimal"
        | "numeric" | "float" | "double" | "real" | "bit" | "year" => Constant("0".to_owned()),
        "char" | "varchar" | "tinytext" | "text" | "mediumtext" | "longtext" | "set" => {
            Constant(String::new())
        }
        "enum" => first_label(&info.column_type).map_or(Unknown, Constant),
        "date" => Constant("0000-00-00".to_owned()),
        "time" => zeros("00:00:00"),
        "datetime" | "timestamp" => zeros("0000-00-00 00:00:00"),
        "uuid" => Constant("00000000-0000-0000-0000-000000000000".to_owned()),
        "inet4" => Constant("0.0.0.0".to_owned()),
        "inet6" => Constant("::".to_owned()),
        _ => Unknown,
    }
}

fn fraction(text: &str, digits: Option<u32>) -> String {
    match digits {
        Some(digits @ 1..=6) => format!("{text}.{}", "0".repeat(digits as usize)),
        Some(_) | None => text.to_owned(),
    }
}

/// `enum('a','b')` begins with `a`.
fn first_label(column_type: &str) -> Option<String> {
    let inner = column_type.get(5..)?;
    let end = closing_quote(inner)?;
    unquote(&inner[..=end])
}

/// Where the text that begins with a quote ends.
fn closing_quote(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if bytes.first() != Some(&b'\'') {
        return None;
    }
    let mut at = 1;
    while at < bytes.len() {
        match (bytes[at], bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) | (b'\\', Some(_)) => at += 2,
            (b'\'', _) => return Some(at),
            _ => at += 1,
        }
    }
    None
}

/// The text in quotes: `''` is a quote, a backslash escapes as it does in statements.
fn unquote(text: &str) -> Option<String> {
    if closing_quote(text)? + 1 != text.len() {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text[1..text.len() - 1].chars();
    while let Some(c) = chars.next() {
        out.push(match c {
            '\'' => chars.next()?,
            '\\' => match chars.next()? {
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'b' => '\u{8}',
                '0' => '\0',
                'Z' => '\u{1a}',
                other => other,
            },
            other => other,
        });
    }
    Some(out)
}

#[cfg(test)]
#[path = "default_tests.rs"]
mod tests;
