//! Files as manifests describe them.

use std::collections::HashMap;

use ::iceberg::metadata_columns::RESERVED_FIELD_ID_DELETE_FILE_PATH;
use ::iceberg::spec::{
    DataContentType, DataFile as IcebergFile, DataFileBuilder, DataFileFormat, Datum, Struct,
};
use tributary_model::{Error, Result};

use super::draft::Draft;
use crate::iceberg::metrics::{footer, metrics};
use crate::iceberg::schema::field_ids;
use crate::table::{DataFile, Definition, Deleted, EqualityDeletes};

impl Draft<'_> {
    /// A file of rows.
    pub(super) async fn describe(
        &self,
        file: &DataFile,
        spec: i32,
        partition: Struct,
    ) -> Result<IcebergFile> {
        let footer = footer(self.files.store().as_ref(), &file.key, file.bytes).await?;
        let metrics = metrics(&footer, self.metadata.current_schema())?;
        DataFileBuilder::default()
            .content(DataContentType::Data)
            .file_path(self.files.address(&file.key))
            .file_format(DataFileFormat::Parquet)
            .partition(partition)
            .partition_spec_id(spec)
            .record_count(file.rows)
            .file_size_in_bytes(file.bytes)
            .column_sizes(metrics.sizes)
            .value_counts(metrics.values)
            .null_value_counts(metrics.nulls)
            .lower_bounds(metrics.lower)
            .upper_bounds(metrics.upper)
            .split_offsets(Some(metrics.splits))
            .build()
            .map_err(|cause| Error::bug("a file can't be described").because(cause.to_string()))
    }

    /// A file of places.
    pub(super) fn describe_deletes(
        &self,
        file: &DataFile,
        deleted: &Deleted,
        spec: i32,
        partition: Struct,
    ) -> Result<IcebergFile> {
        let address = self.files.address(&file.key);
        // By these bounds readers see that it is about one file.
        let bound = HashMap::from([(
            RESERVED_FIELD_ID_DELETE_FILE_PATH,
            Datum::string(address.clone()),
        )]);
        DataFileBuilder::default()
            .content(DataContentType::PositionDeletes)
            .file_path(self.files.address(&deleted.key))
            .file_format(DataFileFormat::Parquet)
            .partition(partition)
            .partition_spec_id(spec)
            .record_count(deleted.rows)
            .file_size_in_bytes(deleted.bytes)
            .lower_bounds(bound.clone())
            .upper_bounds(bound)
            .referenced_data_file(Some(address))
            .build()
            .map_err(|cause| Error::bug("deletes can't be described").because(cause.to_string()))
    }

    /// A file of keys.
    pub(super) async fn describe_keys(
        &self,
        keys: &EqualityDeletes,
        definition: &Definition,
        spec: i32,
    ) -> Result<IcebergFile> {
        let footer = footer(self.files.store().as_ref(), &keys.key, keys.bytes).await?;
        let metrics = metrics(&footer, self.metadata.current_schema())?;
        DataFileBuilder::default()
            .content(DataContentType::EqualityDeletes)
            .equality_ids(Some(ids_of(definition, &keys.columns)?))
            .file_path(self.files.address(&keys.key))
            .file_format(DataFileFormat::Parquet)
            .partition(Struct::empty())
            .partition_spec_id(spec)
            .record_count(keys.rows)
            .file_size_in_bytes(keys.bytes)
            .column_sizes(metrics.sizes)
            .value_counts(metrics.values)
            .null_value_counts(metrics.nulls)
            .lower_bounds(metrics.lower)
            .upper_bounds(metrics.upper)
            .build()
            .map_err(|cause| Error::bug("deletes can't be described").because(cause.to_string()))
    }
}

/// The field ids of some columns.
fn ids_of(definition: &Definition, columns: &[String]) -> Result<Vec<i32>> {
    let ids = field_ids(&definition.layouts).pop().unwrap_or_default();
    let of_column = |name: &String| {
        let mut all = definition.columns().iter();
        let at = all.position(|column| column.name == *name);
        let id = at.and_then(|at| ids.get(at).copied());
        id.ok_or_else(|| Error::bug(format!("there is no key column {name}")))
    };
    columns.iter().map(of_column).collect()
}
