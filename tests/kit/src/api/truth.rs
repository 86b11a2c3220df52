//! What a table must hold: the rows of a stream as its vendor knows them.

use std::collections::BTreeMap;

use serde_json::Value;
use tributary_model::Row;

/// The rows of one stream.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// The fields that tell rows apart.
    pub key: Vec<&'static str>,
    /// Rows that must be there, by key.
    pub rows: BTreeMap<String, Row>,
    /// Rows that may be there, and must be these if they are: what the API no longer lists.
    pub perhaps: BTreeMap<String, Row>,
    /// Whether rows that are not known here may be there.
    pub others: bool,
    /// Fields that a connector may leave out or hold otherwise, such as embedded lists.
    pub ignored: Vec<&'static str>,
}

impl Truth {
    /// No rows yet, told apart by `key`.
    #[must_use]
    pub fn keyed(key: &[&'static str]) -> Self {
        Self {
            key: key.to_vec(),
            ..Self::default()
        }
    }

    /// Fields that are not compared.
    #[must_use]
    pub fn ignoring(mut self, fields: &[&'static str]) -> Self {
        self.ignored.extend(fields);
        self
    }

    /// Rows that are not known here may be there: of records that are gone.
    #[must_use]
    pub fn others_may_be(mut self) -> Self {
        self.others = true;
        self
    }

    /// Adds a row that must be there.
    ///
    /// # Panics
    /// Panics where there is one with its key.
    pub fn add(&mut self, row: Row) {
        let key = self.key_of(&row);
        let twin = self.rows.insert(key.clone(), row);
        assert!(twin.is_none(), "the truth holds {key} twice");
    }

    /// Adds a row that may be there.
    pub fn add_perhaps(&mut self, row: Row) {
        let key = self.key_of(&row);
        self.perhaps.insert(key, row);
    }

    /// The text that tells a row apart.
    #[must_use]
    pub fn key_of(&self, row: &Row) -> String {
        let value = |name: &&str| match row.get(*name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "null".to_owned(),
        };
        self.key.iter().map(value).collect::<Vec<_>>().join("/")
    }

    /// How many rows must be there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether no row must be there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What is wrong with the rows that were found, a line each; nothing where all is well.
    #[must_use]
    pub fn differences(&self, found: &[Row]) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut seen = BTreeMap::new();
        for row in found {
            let key = self.key_of(row);
            *seen.entry(key.clone()).or_insert(0) += 1;
            match self.rows.get(&key).or_else(|| self.perhaps.get(&key)) {
                Some(expected) => wrong.extend(self.row(&key, expected, row)),
                None if self.others => {}
                None => wrong.push(format!("{key} should not be there")),
            }
        }
        let twice = seen.iter().filter(|(_, times)| **times > 1);
        wrong.extend(twice.map(|(key, times)| format!("{key} is there {times} times")));
        let missing = self.rows.keys().filter(|key| !seen.contains_key(*key));
        wrong.extend(missing.map(|key| format!("{key} is missing")));
        wrong
    }

    fn row(&self, key: &str, expected: &Row, found: &Row) -> Vec<String> {
        let compared = expected
            .iter()
            .filter(|(name, _)| !self.ignored.contains(&name.as_str()));
        let unequal = compared.filter(|(name, value)| !holds(found, name, value));
        let told = |(name, value): (&String, &Value)| {
            let got = found.get(name).unwrap_or(&Value::Null);
            format!("{key}: {name} is {got} and not {value}")
        };
        unequal.map(told).collect()
    }
}

/// Whether a row holds a value, in its column or in one beside it that has another type.
fn holds(row: &Row, name: &str, value: &Value) -> bool {
    let found = row.get(name).unwrap_or(&Value::Null);
    let beside = || {
        let prefix = format!("{name}__v_");
        let mut variants = row.iter().filter(|(column, _)| column.starts_with(&prefix));
        found.is_null() && variants.any(|(_, found)| same(found, value))
    };
    same(found, value) || beside()
}

/// Whether two values mean the same; the left one may have been through a column with a type.
fn same(found: &Value, meant: &Value) -> bool {
    match (found, meant) {
        (Value::Number(found), Value::Number(meant)) => {
            found == meant || found.as_f64() == meant.as_f64()
        }
        (Value::Array(found), Value::Array(meant)) => {
            found.len() == meant.len() && found.iter().zip(meant).all(|(a, b)| same(a, b))
        }
        (Value::Object(found), Value::Object(meant)) => {
            let value = |row: &'_ Row, name: &str| row.get(name).cloned().unwrap_or(Value::Null);
            let mut names = found.keys().chain(meant.keys());
            names.all(|name| same(&value(found, name), &value(meant, name)))
        }
        (Value::String(found), Value::String(meant)) => {
            found == meant || instant(found).is_some_and(|at| Some(at) == instant(meant))
        }
        (Value::String(found), Value::Number(meant)) => meant
            .as_i64()
            .is_some_and(|meant| instant(found) == Some(meant * 1_000_000)),
        (found, meant) => found == meant,
    }
}

/// Microseconds since 1970 of a text that is a time, in UTC where it names no zone.
fn instant(text: &str) -> Option<i64> {
    if text.len() < 10 || !text.is_char_boundary(10) {
        return None;
    }
    let spaced = text.replacen(' ', "T", 1);
    let zoned = ["", "Z", ":00"]
        .iter()
        .find_map(|tail| chrono::DateTime::parse_from_rfc3339(&format!("{spaced}{tail}")).ok());
    let day = || {
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
        Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
    };
    zoned.map(|time| time.timestamp_micros()).or_else(day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(value: &Value) -> Row {
        value.as_object().cloned().unwrap()
    }

    fn truth() -> Truth {
        let mut truth = Truth::keyed(&["id"]).ignoring(&["lines"]);
        truth.add(row(
            &json!({"id": "a", "n": 1, "lines": [1], "at": 0, "o": {"x": 1.0}}),
        ));
        truth.add_perhaps(row(&json!({"id": "b", "n": 2})));
        truth
    }

    #[test]
    fn a_value_may_have_a_type() {
        let found = json!({"id": "a", "n": 1.0, "at": "1970-01-01 00:00:00+00",
            "o": {"x": 1, "y": null}});
        assert!(truth().differences(&[row(&found)]).is_empty());
        let beside = json!({"id": "a", "n": null, "n__v_text": 1, "at": 0, "o": {"x": 1}});
        assert!(truth().differences(&[row(&beside)]).is_empty());
        assert!(same(
            &json!("2026-01-02 03:04:05+00"),
            &json!("2026-01-02T03:04:05Z")
        ));
        assert!(!same(&json!("1"), &json!(1)));
    }

    #[test]
    fn what_is_wrong_is_told_line_by_line() {
        let rows = [
            json!({"id": "b", "n": 3}),
            json!({"id": "c"}),
            json!({"id": "c"}),
        ];
        let rows: Vec<_> = rows.iter().map(row).collect();
        let expected = [
            "b: n is 3 and not 2",
            "c should not be there",
            "c should not be there",
            "c is there 2 times",
            "a is missing",
        ];
        assert_eq!(truth().differences(&rows), expected);
    }
}
