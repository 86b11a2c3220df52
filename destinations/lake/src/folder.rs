//! A local folder as a store.
//!
//! An object is a file that comes to be by `link` or `rename` of one that is complete and synced,
//! so it appears whole and is durable. Parts of an upload are one growing file below
//! `_tributary/uploads`, whose name no reader of Parquet files matches.
//!
//! Invariant: what an upload has staged lies in the same file system as the object that it becomes.
//! Deliberately absent: locks. `link` fails where the name is taken, which is all the protocol asks.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind as Io, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tributary_model::Result;
use uuid::Uuid;

use crate::error::blocking;
use crate::listing;
use crate::place::{TEMPORARY, UPLOADS};
use tributary_store::local;
use tributary_store::{
    Completion, Entry, Object, Part, Pending, PutOutcome, Started, Store, Upload,
};

/// Bytes of a part; it bounds what a writer keeps in memory, nothing more.
const PART: usize = 4 << 20;
/// How often a folder is made again that someone cleared away at that moment. // G6
const TRIES: u32 = 10;
/// The end of a staged file's name.
const STAGED: &str = ".part";

/// A folder.
#[derive(Clone, Debug)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    /// The folder at `root`; it is made when something is first put into it.
    pub(crate) fn new(root: impl Into<PathBuf>) -> Self {
        let root: PathBuf = root.into();
        Self {
            root: std::path::absolute(&root).unwrap_or(root),
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    fn staged(&self, upload: &Upload) -> PathBuf {
        self.root
            .join(format!("{UPLOADS}{}.{}{STAGED}", upload.key, upload.id))
    }

    /// Writes a whole file under a name that nobody else has.
    fn write_aside(&self, bytes: &[u8]) -> io::Result<PathBuf> {
        let path = self
            .root
            .join(format!("{TEMPORARY}{}", Uuid::new_v4().simple()));
        make_parents(&path)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(path)
    }

    fn put_new(&self, key: &str, bytes: &[u8]) -> io::Result<PutOutcome> {
        let target = self.path(key);
        make_parents(&target)?;
        let aside = self.write_aside(bytes)?;
        let linked = fs::hard_link(&aside, &target);
        // What is left of it is collected by age.
        let _ = fs::remove_file(&aside);
        match linked {
            Ok(()) => {
                sync_parents(&target, &self.root)?;
                Ok(PutOutcome::Created)
            }
            Err(cause) if cause.kind() == Io::AlreadyExists => Ok(PutOutcome::Exists),
            Err(cause) => Err(cause),
        }
    }

    fn put_over(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let target = self.path(key);
        make_parents(&target)?;
        let aside = self.write_aside(bytes)?;
        fs::rename(&aside, &target)?;
        sync_parents(&target, &self.root)
    }

    fn complete_now(&self, pending: &Pending) -> io::Result<Completion> {
        let staged = self.staged(&pending.upload);
        let target = self.path(&pending.upload.key);
        if staged.try_exists()? {
            make_parents(&target)?;
            match fs::rename(&staged, &target) {
                // Somebody else was quicker.
                Err(cause) if cause.kind() == Io::NotFound => {}
                renamed => renamed?,
            }
        }
        match fs::metadata(&target) {
            Ok(there) if there.len() == pending.size => {
                sync_parents(&target, &self.root)?;
                Ok(Completion::Done)
            }
            Ok(_) => Ok(Completion::Gone),
            Err(cause) if cause.kind() == Io::NotFound => Ok(Completion::Gone),
            Err(cause) => Err(cause),
        }
    }

    /// Runs `work` beside the asynchronous tasks.
    async fn run<T: Send + 'static>(
        &self,
        doing: String,
        work: impl FnOnce(&Self) -> io::Result<T> + Send + 'static,
    ) -> Result<T> {
        let this = self.clone();
        blocking(move || work(&this).map_err(|cause| local(&cause, &this.root).context(doing)))
            .await
    }
}

#[async_trait]
impl Store for Folder {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn address(&self, key: &str) -> String {
        self.path(key).display().to_string()
    }

    fn part_size(&self) -> usize {
        PART
    }

    fn keeps_staged_files(&self) -> bool {
        true
    }

    fn staged_file(&self, upload: &Upload) -> Option<PathBuf> {
        Some(self.staged(upload))
    }

