//! One way to write a JSON document, out of the many that mean the same.
//!
//! Warehouses keep documents as text, or take them apart and print them again: members in another
//! order, other spaces, `2.50` as `2.5`. Written here, members are sorted, nothing stands between
//! tokens, texts are unescaped and numbers are digits and an exponent, exactly: no number goes
//! through a float. Of members with one name the last counts, as for whoever takes documents apart.

/// Documents nested deeper than this stay as they are. // G6
const DEPTH: usize = 200;

/// The document's one form; what is no JSON stays as it is.
pub(crate) fn canonical(text: &str) -> Vec<u8> {
    let mut reader = Reader {
        text: text.as_bytes(),
        at: 0,
    };
    let mut out = Vec::with_capacity(text.len());
    match reader.value(&mut out, DEPTH) {
        Some(()) if reader.peek().is_none() => out,
        _ => text.as_bytes().to_vec(),
    }
}

struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The next byte that is not a space.
    fn peek(&mut self) -> Option<u8> {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.get(self.at) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> Option<()> {
        (self.peek()? == wanted).then(|| self.at += 1)
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.object(out, depth),
            b'[' => self.array(out, depth),
            b'"' => {
                let text = self.string()?;
                write_text(&text, out);
                Some(())
            }
            b't' => self.word(b"true", out),
            b'f' => self.word(b"false", out),
            b'n' => self.word(b"null", out),
            _ => self.number(out),
        }
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        let mut members = std::collections::BTreeMap::new();
        self.take(b'{')?;
        let mut is_first = true;
        while self.peek()? != b'}' {
            if !std::mem::take(&mut is_first) {
                self.take(b',')?;
            }
            self.peek()?;
            let name = self.string()?;
            self.take(b':')?;
            let mut value = Vec::new();
            self.value(&mut value, depth)?;
            members.insert(name, value);
        }
        self.take(b'}')?;
        out.push(b'{');
        for (name, value) in members {
            write_text(&name, out);
            out.push(b':');
            out.extend_from_slice(&value);
            out.push(b',');
        }
        out.push(b'}');
        Some(())
    }

    fn array(&mut self, out: &mut Vec<u8>, depth: usize) -> Option<()> {
        self.take(b'[')?;
        out.push(b'[');
        let mut is_first = true;
        while self.peek()? != b']' {
            if !std::mem::take(&mut is_first) {
                self.take(b',')?;
            }
            self.value(out, depth)?;
            out.push(b',');
        }
        self.take(b']')?;
        out.push(b']');
        Some(())
    }

    /// A text, unescaped by the library.
    fn string(&mut self) -> Option<String> {
        let begin = self.at;
        let mut at = begin + 1;
        (self.text.get(begin) == Some(&b'"')).then_some(())?;
        while *self.text.get(at)? != b'"' {
            at += if self.text[at] == b'\\' { 2 } else { 1 };
        }
        self.at = at + 1;
        serde_json::from_slice(&self.text[begin..self.at]).ok()
    }

    fn word(&mut self, word: &[u8], out: &mut Vec<u8>) -> Option<()> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            out.extend_from_slice(word);
        })
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Option<()> {
        let begin = self.at;
        let is_part = |byte: &u8| byte.is_ascii_digit() || b"+-.eE".contains(byte);
        while self.text.get(self.at).is_some_and(is_part) {
            self.at += 1;
        }
        let text = std::str::from_utf8(&self.text[begin..self.at]).ok()?;
        // The library knows what a number is; its value is not used.
        text.parse::<serde_json::Number>().ok()?;
        write_number(text, out)
    }
}

/// Texts end at a byte that is in none of them.
fn write_text(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(0xFF);
}

/// Digits without zeros around them, and how far the point stands behind the last.
fn write_number(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", text),
    };
    let (mantissa, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let mut exponent: i64 = exponent.parse().ok()?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?;
    let kept = digits.trim_end_matches('0');
    exponent = exponent.checked_add(i64::try_from(digits.len() - kept.len()).ok()?)?;
    match kept.trim_start_matches('0') {
        "" => out.push(b'0'),
        kept => out.extend_from_slice(format!("{sign}{kept}e{exponent}").as_bytes()),
    }
    Some(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn same(one: &str, other: &str) -> bool {
        canonical(one) == canonical(other)
    }

    #[test]
    fn ways_to_write_one_document_are_one() {
        for (one, other) in [
            (r#"{"a":1,"b":2}"#, "{ \"b\" : 2 , \"a\" : 1 }"),
            ("[1,2.50,-0.0]", "[1.0, 2.5, 0]"),
            ("1e2", "100"),
            ("1E+2", "100.000"),
            ("0.001", "1e-3"),
            (r#""\u00e4\/""#, "\"ä/\""),
            (r#"{"a":1,"a":2}"#, r#"{"a":2}"#),
            ("[]", "[ ]"),
        ] {
            assert!(same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn different_documents_stay_different() {
        let all = [
            "null",
            "0",
            "1",
            "10",
            "-1",
            "\"1\"",
            "\"\"",
            "[]",
            "{}",
            "[[]]",
            "[1,2]",
            "[12]",
            "[2,1]",
            "{\"a\":1}",
            "{\"a\":\"1\"}",
            "{\"b\":1}",
            "[\"a\",1]",
            "true",
            "\"true\"",
            "0.1",
            "0.10000000000000000001",
            "1e400",
            "1e401",
            "not json",
            "{\"a\":1",
            "[1]]",
            "01",
            "[\"a,b\"]",
            "[\"a\",\"b\"]",
        ];
        let forms: std::collections::BTreeSet<_> = all.iter().map(|text| canonical(text)).collect();
        assert_eq!(forms.len(), all.len());
    }

    #[test]
    fn a_document_that_is_nested_too_deep_is_compared_as_it_is() {
        let deep = "[".repeat(5000) + &"]".repeat(5000);
        assert_eq!(canonical(&deep), deep.as_bytes());
        assert!(!same(&deep, &deep[1..9999]));
    }
}
