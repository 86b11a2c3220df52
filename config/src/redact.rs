//! Messages without the values that may be secret. // G8
//!
//! What a value is replaced in was written by somebody who may have repeated it. Letters of other
//! words are no repetition: to take them out would spoil the message, and tell the value by what is
//! missing.

use serde_json::Value;

use crate::path::Path;

/// In place of a value.
const HIDDEN: &str = "***";
/// Texts of fewer characters are words of any sentence, unless they stand in quotes.
const SHORT: usize = 4;

/// `message` without any text of `value`, found at `path`, that is doubtful.
pub(crate) fn redact(
    message: &str,
    value: &Value,
    path: &Path,
    doubtful: &dyn Fn(&Path) -> bool,
) -> String {
    let message = message.to_owned();
    match value {
        Value::String(text) if !text.is_empty() && doubtful(path) => without(&message, text),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .fold(message, |message, (index, item)| {
                redact(&message, item, &path.index(index), doubtful)
            }),
        Value::Object(fields) => fields.iter().fold(message, |message, (key, item)| {
            redact(&message, item, &path.key(key), doubtful)
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => message,
    }
}

/// `message` with every place hidden at which `secret` stands as a whole.
fn without(message: &str, secret: &str) -> String {
    let mut told = String::new();
    let mut left = message;
    while let Some(start) = left.find(secret) {
        let after = &left[start + secret.len()..];
        let before = told.chars().chain(left[..start].chars()).next_back();
        told += &left[..start];
        if stands_alone(secret, before, after.chars().next()) {
            told += HIDDEN;
            left = after;
        } else {
            // Another may begin within this one.
            let first = secret.chars().next().map_or(1, char::len_utf8);
            told += &left[start..start + first];
            left = &left[start + first..];
        }
    }
    told + left
}

fn stands_alone(secret: &str, before: Option<char>, after: Option<char>) -> bool {
    let goes_on = |edge: Option<char>, next: Option<char>| {
        let in_word = |c: char| c.is_alphanumeric() || c == '_';
        edge.is_some_and(in_word) && next.is_some_and(in_word)
    };
    let quoted = |next: Option<char>| matches!(next, Some('`' | '"' | '\''));
    let mut letters = secret.chars();
    let (first, last) = (letters.next(), secret.chars().next_back());
    match letters.count() + 1 < SHORT {
        true => quoted(before) && quoted(after),
        false => !goes_on(first, before) && !goes_on(last, after),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn redacted(message: &str, secret: &str) -> String {
        let value = json!({"keys": [{"own": secret}], "port": 7});
        redact(message, &value, &Path::default(), &|_| true)
    }

    #[test]
    fn a_value_is_hidden_wherever_it_stands() {
        for message in [
            "unknown variant `hunter2`, expected `a`",
            "hunter2",
            "it is hunter2.",
            "mysql://me:hunter2@db",
        ] {
            let told = redacted(message, "hunter2");
            assert!(!told.contains("hunter2") && told.contains(HIDDEN), "{told}");
        }
        assert_eq!(redacted("`a/b?` and \"a/b?\"", "a/b?"), "`***` and \"***\"");
        let short = "invalid value: string \"a\", expected a path";
        let expected = "invalid value: string \"***\", expected a path";
        assert_eq!(redacted(short, "a"), expected);
    }

    #[test]
    fn letters_of_other_words_stay() {
        for (message, secret) in [
            ("the file of certificates can't be read", "a"),
            ("the certificate can't be read", "cert"),
            ("the key file secret_key is not there", "secret"),
        ] {
            assert_eq!(redacted(message, secret), message);
        }
    }
}
