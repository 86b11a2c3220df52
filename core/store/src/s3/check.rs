//! Proof that a conditional put is conditional, on an object of its own.

use bytes::Bytes;
use tributary_model::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::S3Store;
use crate::store::{PutOutcome, Store};

/// Where objects are that are of no meaning to anybody.
const TEMPORARY: &str = "_tributary/tmp/";

/// Puts a new key twice. Without the refusal of the second put, two writers would both believe
/// that they have committed.
pub(super) async fn conditional_put(store: &S3Store) -> Result<()> {
    let key = format!("{TEMPORARY}proof-{}", Uuid::new_v4().simple());
    let outcome = twice(store, &key).await;
    // A trial that stays is of no harm; the collection of orphans takes it.
    let _ = store.delete(&key).await;
    outcome
}

async fn twice(store: &S3Store, key: &str) -> Result<()> {
    match store
        .put_if_absent(key, Bytes::from_static(b"first"))
        .await?
    {
        PutOutcome::Created => {}
        PutOutcome::Exists => return Err(lies("it refuses the first put of a new key")),
        PutOutcome::Unknown(error) => return Err(error),
    }
    match store
        .put_if_absent(key, Bytes::from_static(b"second"))
        .await?
    {
        PutOutcome::Exists => Ok(()),
        PutOutcome::Created => Err(lies("it overwrites an object that is there")),
        PutOutcome::Unknown(error) => Err(error),
    }
}

fn lies(how: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        "the store does not honour `If-None-Match: *`, which commits rest on",
    )
    .because(how)
    .fix(
        "Use a store with conditional writes (AWS S3, MinIO, Cloudflare R2, Ceph) in a version \
         that has them.",
    )
}
