//! `_tributary_id`: the identity of a row whose stream has no key.

use arrow_array::builder::StringBuilder;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_cast::cast;
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::DataType;
use std::sync::Arc;
use tributary_model::{Error, Result};

use super::rules::{Hide, hide};

/// What must not be found out from an identity by trying values: those that are hidden or left out.
///
/// With a key nobody can try: then they count as they are, so that rows which differ only there stay
/// apart. Without one only what the table shows counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cover {
    /// Columns that are hidden, by their place in the batch.
    pub(crate) hidden: Vec<(usize, Hide)>,
    /// Columns that are left out.
    pub(crate) left_out: Vec<usize>,
    /// The key, made of the salt.
    pub(crate) key: Option<[u8; 32]>,
}

impl Cover {
    fn is_needed(&self) -> bool {
        !(self.hidden.is_empty() && self.left_out.is_empty())
    }

    /// The column as it counts, where it does.
    fn of(&self, place: usize, array: &ArrayRef) -> Result<Option<ArrayRef>> {
        if self.key.is_some() {
            return plain(array).map(Some);
        }
        if self.left_out.contains(&place) {
            return Ok(None);
        }
        match self.hidden.iter().find(|(hidden, _)| *hidden == place) {
            Some((_, how)) => hide(array, how).map(Some),
            None => plain(array).map(Some),
        }
    }

    fn hasher(&self) -> blake3::Hasher {
        match &self.key {
            Some(key) if self.is_needed() => blake3::Hasher::new_keyed(key),
            Some(_) | None => blake3::Hasher::new(),
        }
    }
}

/// A hash of each row's values and their columns' names.
///
/// NULLs are left out and values are hashed as text, so the identity of a row survives a column
/// that is added without a default and an integer type that widens.
pub(crate) fn row_ids(batch: &RecordBatch, cover: &Cover) -> Result<ArrayRef> {
    let options = FormatOptions::default();
    let schema = batch.schema();
    let places = batch.columns().iter().enumerate();
    let arrays = places.map(|(place, array)| cover.of(place, array));
    let arrays: Vec<Option<ArrayRef>> = arrays.collect::<Result<_>>()?;
    let mut columns = Vec::with_capacity(batch.num_columns());
    let fields = schema.fields().iter().zip(&arrays);
    for (field, array) in fields.filter_map(|(field, array)| Some((field, array.as_ref()?))) {
        let texts = ArrayFormatter::try_new(array.as_ref(), &options)
            .map_err(|cause| Error::bug("a column can't be read as text").because(cause))?;
        columns.push((field.name().as_str(), array, texts));
    }
    columns.sort_by_key(|(name, ..)| *name);
    let mut ids = StringBuilder::with_capacity(batch.num_rows(), batch.num_rows() * 32);
    for row in 0..batch.num_rows() {
        let mut hasher = cover.hasher();
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
pub(super) fn plain(array: &ArrayRef) -> Result<ArrayRef> {
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
    use tributary_model::Mask;

    use super::*;

    fn ids(columns: Vec<(&str, ArrayRef)>) -> Vec<String> {
        let made = row_ids(
            &RecordBatch::try_from_iter(columns).unwrap(),
            &Cover::default(),
        )
        .unwrap();
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

    /// Whoever knows the rest of a row must not find out what is hidden by trying.
    #[test]
    fn what_is_hidden_can_not_be_tried() {
        let batch = |secret: &str| {
            let (open, secret): (ArrayRef, ArrayRef) = (
                Arc::new(StringArray::from(vec!["x"])),
                Arc::new(StringArray::from(vec![secret])),
            );
            RecordBatch::try_from_iter([("open", open), ("secret", secret)]).unwrap()
        };
        let id = |secret: &str, cover: &Cover| {
            let made = row_ids(&batch(secret), cover).unwrap();
            let texts = made.as_any().downcast_ref::<StringArray>().unwrap();
            texts.value(0).to_owned()
        };
        let plain = Cover::default();
        let masked = Cover {
            hidden: vec![(1, Hide::Mask(Mask::KeepLast(0)))],
            ..Cover::default()
        };
        assert_eq!(id("abc", &masked), id("xyz", &masked));
        let left_out = Cover {
            left_out: vec![1],
            ..Cover::default()
        };
        assert_eq!(id("abc", &left_out), id("xyz", &left_out));
        let keyed = Cover {
            key: Some([7; 32]),
            ..masked
        };
        assert_ne!(id("abc", &keyed), id("xyz", &keyed), "rows stay apart");
        assert_ne!(id("abc", &keyed), id("abc", &plain), "and nobody can try");
        let unneeded = Cover {
            key: Some([7; 32]),
            ..Cover::default()
        };
        assert_eq!(id("abc", &unneeded), id("abc", &plain));
    }
}
