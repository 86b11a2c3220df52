//! An answer on its way in: in memory while it is small, else in a file.

use std::fs::File;
use std::io::Write;

use tributary_model::{Error, ErrorKind, Result};

use super::{Body, HELD, MAX_BODY};

/// What has come in so far.
#[derive(Debug, Default)]
pub(crate) struct Spool {
    held: Vec<u8>,
    file: Option<File>,
    spilled: u64,
}

impl Spool {
    /// For an answer that says it has this many bytes.
    pub(crate) fn expecting(bytes: Option<u64>) -> Self {
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        Self {
            held: Vec::with_capacity(bytes.unwrap_or(0).min(HELD)),
            ..Self::default()
        }
    }

    /// How many bytes came.
    pub(crate) fn len(&self) -> u64 {
        self.spilled + self.held.len() as u64
    }

    /// Adds what came.
    pub(crate) async fn add(&mut self, bytes: &[u8]) -> Result<()> {
        self.held.extend_from_slice(bytes);
        if self.len() > MAX_BODY {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("an answer has more than {} GB", MAX_BODY >> 30),
            )
            .fix("Ask for less at once: shorter windows (`window`), or smaller pages."));
        }
        match self.held.len() > HELD {
            true => self.spill().await,
            false => Ok(()),
        }
    }

    async fn spill(&mut self) -> Result<()> {
        let held = std::mem::take(&mut self.held);
        let file = self.file.take();
        self.spilled += held.len() as u64;
        let written = tokio::task::spawn_blocking(move || {
            let mut file = match file {
                Some(file) => file,
                None => tempfile::tempfile()?,
            };
            file.write_all(&held)?;
            Ok((file, held))
        });
        let written: std::io::Result<(File, Vec<u8>)> = written.await.map_err(|stopped| {
            Error::bug("writing an answer to a file broke down").because(stopped)
        })?;
        let (file, mut held) = written.map_err(|why| {
            Error::new(
                ErrorKind::Unavailable,
                "a large answer can't be kept while it is read",
            )
            .because(why)
            .fix("Make room in the folder for temporary files, or set TMPDIR to one that has some.")
        })?;
        held.clear();
        (self.file, self.held) = (Some(file), held);
        Ok(())
    }

    /// All of it.
    pub(crate) async fn finish(mut self) -> Result<Body> {
        if self.file.is_some() && !self.held.is_empty() {
            self.spill().await?;
        }
        Ok(match self.file {
            Some(file) => Body::Spilled(file),
            None => Body::Held(self.held.into()),
        })
    }
}
