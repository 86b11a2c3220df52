//! Mistakes in a manifest: all of them, before anything is contacted.

use serde_json::json;
use tributary_model::Source;
use tributary_rest_connector::{Config, Rest};

fn faults(manifest: &str, settings: serde_json::Value) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let file = folder.path().join("m.yaml");
    std::fs::write(&file, manifest).expect("a file can be written");
    let config: Config = serde_json::from_value(json!({"manifest": file, "settings": settings}))
        .expect("these are settings");
    let prefix = format!("{}:", file.display());
    let faults = Rest::faults(&config);
    faults
        .iter()
        .map(|fault| fault.error.to_string().replace(&prefix, ""))
        .collect()
}

#[test]
fn every_mistake_is_told_with_its_place_and_what_was_meant() {
    let manifest = "\
name: x
base: https://api.example
auth: {bearer: \"{config.key}\"}
streems: {}
streams:
  a: {gett: /a, records: data, kee: [id]}
  b: {get: \"/b/{each.id}\", pages: {cursor: next}, each: {of: aa}}
  c: {get: /c, cursor: {field: t, format: unx, from: f, bounds: \"[[\", order: up}}
";
    let told = faults(manifest, json!({}));
    let expected = [
        "3:16: `{config.key}` is not among the settings under `config`",
        "4:1: `streems` is not a word of a manifest. Did you mean `streams`?",
        "6:6: `data` must lead to a list: `data[]`, or be empty",
        "6:6: the stream `a` needs `get` or `post`",
        "6:7: `gett` is not a word of a stream. Did you mean `get`?",
        "6:32: `kee` is not a word of a stream. Did you mean `key`?",
        "7:6: there is no stream `aa`. Did you mean `a`?",
        "7:35: a pager needs `to`",
        "8:43: `unx` is not a format of time. Did you mean `unix`?",
        "8:65: `[[` is not possible here",
        "8:78: `up` is not possible here",
    ];
    for line in expected {
        assert!(
            told.iter().any(|told| told.starts_with(line)),
            "{line}\n\n{}",
            told.join("\n")
        );
    }
}

#[test]
fn settings_that_the_manifest_does_not_know_or_lacks_are_told() {
    let manifest = "\
name: x
base: https://api.example
config: {key: {type: secret, doc: from the console}, limit: number}
auth: {bearer: \"{config.key}\"}
streams: {a: {get: /a, records: \"[]\"}}
";
    let told = faults(manifest, json!({"limti": 3, "limit": "many"})).join("\n");
    for part in [
        "`key` is missing: from the console",
        "`limit` must be a number",
        "Did you mean `limit`?",
    ] {
        assert!(told.contains(part), "{part}\n\n{told}");
    }
    assert!(faults(manifest, json!({"key": "k", "limit": 3})).is_empty());
}

/// Words that stand in the examples, each of which is found when it is written wrong.
const WORDS: [&str; 65] = [
    "name",
    "base",
    "config",
    "auth",
    "limits",
    "errors",
    "check",
    "kinds",
    "streams",
    "hosts",
    "oauth2",
    "token_url",
    "grant",
    "refresh_token",
    "client_id",
    "client_secret",
    "header",
    "basic",
    "rate",
    "parallel",
    "match",
    "on",
    "do",
    "wait",
    "tries",
    "say",
    "proves",
    "expect",
    "records",
    "key",
    "pages",
    "cursor",
    "to",
    "size",
    "shrink",
    "stop",
    "offset",
    "cap",
    "next",
    "field",
    "format",
    "from",
    "bounds",
    "order",
    "lag",
    "token",
    "first",
    "end",
    "each",
    "of",
    "by",
    "keep",
    "where",
    "null_empty",
    "types",
    "delete",
    "complete",
    "sweeps",
    "also",
    "nested",
    "belongs_to",
    "job",
    "start",
    "poll",
    "done",
];

#[test]
fn every_word_is_known_by_its_place_when_it_is_written_wrong() {
    let manifests = ["rest-crm", "rest-projects", "rest-exports"].map(|name| {
        let path = super::manifest(&format!("{name}.manifest.yaml"));
        std::fs::read_to_string(path).expect("an example can be read")
    });
    for word in WORDS {
        let found = manifests
            .iter()
            .find_map(|text| Some((text, place(text, word)?)));
        let (text, at) = found.unwrap_or_else(|| panic!("no example has `{word}`"));
        let wrong = format!("{}x{}", &text[..at + word.len()], &text[at + word.len()..]);
        let before = &text[..at];
        let (line, column) = (
            before.matches('\n').count() + 1,
            before
                .chars()
                .rev()
                .take_while(|letter| *letter != '\n')
                .count()
                + 1,
        );
        let told = faults(&wrong, json!({}));
        let wanted = format!("{line}:{column}: ");
        let hit = told.iter().any(|told| {
            told.starts_with(&wanted)
                && told.contains(&format!("`{word}x`"))
                && told.contains(&format!("`{word}`"))
        });
        assert!(hit, "{word} at {wanted}\n{}", told.join("\n"));
    }
}

/// Where a word stands as the key of a mapping, outside of remarks.
fn place(text: &str, word: &str) -> Option<usize> {
    let key = format!("{word}:");
    let stands = |at: &usize| {
        let before = &text[..*at];
        let line = before.rsplit('\n').next().unwrap_or_default();
        let free = before.is_empty() || before.ends_with([' ', '{', '\n']);
        let quoted = !line.matches('"').count().is_multiple_of(2);
        free && !quoted && !line.contains('#') && !line.contains("config: {")
    };
    text.rmatch_indices(&key).map(|(at, _)| at).find(stands)
}
