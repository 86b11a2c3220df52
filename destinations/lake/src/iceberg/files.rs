//! Iceberg's own files (metadata, lists, manifests) in the lake's store.
//!
//! The library builds them in memory; they go to the store as they are. Names are new each time, so
//! that nothing is ever overwritten.

use std::borrow::Cow;
use std::sync::Arc;

use ::iceberg::io::{FileIO, OutputFile};
use ::iceberg::spec::{Manifest, ManifestFile, ManifestList, SnapshotRef, TableMetadata};
use bytes::Bytes;
use tributary_model::{Error, ErrorKind, Result};

use super::error::iceberg;
use tributary_store::Store;

/// The store, under the addresses that stand in Iceberg's files.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    store: Arc<dyn Store>,
    /// The address of the lake, ending in a slash.
    root: String,
}

impl Files {
    pub(crate) fn new(store: Arc<dyn Store>) -> Self {
        let address = store.address("");
        let plain = address.trim_end_matches('/');
        let root = match plain.contains("://") {
            true => format!("{plain}/"),
            false => format!("file://{plain}/"),
        };
        Self { store, root }
    }

    /// The address of a key.
    pub(crate) fn address(&self, key: &str) -> String {
        match self.root.starts_with("file://") {
            true => format!("{}{key}", self.root),
            false => self.store.address(key),
        }
    }

    /// The key of an address.
    ///
    /// # Errors
    /// Fails where it is not in the lake.
    pub(crate) fn key<'a>(&self, address: &'a str) -> Result<Cow<'a, str>> {
        if let Some(key) = self.store.key_of(address) {
            return Ok(Cow::Owned(key));
        }
        let plain = self.root.strip_prefix("file://");
        // Catalogs on Hadoop have other names for S3.
        let bucket = self.root.strip_prefix("s3://");
        let hadoop = address
            .strip_prefix("s3a://")
            .or_else(|| address.strip_prefix("s3n://"));
        let inside = address
            .strip_prefix(self.root.as_str())
            .or_else(|| address.strip_prefix(plain?))
            .or_else(|| hadoop?.strip_prefix(bucket?));
        inside.map(Cow::Borrowed).ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                format!("{address} is not in the lake {}", self.root),
            )
            .fix("Let `url` name the place where the lake was made, or give the stream another table.")
        })
    }

    pub(crate) async fn read(&self, address: &str) -> Result<Bytes> {
        let key = self.key(address)?;
        let object = self.store.get(&key).await?;
        let object = object.ok_or_else(|| {
            Error::new(ErrorKind::Unavailable, format!("{address} is not there"))
                .fix("See that nobody else deletes files of the lake; the catalog still names it.")
        })?;
        Ok(object.bytes)
    }

    pub(crate) async fn write(&self, address: &str, bytes: Bytes) -> Result<()> {
        self.store.put(&self.key(address)?, bytes).await
    }

    pub(crate) async fn delete(&self, address: &str) -> Result<()> {
        self.store.delete(&self.key(address)?).await
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    pub(crate) async fn metadata(&self, address: &str) -> Result<TableMetadata> {
        let bytes = self.read(address).await?;
        serde_json::from_slice(&bytes).map_err(|cause| {
            Error::new(
                ErrorKind::Incompatible,
                format!("{address} is no metadata of a table"),
            )
            .because(cause)
            .fix("Put the file back as it was; the catalog names it.")
        })
    }

    /// The manifests of a snapshot.
    pub(crate) async fn manifests(
        &self,
        metadata: &TableMetadata,
        snapshot: &SnapshotRef,
    ) -> Result<Vec<ManifestFile>> {
        let bytes = self.read(snapshot.manifest_list()).await?;
        let list = ManifestList::parse_with_version(&bytes, metadata.format_version());
        let list = list.map_err(iceberg("reading a list of manifests"))?;
        Ok(list.consume_entries().into_iter().collect())
    }

    /// A manifest, what it inherits filled in.
    pub(crate) async fn manifest(&self, file: &ManifestFile) -> Result<Manifest> {
        let bytes = self.read(&file.manifest_path).await?;
        let drafts = Drafts::default();
        drafts.put(&file.manifest_path, bytes).await?;
        let manifest = file.load_manifest(&drafts.0).await;
        manifest.map_err(iceberg("reading a manifest"))
    }
}

/// Files in memory, under the addresses that they will have.
#[derive(Clone, Debug)]
pub(crate) struct Drafts(FileIO);

impl Default for Drafts {
    fn default() -> Self {
        Self(FileIO::new_with_memory())
    }
}

impl Drafts {
    pub(crate) fn output(&self, address: &str) -> Result<OutputFile> {
        self.0
            .new_output(address)
            .map_err(iceberg("writing a file"))
    }

    /// What was written.
    pub(crate) async fn take(&self, address: &str) -> Result<Bytes> {
        let input = self
            .0
            .new_input(address)
            .map_err(iceberg("writing a file"))?;
        input.read().await.map_err(iceberg("writing a file"))
    }

    async fn put(&self, address: &str, bytes: Bytes) -> Result<()> {
        let output = self.output(address)?;
        output.write(bytes).await.map_err(iceberg("reading a file"))
    }
}
