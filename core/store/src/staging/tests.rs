#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow_schema::SchemaRef;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use tributary_model::Secret;
use tributary_testkit::s3::{Operation, Options, S3Server};

use super::{Compression, LEFT_BEHIND, Room, sweep};
use crate::{Access, S3Store, Settings, Store};

const BUCKET: &str = "staging";

fn server() -> S3Server {
    S3Server::start(Options {
        buckets: vec![BUCKET.to_owned()],
        ..Options::default()
    })
}

fn store(server: &S3Server) -> Arc<dyn Store> {
    let credentials = server.credentials();
    let access = Access {
        url: format!("s3://{BUCKET}/in"),
        endpoint: Some(server.endpoint()),
        region: Some("us-east-1".to_owned()),
        access_key_id: Some(credentials.access_key_id.clone()),
        secret_access_key: Some(Secret::new(credentials.secret_access_key.clone())),
        session_token: credentials.session_token.clone().map(Secret::new),
        ..Access::default()
    };
    Arc::new(S3Store::new(Settings::new(&access).unwrap()))
}

/// Rows that no compression makes small.
fn rows(from: i64, count: i64) -> RecordBatch {
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + count));
    let noise = (from..from + count).map(|id| {
        let mut state = u64::from_ne_bytes(id.to_ne_bytes()) | 1;
        let step = |_| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            format!("{state:016x}")
        };
        (0..16).map(step).collect::<String>()
    });
    let texts: ArrayRef = Arc::new(StringArray::from_iter_values(noise));
    RecordBatch::try_from_iter([("id", ids), ("text", texts)]).unwrap()
}

fn read(bytes: Bytes) -> Vec<i64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    batches
        .flat_map(|batch| {
            let ids = batch.column(0).as_any().downcast_ref::<Int64Array>();
            ids.unwrap().values().to_vec()
        })
        .collect()
}

fn key_in_bucket(key: &str) -> String {
    format!("in/{key}")
}

#[tokio::test]
async fn a_small_file_is_one_request_and_goes_with_its_room() {
    let server = server();
    let room = Room::new(store(&server), "load 1/..", Compression::Zstd);
    let mut stage = room.stage(&rows(0, 1).schema());
    assert!(stage.is_empty() && stage.finish().await.unwrap().is_empty());
    stage.write(&rows(0, 0)).await.unwrap();
    stage.write(&rows(0, 3)).await.unwrap();
    stage.write(&rows(3, 2)).await.unwrap();
    assert!(server.keys(BUCKET).is_empty(), "nothing half done is seen");
    let files = stage.finish().await.unwrap();
    let [file] = &files[..] else {
        panic!("{files:?}")
    };
    let object = server.get(BUCKET, &key_in_bucket(&file.key)).unwrap();
    assert_eq!((file.rows, file.bytes), (5, object.len() as u64));
    assert_eq!(read(object), [0, 1, 2, 3, 4]);
    assert_eq!(file.address, format!("s3://{BUCKET}/in/{}", file.key));
    assert!(file.address.starts_with(&room.address()));
    assert_eq!(server.requests(Operation::PutObject), 1);
    let list = room
        .put("manifest", Bytes::from_static(b"{}"))
        .await
        .unwrap();
    assert!(list.starts_with(&room.address()) && list.ends_with("-manifest"));
    assert_eq!(server.keys(BUCKET).len(), 2);
    room.clear().await;
    assert!(server.keys(BUCKET).is_empty());
}

#[tokio::test]
async fn a_large_file_goes_up_in_parts_in_bounded_memory() {
    let server = server();
    let room = Room::new(store(&server), "load", Compression::None);
    let schema: SchemaRef = rows(0, 1).schema();
    let mut stage = room.stage(&schema);
    let (mut next, mut most) = (0, 0);
    // 50 MB of it.
    while next < 200_000 {
        stage.write(&rows(next, 10_000)).await.unwrap();
        next += 10_000;
        most = most.max(stage.memory());
    }
    assert!(most < 48 << 20, "{most} bytes in memory");
    stage.shed().await.unwrap();
    assert!(stage.memory() < 24 << 20, "{} after it", stage.memory());
    assert!(server.keys(BUCKET).is_empty());
    let files = stage.finish().await.unwrap();
    let [file] = &files[..] else {
        panic!("{files:?}")
    };
    assert!(file.bytes > 48 << 20);
    let ids = read(server.get(BUCKET, &key_in_bucket(&file.key)).unwrap());
    assert!(ids.into_iter().eq(0..200_000));
}

#[tokio::test]
async fn attempts_do_not_share_names() {
    let server = server();
    let (one, other) = (store(&server), store(&server));
    let mut keys = Vec::new();
    for store in [one, other] {
        let room = Room::new(store, "load", Compression::Zstd);
        let mut stage = room.stage(&rows(0, 1).schema());
        stage.write(&rows(0, 1)).await.unwrap();
        keys.extend(
            stage
                .finish()
                .await
                .unwrap()
                .into_iter()
                .map(|file| file.key),
        );
    }
    assert_ne!(keys[0], keys[1]);
    // Dropped rooms are cleared too, in a while.
    let patience = tokio::time::Instant::now() + Duration::from_secs(60);
    while !server.keys(BUCKET).is_empty() {
        assert!(tokio::time::Instant::now() < patience);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn what_a_killed_process_left_goes_by_age() {
    let server = server();
    let store = store(&server);
    let room = Room::new(store.clone(), "killed", Compression::Zstd);
    let mut stage = room.stage(&rows(0, 1).schema());
    stage.write(&rows(0, 1)).await.unwrap();
    let killed = stage.finish().await.unwrap();
    std::mem::forget(room);
    server.put(BUCKET, "in/theirs.parquet", "x");
    store.start_upload(&killed[0].key).await.unwrap();
    assert_eq!(sweep(&*store, LEFT_BEHIND).await.unwrap(), 0);
    server.age(LEFT_BEHIND.to_std().unwrap() + Duration::from_secs(3600));
    assert_eq!(sweep(&*store, LEFT_BEHIND).await.unwrap(), 2);
    assert_eq!(server.keys(BUCKET), ["in/theirs.parquet"]);
    assert!(server.uploads(BUCKET).is_empty());
}
