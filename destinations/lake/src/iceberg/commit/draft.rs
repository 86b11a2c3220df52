//! A snapshot in the making: which manifests it is made of.
//!
//! Manifests that an entry does not touch are taken over as they are. Those that hold a file that
//! goes are written anew without it. Many small ones become one, so that readers open few. // G6

use std::collections::{BTreeMap, BTreeSet, HashMap};

use ::iceberg::spec::{
    DataFile as IcebergFile, ManifestContentType, ManifestEntry, ManifestFile, ManifestListWriter,
    ManifestStatus, ManifestWriter, ManifestWriterBuilder, Operation, PartitionSpecRef, Snapshot,
    SnapshotSummaryCollector, Struct, Summary, TableMetadata,
};
use tributary_model::{Error, ErrorKind, Result};
use uuid::Uuid;

use super::Mark;
use super::ages::{Ages, OF_SNAPSHOT};
use crate::iceberg::division::is_same;
use crate::iceberg::error::iceberg;
use crate::iceberg::files::{Drafts, Files};
use crate::table::{DataFile, Definition, EqualityDeletes};

/// So many manifests of one kind are put together to one.
const TOO_MANY: usize = 64;
/// Manifests that are larger stay as they are. Bytes.
const LARGE: i64 = 4 << 20;

const DOING: &str = "writing a manifest";

/// New files with their sequence numbers, by the division they are of.
type BySpec = BTreeMap<i32, Vec<(IcebergFile, i64)>>;

/// Why a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Rows come and go.
    Load,
    /// The same rows are in other files.
    Upkeep,
}

/// A snapshot in the making.
pub(super) struct Draft<'a> {
    pub(super) files: &'a Files,
    pub(super) metadata: &'a TableMetadata,
    id: i64,
    drafts: Drafts,
    /// Those that the snapshot will have besides new ones; `None` until they are read.
    kept: Option<Vec<ManifestFile>>,
    new: Vec<ManifestFile>,
    /// What is in the store because of this attempt.
    written: Vec<String>,
    changes: SnapshotSummaryCollector,
    added: bool,
    removed: bool,
    ages: Ages,
}

impl<'a> Draft<'a> {
    pub(super) fn new(files: &'a Files, metadata: &'a TableMetadata, ages: Ages) -> Self {
        Self {
            files,
            metadata,
            ages,
            id: new_id(metadata),
            drafts: Drafts::default(),
            kept: None,
            new: Vec::new(),
            written: Vec::new(),
            changes: SnapshotSummaryCollector::default(),
            added: false,
            removed: false,
        }
    }

    /// Takes files in that are complete in the store.
    pub(super) async fn add(&mut self, added: &[DataFile], definition: &Definition) -> Result<()> {
        let mut by_spec: BySpec = BTreeMap::new();
        for file in added {
            let (spec, partition) = self.place(file, definition)?;
            let described = self.describe(file, spec.spec_id(), partition).await?;
            let age = self.ages.of(file.since, self.metadata);
            self.take_in(&mut by_spec, &spec, described, age);
        }
        self.added = !by_spec.is_empty();
        self.write_all(by_spec, ManifestContentType::Data).await
    }

    /// Takes the deletes of files in, complete in the store as well.
    pub(super) async fn add_deletes(
        &mut self,
        files: impl Iterator<Item = &DataFile>,
        definition: &Definition,
    ) -> Result<()> {
        let mut by_spec: BySpec = BTreeMap::new();
        for file in files {
            let Some(deleted) = &file.deleted else {
                continue;
            };
            let (spec, partition) = self.place(file, definition)?;
            let described = self.describe_deletes(file, deleted, spec.spec_id(), partition)?;
            self.take_in(&mut by_spec, &spec, described, OF_SNAPSHOT);
        }
        self.removed |= !by_spec.is_empty();
        self.write_all(by_spec, ManifestContentType::Deletes).await
    }

