//! Values as Python writes them.

use std::time::Duration;

/// A text as a literal of plain ASCII, in which nothing can end it early.
pub(crate) fn text(text: &str) -> String {
    let mut literal = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => literal.extend(['\\', c]),
            ' '..='~' => literal.push(c),
            c if u32::from(c) <= 0xffff => literal += &format!("\\u{:04x}", u32::from(c)),
            c => literal += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    literal + "\""
}

/// A list of texts.
pub(crate) fn list(items: &[String]) -> String {
    let items: Vec<_> = items.iter().map(|item| text(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A list of pairs of numbers.
pub(crate) fn pairs(items: &[(u32, u32)]) -> String {
    let items: Vec<_> = items.iter().map(|(a, b)| format!("({a}, {b})")).collect();
    format!("[{}]", items.join(", "))
}

/// A length of time.
pub(crate) fn timedelta(length: Duration) -> String {
    match (length.as_secs(), length.subsec_millis()) {
        (seconds, 0) => format!("timedelta(seconds={seconds})"),
        (seconds, millis) => format!("timedelta(seconds={seconds}, milliseconds={millis})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_its_literal() {
        assert_eq!(text("shop"), "\"shop\"");
        assert_eq!(
            text("a\"\\\n'''\u{0}ü\u{2028}😀"),
            r#""a\"\\\u000a'''\u0000\u00fc\u2028\U0001f600""#
        );
    }

    #[test]
    fn lengths_of_time_keep_their_milliseconds() {
        assert_eq!(
            timedelta(Duration::from_secs(300)),
            "timedelta(seconds=300)"
        );
        assert_eq!(
            timedelta(Duration::from_millis(1500)),
            "timedelta(seconds=1, milliseconds=500)"
        );
    }
}
