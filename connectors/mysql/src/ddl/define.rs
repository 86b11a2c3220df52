//! The declaration of one column, as `information_schema` would print its type.
//!
//! Strict: a word that is not known makes the whole declaration unknown, for a row that is decoded
//! by a wrong declaration is a wrong row. Deliberately absent: defaults, comments and checks, which
//! are read over.

use crate::server::Flavor;

use super::lexer::Token;
use super::parser::Parser;

/// A column as a statement declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Definition {
    /// Its name.
    pub(crate) name: String,
    /// Its type: `int unsigned`, `enum('a','b')`.
    pub(crate) column_type: String,
    /// Whether NULL is allowed.
    pub(crate) nullable: bool,
    /// The charset it names, itself or by its collation.
    pub(crate) charset: Option<String>,
}

/// Where a column goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To the end.
    Last,
    /// To the front.
    First,
    /// Behind this one.
    After(String),
}

/// A name that reads the same in every charset that a client may have sent it in.
pub(super) fn safe_name(p: &mut Parser<'_>) -> Option<String> {
    p.name().filter(|name| name.is_ascii())
}

/// `name type attributes [FIRST | AFTER other]`, up to the end.
pub(super) fn column(p: &mut Parser<'_>) -> Option<(Definition, Option<Place>)> {
    let name = safe_name(p)?;
    let word = p.keyword()?;
    p.advance();
    let mut definition = Definition {
        name,
        column_type: column_type(&word, p)?,
        nullable: true,
        charset: None,
    };
    if word == "JSON" && p.context().flavor == Flavor::MariaDb {
        definition.charset = Some("utf8mb4".to_owned());
    }
    let place = attributes(&mut definition, p)?;
    Some((definition, place))
}

fn column_type(word: &str, p: &mut Parser<'_>) -> Option<String> {
    let plain = |name: &str| Some(name.to_owned());
    match word {
        "TINYINT" | "INT1" => sized(p, "tinyint"),
        "SMALLINT" | "INT2" => sized(p, "smallint"),
        "MEDIUMINT" | "INT3" | "MIDDLEINT" => sized(p, "mediumint"),
        "INT" | "INTEGER" | "INT4" => sized(p, "int"),
        "BIGINT" | "INT8" => sized(p, "bigint"),
        "BOOL" | "BOOLEAN" => plain("tinyint(1)"),
        "DECIMAL" | "DEC" | "NUMERIC" | "FIXED" => decimal(p),
        "FLOAT" => float(p),
        "DOUBLE" => {
            p.take("PRECISION");
            numbers(p)?;
            plain("double")
        }
        "BIT" => with_number(p, "bit", "1"),
        "CHAR" | "CHARACTER" if p.keyword().as_deref() != Some("VARYING") => {
            with_number(p, "char", "1")
        }
        "VARCHAR" => with_number(p, "varchar", ""),
        "BINARY" => with_number(p, "binary", "1"),
        "VARBINARY" => with_number(p, "varbinary", ""),
        "TINYTEXT" | "MEDIUMTEXT" | "LONGTEXT" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB"
        | "DATE" | "YEAR" | "GEOMETRY" | "POINT" | "LINESTRING" | "POLYGON" | "MULTIPOINT"
        | "MULTILINESTRING" | "MULTIPOLYGON" | "GEOMETRYCOLLECTION" | "GEOMCOLLECTION" => {
            numbers(p)?;
            Some(word.to_ascii_lowercase())
        }
        // A length chooses among the four sizes by the charset.
        "TEXT" | "BLOB" if p.rest().first() != Some(&Token::Symbol(b'(')) => {
            Some(word.to_ascii_lowercase())
        }
        "TIME" | "DATETIME" | "TIMESTAMP" => {
            let digits = numbers(p)?;
            let name = word.to_ascii_lowercase();
            Some(match digits.as_slice() {
                [] => name,
                [digits, ..] => format!("{name}({digits})"),
            })
        }
        "JSON" => match p.context().flavor {
            Flavor::MySql => plain("json"),
            Flavor::MariaDb => plain("longtext"),
        },
        "ENUM" | "SET" => labels(p).map(|labels| format!("{}({labels})", word.to_lowercase())),
        "UUID" | "INET4" | "INET6" => plain(&word.to_ascii_lowercase()),
        "VECTOR" => with_number(p, "vector", "2048"),
        _ => None,
    }
}

/// An integer: its width says nothing, its sign does.
fn sized(p: &mut Parser<'_>, name: &str) -> Option<String> {
    numbers(p)?;
    Some(name.to_owned())
}

fn with_number(p: &mut Parser<'_>, name: &str, otherwise: &str) -> Option<String> {
    let numbers = numbers(p)?;
    let number = numbers.first().map_or(otherwise, String::as_str);
    (!number.is_empty()).then(|| format!("{name}({number})"))
}

fn decimal(p: &mut Parser<'_>) -> Option<String> {
    let numbers = numbers(p)?;
    let digits = numbers.first().map_or("10", String::as_str);
    let scale = numbers.get(1).map_or("0", String::as_str);
    let digits = if digits == "0" { "10" } else { digits };
    Some(format!("decimal({digits},{scale})"))
}

/// `FLOAT(25)` and more is a DOUBLE; `FLOAT(7,3)` is none.
fn float(p: &mut Parser<'_>) -> Option<String> {
    let numbers = numbers(p)?;
    let is_double = match numbers.as_slice() {
        [bits] => bits.parse::<u32>().ok()? > 24,
        _ => false,
    };
    Some(if is_double { "double" } else { "float" }.to_owned())
}

