//! `_tributary_id`: the identity of a row whose stream has no key.

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use std::sync::Arc;
use tributary_model::{Error, Result};

/// A hash of each row's values and their columns' names.
///
/// NULLs are left out and values are hashed as text, so the identity of a row survives a column
/// that is added without a default and an integer type that widens.
pub(crate) fn row_ids(batch: &RecordBatch) -> Result<ArrayRef> {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let arrays: Vec<ArrayRef> = batch.columns().iter().map(plain).collect::<Result<_>>()?;
    let mut columns = Vec::with_capacity(batch.num_columns());
    for (field, array) in schema.fields().iter().zip(&arrays) {
        let texts = ArrayFormatter::try_new(array.as_ref(), &options)
            .map_err(|cause| Error::bug("a column can't be read as text").because(cause))?;
        columns.push((field.name().as_str(), array, texts));
    }
    columns.sort_by_key(|(name, ..)| *name);
    let mut ids = StringBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 32);
    for row in 0..batch.num_rows() {
        let mut hasher = blake3::Hasher::new();
        for (name, array, texts) in &columns {
            if array.is_valid(row) {
                framed(&mut hasher, name);
                framed(&mut hasher, &texts.value(row).to_string());
            }
        }
        ids.append_value(&hasher.finalize().to_hex().as_str()[..32]);
    }
    Ok(Arc::new(ids.finish()))
}

/// Instants without their zone, which is always UTC: its name can't be read without a table of zones.
fn plain(array: &ArrayRef) -> Result<ArrayRef> {
    match array.data_type() {
        DataType::Timestamp(unit, Some(_)) => cast(array, &DataType::Timestamp(*unit, None))
            .map_err(|cause| Error::bug("an instant can't lose its zone").because(cause)),
        _ => Ok(array.clone()),
    }
}

/// Hashes a text with its length, so that no two rows run together alike.
fn framed(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use arrow_array::{Int32Array, Int64Array, StringArray, TimestampMicrosecondArray};

    use super::*;

    fn ids(columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
        let made = row_ids(&RecordBatch::try_from_iter(columns).unwrap()).unwrap();
        let texts = made.as_any().downcast_ref::<StringArray>().unwrap();
        texts.iter().flatten().map(str::to_owned).collect()
    }

    #[test]
    fn an_id_survives_widening_and_a_new_null_column() {
        let narrow: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
        let wide: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
        let nothing: ArrayRef = Arc::new(StringArray::from(vec![None::<&str>, None]));
        let before = ids(vec![("n", narrow)]);
        assert_eq!(before, ids(vec![("added", nothing), ("n", wide)]));
        assert_ne!(before[0], before[1]);
    }

    #[test]
    fn instants_tell_rows_apart() {
        let at = TimestampMicrosecondArray::from(vec![1, 2]).with_timezone("UTC");
        let ids = ids(vec![("at", Arc::new(at) as ArrayRef)]);
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn values_do_not_run_together() {
        let column = |text: &str| -> ArrayRef { Arc::new(StringArray::from(vec![text])) };
        assert_ne!(
            ids(vec![("a", column("xb")), ("b", column("y"))]),
            ids(vec![("a", column("x")), ("b", column("by"))])
        );
    }
}
