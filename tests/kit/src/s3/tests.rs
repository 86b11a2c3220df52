#![allow(clippy::unwrap_used)]

use std::sync::Barrier;

use bytes::Bytes;
use chrono::{DateTime, TimeZone, Utc};
use hyper::Request;

use super::auth::{self, Credentials};
use super::reply::{Outcome, Reply};
use super::request::Call;
use super::service::{self, Context, Shared};
use super::{Options, chunked, condition::Conditions, xml};

fn call(method: &str, uri: &str, headers: &[(&str, &str)], body: &[u8]) -> Call {
    let request = headers.iter().fold(
        Request::builder().method(method).uri(uri),
        |request, (name, value)| request.header(*name, *value),
    );
    let (parts, ()) = request.body(()).unwrap().into_parts();
    Call::new(parts, Bytes::copy_from_slice(body)).unwrap_or_else(|no| panic!("{}", no.code))
}

fn act(shared: &Shared, call: &Call) -> Outcome {
    let operation = call.operation()?;
    let context = Context {
        now: shared.now(),
        conditions: Conditions::of(call),
    };
    service::act(operation, call, &context, shared)
}

fn ask(shared: &Shared, method: &str, uri: &str, headers: &[(&str, &str)], body: &[u8]) -> Outcome {
    act(shared, &call(method, uri, headers, body))
}

fn text(reply: &Reply) -> String {
    String::from_utf8(reply.body.to_vec()).unwrap()
}

fn code(outcome: Outcome) -> &'static str {
    match outcome {
        Ok(_) => "OK",
        Err(refusal) => refusal.code,
    }
}

/// The example of the documentation of Signature Version 4 for `GET /test.txt`.
#[test]
fn the_documented_signature_is_right_and_no_other() {
    let known = Credentials {
        access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
        secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
        session_token: None,
    };
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let authorization = "AWS4-HMAC-SHA256 \
        Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
        SignedHeaders=host;range;x-amz-content-sha256;x-amz-date,\
        Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
    let headers = [
        ("host", "examplebucket.s3.amazonaws.com"),
        ("range", "bytes=0-9"),
        ("x-amz-content-sha256", empty),
        ("x-amz-date", "20130524T000000Z"),
        ("authorization", authorization),
    ];
    let call = call("GET", "/test.txt", &headers, b"");
    assert_eq!(
        (call.bucket.as_str(), call.key.as_str()),
        ("examplebucket", "test.txt")
    );
    let then: DateTime<Utc> = Utc.with_ymd_and_hms(2013, 5, 24, 0, 1, 0).unwrap();
    let refused = |known: &Credentials, region: &str, now| {
        auth::verify(&call, known, region, now)
            .err()
            .map(|refusal| refusal.code)
    };
    assert_eq!(refused(&known, "us-east-1", then), None);
    let wrong = Credentials {
        secret_access_key: "another".to_owned(),
        ..known.clone()
    };
    assert_eq!(
        refused(&wrong, "us-east-1", then),
        Some("SignatureDoesNotMatch")
    );
    let later = then + chrono::TimeDelta::hours(1);
    assert_eq!(
        refused(&known, "us-east-1", later),
        Some("RequestTimeTooSkewed")
    );
    assert_eq!(
        refused(&known, "eu-west-1", then),
        Some("AuthorizationHeaderMalformed")
    );
    let other = Credentials::default();
    assert_eq!(
        refused(&other, "us-east-1", then),
        Some("InvalidAccessKeyId")
    );
}

#[test]
fn one_of_many_conditional_puts_wins() {
    let shared = Shared::new(Options::default());
    let together = Barrier::new(16);
    let put = |who: usize| {
        let body = who.to_string();
        let put = call(
            "PUT",
            "/lake/log/1",
            &[("if-none-match", "*")],
            body.as_bytes(),
        );
        together.wait();
        code(act(&shared, &put))
    };
    let put = &put;
    let outcomes: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16).map(|who| scope.spawn(move || put(who))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        outcomes.iter().filter(|outcome| **outcome == "OK").count(),
        1
    );
    let lost = outcomes
        .iter()
        .filter(|outcome| **outcome == "PreconditionFailed");
    assert_eq!(lost.count(), 15);
    let winner = outcomes
        .iter()
        .position(|outcome| *outcome == "OK")
        .unwrap();
    let there = ask(&shared, "GET", "/lake/log/1", &[], b"").unwrap();
    assert_eq!(text(&there), winner.to_string());
}

#[test]
fn if_match_writes_over_one_version_only() {
    let shared = Shared::new(Options::default());
    let put = |headers: &[(&str, &str)]| ask(&shared, "PUT", "/lake/a", headers, b"x");
    assert_eq!(code(put(&[("if-match", "\"1\"")])), "NoSuchKey");
    let first = put(&[]).unwrap();
    let etag = &first
        .headers
        .iter()
        .find(|(name, _)| name == "etag")
        .unwrap()
        .1;
    assert_eq!(code(put(&[("if-match", etag)])), "OK");
    assert_eq!(code(put(&[("if-match", "\"1\"")])), "PreconditionFailed");
}

