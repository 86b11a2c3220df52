//! Rows under the layout of a table's files.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::extension::Json;
use arrow_schema::{Field, Schema, SchemaRef};
use tributary_model::{DataType, Error, ErrorKind, Result, TableColumn};

use crate::error::arrow;

/// The Arrow schema of files with these columns.
pub(crate) fn schema(columns: &[TableColumn]) -> SchemaRef {
    let field = |column: &TableColumn| {
        let field = Field::new(&column.name, column.data_type.to_arrow(), true);
        match column.data_type {
            DataType::Json => field.with_extension_type(Json::default()),
            _ => field,
        }
    };
    Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()))
}

/// Turns `rows` into rows of `schema`: by name, widened where they are narrower; `missing` says what
/// stands in a column that they lack.
pub(crate) fn conform(
    rows: &RecordBatch,
    schema: &SchemaRef,
    missing: impl Fn(&Field) -> Result<Option<ArrayRef>>,
) -> Result<RecordBatch> {
    let mut columns: Vec<ArrayRef> = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let array = match find(rows, field.name()) {
            Some(array) => widen(array, field)?,
            None => match missing(field)? {
                Some(array) => widen(&array, field)?,
                None => new_null_array(field.data_type(), rows.num_rows()),
            },
        };
        columns.push(array);
    }
    RecordBatch::try_new(schema.clone(), columns).map_err(arrow("shaping rows for a file"))
}

/// What a constant stands in every row, as text that casts to the column's type.
pub(crate) fn constant(text: &str, field: &Field, rows: usize) -> Result<ArrayRef> {
    let texts = arrow_array::StringArray::from_iter_values(std::iter::repeat_n(text, rows));
    let texts: ArrayRef = Arc::new(texts);
    cast_with_options(&texts, field.data_type(), &strict()).map_err(|cause| {
        Error::new(
            ErrorKind::Incompatible,
            format!(
                "the default of column `{}` is no {}",
                field.name(),
                field.data_type()
            ),
        )
        .because(cause)
    })
}

/// The column of a name; letters of either case are the same to us, and to readers.
fn find<'a>(rows: &'a RecordBatch, name: &str) -> Option<&'a ArrayRef> {
    let schema = rows.schema_ref();
    let same = |field: &Arc<Field>| field.name() == name;
    let place = schema.fields().iter().position(same).or_else(|| {
        let alike = |field: &Arc<Field>| field.name().eq_ignore_ascii_case(name);
        schema.fields().iter().position(alike)
    })?;
    Some(rows.column(place))
}

/// A column as the wider type that it fits into; nothing is rounded, cut or turned into NULL. // G5
fn widen(array: &ArrayRef, field: &Field) -> Result<ArrayRef> {
    if array.data_type() == field.data_type() {
        return Ok(array.clone());
    }
    cast_with_options(array, field.data_type(), &strict()).map_err(|cause| {
        Error::bug(format!("column {} could not be widened", field.name())).because(cause)
    })
}

fn strict() -> CastOptions<'static> {
    CastOptions {
        safe: false,
        ..CastOptions::default()
    }
}