    /// Takes files of keys in, of which rows of older files are no more.
    pub(super) async fn add_keys(
        &mut self,
        deletes: &[EqualityDeletes],
        definition: &Definition,
    ) -> Result<()> {
        if deletes.is_empty() {
            return Ok(());
        }
        // Deletes of the division that divides nothing are about all parts of the table.
        let mut specs = self.metadata.partition_specs_iter();
        let spec = specs.find(|spec| spec.is_unpartitioned()).cloned();
        let spec = spec.ok_or_else(|| Error::bug("the table was divided when it was made"))?;
        let mut by_spec: BySpec = BTreeMap::new();
        for keys in deletes {
            let described = self.describe_keys(keys, definition, spec.spec_id()).await?;
            let age = self.ages.of(keys.since, self.metadata);
            self.take_in(&mut by_spec, &spec, described, age);
        }
        self.removed = true;
        self.write_all(by_spec, ManifestContentType::Deletes).await
    }

    fn take_in(
        &mut self,
        by_spec: &mut BySpec,
        spec: &PartitionSpecRef,
        described: IcebergFile,
        age: i64,
    ) {
        let schema = self.metadata.current_schema().clone();
        self.changes.add_file(&described, schema, spec.clone());
        let files = by_spec.entry(spec.spec_id()).or_default();
        files.push((described, age));
    }

    async fn write_all(&mut self, by_spec: BySpec, content: ManifestContentType) -> Result<()> {
        for (spec, files) in by_spec {
            let (mut writer, address) = self.manifest(spec, content)?;
            for (file, age) in files {
                writer.add_file(file, age).map_err(iceberg(DOING))?;
            }
            self.write(writer, address).await?;
        }
        Ok(())
    }

