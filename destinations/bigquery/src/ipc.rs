//! Arrow batches as the Storage Write API takes them: in pieces, each one message of Arrow's IPC.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::{
    DictionaryTracker, EncodedData, IpcDataGenerator, IpcWriteOptions, write_message,
};
use arrow_schema::{ArrowError, Schema};
use tributary_model::{Error, Result};

/// Bytes of a request; the API takes ten million, its own fields included. // G6
const REQUEST: usize = 4 << 20;

/// Rows of one request.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    /// The layout, as a message.
    pub(crate) schema: Arc<[u8]>,
    /// The rows, as a message.
    pub(crate) batch: Vec<u8>,
    pub(crate) rows: i64,
}

/// The pieces of a batch.
pub(crate) fn pieces(rows: &RecordBatch) -> Result<Vec<Piece>> {
    cut(rows, REQUEST)
        .map_err(|cause| Error::bug("rows could not be written as Arrow").because(cause))
}

fn cut(rows: &RecordBatch, most: usize) -> std::result::Result<Vec<Piece>, ArrowError> {
    let schema: Arc<[u8]> = schema(&rows.schema())?.into();
    let mut pieces = Vec::new();
    // Halves of what is too large, the first half first.
    let mut waiting = vec![rows.clone()];
    while let Some(rows) = waiting.pop() {
        if rows.num_rows() == 0 {
            continue;
        }
        let batch = batch(&rows)?;
        if batch.len() > most && rows.num_rows() > 1 {
            let half = rows.num_rows() / 2;
            waiting.push(rows.slice(half, rows.num_rows() - half));
            waiting.push(rows.slice(0, half));
            continue;
        }
        pieces.push(Piece {
            schema: schema.clone(),
            batch,
            rows: i64::try_from(rows.num_rows()).unwrap_or(i64::MAX),
        });
    }
    Ok(pieces)
}

fn schema(schema: &Schema) -> std::result::Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let encoded = IpcDataGenerator::default().schema_to_bytes_with_dictionary_tracker(
        schema,
        &mut tracker,
        &options,
    );
    message(encoded, &options)
}

fn batch(rows: &RecordBatch) -> std::result::Result<Vec<u8>, ArrowError> {
    let options = IpcWriteOptions::default();
    let mut tracker = DictionaryTracker::new(true);
    let (_, encoded) = IpcDataGenerator::default().encode(
        rows,
        &mut tracker,
        &options,
        &mut Default::default(),
    )?;
    message(encoded, &options)
}

fn message(
    encoded: EncodedData,
    options: &IpcWriteOptions,
) -> std::result::Result<Vec<u8>, ArrowError> {
    let mut bytes = Vec::new();
    write_message(&mut bytes, encoded, options)?;
    Ok(bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use arrow_array::{ArrayRef, StringArray};
    use arrow_ipc::reader::StreamReader;

    use super::*;

    #[test]
    fn pieces_are_small_and_in_order() {
        let texts: Vec<String> = (0..1000).map(|n| format!("{n:0100}")).collect();
        let column: ArrayRef = Arc::new(StringArray::from(texts.clone()));
        let rows = RecordBatch::try_from_iter([("a", column)]).unwrap();
        let pieces = cut(&rows, 20_000).unwrap();
        assert!(pieces.len() > 5);
        let mut read = Vec::new();
        for piece in &pieces {
            assert!(piece.batch.len() <= 20_000);
            let stream = [piece.schema.as_ref(), &piece.batch].concat();
            for batch in StreamReader::try_new(stream.as_slice(), None).unwrap() {
                let batch = batch.unwrap();
                assert_eq!(i64::try_from(batch.num_rows()).unwrap(), piece.rows);
                let column = batch
                    .column(0)
                    .as_any()
                    .downcast_ref::<StringArray>()
                    .unwrap();
                read.extend(column.iter().map(|text| text.unwrap().to_owned()));
            }
        }
        assert_eq!(read, texts);
        assert!(cut(&rows.slice(0, 0), 1).unwrap().is_empty());
    }
}
