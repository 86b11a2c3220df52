//! What must change in a table's schema and division before files of an entry fit in.
//!
//! Fields are compared by their ids. What others did to a table is respected as far as it can be:
//! fields that they renamed or widened stay so, fields that they added stay. Where their field has
//! an id that the log means for another one, nothing is guessed.

use std::collections::BTreeSet;
use std::sync::Arc;

use ::iceberg::TableUpdate;
use ::iceberg::spec::{
    NestedField, NestedFieldRef, PrimitiveType, Schema, TableMetadata, Type, UnboundPartitionSpec,
};
use tributary_model::{Error, ErrorKind, Result};

use super::tentative;
use crate::iceberg::catalog::Loaded;
use crate::iceberg::division::is_same;
use crate::iceberg::error::iceberg;
use crate::iceberg::schema::{field_ids, schema};
use crate::table::{DataFile, Definition};

/// The updates that come before the snapshot.
pub(super) fn updates(
    definition: &Definition,
    added: &[DataFile],
    loaded: &Loaded,
) -> Result<Vec<TableUpdate>> {
    let mut updates = Vec::new();
    if let Some(schema) = wanted(definition, &loaded.metadata)? {
        updates.push(TableUpdate::AddSchema { schema });
        updates.push(TableUpdate::SetCurrentSchema { schema_id: -1 });
    }
    let mut evolved = tentative(loaded, &updates)?;
    for file in added {
        let part = file.part.as_ref();
        let fields = part.map_or(Ok(Vec::new()), |part| part.fields(&evolved, definition))?;
        if evolved
            .partition_specs_iter()
            .any(|spec| is_same(spec, &fields))
        {
            continue;
        }
        let spec = UnboundPartitionSpec::builder().add_partition_fields(fields);
        let spec = spec.map_err(iceberg("dividing a table"))?.build();
        updates.push(TableUpdate::AddSpec { spec });
        updates.push(TableUpdate::SetDefaultSpec { spec_id: -1 });
        evolved = tentative(loaded, &updates)?;
    }
    Ok(updates)
}

/// The schema that the table should have; `None` where it has it.
fn wanted(definition: &Definition, metadata: &TableMetadata) -> Result<Option<Schema>> {
    let ours = schema(&definition.layouts)?;
    let known: BTreeSet<i32> = field_ids(&definition.layouts)
        .into_iter()
        .flatten()
        .collect();
    let current = metadata.current_schema();
    let mut fields: Vec<NestedFieldRef> = Vec::new();
    for field in ours.as_struct().fields() {
        fields.push(match current.field_by_id(field.id) {
            Some(there) => joined(there, field)?,
            None => addable(field, metadata)?,
        });
    }
    // Theirs; of ours only those are left out that another field of the name has replaced.
    let theirs = current
        .as_struct()
        .fields()
        .iter()
        .filter(|field| !known.contains(&field.id));
    fields.extend(theirs.cloned());
    if fields.as_slice() == current.as_struct().fields() {
        return Ok(None);
    }
    let names: BTreeSet<&str> = fields.iter().map(|field| field.name.as_str()).collect();
    if names.len() < fields.len() {
        return Err(meddled("two of its columns would have the same name"));
    }
    let built = Schema::builder().with_fields(fields).build();
    built
        .map(Some)
        .map_err(iceberg("changing a table's schema"))
}

/// A field that both know: under the name it has there, of the wider type.
fn joined(there: &NestedFieldRef, ours: &NestedFieldRef) -> Result<NestedFieldRef> {
    let (Some(has), Some(needs)) = (
        there.field_type.as_primitive_type(),
        ours.field_type.as_primitive_type(),
    ) else {
        return Err(meddled(&format!(
            "the column {} has become a structure",
            there.name
        )));
    };
    if there.required {
        return Err(meddled(&format!(
            "the column {} may not be NULL any more",
            there.name
        )));
    }
    if has == needs || is_promotion(needs, has) {
        return Ok(there.clone());
    }
    if !is_promotion(has, needs) {
        let name = &there.name;
        return Err(meddled(&format!(
            "the column {name} is of type {has} and should be {needs}"
        )));
    }
    let mut wider = NestedField::clone(there);
    wider.field_type = Box::new(Type::Primitive(needs.clone()));
    Ok(Arc::new(wider))
}

/// A field that the table does not have now.
fn addable(ours: &NestedFieldRef, metadata: &TableMetadata) -> Result<NestedFieldRef> {
    let before = metadata
        .schemas_iter()
        .find_map(|schema| schema.field_by_id(ours.id));
    match before {
        Some(other) if other.field_type != ours.field_type => Err(meddled(&format!(
            "the column {} was added by another program where {} should be",
            other.name, ours.name
        ))),
        // Dropped by another program, while rows of it still come.
        Some(_) => Ok(ours.clone()),
        None => Ok(ours.clone()),
    }
}

fn is_promotion(from: &PrimitiveType, to: &PrimitiveType) -> bool {
    match (from, to) {
        (PrimitiveType::Int, PrimitiveType::Long)
        | (PrimitiveType::Float, PrimitiveType::Double) => true,
        (
            PrimitiveType::Decimal { precision, scale },
            PrimitiveType::Decimal {
                precision: more,
                scale: same,
            },
        ) => scale == same && precision <= more,
        _ => false,
    }
}

fn meddled(how: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        "the table was changed in the catalog in a way that can't be followed",
    )
    .because(how)
    .fix("Undo that change, or give the stream another table.")
}
