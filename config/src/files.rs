//! Names of files in settings: a relative one starts at the folder of the configuration.

use std::path::Path as FilePath;

use serde_json::{Map, Value};

use crate::kinds::{KindSpec, Kinds};

/// Makes relative names of files start at `folder`.
pub(crate) fn anchor(value: &mut Value, kinds: &Kinds, folder: &FilePath) {
    for (section, kinds) in [
        ("sources", &kinds.sources),
        ("destinations", &kinds.destinations),
    ] {
        let ends = value.get_mut(section).and_then(Value::as_object_mut);
        for settings in ends.into_iter().flat_map(|ends| ends.values_mut()) {
            if let Some(settings) = settings.as_object_mut() {
                anchor_all(settings, kinds, folder);
            }
        }
    }
}

fn anchor_all(settings: &mut Map<String, Value>, kinds: &[KindSpec], folder: &FilePath) {
    let named = settings.get("type").and_then(Value::as_str);
    let Some(kind) = kinds.iter().find(|kind| Some(kind.name) == named) else {
        return;
    };
    for (key, value) in settings {
        if let (true, Value::String(name)) = (kind.names_file(key), value) {
            *name = folder.join(&*name).display().to_string();
        }
    }
}

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    struct Settings {
        #[schemars(extend("format" = "file"))]
        manifest: String,
        name: String,
    }

    #[test]
    fn only_relative_names_of_files_move() {
        let kinds = Kinds {
            sources: vec![KindSpec::of::<Settings>("api", |_| Vec::new())],
            destinations: Vec::new(),
        };
        let mut value = json!({"sources": {
            "a": {"type": "api", "manifest": "a.yaml", "name": "n"},
            "b": {"type": "api", "manifest": "/x/b.yaml"},
            "c": {"type": "other", "manifest": "c.yaml"},
        }});
        anchor(&mut value, &kinds, FilePath::new("conf"));
        assert_eq!(
            value["sources"]["a"],
            json!({"type": "api", "manifest": "conf/a.yaml", "name": "n"})
        );
        assert_eq!(value["sources"]["b"]["manifest"], "/x/b.yaml");
        assert_eq!(value["sources"]["c"]["manifest"], "c.yaml");
    }
}
