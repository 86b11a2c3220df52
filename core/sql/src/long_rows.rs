//! Rows that are too long as a whole, however short each of their values is.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;

/// The values of texts and bytes that have to go for each row to have no more than `most` bytes of
/// them: the longest first, those of `keep` last. Each with its row, its column and the row's bytes.
pub(crate) fn long_rows(
    most: usize,
    rows: &RecordBatch,
    keep: impl Fn(usize) -> bool,
) -> Vec<(usize, usize, usize)> {
    let columns = rows.columns().iter().enumerate();
    let columns: Vec<(usize, &[i32])> = columns
        .filter_map(|(index, array)| {
            let texts = array.as_string_opt::<i32>().map(|a| a.value_offsets());
            let ends = texts.or_else(|| array.as_binary_opt::<i32>().map(|a| a.value_offsets()));
            Some((index, ends?))
        })
        .collect();
    let all = columns.iter().map(|(_, ends)| match ends {
        [first, .., last] => usize::try_from(last - first).unwrap_or(0),
        _ => 0,
    });
    if all.sum::<usize>() <= most {
        return Vec::new();
    }
    let length = |ends: &[i32], row: usize| usize::try_from(ends[row + 1] - ends[row]).unwrap_or(0);
    let mut long = Vec::new();
    for row in 0..rows.num_rows() {
        let bytes: usize = columns.iter().map(|(_, ends)| length(ends, row)).sum();
        if bytes <= most {
            continue;
        }
        let mut values: Vec<(usize, usize)> = columns
            .iter()
            .map(|(index, ends)| (*index, length(ends, row)))
            .collect();
        values.sort_by_key(|(index, length)| (keep(*index), std::cmp::Reverse(*length)));
        let mut left = bytes;
        for (index, length) in values {
            if left > most {
                long.push((row, index, bytes));
                left -= length;
            }
        }
    }
    long
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, BinaryArray, StringArray};

    use super::*;

    #[test]
    fn the_longest_values_go_and_keys_last() {
        let key: ArrayRef = Arc::new(StringArray::from(vec!["kkkk", "kkkk", "kkkk"]));
        let text: ArrayRef = Arc::new(StringArray::from(vec![Some("aa"), Some("aaaa"), None]));
        let bytes: ArrayRef = Arc::new(BinaryArray::from(vec![&b"b"[..], b"bbb", b"bbbbbbbbbbbb"]));
        let rows = RecordBatch::try_from_iter([("k", key), ("a", text), ("b", bytes)]).unwrap();
        assert_eq!(
            long_rows(7, &rows, |index| index == 0),
            [(1, 1, 11), (2, 2, 16)]
        );
        assert_eq!(
            long_rows(7, &rows.slice(1, 1), |index| index == 0),
            [(0, 1, 11)]
        );
        assert_eq!(long_rows(16, &rows, |_| false), []);
    }
}