#[test]
fn an_upload_is_seen_once_it_is_complete_and_then_is_gone() {
    let shared = Shared::new(Options::default());
    let begun = ask(&shared, "POST", "/lake/big?uploads", &[], b"").unwrap();
    let id = xml::text(&text(&begun), "UploadId").unwrap();
    let big = vec![7; 5 << 20];
    let mut parts = String::new();
    for (number, body) in [(1, &big[..]), (2, b"end")] {
        let uri = format!("/lake/big?partNumber={number}&uploadId={id}");
        let reply = ask(&shared, "PUT", &uri, &[], body).unwrap();
        let etag = &reply.headers[0].1;
        parts.push_str(&format!(
            "<Part><ETag>{etag}</ETag><PartNumber>{number}</PartNumber></Part>"
        ));
    }
    assert_eq!(
        code(ask(&shared, "GET", "/lake/big", &[], b"")),
        "NoSuchKey"
    );
    let listed = ask(&shared, "GET", "/lake?uploads", &[], b"").unwrap();
    assert_eq!(xml::all(&text(&listed), "Upload").len(), 1);
    let uri = format!("/lake/big?uploadId={id}");
    let listed = ask(&shared, "GET", &uri, &[], b"").unwrap();
    assert_eq!(xml::all(&text(&listed), "Part").len(), 2);
    let complete = |body: &str| ask(&shared, "POST", &uri, &[], body.as_bytes());
    let wrong = parts.replace("<PartNumber>2", "<PartNumber>3");
    assert_eq!(code(complete(&wrong)), "InvalidPart");
    assert_eq!(code(complete(&parts)), "OK");
    assert_eq!(code(complete(&parts)), "NoSuchUpload");
    let range = [("range", "bytes=5242879-5242881")];
    let there = ask(&shared, "GET", "/lake/big", &range, b"").unwrap();
    assert_eq!(&there.body[..], b"\x07en");
}

#[test]
fn a_small_part_that_is_not_the_last_is_refused() {
    let shared = Shared::new(Options::default());
    let begun = ask(&shared, "POST", "/lake/big?uploads", &[], b"").unwrap();
    let id = xml::text(&text(&begun), "UploadId").unwrap();
    let mut parts = String::new();
    for number in 1..=2 {
        let uri = format!("/lake/big?partNumber={number}&uploadId={id}");
        let reply = ask(&shared, "PUT", &uri, &[], b"small").unwrap();
        let etag = &reply.headers[0].1;
        parts.push_str(&format!(
            "<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
        ));
    }
    let uri = format!("/lake/big?uploadId={id}");
    assert_eq!(
        code(ask(&shared, "POST", &uri, &[], parts.as_bytes())),
        "EntityTooSmall"
    );
}

#[test]
fn a_listing_comes_in_pages_and_each_key_once() {
    let shared = Shared::new(Options {
        page: 2,
        ..Options::default()
    });
    for key in ["a/1", "a/2", "a/b/3", "a/b/4", "a/c", "b"] {
        ask(&shared, "PUT", &format!("/lake/{key}"), &[], b"").unwrap();
    }
    let all = |query: &str| {
        let mut found = Vec::new();
        let mut token = String::new();
        loop {
            let uri = format!("/lake?list-type=2&{query}{token}");
            let page = text(&ask(&shared, "GET", &uri, &[], b"").unwrap());
            for name in ["Key", "CommonPrefixes"] {
                found.extend(
                    xml::all(&page, name)
                        .into_iter()
                        .map(|text| xml::text(text, "Prefix").unwrap_or_else(|| text.to_owned())),
                );
            }
            match xml::text(&page, "NextContinuationToken") {
                Some(next) => token = format!("&continuation-token={}", next.replace('%', "%25")),
                None => return found,
            }
        }
    };
    assert_eq!(all("prefix=a/"), ["a/1", "a/2", "a/b/3", "a/b/4", "a/c"]);
    assert_eq!(all("prefix=a/&delimiter=/"), ["a/1", "a/2", "a/c", "a/b/"]);
    assert_eq!(all("start-after=a/b/3"), ["a/b/4", "a/c", "b"]);
}

#[test]
fn chunks_are_joined_and_their_trailers_found() {
    let raw = b"5;chunk-signature=0a\r\nhello\r\n6\r\n world\r\n0\r\nx-amz-checksum-crc32:DUoRhQ==\r\n\r\n";
    let decoded =
        chunked::decode(Bytes::from_static(raw)).unwrap_or_else(|no| panic!("{}", no.code));
    assert_eq!(&decoded.body[..], b"hello world");
    let trailer = ("x-amz-checksum-crc32".to_owned(), "DUoRhQ==".to_owned());
    assert_eq!(decoded.trailers, [trailer]);
    assert_eq!(super::checksum::crc32(&decoded.body), "DUoRhQ==");
    let cut = chunked::decode(Bytes::from_static(b"5\r\nhel"));
    assert_eq!(
        cut.map(|_| "OK").unwrap_or_else(|no| no.code),
        "IncompleteBody"
    );
}

#[test]
fn a_folder_outlives_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        folder: Some(folder.path().to_owned()),
        ..Options::default()
    };
    let first = Shared::new(options.clone());
    ask(
        &first,
        "PUT",
        "/lake/a%20b",
        &[("x-amz-meta-who", "me")],
        b"kept",
    )
    .unwrap();
    drop(first);
    let second = Shared::new(options);
    let there = ask(&second, "GET", "/lake/a%20b", &[], b"").unwrap();
    assert_eq!(&there.body[..], b"kept");
    assert!(
        there
            .headers
            .contains(&("x-amz-meta-who".to_owned(), "me".to_owned()))
    );
}