    /// Takes files out.
    pub(super) async fn remove(&mut self, keys: &BTreeSet<String>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        self.removed = true;
        let mut left: BTreeSet<String> = keys.iter().map(|key| self.files.address(key)).collect();
        let mut kept = Vec::new();
        for file in self.current().await? {
            if left.is_empty() {
                kept.push(file);
                continue;
            }
            let manifest = self.files.manifest(&file).await?;
            let holds = manifest
                .entries()
                .iter()
                .any(|entry| entry.is_alive() && left.contains(entry.file_path()));
            if !holds {
                kept.push(file);
                continue;
            }
            let (mut writer, address) = self.manifest(file.partition_spec_id, file.content)?;
            for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                if left.remove(entry.file_path()) {
                    self.changes.remove_file(
                        entry.data_file(),
                        self.metadata.current_schema().clone(),
                        self.spec(file.partition_spec_id)?,
                    );
                    carry(&mut writer, entry, ManifestStatus::Deleted)?;
                } else {
                    carry(&mut writer, entry, ManifestStatus::Existing)?;
                }
            }
            self.write(writer, address).await?;
        }
        self.kept = Some(kept);
        match left.first() {
            None => Ok(()),
            Some(missing) => Err(rewritten(missing)),
        }
    }

    /// The snapshot, once everything it needs is in the store.
    pub(super) async fn snapshot(&mut self, mark: &Mark, reason: Reason) -> Result<Snapshot> {
        let kept = self.current().await?;
        let kept = self.put_together(kept).await?;
        let sequence = self.ages.newest(self.metadata);
        let parent = self
            .metadata
            .current_snapshot()
            .map(|snapshot| snapshot.snapshot_id());
        let address = self.new_address(&format!("snap-{}-", self.id));
        let output = self.drafts.output(&address)?;
        let writer = output.writer().await.map_err(iceberg(DOING))?;
        let mut list = ManifestListWriter::v2(writer, self.id, parent, sequence);
        let all = self.new.drain(..).chain(kept).collect::<Vec<_>>();
        list.add_manifests(all.into_iter())
            .map_err(iceberg(DOING))?;
        list.close().await.map_err(iceberg(DOING))?;
        self.upload(&address).await?;
        Ok(Snapshot::builder()
            .with_snapshot_id(self.id)
            .with_parent_snapshot_id(parent)
            .with_sequence_number(sequence)
            .with_timestamp_ms(
                tributary_model::now()
                    .timestamp_millis()
                    .max(self.metadata.last_updated_ms()),
            )
            .with_manifest_list(address)
            .with_summary(self.summary(mark, reason))
            .with_schema_id(self.metadata.current_schema_id())
            .build())
    }

    /// Removes what nobody will ever name.
    pub(super) async fn discard(self) {
        for address in &self.written {
            if let Err(error) = self.files.delete(address).await {
                tracing::debug!(%error, address, "a manifest of a failed attempt stays");
            }
        }
    }

    fn summary(&self, mark: &Mark, reason: Reason) -> Summary {
        let mut properties = self.changes.build();
        let before = self.metadata.current_snapshot();
        let before = before.map(|snapshot| &snapshot.summary().additional_properties);
        totals(&mut properties, before);
        properties.extend(mark.summary());
        properties.insert("engine-name".to_owned(), "tributary".to_owned());
        Summary {
            operation: match (reason, self.added, self.removed) {
                (Reason::Upkeep, ..) => Operation::Replace,
                (Reason::Load, _, false) => Operation::Append,
                (Reason::Load, true, true) => Operation::Overwrite,
                (Reason::Load, false, true) => Operation::Delete,
            },
            additional_properties: properties,
        }
    }

    /// The manifests of the current snapshot that are not written anew.
    async fn current(&mut self) -> Result<Vec<ManifestFile>> {
        if let Some(kept) = self.kept.take() {
            return Ok(kept);
        }
        let Some(snapshot) = self.metadata.current_snapshot() else {
            return Ok(Vec::new());
        };
        let mut all = self.files.manifests(self.metadata, snapshot).await?;
        all.retain(|file| file.has_added_files() || file.has_existing_files());
        Ok(all)
    }

    async fn put_together(&mut self, kept: Vec<ManifestFile>) -> Result<Vec<ManifestFile>> {
        let mut alike: BTreeMap<(i32, bool), Vec<ManifestFile>> = BTreeMap::new();
        let (small, mut left): (Vec<_>, Vec<_>) = kept
            .into_iter()
            .partition(|file| file.manifest_length < LARGE);
        for file in small {
            let is_data = file.content == ManifestContentType::Data;
            let kind = (file.partition_spec_id, is_data);
            alike.entry(kind).or_default().push(file);
        }
        for ((spec, is_data), files) in alike {
            if files.len() < TOO_MANY {
                left.extend(files);
                continue;
            }
            let content = match is_data {
                true => ManifestContentType::Data,
                false => ManifestContentType::Deletes,
            };
            let (mut writer, address) = self.manifest(spec, content)?;
            for file in &files {
                let manifest = self.files.manifest(file).await?;
                for entry in manifest.entries().iter().filter(|entry| entry.is_alive()) {
                    carry(&mut writer, entry, ManifestStatus::Existing)?;
                }
            }
            self.write(writer, address).await?;
        }
        Ok(left)
    }

    /// The division of a file and its values there.
    fn place(
        &self,
        file: &DataFile,
        definition: &Definition,
    ) -> Result<(PartitionSpecRef, Struct)> {
        let fields = match &file.part {
            Some(part) => part.fields(self.metadata, definition)?,
            None => Vec::new(),
        };
        let spec = self
            .metadata
            .partition_specs_iter()
            .find(|spec| is_same(spec, &fields));
        let spec = spec.ok_or_else(|| Error::bug("the table was not given a division"))?;
        let values = match &file.part {
            Some(part) => part.values(spec, self.metadata)?,
            None => Struct::empty(),
        };
        Ok((spec.clone(), values))
    }

    fn spec(&self, id: i32) -> Result<PartitionSpecRef> {
        let spec = self.metadata.partition_spec_by_id(id).cloned();
        spec.ok_or_else(|| {
            Error::new(
                ErrorKind::Incompatible,
                format!("the table has no division {id}"),
            )
        })
    }

    fn manifest(
        &self,
        spec: i32,
        content: ManifestContentType,
    ) -> Result<(ManifestWriter, String)> {
        let address = self.new_address("");
        let output = self.drafts.output(&address)?;
        let (schema, spec) = (self.metadata.current_schema().clone(), self.spec(spec)?);
        let builder =
            ManifestWriterBuilder::new(output, Some(self.id), schema, spec.as_ref().clone());
        let writer = match content {
            ManifestContentType::Data => builder.build_v2_data(),
            ManifestContentType::Deletes => builder.build_v2_deletes(),
        };
        Ok((writer, address))
    }

    async fn write(&mut self, writer: ManifestWriter, address: String) -> Result<()> {
        let file = writer.write_manifest_file().await.map_err(iceberg(DOING))?;
        self.upload(&address).await?;
        self.new.push(file);
        Ok(())
    }

    async fn upload(&mut self, address: &str) -> Result<()> {
        let bytes = self.drafts.take(address).await?;
        self.written.push(address.to_owned());
        self.files.write(address, bytes).await
    }

    fn new_address(&self, kind: &str) -> String {
        let location = self.metadata.location().trim_end_matches('/');
        format!("{location}/metadata/{kind}{}.avro", Uuid::new_v4())
    }
}

