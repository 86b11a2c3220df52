//! SQL as text: the simple protocol knows no parameters.
//!
//! Invariant: a value stands in a statement only by way of [`literal`], which no value leaves. // G8

use std::fmt::Display;

use chrono::{DateTime, Utc};

/// A text. Redshift takes a backslash in it for the beginning of an escape, and no text holds U+0000.
pub(crate) fn literal(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\'' => quoted.push_str("''"),
            '\\' => quoted.push_str("\\\\"),
            '\0' => quoted.push('\u{fffd}'),
            other => quoted.push(other),
        }
    }
    quoted.push('\'');
    quoted
}

/// A text, or NULL.
pub(crate) fn optional(text: Option<&str>) -> String {
    text.map_or_else(|| "NULL".to_owned(), literal)
}

/// Several texts, one after the other.
pub(crate) fn literals<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> String {
    let texts = texts.into_iter().map(|text| literal(text.as_ref()));
    texts.collect::<Vec<_>>().join(", ")
}

/// The values of one row.
pub(crate) fn values<T: Display>(values: &[T]) -> String {
    let values: Vec<String> = values.iter().map(ToString::to_string).collect();
    format!("({})", values.join(", "))
}

/// An instant.
pub(crate) fn instant(at: DateTime<Utc>) -> String {
    format!(
        "CAST({} AS TIMESTAMPTZ)",
        literal(&at.format("%Y-%m-%d %H:%M:%S%.6f+00").to_string())
    )
}

/// A text in pieces of at most so many bytes.
pub(crate) fn pieces(text: &str, bytes: usize) -> Vec<&str> {
    let mut rest = text;
    let mut pieces = Vec::new();
    while rest.len() > bytes {
        let (piece, more) = rest.split_at(rest.floor_char_boundary(bytes));
        pieces.push(piece);
        rest = more;
    }
    pieces.push(rest);
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_leaves_its_quotes() {
        assert_eq!(literal(r"it's \' ; --"), r"'it''s \\'' ; --'");
        assert_eq!(literal("a\0b"), "'a\u{fffd}b'");
        assert_eq!(literals(["a", "b'"]), "'a', 'b'''");
        assert_eq!(optional(None), "NULL");
    }

    #[test]
    fn a_text_is_whole_in_its_pieces() {
        for text in ["", "a", "日本語", "aé日𝒳"] {
            for bytes in 4..7 {
                let pieces = pieces(text, bytes);
                assert_eq!(pieces.concat(), text);
                assert!(pieces.iter().all(|piece| piece.len() <= bytes));
            }
        }
    }
}
