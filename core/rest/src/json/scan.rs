//! The scanner: a place in a text, and steps from value to value.

use std::borrow::Cow;

use super::raw::Raw;
use super::text::plain_until;

/// The most levels a value may have. // G6
const MAX_DEPTH: usize = 10_000;

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
        let first = self.peek();
        let start = self.at;
        match first {
            Some(b'{' | b'[') => self.nested()?,
            _ => self.scalar()?,
        }
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
            let name = self.name()?.text();
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

    /// Takes this byte, after white space.
    pub(crate) fn expect(&mut self, wanted: u8) -> Result<()> {
        match self.peek() {
            Some(byte) if byte == wanted => {
                self.at += 1;
                Ok(())
            }
            _ => Err(Broken(self.at)),
        }
    }

    /// Takes a field's name and the colon.
    pub(crate) fn name(&mut self) -> Result<Raw<'a>> {
        self.peek();
        let name = self.string()?;
        self.expect(b':')?;
        Ok(name)
    }

    /// Steps over a list or an object. It keeps its own stack, since the text decides how deep it gets.
    fn nested(&mut self) -> Result<()> {
        let mut levels = Levels::default();
        loop {
            match self.peek() {
                Some(open @ (b'{' | b'[')) => {
                    self.at += 1;
                    levels.enter(open).ok_or(Broken(self.at))?;
                    match self.peek() {
                        Some(b'}' | b']') => {} // whether it is the right one is seen below
                        _ if open == b'{' => {
                            self.name()?;
                            continue;
                        }
                        _ => continue,
                    }
                }
                _ => self.scalar()?,
            }
            if !self.after_value(&mut levels)? {
                return Ok(());
            }
        }
    }

    /// From the end of a value to the next one, out of every level that ends between them; `false`
    /// where the last level has ended.
    fn after_value(&mut self, levels: &mut Levels) -> Result<bool> {
        while let Some(close) = levels.close() {
            match self.peek() {
                Some(b',') => {
                    self.at += 1;
                    if close == b'}' {
                        self.name()?;
                    }
                    return Ok(true);
                }
                Some(byte) if byte == close => {
                    self.at += 1;
                    levels.leave();
                }
                _ => return Err(Broken(self.at)),
            }
        }
        Ok(false)
    }

    fn scalar(&mut self) -> Result<()> {
        match self.peek() {
            Some(b'"') => self.string().map(drop),
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
            at = plain_until(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(Raw::known(&self.text[start..=at]));
                }
                Some(b'\\') => at = escape(bytes, at)?,
                // What must be escaped, or the text's end.
                _ => return Err(Broken(at)),
            }
        }
    }
}

/// The lists and objects around a place, innermost last: a bit for each, so that most values need no
/// memory for it.
#[derive(Debug, Default)]
struct Levels {
    depth: usize,
    /// Of the innermost ones; the lowest bit is the innermost, and set for an object.
    bits: u64,
    outer: Vec<u64>,
}

impl Levels {
    fn enter(&mut self, open: u8) -> Option<()> {
        if self.depth == MAX_DEPTH {
            return None;
        }
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.outer.push(self.bits);
        }
        self.bits = self.bits << 1 | u64::from(open == b'{');
        self.depth += 1;
        Some(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.bits >>= 1;
        if self.depth > 0 && self.depth.is_multiple_of(64) {
            self.bits = self.outer.pop().unwrap_or_default();
        }
    }

    /// What ends the innermost one.
    fn close(&self) -> Option<u8> {
        (self.depth > 0).then_some(if self.bits & 1 == 1 { b'}' } else { b']' })
    }
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
            ("[}", false),
            ("{]", false),
            ("[{}}", false),
            (r#"[[{"a":[]},{}],[]]"#, true),
            (r#"{"a":1 "b":2}"#, false),
            (r#"[1,,2]"#, false),
            ("[,]", false),
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
        let deep = |levels: usize| {
            let (open, close) = ("[{\"a\":".repeat(levels / 2), "}]".repeat(levels / 2));
            let text = format!("{open}1{close}");
            Scanner::new(&text)
                .value()
                .is_ok_and(|raw| raw.as_str() == text)
        };
        assert!(deep(126) && deep(128) && deep(130) && deep(MAX_DEPTH));
        assert!(!deep(MAX_DEPTH + 2));
        assert!(Scanner::new(&"[".repeat(100_000)).value().is_err());
    }
}
