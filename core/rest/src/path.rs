//! Where a value stands in a JSON document: `error.code`, `data[]`, `reports[].rows[]`.

use serde_json::Value;

/// Keys that lead to one value; a number is a place in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Path(Vec<String>);

impl Path {
    /// Reads `a.b.c`; the empty text is the document itself.
    pub(crate) fn parse(text: &str) -> Self {
        let steps = text.split('.').filter(|step| !step.is_empty());
        Self(steps.map(str::to_owned).collect())
    }

    /// The value it leads to; null counts as none.
    pub(crate) fn find<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        let mut at = value;
        for step in &self.0 {
            at = match at {
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                other => other.get(step)?,
            };
        }
        (!at.is_null()).then_some(at)
    }

    /// Its steps.
    pub(crate) fn steps(&self) -> &[String] {
        &self.0
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}

/// A value as text: texts without their quotes.
pub(crate) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Where records stand in a body: each level leads to a list; without levels the body is the record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    pub(crate) levels: Vec<Path>,
}

impl Records {
    /// Reads `data[]`, `[]`, `a[].b[]` or the empty text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let levels = text
            .strip_suffix("[]")
            .ok_or_else(|| format!("`{text}` must lead to a list: `{text}[]`, or be empty"))?;
        Ok(Self {
            levels: levels.split("[]").map(Path::parse).collect(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_lead_to_values_and_null_is_none() {
        let body = json!({"a": {"b": [10, {"c": "x"}]}, "n": null});
        let find = |path: &str| Path::parse(path).find(&body).map(as_text);
        assert_eq!(find("a.b.1.c").as_deref(), Some("x"));
        assert_eq!(find("a.b.0").as_deref(), Some("10"));
        assert_eq!(find("n"), None);
        assert_eq!(find("a.x"), None);
        assert!(Path::parse("").find(&body).is_some());
    }

    #[test]
    fn the_way_to_records_ends_in_a_list() {
        let levels = |text: &str| Records::parse(text).unwrap().levels.len();
        assert_eq!(
            (levels("a.b[]"), levels("a[].b[]"), levels("[]"), levels("")),
            (1, 2, 1, 0)
        );
        assert!(Records::parse("data").is_err());
    }
}
