//! The write-ahead log of a connection: the one place where rows and state become true together.
//!
//! Why it is exactly once. An entry of number `n` is put only if none is there, so of all processes
//! that believe `n` to be next, one succeeds and the others are fenced. // G1 G3 Opening a
//! connection puts an entry too, so whoever opened before finds its next number taken. // G7 A
//! commit's entry holds the state and names every file, so neither is true without the other. // G2
//!
//! A reply that is lost is never guessed: the entry is read. If it is ours (each attempt has a nonce)
//! it was put; if it is another's we are fenced; if there is none the same bytes are put again, and
//! should the first request arrive late after all, it puts the very entry we asked for.
//!
//! Deliberately absent: deleting entries. They are the history that `loads` lists.

mod entry;
#[cfg(test)]
mod flaky;
mod snapshot;
#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tributary_model::{ConnectionName, Error, ErrorKind, LoadRecord, Result, now};
use uuid::Uuid;

use crate::error::unreadable;
use crate::place;
use tributary_store::{PutOutcome, Store};

pub(crate) use entry::{Body, Committed, Entry, FORMAT, Rewritten, SchemaChange, cursors};
pub(crate) use snapshot::Snapshot;

/// Entries between two checkpoints: what an opening reads at most, one request for each.
const CHECKPOINT_EVERY: u64 = 64;
/// Entries that are read at the same time. // G6
const READERS: usize = 16;
/// Entries that one listing shows.
const PAGE: usize = 1000;
/// How often an entry is put whose fate is unknown. // G6
const TRIES: u32 = 6;
/// The first pause between; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(if cfg!(test) { 1 } else { 100 });

/// The log of one connection.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    store: Arc<dyn Store>,
    of: ConnectionName,
}

/// Whose the entry of a number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Appended {
    /// The one that was to be put.
    Ours,
    /// Another one.
    Taken,
}

impl Log {
    /// The log of `of`.
    pub(crate) fn new(store: Arc<dyn Store>, of: ConnectionName) -> Self {
        Self { store, of }
    }

    /// What the log comes to; `None` where the connection was never opened.
    pub(crate) async fn read(&self) -> Result<Option<Snapshot>> {
        let mut snapshot = self.last_checkpoint().await?.unwrap_or_default();
        let prefix = place::log(&self.of);
        loop {
            let after = place::log_entry(&self.of, snapshot.number);
            let page = self.store.list(&prefix, Some(&after), PAGE).await?;
            let numbers: Vec<u64> = page
                .iter()
                .filter_map(|entry| place::number(&entry.key))
                .collect();
            if numbers.is_empty() {
                return Ok((snapshot.number > 0).then_some(snapshot));
            }
            let mut entries = stream::iter(numbers)
                .map(|number| self.existing(number))
                .buffered(READERS);
            while let Some(entry) = entries.try_next().await? {
                snapshot.replay(&Arc::new(entry))?;
            }
        }
    }

    /// The last commits, the newest first.
    pub(crate) async fn loads(&self, limit: usize) -> Result<Vec<LoadRecord>> {
        let newest = self.read().await?.map_or(0, |snapshot| snapshot.number);
        let mut entries = stream::iter((1..=newest).rev())
            .map(|number| self.existing(number))
            .buffered(READERS.min(limit.max(1)));
        let mut records = Vec::new();
        while records.len() < limit
            && let Some(entry) = entries.try_next().await?
        {
            records.extend(
                entry
                    .committed()
                    .map(|committed| committed.record(&self.of)),
            );
        }
        Ok(records)
    }

    /// A new entry behind `snapshot`, of the opening `epoch`.
    pub(crate) fn entry(snapshot: &Snapshot, epoch: u64, applied: u64, body: Body) -> Entry {
        Entry {
            format: FORMAT,
            written_by: env!("CARGO_PKG_VERSION").to_owned(),
            number: snapshot.number + 1,
            epoch,
            nonce: Uuid::new_v4().simple().to_string(),
            at: now(),
            applied,
            body,
        }
    }

