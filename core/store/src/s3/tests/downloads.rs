use bytes::Bytes;
use tributary_testkit::s3::{Fault, Operation, Rule, Times};

use super::fixture::{BUCKET, server, store, word};
use crate::store::Store;

fn large() -> Bytes {
    (0..3_000_000_u32).map(|n| (n % 251) as u8).collect()
}

#[tokio::test]
async fn a_reply_that_ends_early_is_continued() {
    let server = server();
    let store = store(&server);
    let bytes = large();
    server.put(BUCKET, "raw/a", bytes.clone());
    for cut in [0, 1, 1_000_000, bytes.len() - 1] {
        server.fail(Rule::new(Fault::Truncate(cut)).on(Operation::GetObject));
        assert_eq!(store.get("a").await.unwrap().unwrap().bytes, bytes, "{cut}");
        server.fail(Rule::new(Fault::Truncate(cut)).on(Operation::GetObject));
        let scratch = tempfile::tempdir().unwrap();
        let path = store.as_file("a", scratch.path()).await.unwrap().unwrap();
        assert_eq!(std::fs::read(path).unwrap(), bytes, "{cut}");
    }
    server.fail(Rule::new(Fault::Truncate(5)));
    assert_eq!(
        store.get_range("a", 100..200).await.unwrap(),
        bytes[100..200]
    );
}

#[tokio::test]
async fn an_object_that_changes_meanwhile_is_not_mixed() {
    let server = server();
    let store = store(&server);
    server.put(BUCKET, "raw/a", large());
    let scratch = tempfile::tempdir().unwrap();
    server.fail(Rule::new(Fault::Truncate(1_000_000)));
    server.fail(Rule::new(Fault::Delay(std::time::Duration::from_millis(
        300,
    ))));
    let change = async {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        server.put(BUCKET, "raw/a", vec![0; 3_000_000]);
    };
    let (file, ()) = tokio::join!(store.as_file("a", scratch.path()), change);
    assert_eq!(word(file.unwrap_err().kind()), "unavailable");
    assert!(!scratch.path().join("a").exists());
}

#[tokio::test]
async fn what_is_not_there_is_nothing_and_what_never_ends_fails() {
    let server = server();
    let store = store(&server);
    let scratch = tempfile::tempdir().unwrap();
    assert!(store.get("none").await.unwrap().is_none());
    assert!(
        store
            .as_file("none", scratch.path())
            .await
            .unwrap()
            .is_none()
    );
    let error = store.get_range("none", 0..1).await.unwrap_err();
    assert_eq!(word(error.kind()), "unavailable");
    server.put(BUCKET, "raw/empty", "");
    assert_eq!(store.get("empty").await.unwrap().unwrap().bytes, "");
    server.put(BUCKET, "raw/a", "abc");
    server.fail(Rule::new(Fault::Truncate(0)).times(Times::Always));
    let error = store.get("a").await.unwrap_err();
    assert_eq!(word(error.kind()), "unavailable");
}