/// `(10, 2)`, or nothing.
fn numbers(p: &mut Parser<'_>) -> Option<Vec<String>> {
    let mut found = Vec::new();
    if !p.take_symbol(b'(') {
        return Some(found);
    }
    loop {
        let Some(Token::Number(digits)) = p.rest().first() else {
            return None;
        };
        found.push(digits.clone().into_owned());
        p.advance();
        if p.take_symbol(b')') {
            return Some(found);
        }
        if !p.take_symbol(b',') {
            return None;
        }
    }
}

/// `('a', 'it''s')`, as the server prints it. Letters beyond ASCII depend on the client's charset,
/// and escapes are the server's to resolve.
fn labels(p: &mut Parser<'_>) -> Option<String> {
    let mut found = Vec::new();
    if !p.take_symbol(b'(') {
        return None;
    }
    loop {
        match p.rest().first() {
            Some(Token::Text(text)) if text.is_ascii() && !text.contains('\\') => {
                // The server strips the blanks at the end.
                found.push(format!(
                    "'{}'",
                    text.trim_end_matches(' ').replace('\'', "''")
                ));
            }
            _ => return None,
        }
        p.advance();
        if p.take_symbol(b')') {
            return Some(found.join(","));
        }
        if !p.take_symbol(b',') {
            return None;
        }
    }
}

/// Everything behind the type. `None` for what is not known.
fn attributes(definition: &mut Definition, p: &mut Parser<'_>) -> Option<Option<Place>> {
    while !p.is_at_end() {
        let word = p.keyword()?;
        p.advance();
        match word.as_str() {
            "FIRST" => return p.is_at_end().then_some(Some(Place::First)),
            "AFTER" => {
                let place = Place::After(safe_name(p)?);
                return p.is_at_end().then_some(Some(place));
            }
            "UNSIGNED" => definition.column_type.push_str(" unsigned"),
            "ZEROFILL" => definition.column_type.push_str(" unsigned zerofill"),
            "CHARSET" => definition.charset = Some(charset_name(p)?),
            "CHARACTER" => {
                if !p.take("SET") {
                    return None;
                }
                definition.charset = Some(charset_name(p)?);
            }
            "COLLATE" => {
                let of = charset_of(&charset_name(p)?);
                definition.charset.get_or_insert(of);
            }
            "NOT" => {
                if !p.take("NULL") {
                    return None;
                }
                definition.nullable = false;
            }
            "COMMENT" | "COLUMN_FORMAT" | "STORAGE" | "SRID" => p.advance(),
            "DEFAULT" => value(p)?,
            "ON" => {
                if !p.take("UPDATE") {
                    return None;
                }
                value(p)?;
            }
            "AS" | "CHECK" => parentheses(p)?,
            "NULL" | "SIGNED" | "BINARY" | "AUTO_INCREMENT" | "GENERATED" | "ALWAYS"
            | "VIRTUAL" | "STORED" | "PERSISTENT" | "INVISIBLE" | "VISIBLE" => {}
            _ => return None,
        }
    }
    Some(None)
}

/// A charset or collation, bare or quoted, behind an optional `=`.
pub(super) fn charset_name(p: &mut Parser<'_>) -> Option<String> {
    p.take_symbol(b'=');
    let name = match p.rest().first()? {
        Token::Text(text) => text.clone().into_owned(),
        Token::Word(word) if !word.eq_ignore_ascii_case("default") => word.clone().into_owned(),
        Token::Name(name) => name.clone(),
        Token::Word(_) | Token::Number(_) | Token::Symbol(_) => return None,
    };
    p.advance();
    let name = name.to_ascii_lowercase();
    // MariaDB's collations without a charset in their names belong to several.
    (!name.starts_with("uca1400")).then_some(name)
}

/// The charset that a collation belongs to: `utf8mb4_bin` is one of utf8mb4.
pub(crate) fn charset_of(collation: &str) -> String {
    let (charset, _) = collation.split_once('_').unwrap_or((collation, ""));
    charset.to_ascii_lowercase()
}

/// A default: a literal, a function, or an expression in parentheses.
fn value(p: &mut Parser<'_>) -> Option<()> {
    if p.rest().first() == Some(&Token::Symbol(b'(')) {
        return parentheses(p);
    }
    if !p.take_symbol(b'-') {
        p.take_symbol(b'+');
    }
    match p.rest().first()? {
        Token::Word(_) => {
            p.advance();
            // `b'101'`, `_utf8mb4'x'`, `CURRENT_TIMESTAMP(3)`.
            if matches!(p.rest().first(), Some(Token::Text(_))) {
                p.advance();
            } else if p.rest().first() == Some(&Token::Symbol(b'(')) {
                parentheses(p)?;
            }
        }
        Token::Number(_) => {
            p.advance();
            if p.take_symbol(b'.') {
                p.advance();
            }
        }
        Token::Symbol(b'.') => {
            p.advance();
            p.advance();
        }
        Token::Text(_) => p.advance(),
        Token::Name(_) | Token::Symbol(_) => return None,
    }
    Some(())
}

/// Goes behind the closing parenthesis.
fn parentheses(p: &mut Parser<'_>) -> Option<()> {
    if !p.take_symbol(b'(') {
        return None;
    }
    let mut depth = 1;
    while depth > 0 {
        match p.rest().first()? {
            Token::Symbol(b'(') => depth += 1,
            Token::Symbol(b')') => depth -= 1,
            Token::Symbol(_)
            | Token::Word(_)
            | Token::Name(_)
            | Token::Text(_)
            | Token::Number(_) => {}
        }
        p.advance();
    }
    Some(())
}
