//! Reading objects. A body that ends early is asked for again from where it ended, of the same
//! version of the object; a caller sees either all of its bytes or an error.

use std::ops::Range;
use std::path::{Path, PathBuf};

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Bytes, BytesMut};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;
use tokio::time::sleep;
use tributary_model::{Error, ErrorKind, Result};

use super::S3Store;
use super::explain::Action;
use super::failure::{Failure, Nature};
use crate::store::Object;

/// A body on its way.
struct Download<'a> {
    store: &'a S3Store,
    key: &'a str,
    body: ByteStream,
    etag: Option<String>,
    /// The next byte of the object.
    at: u64,
    /// The byte after the last.
    end: u64,
    /// Attempts since a byte arrived.
    failed: u32,
}

impl<'a> Download<'a> {
    /// `None` where there is no such object.
    async fn start(
        store: &'a S3Store,
        key: &'a str,
        range: Option<Range<u64>>,
    ) -> Result<Option<Self>> {
        let at = range.as_ref().map_or(0, |range| range.start);
        let reply = match ask(store, key, range.as_ref(), None).await {
            Ok(reply) => reply,
            Err(failure) if failure.nature() == Nature::NoSuchKey => return Ok(None),
            Err(failure) => return Err(store.explain(&failure, Action::Get, key)),
        };
        let length = u64::try_from(reply.content_length().unwrap_or_default()).unwrap_or_default();
        Ok(Some(Self {
            store,
            key,
            etag: reply.e_tag().map(str::to_owned),
            body: reply.body,
            at,
            end: at + length,
            failed: 0,
        }))
    }

    /// The next bytes, `None` behind the last.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.body.next().await {
                Some(Ok(bytes)) => {
                    self.at += bytes.len() as u64;
                    self.failed = 0;
                    return Ok(Some(bytes));
                }
                None if self.at == self.end => return Ok(None),
                None => self.resume("the reply ended early".to_owned()).await?,
                Some(Err(cause)) => self.resume(cause.to_string()).await?,
            }
        }
    }

    async fn resume(&mut self, cause: String) -> Result<()> {
        let budget = self.store.settings.budget;
        self.failed += 1;
        // An error behind the last byte is one of the checksum: asking for nothing won't help.
        if self.at >= self.end || self.failed >= budget.attempts {
            return Err(Error::new(
                ErrorKind::Unavailable,
                format!("{} could not be read whole", self.store.settings.bucket),
            )
            .because(cause)
            .context(format!("reading {}", self.key)));
        }
        let wait = budget.first_wait * 2_u32.saturating_pow(self.failed - 1);
        sleep(wait.min(budget.longest_wait)).await;
        let rest = self.at..self.end;
        let reply = ask(self.store, self.key, Some(&rest), self.etag.as_deref())
            .await
            .map_err(|failure| self.store.explain(&failure, Action::Get, self.key))?;
        self.body = reply.body;
        Ok(())
    }

    async fn collect(mut self) -> Result<Object> {
        let first = self.next().await?.unwrap_or_default();
        let mut all = BytesMut::new();
        while let Some(bytes) = self.next().await? {
            if all.is_empty() {
                all.reserve(usize::try_from(self.end - self.at).unwrap_or_default());
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&bytes);
        }
        Ok(Object {
            bytes: if all.is_empty() { first } else { all.freeze() },
        })
    }
}

async fn ask(
    store: &S3Store,
    key: &str,
    range: Option<&Range<u64>>,
    etag: Option<&str>,
) -> Result<GetObjectOutput, Failure> {
    let range = range.map(|range| format!("bytes={}-{}", range.start, range.end - 1));
    let send = |client: Client| {
        let request = client
            .get_object()
            .bucket(&store.settings.bucket)
            .key(store.key(key))
            .set_if_match(etag.map(str::to_owned))
            .set_range(range.clone());
        async move { request.send().await.map_err(Failure::new) }
    };
    store.request(send).await
}

pub(super) async fn whole(store: &S3Store, key: &str) -> Result<Option<Object>> {
    match Download::start(store, key, None).await? {
        Some(download) => download.collect().await.map(Some),
        None => Ok(None),
    }
}

pub(super) async fn range(store: &S3Store, key: &str, range: Range<u64>) -> Result<Bytes> {
    if range.is_empty() {
        return Ok(Bytes::new());
    }
    match Download::start(store, key, Some(range)).await? {
        Some(download) => Ok(download.collect().await?.bytes),
        None => Err(Error::new(
            ErrorKind::Unavailable,
            format!("{} is not there any more", store.settings.bucket),
        )
        .context(format!("reading {key}"))
        .fix("See that nobody else deletes the lake's objects.")),
    }
}

/// A copy of an object below `scratch`, under its own key.
pub(super) async fn file(store: &S3Store, key: &str, scratch: &Path) -> Result<Option<PathBuf>> {
    let Some(mut download) = Download::start(store, key, None).await? else {
        return Ok(None);
    };
    let path = scratch.join(key);
    let local = |cause: std::io::Error| crate::error::local(&cause, scratch);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).await.map_err(local)?;
    }
    // Under another name until it is whole.
    let partial = path.with_added_extension("partial");
    let mut file = File::create(&partial).await.map_err(local)?;
    while let Some(bytes) = download.next().await? {
        file.write_all(&bytes).await.map_err(local)?;
    }
    file.flush().await.map_err(local)?;
    fs::rename(&partial, &path).await.map_err(local)?;
    Ok(Some(path))
}
