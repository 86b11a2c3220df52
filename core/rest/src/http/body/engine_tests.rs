//! Large answers on their way through the engine: every record once, whatever they came in.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::HELD;
use crate::manifest::Manifest;
use crate::native::Reply;

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

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

#[tokio::test]
async fn every_record_of_a_large_answer_comes_once() {
    let large = |rows: Vec<Value>, next: Value| {
        assert!(Value::from(rows.clone()).to_string().len() > 4 * HELD);
        json!({"data": rows, "next": next})
    };
    let since = json!({"a": "b", "m": {"rows": rows(0, 300)}, "next": null});
    let lines: String = rows(0, 300).iter().map(|row| format!("{row}\n")).collect();
    let packed = gzip(lines.as_bytes());
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

/// Answers one request after the other with these bytes, each over a connection of its own.
fn answering(answers: Vec<Vec<u8>>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).unwrap() > 0);
            stream.write_all(&answer).unwrap();
        }
    });
    url
}

#[tokio::test]
async fn what_is_packed_on_the_way_is_unpacked_and_must_be_whole() {
    let text = json!({"data": rows(0, 200)}).to_string();
    assert!(text.len() > 4 * HELD);
    let packed = gzip(text.as_bytes());
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        packed.len()
    );
    let whole = [head.as_bytes(), &packed].concat();
    let url = answering(vec![whole[..whole.len() - 20].to_vec(), whole]);
    let manifest = "{name: x, base: \"https://x.example\", streams: {}}";
    let manifest = Manifest::parse("x.yaml", manifest).unwrap();
    let given = json!({"api_url": url});
    let http = crate::Http::new(&manifest, given.as_object().unwrap(), &[]).unwrap();
    let Reply::Page(page) = http.get("/all", &[]).await.unwrap() else {
        panic!("it is refused");
    };
    assert_eq!(page["data"].as_array().unwrap().len(), 200);
}

/// What can't be cut into pages is taken whole, and no more of it than fits: the events of a feed, and
/// what is asked for each record.
#[tokio::test]
async fn what_is_taken_whole_has_a_limit() {
    const MANIFEST: &str = r#"
name: hostile
base: https://api.example.com
kinds: {list: {records: "data[]", key: [id]}}
streams:
  parents: {is: list, get: /parents}
  children: {is: list, get: "/parents/{each.id}/children", each: {of: parents, by: changed}}
"#;
    let many = rows(0, 2_000);
    assert!(Value::from(many.clone()).to_string().len() > super::MAX_WHOLE);
    let exchanges = json!({
        "exchanges": [
            {"get": "/parents", "answer": {"data": [{"id": 1}]}},
            {"get": "/parents/1/children", "answer": {"data": many}},
        ],
        "expect": {"parents": 1},
    });
    let manifest = Manifest::parse("hostile.yaml", MANIFEST).unwrap();
    let fixtures = [("exchanges.yaml".to_owned(), exchanges.to_string())];
    let trial = crate::trial(manifest, &fixtures).await.unwrap();
    let told = trial.mistakes.join("\n");
    assert!(
        told.contains("children") && told.contains("has more than"),
        "{told}"
    );
}

/// Whoever plays a login may answer without end.
#[tokio::test]
async fn the_answer_to_a_login_has_a_limit() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"access_token\": \"";
    let url = answering(vec![[head.as_bytes(), &vec![b'x'; 2 << 20]].concat()]);
    let manifest = "{name: x, base: \"https://x.example\", streams: {}, auth: {oauth2: {\
        token_url: \"https://x.example/token\", grant: client_credentials, client_id: a, \
        client_secret: b}}}";
    let manifest = Manifest::parse("x.yaml", manifest).unwrap();
    let given = json!({"api_url": url});
    let http = crate::Http::new(&manifest, given.as_object().unwrap(), &[]).unwrap();
    let error = http.log_in().await.unwrap_err();
    assert!(
        error.to_string().contains("has more than 1024 kB"),
        "{error}"
    );
}
