//! The door for API authors: objects become columns, types are inferred from the values.
//!
//! Nested objects and arrays become JSON. A field whose values disagree inside one batch becomes
//! JSON too; a disagreement between batches is settled by the table's plan.

use std::sync::Arc;

use arrow_array::builder::{
    BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, UInt64Builder,
};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{Field, Schema};
use serde_json::Value;
use tributary_model::{
    ChangeBatch, Column, DataType, Error, Op, Positions, Presence, Result, Row, StreamSchema,
};

/// The rows as columns. `declared` gives the key, and the types of fields it knows.
pub(crate) fn columns(rows: &[Row], declared: &StreamSchema) -> Result<ChangeBatch> {
    let mut schema = declared.clone();
    for (name, value) in rows.iter().flatten() {
        if schema.position(name).is_none() && !value.is_null() {
            let data_type = infer(rows, name);
            let column = Column {
                name: name.clone(),
                data_type,
                nullable: true,
                default: None,
            };
            schema.columns.push(column);
        }
    }
    for column in &mut schema.columns {
        column.data_type = carried(column.data_type, rows, &column.name);
    }
    let arrays = schema
        .columns
        .iter()
        .map(|column| array(rows, column))
        .collect();
    let fields = schema
        .columns
        .iter()
        .map(|column| Field::new(&column.name, column.data_type.to_arrow(), true));
    let arrow = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
    let columns = RecordBatch::try_new_with_options(arrow, arrays, &options)
        .map_err(|cause| Error::bug("objects do not fit their columns").because(cause))?;
    Ok(ChangeBatch {
        schema: Arc::new(schema),
        ops: vec![Op::Read; rows.len()],
        positions: Positions::at(0, 0),
        presence: Presence::Possible,
        columns,
    })
}

/// The type of one value, `None` for null.
fn type_of(value: &Value) -> Option<DataType> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(_) => DataType::Bool,
        Value::Number(number) if number.is_i64() => DataType::Int64,
        Value::Number(number) if number.is_u64() => DataType::UInt64,
        Value::Number(_) => DataType::Float64,
        Value::String(_) => DataType::Text,
        Value::Array(_) | Value::Object(_) => DataType::Json,
    })
}

/// The one type of a field's values, else JSON, which holds them all as they are.
fn infer(rows: &[Row], name: &str) -> DataType {
    let mut types = rows
        .iter()
        .filter_map(|row| row.get(name))
        .filter_map(type_of);
    let first = types.next().unwrap_or(DataType::Json);
    if types.all(|other| other == first) {
        first
    } else {
        DataType::Json
    }
}

/// The declared type where every value has it, else the inferred one.
fn carried(declared: DataType, rows: &[Row], name: &str) -> DataType {
    let fits = |value: &Value| type_of(value).is_none_or(|found| found == declared);
    let all_fit = rows.iter().filter_map(|row| row.get(name)).all(fits);
    let can_build = matches!(
        declared,
        DataType::Bool
            | DataType::Int64
            | DataType::UInt64
            | DataType::Float64
            | DataType::Text
            | DataType::Json
    );
    if can_build && (all_fit || declared == DataType::Json) {
        declared
    } else {
        infer(rows, name)
    }
}

fn array(rows: &[Row], column: &Column) -> ArrayRef {
    let values = rows
        .iter()
        .map(|row| row.get(&column.name).filter(|value| !value.is_null()));
    match column.data_type {
        DataType::Bool => {
            let mut builder = BooleanBuilder::new();
            values.for_each(|value| builder.append_option(value.and_then(Value::as_bool)));
            Arc::new(builder.finish())
        }
        DataType::Int64 => {
            let mut builder = Int64Builder::new();
            values.for_each(|value| builder.append_option(value.and_then(Value::as_i64)));
            Arc::new(builder.finish())
        }
        DataType::UInt64 => {
            let mut builder = UInt64Builder::new();
            values.for_each(|value| builder.append_option(value.and_then(Value::as_u64)));
            Arc::new(builder.finish())
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::new();
            values.for_each(|value| builder.append_option(value.and_then(Value::as_f64)));
            Arc::new(builder.finish())
        }
        DataType::Text => {
            let mut builder = StringBuilder::new();
            values.for_each(|value| builder.append_option(value.and_then(Value::as_str)));
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringBuilder::new();
            values.for_each(|value| builder.append_option(value.map(Value::to_string)));
            Arc::new(builder.finish())
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_get_the_type_of_their_values_and_nothing_is_lost() {
        let rows: Vec<Row> = [
            json!({"id": "a", "n": 1, "mixed": 1, "deep": {"x": [1]}, "ok": true}),
            json!({"id": "b", "n": null, "mixed": "two", "late": 1.5}),
        ]
        .into_iter()
        .map(|value| value.as_object().unwrap().clone())
        .collect();
        let declared = StreamSchema {
            columns: Vec::new(),
            key: vec!["id".into()],
        };
        let batch = columns(&rows, &declared).unwrap();
        let types: Vec<_> = batch
            .schema
            .columns
            .iter()
            .map(|column| format!("{} {}", column.name, column.data_type))
            .collect();
        assert_eq!(
            types,
            [
                "id text",
                "n int64",
                "mixed json",
                "deep json",
                "ok bool",
                "late float64"
            ]
        );
        let text = arrow_cast::display::array_value_to_string(batch.columns.column(2), 1);
        assert_eq!(text.unwrap(), "\"two\"");
    }
}
