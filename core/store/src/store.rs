//! What is asked of the place that objects are in: a bucket or a folder.
//!
//! Invariants that every implementation holds, and that the protocol above rests on:
//!
//! * An object appears whole or not at all, and is durable when the call that made it returns `Ok`.
//! * `put_if_absent` lets exactly one of all callers, in all processes, create an object.
//! * An upload shows nothing under its key before `complete`. Once [`Store::seal`] has returned,
//!   any process can complete it from its [`Pending`] alone, any number of times.
//! * An `Err` of kind `Unavailable` or `Throttled` may be tried again; retries inside a call are
//!   the implementation's, within a bounded time.
//!
//! Deliberately absent: renames and appends (S3 has none), partial writes, and knowledge of what
//! the objects hold.

use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tributary_model::{Error, Result};

/// A whole object.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its contents.
    pub bytes: Bytes,
}

/// An object as a listing shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its key below the store's root, without a slash in front.
    pub key: String,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written, by the store's clock.
    pub modified: DateTime<Utc>,
}

/// How a conditional put ended. Failing before the effect is an `Err`.
#[derive(Debug)]
pub enum PutOutcome {
    /// The object is there, and this call made it.
    Created,
    /// An object was there before (412). It may be this caller's own, of an earlier lost reply.
    Exists,
    /// The reply was lost: the object may have been made, or may yet be (read to find out).
    Unknown(Error),
}

/// A started upload of one object, invisible under its key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Upload {
    /// The object's key.
    pub key: String,
    /// The store's own name of the upload.
    pub id: String,
}

/// A part of an upload.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// From 1 on, without gaps.
    pub number: u32,
    /// What the store calls the part; empty where it calls it nothing.
    pub etag: String,
    /// Bytes.
    pub size: u64,
}

/// An upload of which every part is durable: all that another process needs to complete it.
/// It stands in the log entry that commits it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// The upload.
    pub upload: Upload,
    /// Its parts, by number.
    pub parts: Vec<Part>,
    /// The size of the object that will be.
    pub size: u64,
}

/// How the completion of an upload ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The object is there with the expected size, by this call or an earlier one.
    Done,
    /// Neither the upload nor such an object exists: it was aborted or expired, or the object was
    /// completed and deleted since.
    Gone,
}

/// An upload that was started and neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The upload.
    pub upload: Upload,
    /// When it was started, by the store's clock.
    pub at: DateTime<Utc>,
}

/// A bucket's prefix or a folder. Keys are relative to it, use `/`, and are at most 1024 bytes
/// together with the prefix.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug + 'static {
    /// Where it is, for people: `s3://bucket/prefix` or a path. Holds no secret.
    fn location(&self) -> String;

    /// The address under which other programs read `key`: `s3://bucket/prefix/key` or a full path.
    fn address(&self, key: &str) -> String;

    /// The key of an address, where it lies apart from the others.
    fn key_of(&self, _address: &str) -> Option<String> {
        None
    }

    /// The least size of a part that is not the last, and the one to aim at. All parts but the
    /// last are given this size exactly, as some stores demand.
    fn part_size(&self) -> usize;

    /// Fails where [`Store::put_if_absent`] is not what it says, so that two writers would not be
    /// told apart. For stores that are of unknown make.
    async fn prove(&self) -> Result<()> {
        Ok(())
    }

    /// The object, or `None` where there is none.
    async fn get(&self, key: &str) -> Result<Option<Object>>;

    /// Some bytes of an object that is known to exist.
    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes>;

    /// The object as a file that can be opened: the object itself where it is a file already, or
    /// else a copy below `scratch`, streamed there in bounded memory. `None` where there is none.
    async fn as_file(&self, key: &str, scratch: &Path) -> Result<Option<PathBuf>>;

    /// Creates an object unless one is there: the only step that two writers race for.
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome>;

    /// Creates or overwrites an object. Only for what can be derived from the log.
    async fn put(&self, key: &str, bytes: Bytes) -> Result<()>;

    /// All objects whose key begins with `prefix`, in the order of their keys, from the first one
    /// greater than `after` on. `limit` bounds the answer. Staged parts are no objects.
    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>>;

    /// Removes an object; one that is not there is removed already.
    async fn delete(&self, key: &str) -> Result<()>;

    /// Whether what is uploaded lies in a file of this machine meanwhile.
    fn keeps_staged_files(&self) -> bool {
        false
    }

    /// That file, where there is one.
    fn staged_file(&self, _upload: &Upload) -> Option<PathBuf> {
        None
    }

    /// Starts an upload.
    async fn start_upload(&self, key: &str) -> Result<Upload>;

    /// Adds the next part. `offset` is the number of bytes in the parts before it. Parts come in
    /// order, and one at a time; a part may be sent again after an error.
    async fn upload_part(
        &self,
        upload: &Upload,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<Part>;

    /// Makes all parts durable. Nothing is visible under the key yet.
    async fn seal(&self, upload: &Upload, parts: Vec<Part>) -> Result<Pending>;

    /// Makes the object visible. May be called again, also by other processes: where the upload is
    /// no more but an object of its size is there, that is `Done`.
    async fn complete(&self, pending: &Pending) -> Result<Completion>;

    /// Gives an upload up and frees what it holds; one that is not there is given up already.
    async fn abort(&self, upload: &Upload) -> Result<()>;

    /// Uploads below `prefix` that were neither completed nor given up.
    async fn uploads(&self, prefix: &str) -> Result<Vec<Started>>;
}
