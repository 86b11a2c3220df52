//! What is between the quotes of a JSON string.

use std::borrow::Cow;

/// The first byte from `at` on that ends plain text: a quote, a backslash, or what must be escaped;
/// else the end.
pub(super) fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    while let Some(word) = bytes[at..].first_chunk::<8>() {
        let found = not_plain(u64::from_le_bytes(*word));
        if found != 0 {
            return at + found.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    while bytes.get(at).is_some_and(|byte| is_plain(*byte)) {
        at += 1;
    }
    at
}

fn is_plain(byte: u8) -> bool {
    byte >= 0x20 && byte != b'"' && byte != b'\\'
}

/// The high bits of those of eight bytes that are not plain. The lowest bit that is set is right;
/// above it a borrow may have set others.
fn not_plain(word: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    let below = |word: u64, least: u64| word.wrapping_sub(ONES * least) & !word & HIGH;
    let is = |byte: u8| below(word ^ (ONES * u64::from(byte)), 1);
    below(word, 0x20) | is(b'"') | is(b'\\')
}

/// The text that `inside`, valid between its quotes, stands for.
///
/// A lone surrogate is the one escape that no text can hold: it stays as it is written. // G5
pub(super) fn unescape(inside: &str) -> Cow<'_, str> {
    let Some(first) = memchr::memchr(b'\\', inside.as_bytes()) else {
        return Cow::Borrowed(inside);
    };
    let mut text = String::with_capacity(inside.len());
    text.push_str(&inside[..first]);
    let mut rest = &inside[first..];
    while let Some(escape) = rest.strip_prefix('\\') {
        let used = push_escape(escape, &mut text);
        rest = &escape[used..];
        let plain = memchr::memchr(b'\\', rest.as_bytes()).unwrap_or(rest.len());
        text.push_str(&rest[..plain]);
        rest = &rest[plain..];
    }
    Cow::Owned(text)
}

/// Adds the character of the escape whose backslash was taken; tells how many bytes it has besides.
fn push_escape(escape: &str, text: &mut String) -> usize {
    let plain = match escape.as_bytes().first() {
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return push_unit(escape, text),
        Some(other) => char::from(*other),
        None => return 0,
    };
    text.push(plain);
    1
}

/// The same for `uXXXX`, and for a pair of them that is one character.
fn push_unit(escape: &str, text: &mut String) -> usize {
    let unit = |escape: &str| u16::from_str_radix(escape.strip_prefix('u')?.get(..4)?, 16).ok();
    let first = unit(escape);
    let second = escape
        .get(5..)
        .and_then(|next| unit(next.strip_prefix('\\')?));
    let mut decoded = char::decode_utf16(first.into_iter().chain(second));
    match decoded.next() {
        Some(Ok(found)) => {
            text.push(found);
            if found.len_utf16() == 2 { 11 } else { 5 }
        }
        Some(Err(_)) | None => {
            text.push('\\');
            text.push_str(&escape[..5]);
            5
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escapes_are_what_they_stand_for() {
        for (inside, text) in [
            ("plain", "plain"),
            (r#"\"\\\/\b\f\n\r\t"#, "\"\\/\u{8}\u{c}\n\r\t"),
            (r"a\u00e9b", "aéb"),
            (r"\ud83d\ude00!", "😀!"),
            (r"\uD83D\n", "\\uD83D\n"),
            (r"\ude00\u0041", "\\ude00A"),
            (r"\ud83d\ud83d\ude00", "\\ud83d😀"),
            (r"\ud83d", r"\ud83d"),
            (r"\\u0041", r"\u0041"),
        ] {
            assert_eq!(unescape(inside), text, "{inside}");
        }
    }

    proptest! {
        #[test]
        fn the_end_of_plain_text_is_found_wherever_it_is(bytes in prop::collection::vec(any::<u8>(), 0..40), from in 0_usize..40) {
            let from = from.min(bytes.len());
            let end = bytes[from..].iter().position(|byte| !is_plain(*byte));
            prop_assert_eq!(plain_until(&bytes, from), end.map_or(bytes.len(), |end| from + end));
        }
    }
}
