use bytes::Bytes;
use tributary_testkit::s3::{Fault, Operation, Options, Rule, S3Server, Times};

use super::fixture::{BUCKET, config, put, server, store, store_of};
use crate::store::Store;

const KEY: &str = "_tributary/log/1.json";

#[tokio::test]
async fn the_second_put_of_a_key_finds_the_first() {
    let server = server();
    let store = store(&server);
    assert_eq!(put(&store, KEY, "one").await, "created");
    assert_eq!(put(&store, KEY, "two").await, "exists");
    assert_eq!(
        server.get(BUCKET, "raw/_tributary/log/1.json").unwrap(),
        "one"
    );
    assert_eq!(store.location(), "s3://lake/raw");
    assert_eq!(store.address("a"), "s3://lake/raw/a");
}

#[tokio::test]
async fn one_of_two_racing_writers_creates() {
    let server = server();
    let (one, two) = (store(&server), store(&server));
    for round in 0..20 {
        let key = format!("log/{round}");
        let outcomes = tokio::join!(put(&one, &key, "one"), put(&two, &key, "two"));
        let won = server.get(BUCKET, &format!("raw/{key}")).unwrap();
        match outcomes {
            ("created", "exists") => assert_eq!(won, "one"),
            ("exists", "created") => assert_eq!(won, "two"),
            other => panic!("{other:?}"),
        }
    }
}

/// What never happened is sent again, what may have happened is not.
#[tokio::test]
async fn a_conditional_put_is_repeated_only_after_a_refusal() {
    for (fault, outcome, requests) in [
        (Fault::Conflict, "created", 2),
        (Fault::SlowDown, "created", 2),
        (Fault::ExpiredToken, "created", 2),
        (Fault::LoseReply, "unknown", 1),
        (Fault::Drop, "unknown", 1),
        (Fault::InternalError, "unknown", 1),
        (Fault::AccessDenied, "access", 1),
        (Fault::Skewed, "access", 1),
        (Fault::NotImplemented, "config", 1),
    ] {
        let server = server();
        let store = store(&server);
        server.fail(Rule::new(fault.clone()));
        assert_eq!(put(&store, KEY, "one").await, outcome, "{fault:?}");
        assert_eq!(server.requests(Operation::PutObject), requests, "{fault:?}");
        let there = server.get(BUCKET, "raw/_tributary/log/1.json");
        assert_eq!(
            there.is_some(),
            outcome == "created" || fault == Fault::LoseReply
        );
    }
}

#[tokio::test]
async fn a_lost_reply_is_told_apart_from_a_lost_request_by_reading() {
    let server = server();
    let store = store(&server);
    server.fail(Rule::new(Fault::LoseReply));
    assert_eq!(put(&store, "lost-reply", "mine").await, "unknown");
    assert_eq!(
        store.get("lost-reply").await.unwrap().unwrap().bytes,
        "mine"
    );
    assert_eq!(put(&store, "lost-reply", "mine").await, "exists");
    server.fail(Rule::new(Fault::Drop));
    assert_eq!(put(&store, "lost-request", "mine").await, "unknown");
    assert!(store.get("lost-request").await.unwrap().is_none());
    assert_eq!(put(&store, "lost-request", "mine").await, "created");
}

#[tokio::test]
async fn a_storm_that_does_not_end_is_given_back() {
    let server = server();
    let store = store(&server);
    server.fail(Rule::new(Fault::SlowDown).times(Times::Always));
    assert_eq!(put(&store, KEY, "one").await, "throttled");
    assert_eq!(server.requests(Operation::PutObject), 4);
    server.heal();
    server.fail(Rule::new(Fault::Conflict).times(Times::Always));
    assert_eq!(put(&store, KEY, "one").await, "unavailable");
}

#[tokio::test]
async fn puts_lists_and_deletes_survive_what_passes() {
    for fault in [
        Fault::SlowDown,
        Fault::InternalError,
        Fault::LoseReply,
        Fault::Drop,
    ] {
        let server = server();
        let store = store(&server);
        for operation in [
            Operation::PutObject,
            Operation::ListObjects,
            Operation::DeleteObject,
        ] {
            server.fail(
                Rule::new(fault.clone())
                    .on(operation)
                    .times(Times::Count(2)),
            );
        }
        store.put("a", Bytes::from_static(b"x")).await.unwrap();
        let listed = store.list("", None, 10).await.unwrap();
        assert_eq!(listed.len(), 1, "{fault:?}");
        assert_eq!((listed[0].key.as_str(), listed[0].size), ("a", 1));
        store.delete("a").await.unwrap();
        store.delete("a").await.unwrap();
        assert!(server.keys(BUCKET).is_empty(), "{fault:?}");
    }
}

#[tokio::test]
async fn a_listing_is_whole_ordered_and_bounded() {
    let server = S3Server::start(Options {
        page: 3,
        ..Options::default()
    });
    let store = store(&server);
    let keys: Vec<String> = (0..10).map(|n| format!("log/a b+ü/{n}")).collect();
    for key in &keys {
        server.put(BUCKET, &format!("raw/{key}"), "x");
    }
    server.put(BUCKET, "raw/other", "x");
    server.put(BUCKET, "elsewhere/log/1", "x");
    let found = async |after: Option<&str>, limit| -> Vec<String> {
        let list = store.list("log/", after, limit).await.unwrap();
        list.into_iter().map(|entry| entry.key).collect()
    };
    assert_eq!(found(None, 100).await, keys);
    assert_eq!(found(None, 4).await, keys[..4]);
    assert_eq!(found(Some(&keys[6]), 100).await, keys[7..]);
}

#[tokio::test]
async fn objects_are_encrypted_as_asked() {
    let server = server();
    let mut config = config(&server);
    config.encryption = Some(crate::access::Encryption::Kms);
    config.kms_key = Some("arn:aws:kms:us-east-1:1:key/2".to_owned());
    let store = store_of(&config);
    store.put("a", Bytes::from_static(b"x")).await.unwrap();
    let upload = store.start_upload("b").await.unwrap();
    let part = store
        .upload_part(&upload, 1, 0, Bytes::from_static(b"x"))
        .await
        .unwrap();
    let pending = store.seal(&upload, vec![part]).await.unwrap();
    store.complete(&pending).await.unwrap();
    for key in ["raw/a", "raw/b"] {
        let header = |name: &str| {
            let name = format!("x-amz-server-side-encryption{name}");
            server.header(BUCKET, key, &name).unwrap()
        };
        assert_eq!(header(""), "aws:kms");
        assert_eq!(header("-aws-kms-key-id"), "arn:aws:kms:us-east-1:1:key/2");
    }
}
