//! A bucket as a store: S3, and what speaks its protocol.
//!
//! Invariants, beside those of [`Store`]:
//!
//! * Every request but one may be sent again, because doing it twice is doing it once: keys of
//!   uploads are new each time, `put` and `delete` end in the same state. The SDK therefore tries
//!   them again by itself, within [`Budget`].
//! * The one is the conditional put. It is sent again only after a reply that says that it was
//!   *not* carried out (409, 503, expired credentials). After anything else its outcome is
//!   [`PutOutcome::Unknown`], and the protocol above reads. See [`object`].
//!
//! Deliberately absent: knowledge of what objects hold; locks; caches.

mod check;
mod client;
mod clock;
mod download;
mod explain;
mod failure;
mod object;
mod settings;
#[cfg(test)]
mod tests;
mod upload;

use std::fmt;
use std::future::Future;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use aws_sdk_s3::Client;
use bytes::Bytes;
use tokio::sync::RwLock;
use tributary_model::{Error, Result};

use crate::store::{Completion, Entry, Object, Part, Pending, PutOutcome, Started, Store, Upload};
pub use client::shared;
use clock::{Clock, Mended};
use explain::Action;
use failure::{Failure, Nature};
pub use settings::Settings;

/// The size of a part: with S3's limit of 10,000 parts, files of up to 78 GiB.
const PART: usize = 8 << 20;

/// A bucket, or what is below a prefix of one.
pub struct S3Store {
    settings: Settings,
    /// Made at the first request, and anew when its credentials have expired.
    client: RwLock<Option<Client>>,
    /// Whether this process has seen that conditional puts are conditional.
    proved: AtomicBool,
    clock: Clock,
}

impl fmt::Debug for S3Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Store").field(&self.location()).finish()
    }
}

impl S3Store {
    /// Does not talk to the store yet.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            client: RwLock::new(None),
            proved: AtomicBool::new(false),
            clock: Clock::default(),
        }
    }

    fn key(&self, key: &str) -> String {
        format!("{}{key}", self.settings.prefix)
    }

    async fn client(&self) -> Client {
        if let Some(client) = &*self.client.read().await {
            return client.clone();
        }
        let mut slot = self.client.write().await;
        match &*slot {
            Some(client) => client.clone(),
            None => slot
                .insert(client::make(&self.settings, &self.clock).await)
                .clone(),
        }
    }

    /// Forgets the client, and the credentials with it.
    async fn renew(&self) {
        *self.client.write().await = None;
    }

    /// Whether a request that was refused without being looked at may be taken now: with new
    /// credentials where they have expired, by the store's clock where ours is wrong.
    async fn mend(&self, failure: &Failure) -> Mended {
        let mended = match failure.nature() {
            Nature::Expired => Mended::Yes,
            Nature::Skewed => self.clock.follow(failure),
            _ => Mended::No,
        };
        if mended == Mended::Yes {
            self.renew().await;
        }
        mended
    }

    /// Runs a request; once more where what was in its way could be mended.
    async fn request<T, F, Fut>(&self, run: F) -> Result<T, Failure>
    where
        F: Fn(Client) -> Fut + Send + Sync,
        Fut: Future<Output = Result<T, Failure>> + Send,
        T: Send,
    {
        match run(self.client().await).await {
            Err(failure) => match self.mend(&failure).await {
                Mended::Yes => run(self.client().await).await,
                Mended::No => Err(failure),
            },
            outcome => outcome,
        }
    }

    fn explain(&self, failure: &Failure, action: Action, key: &str) -> Error {
        explain::error(failure, action, &self.settings, key)
    }
}

#[async_trait]
impl Store for S3Store {
    fn location(&self) -> String {
        let prefix = self.settings.prefix.trim_end_matches('/');
        format!("s3://{}/{prefix}", self.settings.bucket)
            .trim_end_matches('/')
            .to_owned()
    }

    fn address(&self, key: &str) -> String {
        format!("s3://{}/{}", self.settings.bucket, self.key(key))
    }

    fn part_size(&self) -> usize {
        PART
    }

    /// S3 itself is known to keep its word.
    async fn prove(&self) -> Result<()> {
        if self.settings.endpoint.is_some() && !self.proved.load(Ordering::Relaxed) {
            check::conditional_put(self).await?;
            self.proved.store(true, Ordering::Relaxed);
        }
        Ok(())
    }

    fn staged_file(&self, _: &Upload) -> Option<PathBuf> {
        None
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        download::whole(self, key).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        download::range(self, key, range).await
    }

    async fn as_file(&self, key: &str, scratch: &Path) -> Result<Option<PathBuf>> {
        download::file(self, key, scratch).await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        object::put_if_absent(self, key, bytes).await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        object::put(self, key, bytes).await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        object::list(self, prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        object::delete(self, key).await
    }

    async fn start_upload(&self, key: &str) -> Result<Upload> {
        upload::start(self, key).await
    }

    async fn upload_part(
        &self,
        upload: &Upload,
        number: u32,
        _offset: u64,
        bytes: Bytes,
    ) -> Result<Part> {
        upload::part(self, upload, number, bytes).await
    }

    /// Parts are durable once they are there.
    async fn seal(&self, upload: &Upload, parts: Vec<Part>) -> Result<Pending> {
        Ok(Pending {
            upload: upload.clone(),
            size: parts.iter().map(|part| part.size).sum(),
            parts,
        })
    }

    async fn complete(&self, pending: &Pending) -> Result<Completion> {
        upload::complete(self, pending).await
    }

    async fn abort(&self, upload: &Upload) -> Result<()> {
        upload::abort(self, upload).await
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<Started>> {
        upload::started(self, prefix).await
    }
}
