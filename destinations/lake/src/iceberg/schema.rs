//! A table's layouts as Iceberg's schemas: types that Iceberg has, and a field's identity that
//! outlives its type.
//!
//! **Identity.** Field ids are a function of the table's layouts alone, which are only ever added
//! to and are in the log: whoever applies an entry, and how often, comes to the same ids. A column
//! keeps its id while its type changes by one of Iceberg's promotions, under which old files stay
//! readable. Any other widening begins a new field of the same name, for which the load that widens
//! writes all files anew.
//!
//! Deliberately absent: names. Someone may rename a field in the catalog; rows still go to its id.

use std::collections::HashMap;
use std::sync::Arc;

use ::iceberg::spec::{NestedField, PrimitiveType, Schema, Type};
use arrow_schema::{Field, Schema as ArrowSchema, SchemaRef};
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use tributary_model::{DataType, Result, TableColumn};

use super::error::iceberg;

/// The type in which Iceberg holds every value of `data_type`.
pub(crate) fn stored(data_type: DataType) -> DataType {
    match data_type {
        DataType::Int16 => DataType::Int32,
        DataType::UInt64 => DataType::Decimal(20, 0),
        DataType::Json => DataType::Text,
        DataType::Bool
        | DataType::Int32
        | DataType::Int64
        | DataType::Decimal(..)
        | DataType::Float32
        | DataType::Float64
        | DataType::Date
        | DataType::Time
        | DataType::Timestamp
        | DataType::TimestampTz
        | DataType::Text
        | DataType::Bytes => data_type,
    }
}

/// Whether files with `from` can be read as `to`.
pub(crate) fn is_promotion(from: DataType, to: DataType) -> bool {
    match (from, to) {
        (DataType::Int32, DataType::Int64) | (DataType::Float32, DataType::Float64) => true,
        (DataType::Decimal(digits, scale), DataType::Decimal(more, same)) => {
            scale == same && digits <= more
        }
        (from, to) => from == to,
    }
}

/// Whether rows of the layout `before` mean the same under the layout `after`; else they must be
/// written anew.
pub(crate) fn stay_readable(before: &[TableColumn], after: &[TableColumn]) -> bool {
    after.iter().all(|column| match find(before, &column.name) {
        Some(older) => is_promotion(older.data_type, column.data_type),
        // Files without a column hold NULL there.
        None => column.default.is_none(),
    })
}

/// The field ids of each layout's columns.
pub(crate) fn field_ids(layouts: &[Vec<TableColumn>]) -> Vec<Vec<i32>> {
    let mut all: Vec<Vec<i32>> = Vec::with_capacity(layouts.len());
    let mut last = 0;
    for (number, layout) in layouts.iter().enumerate() {
        let older = number
            .checked_sub(1)
            .map(|before| (&layouts[before], &all[before]));
        let mut ids = Vec::with_capacity(layout.len());
        for column in layout {
            let kept = older.and_then(|(columns, ids)| {
                let at = columns.iter().position(|there| there.name == column.name)?;
                is_promotion(columns[at].data_type, column.data_type).then(|| ids[at])
            });
            ids.push(kept.unwrap_or_else(|| {
                last += 1;
                last
            }));
        }
        all.push(ids);
    }
    all
}

fn find<'a>(columns: &'a [TableColumn], name: &str) -> Option<&'a TableColumn> {
    columns.iter().find(|column| column.name == name)
}

/// The newest layout as a schema of Iceberg.
pub(crate) fn schema(layouts: &[Vec<TableColumn>]) -> Result<Schema> {
    let ids = field_ids(layouts).pop().unwrap_or_default();
    let columns = layouts.last().map_or(&[][..], Vec::as_slice);
    let fields = columns.iter().zip(ids).map(|(column, id)| {
        let field = NestedField::optional(
            id,
            &column.name,
            Type::Primitive(primitive(column.data_type)),
        );
        Arc::new(field)
    });
    let schema = Schema::builder().with_fields(fields).build();
    schema.map_err(iceberg("describing a table"))
}

