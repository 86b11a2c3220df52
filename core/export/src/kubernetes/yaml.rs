//! Values as YAML, in block style, so that people can read and compare manifests.
//!
//! A text stands in double quotes, which YAML takes as JSON does, unless it is plainly a word; lines
//! of text stand as a block.

use serde_json::Value;

/// One document.
pub(crate) fn document(value: &Value) -> String {
    let mut text = String::new();
    block(value, 0, &mut text);
    text
}

/// Writes a mapping or list as lines of their own.
fn block(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                *text += &format!("{indent}{}:", scalar(&Value::from(key.as_str())));
                after(value, depth, text);
            }
        }
        Value::Array(items) => {
            for item in items {
                let mut inner = String::new();
                match is_block(item) {
                    true => block(item, depth + 1, &mut inner),
                    false => inner = format!("{indent}  {}\n", inline(item)),
                }
                // The first line of an item stands beside its dash.
                let rest = inner.get(indent.len() + 2..).unwrap_or_default();
                *text += &format!("{indent}- {rest}");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            *text += &format!("{indent}{}\n", inline(value));
        }
    }
}

/// Writes what comes after `key:`.
fn after(value: &Value, depth: usize, text: &mut String) {
    match value {
        _ if is_block(value) => {
            text.push('\n');
            // Items of a list may stand as far left as their key.
            let deeper = usize::from(value.is_object());
            block(value, depth + deeper, text);
        }
        Value::String(lines) if is_prose(lines) => {
            *text += " |\n";
            for line in lines.lines() {
                match line.is_empty() {
                    true => text.push('\n'),
                    false => *text += &format!("{}{line}\n", "  ".repeat(depth + 1)),
                }
            }
        }
        _ => *text += &format!(" {}\n", inline(value)),
    }
}

fn is_block(value: &Value) -> bool {
    match value {
        Value::Object(fields) => !fields.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a block of lines says exactly this: it ends in one line's end and begins with a character
/// that no parser takes for indentation.
fn is_prose(text: &str) -> bool {
    let printable = |c: char| c == '\n' || c == '\t' || (!c.is_control() && !is_break(c));
    text.ends_with('\n')
        && !text.ends_with("\n\n")
        && !text.starts_with([' ', '\t', '\n'])
        && text.chars().all(printable)
}

/// Characters that some parsers take for the end of a line, or for no character at all.
fn is_break(c: char) -> bool {
    matches!(
        c,
        '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
    )
}

fn inline(value: &Value) -> String {
    match value {
        Value::Object(_) => "{}".to_owned(),
        Value::Array(_) => "[]".to_owned(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => scalar(value),
    }
}

fn scalar(value: &Value) -> String {
    match value.as_str() {
        Some(text) if is_word(text) => text.to_owned(),
        Some(text) => quoted(text),
        None => value.to_string(),
    }
}

/// As JSON, all beyond ASCII escaped: JSON's own escapes are YAML's too.
fn quoted(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut quoted = String::new();
    for c in json.chars() {
        match c {
            ' '..='~' => quoted.push(c),
            c if u32::from(c) <= 0xffff => quoted += &format!("\\u{:04x}", u32::from(c)),
            c => quoted += &format!("\\U{:08x}", u32::from(c)),
        }
    }
    quoted
}

/// Whether no parser, of YAML 1.1 or 1.2, takes it for anything but this text.
fn is_word(text: &str) -> bool {
    const TAKEN: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/')
        && text.chars().all(proper)
        && !TAKEN.contains(&text.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_reads_well() {
        let value = json!({
            "kind": "List", "on": true, "text": "a: b", "none": {}, "number": 8642,
            "items": [{"name": "a", "args": ["--", "x"]}, [], "b", ["c", "d"]],
            "lines": "a:\n\n  b # c\n", "cut": "a\nb", "odd": "\u{2028}ü😀\n",
        });
        insta::assert_snapshot!(document(&value));
    }
}