    /// Puts an entry, the atomic step of the protocol: see the module's proof.
    pub(crate) async fn append(&self, entry: &Entry) -> Result<Appended> {
        let key = place::log_entry(&self.of, entry.number);
        let bytes = to_bytes(entry)?;
        let mut pause = PAUSE;
        for _ in 0..TRIES {
            match self.store.put_if_absent(&key, bytes.clone()).await? {
                PutOutcome::Created => return Ok(Appended::Ours),
                PutOutcome::Exists => {}
                PutOutcome::Unknown(error) => {
                    tracing::warn!(%error, key, "reading how a commit ended")
                }
            }
            match self.get(entry.number).await {
                Ok(Some(there)) if there.nonce == entry.nonce => return Ok(Appended::Ours),
                Ok(Some(_)) => return Ok(Appended::Taken),
                Ok(None) => {}
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    tracing::warn!(%error, key, "reading again how a commit ended");
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        // Not an answer either way: the next opening reads the log and knows.
        Err(Error::new(
            ErrorKind::Unavailable,
            format!("it is not known whether {key} was written"),
        ))
    }

    /// The entry of a number, where there is one.
    pub(crate) async fn get(&self, number: u64) -> Result<Option<Entry>> {
        let key = place::log_entry(&self.of, number);
        let object = self.store.get(&key).await?;
        object.map(|object| parse(&key, &object.bytes)).transpose()
    }

    /// Stores a snapshot where enough has happened since the last one, and removes what that one
    /// made superfluous.
    pub(crate) async fn checkpoint(&self, snapshot: &Snapshot) -> Result<()> {
        if !snapshot.unapplied.is_empty() {
            return Ok(());
        }
        let prefix = place::checkpoints(&self.of);
        let there = self.store.list(&prefix, None, PAGE).await?;
        let last = there
            .last()
            .and_then(|entry| place::number(&entry.key))
            .unwrap_or(0);
        if snapshot.number < last + CHECKPOINT_EVERY {
            return Ok(());
        }
        let key = place::checkpoint(&self.of, snapshot.number);
        self.store
            .put(&key, to_bytes(&snapshot.store(FORMAT))?)
            .await?;
        // The newest so far stays: somebody may be about to read it.
        for older in there.iter().rev().skip(1) {
            self.store.delete(&older.key).await?;
        }
        Ok(())
    }

    async fn last_checkpoint(&self) -> Result<Option<Snapshot>> {
        let prefix = place::checkpoints(&self.of);
        let there = self.store.list(&prefix, None, PAGE).await?;
        for entry in there.iter().rev() {
            // One that is gone was superseded after it was listed; an older one leads there too.
            if let Some(object) = self.store.get(&entry.key).await? {
                let stored: snapshot::Stored = parse(&entry.key, &object.bytes)?;
                return Ok(Some(stored.into()));
            }
        }
        Ok(None)
    }

    async fn existing(&self, number: u64) -> Result<Entry> {
        let entry = self.get(number).await?;
        entry.ok_or_else(|| {
            let key = place::log_entry(&self.of, number);
            Error::new(
                ErrorKind::Incompatible,
                format!("{key} is not there any more"),
            )
            .fix("Put it back, or move the lake away and start again.")
        })
    }
}

fn to_bytes(value: &impl Serialize) -> Result<Bytes> {
    serde_json::to_vec(value)
        .map(Bytes::from)
        .map_err(|cause| Error::bug("an entry of the log can't be written as JSON").because(cause))
}

/// Reads what this or an older version wrote.
fn parse<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    match serde_json::from_slice(bytes) {
        Ok(value) => Ok(value),
        Err(cause) => Err(newer(key, bytes).unwrap_or_else(|| unreadable(key, cause))),
    }
}

/// The error of something that a newer version wrote.
fn newer(key: &str, bytes: &[u8]) -> Option<Error> {
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let format = value.get("format")?.as_u64()?;
    let by = value.get("written_by")?.as_str()?.to_owned();
    (format > u64::from(FORMAT)).then(|| {
        Error::new(
            ErrorKind::Incompatible,
            format!("{key} has format {format}, written by Tributary {by}; this version knows format {FORMAT}"),
        )
        .fix(format!("Use Tributary {by} or newer; nothing was changed."))
    })
}
