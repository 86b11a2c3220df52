//! How a table of Iceberg is divided: the transforms of its specification, which other programs
//! compute again and rely on.
//!
//! A file remembers by what it was divided and with which values, so that an entry can be applied
//! without opening it, also after the division was changed.

use std::sync::Arc;

use ::iceberg::arrow::arrow_primitive_to_literal;
use ::iceberg::spec::{
    Literal, PartitionSpec, Struct, TableMetadata, Transform as Change, Type, UnboundPartitionField,
};
use ::iceberg::transform::{BoxedTransformFunction, create_transform_function};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result, TableColumn};
use tributary_sql::SYNCED_AT;

use super::error::iceberg;
use super::schema::{field_ids, primitive};
use crate::error::arrow;
use crate::partition::{Term, Transform};
use crate::table::Definition;

/// Which part of its table a file is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// By what the table was divided.
    terms: Vec<Term>,
    /// The value of each term.
    values: Vec<Value>,
}

/// A division that rows can be put to.
#[derive(Clone, Debug)]
pub(crate) struct Division {
    terms: Vec<Term>,
    fields: Vec<Arc<DivisionField>>,
}

#[derive(Debug)]
struct DivisionField {
    column: String,
    label: String,
    function: BoxedTransformFunction,
    result: Type,
}

impl Division {
    /// The division of a table with these columns; what it lacks it is not divided by.
    pub(crate) fn new(terms: Vec<Term>, columns: &[TableColumn]) -> Result<Self> {
        let mut kept = Vec::new();
        let mut fields = Vec::new();
        for term in terms {
            let (name, change) = meant(&term);
            let Some(column) = columns.iter().find(|column| column.name == name) else {
                continue;
            };
            let primitive = Type::Primitive(primitive(column.data_type));
            let result = change
                .result_type(&primitive)
                .map_err(|cause| unfit(&term, column, &cause))?;
            let function =
                create_transform_function(&change).map_err(iceberg("dividing a table"))?;
            fields.push(Arc::new(DivisionField {
                column: column.name.clone(),
                label: label(&column.name, change),
                function,
                result,
            }));
            kept.push(term);
        }
        Ok(Self {
            terms: kept,
            fields,
        })
    }

    /// Whether there is more than one part.
    pub(crate) fn divides(&self) -> bool {
        !self.fields.is_empty()
    }

    /// The value of each row by each term, as texts for people, with the term's label.
    pub(crate) fn labels(&self, rows: &RecordBatch) -> Result<Vec<(String, Vec<Option<String>>)>> {
        let each = self.fields.iter().map(|field| {
            let values = field.values(rows)?;
            let options = FormatOptions::default();
            let formatter =
                ArrayFormatter::try_new(&values, &options).map_err(arrow("naming folders"))?;
            let text = |row: usize| {
                values
                    .is_valid(row)
                    .then(|| formatter.value(row).to_string())
            };
            Ok((field.label.clone(), (0..values.len()).map(text).collect()))
        });
        each.collect()
    }

    /// The part that the first of `rows` is in; `None` where the table is not divided.
    pub(crate) fn part(&self, rows: &RecordBatch) -> Result<Option<Part>> {
        if self.fields.is_empty() {
            return Ok(None);
        }
        let values = self.fields.iter().map(|field| {
            let values = field.values(&rows.slice(0, 1))?;
            let literal = arrow_primitive_to_literal(&values, &field.result);
            let literal = literal
                .map_err(iceberg("dividing a table"))?
                .pop()
                .flatten();
            let json = literal
                .map(|literal| literal.try_into_json(&field.result))
                .transpose();
            Ok(json
                .map_err(iceberg("dividing a table"))?
                .unwrap_or(Value::Null))
        });
        Ok(Some(Part {
            terms: self.terms.clone(),
            values: values.collect::<Result<_>>()?,
        }))
    }
}

