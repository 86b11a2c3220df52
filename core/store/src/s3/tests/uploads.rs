use bytes::Bytes;
use tributary_testkit::s3::{Fault, Operation, Options, Rule, S3Server, Times};

use super::fixture::{BUCKET, server, store, word};
use crate::s3::S3Store;
use crate::store::{Completion, Pending, Store};

const LEAST: usize = 5 << 20;

async fn pending(store: &S3Store, key: &str) -> Pending {
    let upload = store.start_upload(key).await.unwrap();
    let first = Bytes::from(vec![1; LEAST]);
    let one = store.upload_part(&upload, 1, 0, first).await.unwrap();
    let last = Bytes::from_static(b"end");
    let two = store
        .upload_part(&upload, 2, LEAST as u64, last)
        .await
        .unwrap();
    store.seal(&upload, vec![one, two]).await.unwrap()
}

#[tokio::test]
async fn an_upload_appears_when_anyone_completes_it_and_again() {
    let server = server();
    let pending = pending(&store(&server), "t/a.parquet").await;
    assert!(server.keys(BUCKET).is_empty());
    // As the log carries it to another process.
    let text = serde_json::to_string(&pending).unwrap();
    let carried: Pending = serde_json::from_str(&text).unwrap();
    let other = store(&server);
    for _ in 0..2 {
        assert_eq!(other.complete(&carried).await.unwrap(), Completion::Done);
    }
    let there = server.get(BUCKET, "raw/t/a.parquet").unwrap();
    assert_eq!(there.len() as u64, pending.size);
    assert!(there.ends_with(b"\x01end"));
}

#[tokio::test]
async fn a_completion_survives_what_passes() {
    for fault in [
        Fault::LoseReply,
        Fault::Drop,
        Fault::SlowDown,
        Fault::InternalError,
        Fault::ErrorInside,
        Fault::ExpiredToken,
    ] {
        let server = server();
        let store = store(&server);
        server.fail(Rule::new(fault.clone()).on(Operation::UploadPart));
        let pending = pending(&store, "a").await;
        server.fail(Rule::new(fault.clone()).on(Operation::CompleteUpload));
        let outcome = store.complete(&pending).await.unwrap();
        assert_eq!(outcome, Completion::Done, "{fault:?}");
        let there = server.get(BUCKET, "raw/a").unwrap();
        assert_eq!(there.len() as u64, pending.size, "{fault:?}");
    }
}

#[tokio::test]
async fn an_upload_that_is_no_more_is_gone_unless_its_object_is_there() {
    let server = server();
    let store = store(&server);
    let pending = pending(&store, "a").await;
    server.forget_uploads(BUCKET);
    assert_eq!(store.complete(&pending).await.unwrap(), Completion::Gone);
    server.put(BUCKET, "raw/a", "of another size");
    assert_eq!(store.complete(&pending).await.unwrap(), Completion::Gone);
    server.put(BUCKET, "raw/a", vec![0; LEAST + 3]);
    assert_eq!(store.complete(&pending).await.unwrap(), Completion::Done);
    let upload = pending.upload;
    let error = store
        .upload_part(&upload, 3, 0, Bytes::new())
        .await
        .unwrap_err();
    assert_eq!(word(error.kind()), "unavailable");
    assert!(error.to_string().contains("lifecycle rule"), "{error}");
}

#[tokio::test]
async fn what_was_started_can_be_found_and_given_up() {
    let server = S3Server::start(Options {
        page: 2,
        ..Options::default()
    });
    let store = store(&server);
    for key in ["t/1", "t/2", "t/2", "t/3", "u/1"] {
        store.start_upload(key).await.unwrap();
    }
    let found = store.uploads("t/").await.unwrap();
    let keys: Vec<_> = found
        .iter()
        .map(|started| started.upload.key.as_str())
        .collect();
    assert_eq!(keys, ["t/1", "t/2", "t/2", "t/3"]);
    server.age(std::time::Duration::from_secs(8 * 24 * 3600));
    let old = store.uploads("t/").await.unwrap();
    assert!(
        old.iter()
            .all(|started| { (tributary_model::now() - started.at).num_days() == 8 })
    );
    server.fail(Rule::new(Fault::LoseReply).on(Operation::AbortUpload));
    for started in &found {
        store.abort(&started.upload).await.unwrap();
        store.abort(&started.upload).await.unwrap();
    }
    assert_eq!(server.uploads(BUCKET).len(), 1);
}

#[tokio::test]
async fn a_storm_of_slow_down_passes() {
    let server = server();
    let store = store(&server);
    server.fail(Rule::new(Fault::SlowDown).times(Times::Count(3)));
    let pending = pending(&store, "a").await;
    assert_eq!(store.complete(&pending).await.unwrap(), Completion::Done);
}
