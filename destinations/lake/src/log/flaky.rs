//! A folder whose conditional puts go wrong as they are told to.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use tributary_model::{Error, ErrorKind, Result};

use crate::folder::Folder;
use tributary_store::{
    Completion, Entry, Object, Part, Pending, PutOutcome, Started, Store, Upload,
};

/// What becomes of one conditional put.
#[derive(Clone, Copy, Debug)]
pub(super) enum Fate {
    /// It happens, and its reply is lost.
    Unheard,
    /// It never arrives, which nobody knows.
    Lost,
    /// Somebody else puts something there first, and no reply comes.
    Beaten,
    /// It is refused before it has an effect.
    Refused,
}

#[derive(Debug)]
pub(super) struct Flaky {
    inner: Folder,
    fates: Mutex<VecDeque<Fate>>,
    rival: Bytes,
}

impl Flaky {
    /// Puts go as `fates` say, then well; `rival` is what somebody else puts.
    pub(super) fn new(root: &Path, fates: &[Fate], rival: Bytes) -> Self {
        Self {
            inner: Folder::new(root),
            fates: Mutex::new(fates.iter().copied().collect()),
            rival,
        }
    }
}

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "the store is away")
}

#[async_trait]
impl Store for Flaky {
    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        let fate = self
            .fates
            .lock()
            .expect("no test panics with it")
            .pop_front();
        match fate {
            None => self.inner.put_if_absent(key, bytes).await,
            Some(Fate::Lost) => Ok(PutOutcome::Unknown(away())),
            Some(Fate::Refused) => Err(away()),
            Some(Fate::Unheard) => {
                self.inner.put_if_absent(key, bytes).await?;
                Ok(PutOutcome::Unknown(away()))
            }
            Some(Fate::Beaten) => {
                self.inner.put_if_absent(key, self.rival.clone()).await?;
                Ok(PutOutcome::Unknown(away()))
            }
        }
    }

    fn location(&self) -> String {
        self.inner.location()
    }

    fn address(&self, key: &str) -> String {
        self.inner.address(key)
    }

    fn part_size(&self) -> usize {
        self.inner.part_size()
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        self.inner.get(key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.inner.get_range(key, range).await
    }

    async fn as_file(&self, key: &str, scratch: &Path) -> Result<Option<PathBuf>> {
        self.inner.as_file(key, scratch).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.inner.put(key, bytes).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.inner.delete(key).await
    }

    async fn start_upload(&self, key: &str) -> Result<Upload> {
        self.inner.start_upload(key).await
    }

    async fn upload_part(
        &self,
        upload: &Upload,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<Part> {
        self.inner.upload_part(upload, number, offset, bytes).await
    }

    async fn seal(&self, upload: &Upload, parts: Vec<Part>) -> Result<Pending> {
        self.inner.seal(upload, parts).await
    }

    async fn complete(&self, pending: &Pending) -> Result<Completion> {
        self.inner.complete(pending).await
    }

    async fn abort(&self, upload: &Upload) -> Result<()> {
        self.inner.abort(upload).await
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<Started>> {
        self.inner.uploads(prefix).await
    }
}
