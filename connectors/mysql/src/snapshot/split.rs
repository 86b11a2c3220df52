//! Cuts a table into pieces that several copiers take side by side.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use tributary_model::Result;

use crate::failure::classify;
use crate::info::TableInfo;
use crate::names::quote;

use super::segment::{KeyValue, Segment};

/// The most pieces of one table: the cursor names each. // G6
const MOST_PIECES: u64 = 32;

/// The pieces of a table: equal ranges of its key's first column where that is an integer and the
/// table is large; else one.
///
/// The ranges need not hold equally many rows: each piece is walked in steps of bounded size.
pub(crate) async fn segments(
    conn: &mut Conn,
    table: &TableInfo,
    chunk_rows: u64,
) -> Result<Vec<Segment>> {
    let pieces = (table.estimated_rows / chunk_rows.max(1)).min(MOST_PIECES);
    let Some(first) = table.key.first() else {
        return Ok(vec![Segment::ALL]);
    };
    let is_integer = table.columns.iter().any(|column| {
        column.name == *first
            && matches!(
                column.data_type.as_str(),
                "tinyint" | "smallint" | "mediumint" | "int" | "bigint"
            )
    });
    if pieces < 2 || !is_integer {
        return Ok(vec![Segment::ALL]);
    }
    let name = quote(first);
    let sql = format!(
        "SELECT MIN({name}), MAX({name}) FROM {}.{}",
        quote(&table.database),
        quote(&table.name)
    );
    let bounds: Option<(Value, Value)> = conn
        .exec_first(sql, ())
        .await
        .map_err(|error| classify(error, "looking for the ends of a key"))?;
    Ok(bounds
        .and_then(|(low, high)| cut(&low, &high, pieces))
        .unwrap_or(vec![Segment::ALL]))
}

/// Cuts `low..=high` into equal ranges; the first and the last are open at their outer end.
fn cut(low: &Value, high: &Value, pieces: u64) -> Option<Vec<Segment>> {
    let (first, last) = (number(low)?, number(high)?);
    let is_unsigned = matches!(high, Value::UInt(_));
    let width = (last - first) / i128::from(pieces);
    if width < 1 {
        return None;
    }
    let bound = |index: u64| key(first + width * i128::from(index), is_unsigned);
    let piece = |index: u64| Segment {
        after: None,
        from: (index > 0).then(|| bound(index)),
        to: (index + 1 < pieces).then(|| bound(index + 1)),
    };
    Some((0..pieces).map(piece).collect())
}

fn number(value: &Value) -> Option<i128> {
    match value {
        Value::Int(number) => Some(i128::from(*number)),
        Value::UInt(number) => Some(i128::from(*number)),
        _ => None,
    }
}

/// A bound between two values of the column, so it fits the column's own width.
fn key(number: i128, is_unsigned: bool) -> KeyValue {
    match (is_unsigned, u64::try_from(number), i64::try_from(number)) {
        (true, Ok(number), _) => KeyValue::Uint(number),
        (_, _, Ok(number)) => KeyValue::Int(number),
        (_, _, Err(_)) => KeyValue::Uint(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_meet_without_gap_or_overlap() {
        for (low, high) in [
            (Value::Int(-50), Value::Int(49)),
            (Value::UInt(0), Value::UInt(u64::MAX)),
            (Value::Int(i64::MIN), Value::Int(i64::MAX)),
        ] {
            let pieces = cut(&low, &high, 8).unwrap();
            assert_eq!(pieces.len(), 8);
            assert!(pieces[0].from.is_none() && pieces[7].to.is_none());
            for pair in pieces.windows(2) {
                assert_eq!(pair[0].to, pair[1].from);
                assert!(pair[0].to.is_some());
            }
        }
    }

    #[test]
    fn few_values_are_not_cut() {
        assert_eq!(cut(&Value::Int(1), &Value::Int(5), 8), None);
        assert_eq!(cut(&Value::NULL, &Value::NULL, 8), None);
    }
}
