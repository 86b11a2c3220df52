//! The scanner: a place in a text, and steps from value to value.

use std::borrow::Cow;

use memchr::memchr2;

use super::raw::Raw;

/// The most levels a value may have. // G6
const MAX_DEPTH: usize = 128;

/// The text is not JSON from this byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Broken(pub(crate) usize);

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "not valid JSON at byte {}", self.0)
    }
}

impl std::error::Error for Broken {}

type Result<T> = std::result::Result<T, Broken>;

/// A place in a text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    /// The beginning of `text`.
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// How far it has come.
    pub(crate) fn place(&self) -> usize {
        self.at
    }

    /// The byte after white space, without taking it.
    pub(crate) fn peek(&mut self) -> Option<u8> {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\n' | b'\r' | b'\t' => self.at += 1,
                _ => return Some(*byte),
            }
        }
        None
    }

    /// Takes the next value, whatever it is.
    pub(crate) fn value(&mut self) -> Result<Raw<'a>> {
        self.peek();
        let start = self.at;
        self.skip(0)?;
        Ok(Raw::known(&self.text[start..self.at]))
    }

    /// Whether nothing follows.
    pub(crate) fn is_done(&mut self) -> bool {
        self.peek().is_none()
    }

    /// Goes through an object: `each` gets a field's name and must take its value.
    pub(crate) fn object(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, str>) -> Result<()>,
    ) -> Result<()> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.peek();
            let name = self.string()?.text();
            self.expect(b':')?;
            each(self, name)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Broken(self.at)),
            }
        }
    }

    /// Goes through a list: `each` must take the item.
    pub(crate) fn list(&mut self, mut each: impl FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.expect(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.peek();
            each(self)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Broken(self.at)),
            }
        }
    }

    fn expect(&mut self, wanted: u8) -> Result<()> {
        match self.peek() {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Broken(self.at)),
        }
    }

    fn skip(&mut self, depth: usize) -> Result<()> {
        if depth > MAX_DEPTH {
            return Err(Broken(self.at));
        }
        match self.peek() {
            Some(b'"') => self.string().map(drop),
            Some(b'{') => self.object(|scanner, _| scanner.skip(depth + 1)),
            Some(b'[') => self.list(|scanner| scanner.skip(depth + 1)),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => Err(Broken(self.at)),
        }
    }

    fn word(&mut self, word: &str) -> Result<()> {
        match self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            true => {
                self.at += word.len();
                Ok(())
            }
            false => Err(Broken(self.at)),
        }
    }

    fn number(&mut self) -> Result<()> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        let digits = |mut at: usize| {
            let first = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            if at > first { Ok(at) } else { Err(Broken(at)) }
        };
        let mut at = start + usize::from(bytes.get(start) == Some(&b'-'));
        let leading_zero = bytes.get(at) == Some(&b'0');
        let whole = digits(at)?;
        if leading_zero && whole > at + 1 {
            return Err(Broken(at));
        }
        at = whole;
        if bytes.get(at) == Some(&b'.') {
            at = digits(at + 1)?;
        }
        if matches!(bytes.get(at), Some(b'e' | b'E')) {
            let signed = matches!(bytes.get(at + 1), Some(b'+' | b'-'));
            at = digits(at + 1 + usize::from(signed))?;
        }
        self.at = at;
        Ok(())
    }

    /// Takes a string, quotes included.
    fn string(&mut self) -> Result<Raw<'a>> {
        let bytes = self.text.as_bytes();
        let start = self.at;
        if bytes.get(start) != Some(&b'"') {
            return Err(Broken(start));
        }
        let mut at = start + 1;
        loop {
            let Some(step) = memchr2(b'"', b'\\', &bytes[at..]) else {
                return Err(Broken(start));
            };
            if has_control(&bytes[at..at + step]) {
                return Err(Broken(at));
            }
            at += step;
            if bytes[at] == b'"' {
                self.at = at + 1;
                return Ok(Raw::known(&self.text[start..=at]));
            }
            at = escape(bytes, at)?;
        }
    }
}

/// Whether a stretch of a string holds what must be escaped.
fn has_control(bytes: &[u8]) -> bool {
    // Without an early exit, so that it runs over whole registers.
    bytes
        .iter()
        .fold(false, |found, byte| found | (*byte < 0x20))
}

/// Steps over the escape that begins at `at`.
fn escape(bytes: &[u8], at: usize) -> Result<usize> {
    match bytes.get(at + 1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 2),
        Some(b'u') => match bytes.get(at + 2..at + 6) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => Err(Broken(at)),
        },
        _ => Err(Broken(at)),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn it_takes_what_json_is_and_nothing_else() {
        for (text, good) in [
            ("{}", true),
            ("[]", true),
            (
                r#" {"a" : [1, -2.5e+3, "x\"\u00e9", true, false, null, {"b": []}]} "#,
                true,
            ),
            ("0", true),
            ("-0.1", true),
            ("01", false),
            ("1.", false),
            ("-", false),
            ("1e", false),
            ("tru", false),
            (r#""abc"#, false),
            (r#""a\x""#, false),
            (r#""a\u12g4""#, false),
            ("\"a\nb\"", false),
            ("[1,]", false),
            ("[1 2]", false),
            (r#"{"a"}"#, false),
            (r#"{"a":1,}"#, false),
            (r#"{a:1}"#, false),
            ("", false),
        ] {
            let mut scanner = Scanner::new(text);
            let taken = scanner.value().is_ok() && scanner.is_done();
            assert_eq!(taken, good, "{text}");
            assert_eq!(serde_json::from_str::<Value>(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(100_000);
        assert!(Scanner::new(&deep).value().is_err());
    }
}
