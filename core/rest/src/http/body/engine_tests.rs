//! Large answers on their way through the engine: every record once, whatever they came in.

#![allow(clippy::unwrap_used)]

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::HELD;
use crate::manifest::Manifest;

const MANIFEST: &str = r#"
name: exports
base: https://api.example.com
streams:
  whole: {get: /whole, records: "data[]", key: [id], pages: {cursor: next, to: after}}
  lines: {get: /lines, records: "[]", key: [id], decode: [gzip, ndjson]}
  since:
    get: /since
    records: "m.rows[]"
    pages: {cursor: next, to: after}
    cursor: {field: t, format: int, from: from, bounds: "[)", order: none}
"#;

fn rows(from: usize, to: usize) -> Vec<Value> {
    (from..to)
        .map(|row| json!({"id": row, "t": row, "note": "x".repeat(row % 90)}))
        .collect()
}

fn lines() -> Vec<u8> {
    let lines: String = rows(0, 300).iter().map(|row| format!("{row}\n")).collect();
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(lines.as_bytes()).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn every_record_of_a_large_answer_comes_once() {
    let large = |rows: Vec<Value>, next: Value| {
        assert!(Value::from(rows.clone()).to_string().len() > 4 * HELD);
        json!({"data": rows, "next": next})
    };
    let since = json!({"a": "b", "m": {"rows": rows(0, 300)}, "next": null});
    let packed = lines();
    let exchanges = json!({
        "exchanges": [
            {"get": "/whole", "answer": large(rows(0, 200), json!("p2"))},
            {"get": "/whole", "params": {"after": "p2"}, "answer": large(rows(200, 400), Value::Null)},
            // What breaks off is asked for again, and nothing of it is taken.
            {"get": "/lines", "base64": STANDARD.encode(&packed[..packed.len() / 2])},
            {"get": "/lines", "base64": STANDARD.encode(&packed)},
            {"get": "/since", "answer": since},
        ],
        "expect": {"whole": 400, "lines": 300, "since": 300},
    });
    let manifest = Manifest::parse("exports.yaml", MANIFEST).unwrap();
    let fixtures = [("exchanges.yaml".to_owned(), exchanges.to_string())];
    let trial = crate::trial(manifest, &fixtures).await.unwrap();
    assert_eq!(trial.mistakes, Vec::<String>::new());
}
