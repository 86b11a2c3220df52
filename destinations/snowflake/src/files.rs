//! Rows as a file carries them, and the statement that reads the file.
//!
//! A file's columns have exactly the names of the table that it is copied into, and the types of
//! Parquet that nobody reads in two ways: what has none of these (times of day, numbers without a
//! sign, JSON) comes as a text or a decimal.

use std::sync::Arc;

use arrow_array::{Array, ArrayRef, BooleanArray, Int64Array, RecordBatch};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use tributary_model::{DataType, Error, Op, Result, TableColumn, TablePlan};
use tributary_sql::{Dialect, STAGED_DELETE, STAGED_SEQ};
use tributary_store::staging::StagedFile;

use crate::dialect::Snow;

/// Files that one `COPY` names.
const FILES: usize = 1000;

/// How a file carries a type.
fn carried(data_type: DataType) -> Arrow {
    match data_type {
        DataType::UInt64 => Arrow::Decimal128(20, 0),
        DataType::Time => Arrow::Utf8,
        other => other.to_arrow(),
    }
}

/// What the column of a staging table is that a file is copied into.
pub(crate) fn staged_type(dialect: Snow, data_type: DataType) -> Result<String> {
    let data_type = match data_type {
        DataType::Json => DataType::Text,
        other => other,
    };
    let name = dialect.type_name(data_type);
    name.ok_or_else(|| Error::bug(format!("rows of type {data_type} were to be staged")))
}

/// The columns of a file with some of a plan's columns.
pub(crate) fn schema_of<'c>(
    dialect: Snow,
    columns: impl Iterator<Item = &'c TableColumn>,
) -> SchemaRef {
    let field = |column: &TableColumn| {
        Field::new(dialect.fold(&column.name), carried(column.data_type), true)
    };
    Arc::new(Schema::new(columns.map(field).collect::<Vec<_>>()))
}

/// The columns of a file with staged rows.
pub(crate) fn staged_schema(dialect: Snow, plan: &TablePlan) -> SchemaRef {
    let own = schema_of(dialect, plan.columns.iter());
    let mut fields: Vec<Field> = own
        .fields()
        .iter()
        .map(|field| field.as_ref().clone())
        .collect();
    fields.push(Field::new(dialect.fold(STAGED_SEQ), Arrow::Int64, true));
    fields.push(Field::new(
        dialect.fold(STAGED_DELETE),
        Arrow::Boolean,
        true,
    ));
    Arc::new(Schema::new(fields))
}

/// Rows as the file carries them.
pub(crate) fn carry(schema: &SchemaRef, rows: &RecordBatch) -> Result<RecordBatch> {
    let columns = schema.fields().iter().zip(rows.columns());
    let columns = columns.map(|(field, array)| to_carried(field, array));
    batch(schema, columns.collect::<Result<_>>()?)
}

/// The same, with numbers from `first` on and what each row is.
pub(crate) fn carry_staged(
    schema: &SchemaRef,
    rows: &RecordBatch,
    ops: &[Op],
    first: i64,
) -> Result<RecordBatch> {
    let columns = schema.fields().iter().zip(rows.columns());
    let columns = columns.map(|(field, array)| to_carried(field, array));
    let mut columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
    let count = i64::try_from(ops.len()).unwrap_or(i64::MAX);
    columns.push(Arc::new(Int64Array::from_iter_values(first..first + count)));
    let deletes: BooleanArray = ops.iter().map(|op| Some(is_delete(*op))).collect();
    columns.push(Arc::new(deletes));
    batch(schema, columns)
}

/// Whether a row is what was deleted.
pub(crate) fn is_delete(op: Op) -> bool {
    matches!(op, Op::Delete | Op::Truncate)
}

fn to_carried(field: &Field, array: &ArrayRef) -> Result<ArrayRef> {
    if array.data_type() == field.data_type() {
        return Ok(array.clone());
    }
    arrow_cast::cast(array, field.data_type())
        .map_err(|cause| Error::bug("a column can't be carried by a file").because(cause))
}

fn batch(schema: &SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema.clone(), columns)
        .map_err(|cause| Error::bug("rows do not have the shape of their file").because(cause))
}

/// The statements that copy files into `table` (a full name or one of the scope). A text is what it is:
/// by default Snowflake takes `\N` for NULL, in Parquet too.
pub(crate) fn copy(dialect: Snow, table: &str, stage: &str, files: &[StagedFile]) -> Vec<String> {
    let copy = |files: &[StagedFile]| {
        let names: Vec<String> = files
            .iter()
            .map(|file| dialect.literal(&file.key))
            .collect();
        format!(
            "COPY INTO {table} FROM @{stage} FILES = ({}) FILE_FORMAT = (TYPE = PARQUET \
             USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE USE_VECTORIZED_SCANNER = TRUE \
             NULL_IF = () TRIM_SPACE = FALSE) \
             MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT",
            names.join(", ")
        )
    };
    files.chunks(FILES).map(copy).collect()
}
