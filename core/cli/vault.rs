//! Where tokens are kept that replace each other: files of the user's own state folder, or the
//! control store where that is on Postgres ([`shared`]).
//!
//! Invariant: once `put` returns, the secret survives a crash, and nobody but the user can read it. A
//! file is written beside the old one, made durable, and put in its place in one step. // G7 G8
//!
//! Deliberately absent: the state of connections, which is in their destinations.

mod shared;

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind as IoKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use tributary_model::{Error, ErrorKind, Result, Secret, Vault};

pub(crate) use shared::keep_as;

/// The vault of this user, or the one that several machines share.
pub(crate) fn open() -> Arc<dyn Vault> {
    shared::open().unwrap_or_else(|| Arc::new(Files { folder: folder() }))
}

/// A vault of its own for tests.
#[cfg(test)]
pub(crate) fn at(folder: &Path) -> Arc<dyn Vault> {
    Arc::new(Files {
        folder: Some(folder.to_owned()),
    })
}

/// A file for each secret.
#[derive(Clone, Debug)]
struct Files {
    /// `None` where the environment names no place.
    folder: Option<PathBuf>,
}

fn folder() -> Option<PathBuf> {
    state_folder().map(|state| state.join("vault"))
}

/// Where this user's programs keep what they must remember; `None` where the environment names no
/// place.
pub(crate) fn state_folder() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    match (
        set("TRIBUTARY_STATE_DIR"),
        set("XDG_STATE_HOME"),
        set("HOME"),
    ) {
        (Some(own), _, _) => Some(PathBuf::from(own)),
        (None, Some(state), _) => Some(Path::new(&state).join("tributary")),
        (None, None, Some(home)) => Some(Path::new(&home).join(".local/state/tributary")),
        (None, None, None) => None,
    }
}

#[async_trait]
impl Vault for Files {
    async fn get(&self, name: &str) -> Result<Option<Secret>> {
        let path = self.path(name)?;
        blocking(move || match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(Secret::new(text))),
            Err(why) if why.kind() == IoKind::NotFound => Ok(None),
            Err(why) => Err(unusable("read", &path, why)),
        })
        .await
    }

    async fn put(&self, name: &str, secret: &Secret) -> Result<()> {
        let (path, secret) = (self.path(name)?, secret.clone());
        blocking(move || write(&path, &secret).map_err(|why| unusable("written", &path, why))).await
    }

    async fn hold(&self, name: &str) -> Result<Box<dyn Send + Sync>> {
        let path = self.path(&format!("{name}.lock"))?;
        blocking(move || {
            let held = lock(&path).map_err(|why| unusable("locked", &path, why))?;
            Ok(Box::new(held) as Box<dyn Send + Sync>)
        })
        .await
    }
}

impl Files {
    fn path(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.as_ref().ok_or_else(|| {
            Error::new(
                ErrorKind::Config,
                "there is no place to keep a new token in",
            )
            .fix("Set TRIBUTARY_STATE_DIR to a folder that lasts.")
        })?;
        Ok(folder.join(name))
    }
}

fn write(path: &Path, secret: &Secret) -> std::io::Result<()> {
    let folder = make_folder(path)?;
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(secret.expose().as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The new name itself must last, too.
    File::open(folder)?.sync_all()
}

fn lock(path: &Path) -> std::io::Result<File> {
    make_folder(path)?;
    let mut options = OpenOptions::new();
    let file = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)?;
    file.lock()?;
    Ok(file)
}

fn make_folder(path: &Path) -> std::io::Result<&Path> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    Ok(folder)
}

fn unusable(done: &str, path: &Path, why: std::io::Error) -> Error {
    let what = format!("{} can't be {done}", path.display());
    Error::new(ErrorKind::Access, what)
        .because(why)
        .fix("Tokens that replace each other are kept there: make it writable, or set TRIBUTARY_STATE_DIR.")
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|why| Error::bug("a file could not be waited for").because(why))?
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_secret_is_kept_for_its_user_alone() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/vault");
        let vault = Files {
            folder: Some(folder.clone()),
        };
        assert!(vault.get("x").await.unwrap().is_none());
        for text in ["one", "two"] {
            vault.put("x", &Secret::new(text)).await.unwrap();
            assert_eq!(vault.get("x").await.unwrap().unwrap().expose(), text);
        }
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&folder.join("x"))), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn one_at_a_time_holds_a_name() {
        let place = tempfile::tempdir().unwrap();
        let vault = Files {
            folder: Some(place.path().to_owned()),
        };
        let held = vault.hold("x").await.unwrap();
        let waiting = vault.hold("x");
        tokio::pin!(waiting);
        let early = tokio::time::timeout(Duration::from_millis(50), &mut waiting).await;
        assert!(early.is_err());
        drop(held);
        waiting.await.unwrap();
    }
}
