//! Cuts a table into pieces that several copiers take side by side.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Value};
use tributary_model::Result;

use crate::failure::classify;
use crate::info::TableInfo;
use crate::names::quote;

use super::segment::{KeyStyle, KeyValue, Segment};

/// The most pieces of one table: the cursor names each. // G6
const MOST_PIECES: u64 = 32;

/// The pieces of a large table, by its key's first column: equal ranges of an integer; ranges between
/// keys that the server finds behind some places, of text and bytes; else one.
///
/// The ranges need not hold equally many rows: each piece is walked in steps of bounded size. Only
/// the server says what lies behind what, so any collation will do.
pub(crate) async fn segments(
    conn: &mut Conn,
    table: &TableInfo,
    chunk_rows: u64,
) -> Result<Vec<Segment>> {
    let pieces = (table.estimated_rows / chunk_rows.max(1)).min(MOST_PIECES);
    let Some(first) = table.key.first() else {
        return Ok(vec![Segment::ALL]);
    };
    let column = table.columns.iter().find(|column| column.name == *first);
    let data_type = column.map_or("", |column| column.data_type.as_str());
    if pieces < 2 {
        return Ok(vec![Segment::ALL]);
    }
    if let Some((style, places)) = places(data_type) {
        let bounds = bounds(conn, table, first, style, places).await?;
        return Ok(between(thinned(bounds, pieces)));
    }
    if !["tinyint", "smallint", "mediumint", "int", "bigint"].contains(&data_type) {
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

/// Places to look for keys at, spread over what values of a type begin with.
fn places(data_type: &str) -> Option<(KeyStyle, Vec<String>)> {
    match data_type {
        "char" | "varchar" => {
            let letters = ('0'..='9').chain('a'..='z');
            Some((KeyStyle::Plain, letters.map(String::from).collect()))
        }
        "binary" | "varbinary" => {
            let bytes = (1..32_u8).map(|step| format!("{:02x}", step * 8));
            Some((KeyStyle::Bytes, bytes.collect()))
        }
        "uuid" => {
            let digits = "123456789abcdef".chars();
            let uuid = |digit| format!("{digit}0000000-0000-0000-0000-000000000000");
            Some((KeyStyle::Plain, digits.map(uuid).collect()))
        }
        _ => None,
    }
}

/// The first key behind each of the places, each once, in the order of the index.
async fn bounds(
    conn: &mut Conn,
    table: &TableInfo,
    column: &str,
    style: KeyStyle,
    places: Vec<String>,
) -> Result<Vec<KeyValue>> {
    let (name, of) = (
        quote(column),
        format!("{}.{}", quote(&table.database), quote(&table.name)),
    );
    let first = format!(
        "(SELECT {name} AS bound FROM {of} WHERE {name} >= {} ORDER BY {name} LIMIT 1)",
        style.placeholder()
    );
    let all = vec![first; places.len()].join(" UNION ");
    let sql = format!("SELECT bound FROM ({all}) AS bounds ORDER BY bound");
    let places: Vec<Value> = places.into_iter().map(Value::from).collect();
    let found: Vec<Value> = conn
        .exec(sql, places)
        .await
        .map_err(|error| classify(error, "looking for places to cut a key at"))?;
    let bound = |value: Value| match (value, style) {
        (Value::Bytes(bytes), KeyStyle::Bytes) => Some(KeyValue::hex(&bytes)),
        (Value::Bytes(bytes), _) => String::from_utf8(bytes).ok().map(KeyValue::Text),
        _ => None,
    };
    // One that can't be handed back is no place to cut at.
    Ok(found.into_iter().filter_map(bound).collect())
}

/// As many as make so many pieces, evenly taken.
fn thinned(bounds: Vec<KeyValue>, pieces: u64) -> Vec<KeyValue> {
    let most = usize::try_from(pieces - 1).unwrap_or(usize::MAX);
    if bounds.len() <= most {
        return bounds;
    }
    let count = bounds.len();
    let mut kept = bounds.into_iter().enumerate();
    let taken = |index: usize| (index + 1) * most / count > index * most / count;
    kept.by_ref()
        .filter_map(|(index, bound)| taken(index).then_some(bound))
        .collect()
}

/// The ranges between bounds, open at the outer ends.
fn between(bounds: Vec<KeyValue>) -> Vec<Segment> {
    let mut pieces = Vec::with_capacity(bounds.len() + 1);
    let mut from = None;
    for bound in bounds {
        pieces.push(Segment {
            after: None,
            from: from.take(),
            to: Some(bound.clone()),
        });
        from = Some(bound);
    }
    pieces.push(Segment {
        after: None,
        from,
        to: None,
    });
    pieces
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
    fn bounds_are_thinned_and_meet() {
        let texts = |range: std::ops::Range<u32>| {
            range
                .map(|n| KeyValue::Text(n.to_string()))
                .collect::<Vec<_>>()
        };
        for (count, pieces) in [(36, 8), (7, 8), (1, 2), (36, 2)] {
            let kept = thinned(texts(0..count), pieces);
            assert_eq!(kept.len() as u64, (pieces - 1).min(u64::from(count)));
        }
        assert_eq!(between(Vec::new()), [Segment::ALL]);
        let cut = between(texts(0..3));
        assert_eq!(cut.len(), 4);
        assert!(cut[0].from.is_none() && cut[3].to.is_none());
        for pair in cut.windows(2) {
            assert!(pair[0].to.is_some() && pair[0].to == pair[1].from);
        }
    }

    #[test]
    fn few_values_are_not_cut() {
        assert_eq!(cut(&Value::Int(1), &Value::Int(5), 8), None);
        assert_eq!(cut(&Value::NULL, &Value::NULL, 8), None);
    }
}
