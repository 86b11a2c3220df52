//! Bytes on their way to an object that nobody sees yet.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinHandle;
use tributary_model::{Error, Result};
use uuid::Uuid;

use crate::site::Site;
use tributary_store::{Part, Pending, Store, Upload};

/// What a writer has written and no part has taken yet.
#[derive(Debug, Default)]
pub(crate) struct Sink(BytesMut);

impl Sink {
    /// Bytes that it holds.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
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

/// Whether what goes up must be readable before it is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadBack {
    /// A later change of the same load may ask for it.
    Maybe,
    /// Nobody will.
    Never,
}

/// A part on its way, and the room that it takes up.
type InFlight = (Bytes, OwnedSemaphorePermit);

/// An upload in progress. It begins with its first part, in a task of its own, so that many uploads
/// begin and end side by side.
#[derive(Debug)]
pub(crate) struct Uploading {
    site: Arc<Site>,
    key: String,
    sent: u64,
    parts: Option<mpsc::Sender<InFlight>>,
    task: Option<JoinHandle<Result<Vec<Part>>>>,
    /// Known once the store has answered.
    upload: Arc<OnceLock<Upload>>,
    read_back: ReadBack,
    copy: Option<(File, PathBuf)>,
}

/// An upload that has all its bytes, and is on its way.
#[derive(Debug)]
pub(crate) struct Ending(Uploading);

/// An upload whose parts are durable, and where it can be read meanwhile.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) pending: Pending,
    /// `None` where nobody was to read it back.
    pub(crate) file: Option<PathBuf>,
}

impl Uploading {
    /// Prepares one; nothing is sent yet.
    pub(crate) fn new(site: &Arc<Site>, key: &str, read_back: ReadBack) -> Self {
        Self {
            site: site.clone(),
            key: key.to_owned(),
            sent: 0,
            parts: None,
            task: None,
            upload: Arc::default(),
            read_back,
            copy: None,
        }
    }

    /// Bytes so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent
    }

    /// Sends every part that is full.
    pub(crate) fn send_full_parts(&mut self, sink: &mut Sink) -> Result<()> {
        let size = self.site.store.part_size();
        while sink.0.len() >= size {
            let part = sink.0.split_to(size).freeze();
            self.send(part)?;
        }
        Ok(())
    }

    /// Sends the rest.
    pub(crate) fn end(mut self, mut sink: Sink) -> Result<Ending> {
        self.send_full_parts(&mut sink)?;
        if !sink.0.is_empty() || self.sent == 0 {
            self.send(sink.0.split().freeze())?;
        }
        self.parts = None;
        Ok(Ending(self))
    }

    fn send(&mut self, bytes: Bytes) -> Result<()> {
        self.copy_aside(&bytes)?;
        self.sent += bytes.len() as u64;
        let parts = match &self.parts {
            Some(parts) => parts.clone(),
            None => self.start(),
        };
        let room = self.site.reserve(bytes.len())?;
        match parts.blocking_send((bytes, room)) {
            Ok(()) => Ok(()),
            Err(_) => self.wait().map(drop),
        }
    }

    fn start(&mut self) -> mpsc::Sender<InFlight> {
        // One part waits, and one is under way, while the next one fills. // G6
        let (parts, inbox) = mpsc::channel(1);
        let (store, key, known) = (
            self.site.store.clone(),
            self.key.clone(),
            self.upload.clone(),
        );
        self.task = Some(self.site.start(upload(store, key, known, inbox)));
        self.parts = Some(parts.clone());
        parts
    }

    /// Waits until every part is there.
    fn wait(&mut self) -> Result<Vec<Part>> {
        let task = self.task.take();
        let task = task.ok_or_else(|| Error::bug("an upload ended before it began"))?;
        let ended = self.site.wait(task);
        ended.map_err(|cause| Error::bug("an upload did not end").because(cause))?
    }

    /// Keeps a copy of what may be asked for, where the store keeps none.
    fn copy_aside(&mut self, bytes: &Bytes) -> Result<()> {
        if self.read_back == ReadBack::Never || self.site.store.keeps_staged_files() {
            return Ok(());
        }
        let (copy, path) = match &mut self.copy {
            Some(copy) => copy,
            None => self.copy.insert(copy_in(self.site.scratch())?),
        };
        copy.write_all(bytes).map_err(|cause| no_room(path, &cause))
    }
}

impl Ending {
    /// Waits until everything is durable.
    pub(crate) fn seal(self) -> Result<Sealed> {
        let mut uploading = self.0;
        let parts = uploading.wait()?;
        let upload = uploading.upload.get().cloned();
        let upload = upload.ok_or_else(|| Error::bug("an upload has no name"))?;
        let store = uploading.site.store.clone();
        let pending = uploading.site.wait(store.seal(&upload, parts))?;
        // From here on it is the pending upload's owner who gives it up.
        uploading.upload = Arc::default();
        let copy = uploading.copy.take().map(|(_, path)| path);
        let file = copy.or_else(|| store.staged_file(&upload));
        Ok(Sealed { pending, file })
    }
}

impl Drop for Uploading {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
        if let Some(upload) = self.upload.get() {
            give_up(&self.site, upload);
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
    while let Some((bytes, _room)) = inbox.recv().await {
        let number =
            u32::try_from(parts.len() + 1).map_err(|_| Error::bug("a file has too many parts"))?;
        let size = bytes.len() as u64;
        parts.push(store.upload_part(upload, number, offset, bytes).await?);
        offset += size;
    }
    Ok(parts)
}

/// Gives an upload up. What fails to be is collected by age.
pub(crate) fn give_up(site: &Site, upload: &Upload) {
    if let Err(error) = site.wait(site.store.abort(upload)) {
        tracing::debug!(%error, key = upload.key, "an upload was not given up");
    }
}

fn copy_in(scratch: &Path) -> Result<(File, PathBuf)> {
    let path = scratch.join(Uuid::new_v4().simple().to_string());
    let file = File::create(&path).map_err(|cause| no_room(&path, &cause))?;
    Ok((file, path))
}

fn no_room(path: &Path, cause: &io::Error) -> Error {
    tributary_store::local(cause, path.parent().unwrap_or(path))
}