/// Takes an entry over into another manifest.
fn carry(writer: &mut ManifestWriter, entry: &ManifestEntry, status: ManifestStatus) -> Result<()> {
    let lost = || Error::bug("an entry of a manifest has no sequence number");
    let sequence = entry.sequence_number().ok_or_else(lost)?;
    let file = entry.data_file().clone();
    let carried = match status {
        ManifestStatus::Deleted => {
            writer.add_delete_file(file, sequence, entry.file_sequence_number)
        }
        ManifestStatus::Existing | ManifestStatus::Added => {
            let snapshot = entry.snapshot_id().ok_or_else(lost)?;
            writer.add_existing_file(file, snapshot, sequence, entry.file_sequence_number)
        }
    };
    carried.map_err(iceberg(DOING))
}

/// The sums over the whole table after the changes.
fn totals(properties: &mut HashMap<String, String>, before: Option<&HashMap<String, String>>) {
    const SUMS: [(&str, &str, &str); 6] = [
        ("total-records", "added-records", "deleted-records"),
        ("total-data-files", "added-data-files", "deleted-data-files"),
        ("total-files-size", "added-files-size", "removed-files-size"),
        (
            "total-delete-files",
            "added-delete-files",
            "removed-delete-files",
        ),
        (
            "total-position-deletes",
            "added-position-deletes",
            "removed-position-deletes",
        ),
        (
            "total-equality-deletes",
            "added-equality-deletes",
            "removed-equality-deletes",
        ),
    ];
    for (total, plus, minus) in SUMS {
        let number = |text: Option<&String>| text.and_then(|text| text.parse::<u64>().ok());
        let had = match before {
            None => Some(0),
            // A sum that another program left out is not known any more.
            Some(before) => number(before.get(total)),
        };
        if let Some(had) = had {
            let plus = number(properties.get(plus)).unwrap_or_default();
            let minus = number(properties.get(minus)).unwrap_or_default();
            let now = (had + plus).saturating_sub(minus);
            properties.insert(total.to_owned(), now.to_string());
        }
    }
}

/// An id that no snapshot of the table has.
fn new_id(metadata: &TableMetadata) -> i64 {
    loop {
        let (high, low) = Uuid::new_v4().as_u64_pair();
        let id = ((high ^ low) >> 1).cast_signed();
        if metadata.snapshot_by_id(id).is_none() {
            return id;
        }
    }
}

fn rewritten(missing: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("{missing} is not in the table any more, though the log names it"),
    )
    .because("another program has rewritten or deleted it")
    .fix(
        "Let only `tributary maintain` compact the table; roll the table back to the last snapshot \
         that Tributary made.",
    )
}
