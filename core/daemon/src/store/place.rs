//! Where the control store is.

use std::fmt;
use std::fs::{DirBuilder, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use tributary_model::{Error, ErrorKind, Result, Secret};

/// What a path in an address may not hold.
const UNSAFE: &AsciiSet = &CONTROLS.add(b' ').add(b'?').add(b'#').add(b'%');

/// Where the control store is.
#[derive(Clone)]
pub enum Place {
    /// A SQLite file.
    File(PathBuf),
    /// A Postgres database; the address may hold a password.
    Postgres(Secret),
    /// Nowhere: it is gone when the daemon ends.
    Memory,
}

impl Place {
    /// Reads what `daemon.store` says.
    #[must_use]
    pub fn read(written: &Secret) -> Self {
        let text = written.expose();
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Self::Postgres(written.clone());
        }
        let path = text.strip_prefix("sqlite:").unwrap_or(text);
        Self::File(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
    }

    pub(super) fn is_sqlite(&self) -> bool {
        !matches!(self, Self::Postgres(_))
    }

    /// Whether several connections see the same.
    pub(super) fn is_shared(&self) -> bool {
        !matches!(self, Self::Memory)
    }

    pub(super) fn url(&self) -> String {
        match self {
            Self::File(path) => {
                let path = path.to_string_lossy();
                format!("sqlite://{}?mode=rwc", utf8_percent_encode(&path, UNSAFE))
            }
            Self::Postgres(address) => address.expose().to_owned(),
            Self::Memory => "sqlite::memory:".to_owned(),
        }
    }

    /// Makes the file so that nobody else can read it. // G8
    pub(super) fn prepare(&self) -> Result<()> {
        let Self::File(path) = self else {
            return Ok(());
        };
        make(path).map_err(|why| super::unusable(&self.to_string(), ErrorKind::Config, why))
    }

    pub(super) fn unusable(&self, why: sqlx::Error) -> Error {
        super::unusable(&self.to_string(), super::kind_of(&why), why)
    }
}

fn make(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)?;
    }
    let mut options = OpenOptions::new();
    options.create(true).append(true).mode(0o600).open(path)?;
    Ok(())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => path.display().fmt(f),
            Self::Memory => f.write_str("in memory"),
            Self::Postgres(address) => {
                // G8: what stands before the last `@` may be a password.
                let text = address.expose();
                let host = text.rsplit_once('@').map_or_else(
                    || text.split_once("://").map_or("", |(_, rest)| rest),
                    |(_, host)| host,
                );
                let host = host.split('?').next().unwrap_or_default();
                write!(f, "postgres://{host}")
            }
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
