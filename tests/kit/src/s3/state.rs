//! What the server keeps: buckets, objects, open uploads; in memory, or in a folder that another
//! server can go on with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::reply::Refusal;

const INDEX: &str = "index.json";

/// The bytes of an object or part.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) enum Blob {
    #[serde(skip)]
    Memory(Bytes),
    File(PathBuf, usize),
}

impl Blob {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(bytes) => bytes.len(),
            Self::File(_, length) => *length,
        }
    }

    pub(super) fn read(&self) -> Bytes {
        match self {
            Self::Memory(bytes) => bytes.clone(),
            Self::File(path, _) => fs::read(path)
                .unwrap_or_else(|error| panic!("reading {}: {error}", path.display()))
                .into(),
        }
    }
}

/// An object.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Object {
    pub(super) blob: Blob,
    /// Without its quotes.
    pub(super) etag: String,
    pub(super) modified: DateTime<Utc>,
    /// What it was stored with: its type, metadata, encryption.
    pub(super) headers: BTreeMap<String, String>,
    /// The CRC32 that the client gave, in base64.
    pub(super) crc32: Option<String>,
}

impl Object {
    pub(super) fn new(blob: Blob, etag: String, modified: DateTime<Utc>) -> Self {
        Self {
            blob,
            etag,
            modified,
            headers: BTreeMap::new(),
            crc32: None,
        }
    }
}

/// A part of an open upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Part {
    pub(super) blob: Blob,
    pub(super) etag: String,
    pub(super) modified: DateTime<Utc>,
}

/// An open upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) began: DateTime<Utc>,
    pub(super) parts: BTreeMap<u32, Part>,
}

/// A bucket.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, Object>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

/// Everything.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct State {
    pub(super) buckets: BTreeMap<String, Bucket>,
    /// Numbers that were given to uploads and files.
    used: u64,
    #[serde(skip)]
    folder: Option<PathBuf>,
}

impl State {
    pub(super) fn new(buckets: &[String], folder: Option<PathBuf>) -> Self {
        let mut state = folder.as_deref().map(load).unwrap_or_default();
        state.folder = folder;
        for bucket in buckets {
            state.buckets.entry(bucket.clone()).or_default();
        }
        state.save();
        state
    }

    pub(super) fn bucket(&self, name: &str) -> Result<&Bucket, Refusal> {
        self.buckets
            .get(name)
            .ok_or_else(|| Refusal::no_such_bucket(name))
    }

    pub(super) fn bucket_mut(&mut self, name: &str) -> Result<&mut Bucket, Refusal> {
        self.buckets
            .get_mut(name)
            .ok_or_else(|| Refusal::no_such_bucket(name))
    }

    pub(super) fn number(&mut self) -> u64 {
        self.used += 1;
        self.used
    }

    /// Takes bytes into custody.
    pub(super) fn keep(&mut self, bytes: Bytes) -> Blob {
        let Some(folder) = self.folder.clone() else {
            return Blob::Memory(bytes);
        };
        let path = folder.join(format!("{:012}", self.number()));
        fs::write(&path, &bytes)
            .unwrap_or_else(|error| panic!("writing {}: {error}", path.display()));
        Blob::File(path, bytes.len())
    }

    /// Writes down what there is, where there is a folder. Called after every change.
    pub(super) fn save(&self) {
        let Some(folder) = &self.folder else {
            return;
        };
        let text = serde_json::to_vec(self).expect("the state is plain data");
        let next = folder.join("index.next");
        fs::write(&next, text)
            .and_then(|()| fs::rename(&next, folder.join(INDEX)))
            .unwrap_or_else(|error| panic!("writing to {}: {error}", folder.display()));
    }

    pub(super) fn age(&mut self, by: Duration) {
        for bucket in self.buckets.values_mut() {
            for object in bucket.objects.values_mut() {
                object.modified -= by;
            }
            for upload in bucket.uploads.values_mut() {
                upload.began -= by;
            }
        }
        self.save();
    }
}

fn load(folder: &Path) -> State {
    fs::create_dir_all(folder)
        .unwrap_or_else(|error| panic!("making {}: {error}", folder.display()));
    let Ok(text) = fs::read(folder.join(INDEX)) else {
        return State::default();
    };
    serde_json::from_slice(&text)
        .unwrap_or_else(|error| panic!("{} is not ours: {error}", folder.display()))
}
