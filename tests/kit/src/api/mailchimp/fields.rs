//! `fields` and `exclude_fields`: comma-separated paths of what an answer holds.

use serde_json::Value;

/// Keeps only what `paths` name; arrays are looked through.
pub(super) fn keep(value: &mut Value, paths: &[Vec<&str>]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| keep(item, paths)),
        Value::Object(fields) => {
            fields.retain(|name, value| {
                let below: Vec<_> = paths
                    .iter()
                    .filter(|path| path.first() == Some(&name.as_str()))
                    .map(|path| path[1..].to_vec())
                    .collect();
                if !below.is_empty() && below.iter().all(|path| !path.is_empty()) {
                    keep(value, &below);
                }
                !below.is_empty()
            });
        }
        _ => {}
    }
}

/// Takes away what `path` names; arrays are looked through.
pub(super) fn exclude(value: &mut Value, path: &[&str]) {
    match (value, path) {
        (Value::Array(items), _) => items.iter_mut().for_each(|item| exclude(item, path)),
        (Value::Object(fields), [last]) => drop(fields.shift_remove(*last)),
        (Value::Object(fields), [first, rest @ ..]) => {
            if let Some(inner) = fields.get_mut(*first) {
                exclude(inner, rest);
            }
        }
        _ => {}
    }
}

/// The paths of a parameter.
pub(super) fn paths(text: &str) -> Vec<Vec<&str>> {
    text.split(',')
        .map(|path| path.trim().split('.').collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn paths_keep_or_exclude() {
        let whole = json!({"a": [{"x": 1, "y": {"z": 2, "w": 3}}], "b": 4});
        let mut kept = whole.clone();
        keep(&mut kept, &paths("a.x,a.y.z"));
        assert_eq!(kept, json!({"a": [{"x": 1, "y": {"z": 2}}]}));
        let mut rest = whole;
        exclude(&mut rest, &["a", "y", "w"]);
        exclude(&mut rest, &["b"]);
        assert_eq!(rest, json!({"a": [{"x": 1, "y": {"z": 2}}]}));
    }
}