/// The newest layout as the schema of files: with field ids, by which readers find columns.
pub(crate) fn of_files(layouts: &[Vec<TableColumn>]) -> SchemaRef {
    let ids = field_ids(layouts).pop().unwrap_or_default();
    let columns = layouts.last().map_or(&[][..], Vec::as_slice);
    let fields = columns.iter().zip(ids).map(|(column, id)| {
        let field = Field::new(&column.name, column.data_type.to_arrow(), true);
        let id = (PARQUET_FIELD_ID_META_KEY.to_owned(), id.to_string());
        field.with_metadata(HashMap::from([id]))
    });
    Arc::new(ArrowSchema::new(fields.collect::<Vec<_>>()))
}

/// Iceberg's name of a type. Types that it lacks were replaced by [`stored`] before.
pub(crate) fn primitive(data_type: DataType) -> PrimitiveType {
    match stored(data_type) {
        DataType::Bool => PrimitiveType::Boolean,
        DataType::Int16 | DataType::Int32 => PrimitiveType::Int,
        DataType::Int64 => PrimitiveType::Long,
        DataType::UInt64 => PrimitiveType::Decimal {
            precision: 20,
            scale: 0,
        },
        DataType::Decimal(digits, scale) => PrimitiveType::Decimal {
            precision: digits.into(),
            scale: scale.into(),
        },
        DataType::Float32 => PrimitiveType::Float,
        DataType::Float64 => PrimitiveType::Double,
        DataType::Date => PrimitiveType::Date,
        DataType::Time => PrimitiveType::Time,
        DataType::Timestamp => PrimitiveType::Timestamp,
        DataType::TimestampTz => PrimitiveType::Timestamptz,
        DataType::Text | DataType::Json => PrimitiveType::String,
        DataType::Bytes => PrimitiveType::Binary,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn layout(columns: &[(&str, DataType)]) -> Vec<TableColumn> {
        let column = |(name, data_type): &(&str, DataType)| TableColumn {
            name: (*name).to_owned(),
            data_type: *data_type,
            default: None,
        };
        columns.iter().map(column).collect()
    }

    #[test]
    fn a_field_outlives_promotions_and_nothing_else() {
        let layouts = [
            layout(&[("id", DataType::Int32), ("price", DataType::Decimal(9, 2))]),
            layout(&[
                ("id", DataType::Int64),
                ("price", DataType::Decimal(9, 2)),
                ("name", DataType::Text),
            ]),
            layout(&[
                ("id", DataType::Decimal(20, 0)),
                ("price", DataType::Decimal(12, 2)),
                ("name", DataType::Text),
            ]),
            layout(&[
                ("id", DataType::Decimal(20, 0)),
                ("price", DataType::Decimal(14, 4)),
                ("name", DataType::Text),
            ]),
        ];
        let ids = field_ids(&layouts);
        assert_eq!(
            ids,
            [vec![1, 2], vec![1, 2, 3], vec![4, 2, 3], vec![4, 5, 3]]
        );
        assert!(stay_readable(&layouts[0], &layouts[1]));
        assert!(!stay_readable(&layouts[1], &layouts[2]));
        for known in 1..=layouts.len() {
            assert_eq!(
                field_ids(&layouts[..known]),
                ids[..known],
                "ids depend on the past only"
            );
        }
    }

    #[test]
    fn a_default_must_be_written_into_the_rows() {
        let before = layout(&[("id", DataType::Int32)]);
        let mut after = layout(&[("id", DataType::Int32), ("vip", DataType::Bool)]);
        assert!(stay_readable(&before, &after));
        after[1].default = Some("false".to_owned());
        assert!(!stay_readable(&before, &after));
    }

    #[test]
    fn files_and_tables_agree_on_ids() {
        let layouts = [layout(&[("id", DataType::Int32), ("doc", DataType::Json)])];
        let files = of_files(&layouts);
        let there = ::iceberg::arrow::arrow_schema_to_schema(&files).unwrap();
        assert_eq!(there.as_struct(), schema(&layouts).unwrap().as_struct());
    }
}