    async fn get(&self, key: &str) -> Result<Option<Object>> {
        let path = self.path(key);
        self.run(format!("reading {key}"), move |_| match fs::read(&path) {
            Ok(bytes) => Ok(Some(Object {
                bytes: bytes.into(),
            })),
            Err(cause) if cause.kind() == Io::NotFound => Ok(None),
            Err(cause) => Err(cause),
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let path = self.path(key);
        self.run(format!("reading {key}"), move |_| read_range(&path, range))
            .await
    }

    async fn as_file(&self, key: &str, _scratch: &Path) -> Result<Option<PathBuf>> {
        let path = self.path(key);
        self.run(format!("reading {key}"), move |_| {
            Ok(path.try_exists()?.then_some(path))
        })
        .await
    }

    async fn put_if_absent(&self, key: &str, bytes: Bytes) -> Result<PutOutcome> {
        let name = key.to_owned();
        self.run(format!("writing {key}"), move |this| {
            this.put_new(&name, &bytes)
        })
        .await
    }

    async fn put(&self, key: &str, bytes: Bytes) -> Result<()> {
        let name = key.to_owned();
        self.run(format!("writing {key}"), move |this| {
            this.put_over(&name, &bytes)
        })
        .await
    }

    async fn list(&self, prefix: &str, after: Option<&str>, limit: usize) -> Result<Vec<Entry>> {
        let (wanted, after) = (prefix.to_owned(), after.map(ToOwned::to_owned));
        self.run(format!("listing {prefix}"), move |this| {
            let mut found = listing::files(&this.root, &wanted)?;
            found.retain(|entry| {
                after
                    .as_deref()
                    .is_none_or(|after| entry.key.as_str() > after)
            });
            found.retain(|entry| {
                !entry.key.starts_with(UPLOADS) && !entry.key.starts_with(TEMPORARY)
            });
            found.truncate(limit);
            Ok(found)
        })
        .await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        let path = self.path(key);
        self.run(format!("removing {key}"), move |_| remove(&path))
            .await
    }

    async fn start_upload(&self, key: &str) -> Result<Upload> {
        let upload = Upload {
            key: key.to_owned(),
            id: Uuid::new_v4().simple().to_string(),
        };
        let started = upload.clone();
        self.run(format!("starting to write {key}"), move |this| {
            let path = this.staged(&started);
            // Whoever completes an upload clears away folders that are empty, ours perhaps.
            let mut tries = 0;
            loop {
                make_parents(&path)?;
                match File::create(&path) {
                    Err(cause) if cause.kind() == Io::NotFound && tries < TRIES => tries += 1,
                    made => return made.map(drop),
                }
            }
        })
        .await?;
        Ok(upload)
    }

    async fn upload_part(
        &self,
        upload: &Upload,
        number: u32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<Part> {
        let path = self.staged(upload);
        let size = bytes.len() as u64;
        self.run(format!("writing {}", upload.key), move |_| {
            let mut file = OpenOptions::new().write(true).open(path)?;
            file.seek(SeekFrom::Start(offset))?;
            file.write_all(&bytes)
        })
        .await?;
        Ok(Part {
            number,
            etag: String::new(),
            size,
        })
    }

    async fn seal(&self, upload: &Upload, parts: Vec<Part>) -> Result<Pending> {
        let size = parts.iter().map(|part| part.size).sum();
        let path = self.staged(upload);
        let root = self.root.clone();
        self.run(format!("writing {}", upload.key), move |_| {
            let file = OpenOptions::new().write(true).open(&path)?;
            // A part that was sent twice may have been longer the first time.
            file.set_len(size)?;
            file.sync_all()?;
            sync_parents(&path, &root)
        })
        .await?;
        Ok(Pending {
            upload: upload.clone(),
            parts,
            size,
        })
    }

    async fn complete(&self, pending: &Pending) -> Result<Completion> {
        let wanted = pending.clone();
        self.run(format!("writing {}", pending.upload.key), move |this| {
            let done = this.complete_now(&wanted)?;
            listing::prune(&this.root, &this.staged(&wanted.upload));
            Ok(done)
        })
        .await
    }

    async fn abort(&self, upload: &Upload) -> Result<()> {
        let path = self.staged(upload);
        self.run(format!("giving {} up", upload.key), move |this| {
            remove(&path)?;
            listing::prune(&this.root, &path);
            Ok(())
        })
        .await
    }

    async fn uploads(&self, prefix: &str) -> Result<Vec<Started>> {
        let wanted = format!("{UPLOADS}{prefix}");
        self.run(
            format!("listing unfinished files of {prefix}"),
            move |this| {
                let staged = listing::files(&this.root, &wanted)?;
                Ok(staged.into_iter().filter_map(started).collect())
            },
        )
        .await
    }
}

/// The upload that a staged file belongs to.
fn started(entry: Entry) -> Option<Started> {
    let name = entry.key.strip_prefix(UPLOADS)?.strip_suffix(STAGED)?;
    let (key, id) = name.rsplit_once('.')?;
    Some(Started {
        upload: Upload {
            key: key.to_owned(),
            id: id.to_owned(),
        },
        at: entry.modified,
    })
}

/// Some bytes of a file.
pub(crate) fn read_range(path: &Path, range: Range<u64>) -> io::Result<Bytes> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(range.start))?;
    let length =
        usize::try_from(range.end.saturating_sub(range.start)).map_err(io::Error::other)?;
    let mut bytes = vec![0; length];
    file.read_exact(&mut bytes)?;
    Ok(bytes.into())
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != Io::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes the folders of a file.
fn make_parents(path: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let mut tries = 0;
    loop {
        match fs::create_dir_all(parent) {
            // A folder that was there may be cleared away before it is looked at, or used.
            Err(cause)
                if matches!(cause.kind(), Io::NotFound | Io::AlreadyExists) && tries < TRIES =>
            {
                tries += 1;
            }
            made => return made,
        }
    }
}

/// Makes a name durable, and the names of the folders it is in.
fn sync_parents(path: &Path, root: &Path) -> io::Result<()> {
    for folder in path.ancestors().skip(1) {
        File::open(folder)?.sync_all()?;
        if folder == root {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    async fn staged(store: &Folder, key: &str, texts: &[&'static str]) -> Pending {
        let upload = store.start_upload(key).await.unwrap();
        let (mut parts, mut offset) = (Vec::new(), 0);
        for (number, text) in (1..).zip(texts) {
            let part =
                store.upload_part(&upload, number, offset, Bytes::from_static(text.as_bytes()));
            parts.push(part.await.unwrap());
            offset += text.len() as u64;
        }
        store.seal(&upload, parts).await.unwrap()
    }

    #[tokio::test]
    async fn an_object_is_made_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Folder::new(dir.path().join("not/yet"));
        let first = store.put_if_absent("a/1.json", "1".into()).await.unwrap();
        let second = store.put_if_absent("a/1.json", "2".into()).await.unwrap();
        assert!(matches!(
            (first, second),
            (PutOutcome::Created, PutOutcome::Exists)
        ));
        assert_eq!(store.get("a/1.json").await.unwrap().unwrap().bytes, "1");
        store.put("a/1.json", "3".into()).await.unwrap();
        assert_eq!(store.get_range("a/1.json", 0..1).await.unwrap(), "3");
        assert!(store.get("a/2.json").await.unwrap().is_none());
        store.delete("a/1.json").await.unwrap();
        store.delete("a/1.json").await.unwrap();
        assert!(
            store.list("", None, 10).await.unwrap().is_empty(),
            "nothing is left over"
        );
    }

    #[tokio::test]
    async fn an_upload_is_seen_by_nobody_until_somebody_completes_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = Folder::new(dir.path());
        let key = "shop/t/day=1/x.parquet";
        let pending = staged(&store, key, &["one", "two"]).await;
        assert!(store.list("", None, 10).await.unwrap().is_empty());
        let glob = glob_of_parquet(dir.path());
        assert!(glob.is_empty(), "{glob:?}");
        assert_eq!(
            store.uploads("shop/t/").await.unwrap()[0].upload,
            pending.upload
        );
        assert!(store.uploads("shop/u/").await.unwrap().is_empty());
        let other = Folder::new(dir.path());
        assert_eq!(other.complete(&pending).await.unwrap(), Completion::Done);
        assert_eq!(store.complete(&pending).await.unwrap(), Completion::Done);
        assert_eq!(store.get(key).await.unwrap().unwrap().bytes, "onetwo");
        store.abort(&pending.upload).await.unwrap();
        assert_eq!(glob_of_parquet(dir.path()).len(), 1);
        store.delete(key).await.unwrap();
        assert_eq!(store.complete(&pending).await.unwrap(), Completion::Gone);
    }

    #[tokio::test]
    async fn what_is_given_up_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Folder::new(dir.path());
        let pending = staged(&store, "shop/t/x.parquet", &["one"]).await;
        store.abort(&pending.upload).await.unwrap();
        assert_eq!(store.complete(&pending).await.unwrap(), Completion::Gone);
        assert!(fs::read_dir(dir.path()).unwrap().next().is_none());
    }

    /// Every path that `**/*.parquet` may mean, folders included.
    fn glob_of_parquet(root: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.extension().is_some_and(|end| end == "parquet") {
                    found.push(path.clone());
                }
                if path.is_dir() {
                    folders.push(path);
                }
            }
        }
        found
    }
}
