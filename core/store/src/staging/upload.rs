//! Bytes of one file on their way up, part by part.

use std::io::{self, Write};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tributary_model::{Error, ErrorKind, Result};

use crate::store::{Completion, Part, Store, Upload};

/// What a writer has written and no part has taken yet.
#[derive(Debug, Default)]
pub(super) struct Sink(BytesMut);

impl Sink {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    fn part(&mut self, size: usize) -> Option<Bytes> {
        (self.0.len() >= size).then(|| self.0.split_to(size).freeze())
    }

    fn rest(&mut self) -> Bytes {
        self.0.split().freeze()
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A part on its way, and the room that it takes up.
type InFlight = (Bytes, OwnedSemaphorePermit);

/// An object in the making. Nothing is sent before a part is full: a small file is one request.
#[derive(Debug)]
pub(super) struct Uploading {
    store: Arc<dyn Store>,
    key: String,
    /// How many parts of all files together may be on their way.
    room: Arc<Semaphore>,
    sent: u64,
    parts: Option<mpsc::Sender<InFlight>>,
    task: Option<JoinHandle<Result<Vec<Part>>>>,
    /// Known once the store has answered.
    upload: Arc<OnceLock<Upload>>,
}

impl Uploading {
    pub(super) fn new(store: &Arc<dyn Store>, room: &Arc<Semaphore>, key: &str) -> Self {
        Self {
            store: store.clone(),
            key: key.to_owned(),
            room: room.clone(),
            sent: 0,
            parts: None,
            task: None,
            upload: Arc::default(),
        }
    }

    /// Sends every part that is full. Waits while one is under way and another waits already.
    pub(super) async fn send_full_parts(&mut self, sink: &mut Sink) -> Result<()> {
        while let Some(part) = sink.part(self.store.part_size()) {
            self.send(part).await?;
        }
        Ok(())
    }

    /// Sends the rest and makes the object visible; says how large it is.
    pub(super) async fn end(mut self, mut sink: Sink) -> Result<u64> {
        self.send_full_parts(&mut sink).await?;
        let rest = sink.rest();
        if self.task.is_none() {
            let size = rest.len() as u64;
            self.store.put(&self.key, rest).await?;
            return Ok(size);
        }
        if !rest.is_empty() {
            self.send(rest).await?;
        }
        self.parts = None;
        let parts = self.wait().await?;
        let upload = self.upload.get().cloned();
        let upload = upload.ok_or_else(|| Error::bug("an upload has no name"))?;
        let pending = self.store.seal(&upload, parts).await?;
        match self.store.complete(&pending).await? {
            Completion::Done => {
                self.upload = Arc::default();
                Ok(self.sent)
            }
            Completion::Gone => Err(gone(&self.store.address(&self.key))),
        }
    }

    async fn send(&mut self, bytes: Bytes) -> Result<()> {
        self.sent += bytes.len() as u64;
        let parts = self.parts.clone().unwrap_or_else(|| self.start());
        let permit = self.room.clone().acquire_owned().await;
        let permit = permit.map_err(|cause| Error::bug("parts can't be sent").because(cause))?;
        match parts.send((bytes, permit)).await {
            Ok(()) => Ok(()),
            Err(_) => self.wait().await.map(drop),
        }
    }

    fn start(&mut self) -> mpsc::Sender<InFlight> {
        // One part waits, and one is under way, while the next one fills. // G6
        let (parts, inbox) = mpsc::channel(1);
        let (store, key, known) = (self.store.clone(), self.key.clone(), self.upload.clone());
        self.task = Some(tokio::spawn(upload(store, key, known, inbox)));
        self.parts = Some(parts.clone());
        parts
    }

    async fn wait(&mut self) -> Result<Vec<Part>> {
        let task = self.task.take();
        let task = task.ok_or_else(|| Error::bug("an upload ended before it began"))?;
        let ended = task.await;
        ended.map_err(|cause| Error::bug("an upload did not end").because(cause))?
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        // What is not given up here, since the runtime ends too, goes by age.
        if let (Some(upload), Ok(runtime)) = (
            self.upload.get().cloned(),
            tokio::runtime::Handle::try_current(),
        ) {
            let store = self.store.clone();
            runtime.spawn(async move {
                if let Err(error) = store.abort(&upload).await {
                    tracing::debug!(%error, key = upload.key, "an upload was not given up");
                }
            });
        }
    }
}

/// Uploads parts as they come, until there are no more.
async fn upload(
    store: Arc<dyn Store>,
    key: String,
    known: Arc<OnceLock<Upload>>,
    mut inbox: mpsc::Receiver<InFlight>,
) -> Result<Vec<Part>> {
    let started = store.start_upload(&key).await?;
    let upload = known.get_or_init(|| started);
    let (mut parts, mut offset) = (Vec::new(), 0);
    while let Some((bytes, _permit)) = inbox.recv().await {
        let number =
            u32::try_from(parts.len() + 1).map_err(|_| Error::bug("a file has too many parts"))?;
        let size = bytes.len() as u64;
        parts.push(store.upload_part(upload, number, offset, bytes).await?);
        offset += size;
    }
    Ok(parts)
}

fn gone(address: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("the upload of {address} was given up by someone else"),
    )
    .fix("Let lifecycle rules of the bucket end incomplete uploads after a day, not sooner.")
}