impl DivisionField {
    fn values(&self, rows: &RecordBatch) -> Result<ArrayRef> {
        let column = rows.column_by_name(&self.column);
        let column = column.ok_or_else(|| {
            Error::bug(format!(
                "rows have no column {} to be divided by",
                self.column
            ))
        })?;
        self.function
            .transform(column.clone())
            .map_err(iceberg("dividing a table"))
    }
}

impl Part {
    /// The fields of a specification that divides so; source ids are those of `metadata`'s current
    /// schema.
    pub(crate) fn fields(
        &self,
        metadata: &TableMetadata,
        definition: &Definition,
    ) -> Result<Vec<UnboundPartitionField>> {
        let schema = metadata.current_schema();
        let ids = field_ids(&definition.layouts).pop().unwrap_or_default();
        let named = definition.columns().iter().zip(ids);
        let id_of = |name: &str| {
            named
                .clone()
                .find(|(column, _)| column.name == name)
                .map(|(_, id)| id)
        };
        let fields = self.terms.iter().map(|term| {
            let (name, change) = meant(term);
            let source = id_of(name)
                .and_then(|id| schema.field_by_id(id))
                .ok_or_else(|| {
                    let message =
                        format!("the table lacks the column {name} that it is divided by");
                    Error::new(ErrorKind::Incompatible, message)
                        .fix("Put the column back, or give the stream another table.")
                })?;
            let field = UnboundPartitionField::builder().source_id(source.id);
            Ok(field
                .name(label(&source.name, change))
                .transform(change)
                .build())
        });
        fields.collect()
    }

    /// The values in the order of `spec`.
    pub(crate) fn values(&self, spec: &PartitionSpec, metadata: &TableMetadata) -> Result<Struct> {
        let types = spec
            .partition_type(metadata.current_schema())
            .map_err(iceberg("dividing a table"))?;
        let literals = self
            .values
            .iter()
            .zip(types.fields())
            .map(|(value, field)| {
                if value.is_null() {
                    return Ok(None);
                }
                let literal = Literal::try_from_json(value.clone(), &field.field_type);
                literal.map_err(iceberg("dividing a table"))
            });
        Ok(Struct::from_iter(literals.collect::<Result<Vec<_>>>()?))
    }
}

/// Whether a specification divides by these fields.
pub(crate) fn is_same(spec: &PartitionSpec, fields: &[UnboundPartitionField]) -> bool {
    spec.fields().len() == fields.len()
        && spec.fields().iter().zip(fields).all(|(there, wanted)| {
            there.source_id == wanted.source_id && there.transform == wanted.transform
        })
}

/// The column and the change that a term means here.
fn meant(term: &Term) -> (&str, Change) {
    match term {
        // The day of the load is the day of what the load writes into its rows.
        Term::LoadDate => (SYNCED_AT, Change::Day),
        Term::Column { name, transform } => {
            let change = match transform {
                Transform::Identity => Change::Identity,
                Transform::Year => Change::Year,
                Transform::Month => Change::Month,
                Transform::Day => Change::Day,
                Transform::Hour => Change::Hour,
                Transform::Truncate(width) => Change::Truncate(*width),
                Transform::Bucket(count) => Change::Bucket(*count),
            };
            (name, change)
        }
    }
}

fn label(column: &str, change: Change) -> String {
    let end = match change {
        Change::Year => "_year",
        Change::Month => "_month",
        Change::Day => "_day",
        Change::Hour => "_hour",
        Change::Truncate(_) => "_trunc",
        Change::Bucket(_) => "_bucket",
        Change::Identity | Change::Void | Change::Unknown => "",
    };
    format!("{column}{end}")
}

fn unfit(term: &Term, column: &TableColumn, cause: &::iceberg::Error) -> Error {
    Error::new(
        ErrorKind::Config,
        format!(
            "a table can't be divided by `{term}`: the column is of type {}",
            column.data_type
        ),
    )
    .because(cause.message().to_owned())
    .fix("Divide it by something else, under `tables` of the destination.")
}
