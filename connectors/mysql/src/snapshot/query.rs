//! The statement that copies the next rows of a piece.

use mysql_async::Value;

use crate::info::TableInfo;
use crate::names::quote;

use super::segment::{KeyStyle, Segment};

/// A statement and its parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Query {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Value>,
}

/// Whether the rows are locked while they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Locking {
    /// A consistent read.
    None,
    /// Each row as it is now, waiting for whoever is changing it.
    Share,
}

/// The next `limit` rows of `segment` in key order.
pub(crate) fn next_rows(
    table: &TableInfo,
    columns: &str,
    filter: Option<&str>,
    styles: &[KeyStyle],
    segment: &Segment,
    limit: u64,
    locking: Locking,
) -> Query {
    let mut conditions = Vec::new();
    let mut parameters = Vec::new();
    let keys: Vec<(String, String)> = table
        .key
        .iter()
        .zip(styles)
        .map(|(name, style)| (quote(name), style.placeholder()))
        .collect();
    if let (Some(to), Some((first, placeholder))) = (&segment.to, keys.first()) {
        conditions.push(format!("{first} < {placeholder}"));
        parameters.push(Value::from(to));
    }
    match (&segment.after, &segment.from, keys.first()) {
        (Some(after), _, _) => {
            let values: Vec<Value> = after.iter().map(Value::from).collect();
            conditions.push(behind(&keys, &values, &mut parameters));
        }
        (None, Some(from), Some((first, placeholder))) => {
            conditions.push(format!("{first} >= {placeholder}"));
            parameters.push(Value::from(from));
        }
        (None, _, _) => {}
    }
    conditions.extend(filter.map(ToOwned::to_owned));
    let order: Vec<&str> = keys.iter().map(|(name, _)| name.as_str()).collect();
    let condition = if conditions.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", conditions.join(" AND "))
    };
    let sql = format!(
        "{}{}{condition} ORDER BY {} LIMIT {limit}{}",
        select(table, columns),
        table.key_index.as_deref().map_or(String::new(), |index| {
            format!(" FORCE INDEX ({})", quote(index))
        }),
        order.join(", "),
        locking.clause(),
    );
    Query { sql, parameters }
}

/// All rows, in no order.
pub(crate) fn all_rows(
    table: &TableInfo,
    columns: &str,
    filter: Option<&str>,
    locking: Locking,
) -> Query {
    let wanted = filter.map_or(String::new(), |filter| format!(" WHERE {filter}"));
    let sql = format!("{}{wanted}{}", select(table, columns), locking.clause());
    Query {
        sql,
        parameters: Vec::new(),
    }
}

impl Locking {
    fn clause(self) -> &'static str {
        match self {
            Self::None => "",
            // As every version says it, also 5.7 and MariaDB.
            Self::Share => " LOCK IN SHARE MODE",
        }
    }
}

fn select(table: &TableInfo, columns: &str) -> String {
    format!(
        "SELECT {columns} FROM {}.{}",
        quote(&table.database),
        quote(&table.name)
    )
}

/// "The key is greater than these values", as the server can use it for a range of the index. The
/// row form `(a, b) > (?, ?)` is planned as a scan from the index's start.
fn behind(keys: &[(String, String)], values: &[Value], parameters: &mut Vec<Value>) -> String {
    let [(name, placeholder), rest @ ..] = keys else {
        return "TRUE".to_owned();
    };
    let Some((value, later)) = values.split_first() else {
        return "TRUE".to_owned();
    };
    if rest.is_empty() {
        parameters.push(value.clone());
        return format!("{name} > {placeholder}");
    }
    parameters.extend([value.clone(), value.clone(), value.clone()]);
    let deeper = behind(rest, later, parameters);
    format!(
        "{name} >= {placeholder} AND ({name} > {placeholder} OR ({name} = {placeholder} AND {deeper}))"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::KeyValue;

    fn table(key: &[&str]) -> TableInfo {
        TableInfo {
            database: "shop".into(),
            name: "odd`name".into(),
            key: key.iter().map(|&name| name.to_owned()).collect(),
            key_index: Some("PRIMARY".into()),
            ..TableInfo::default()
        }
    }

    #[test]
    fn a_composite_key_is_walked_by_a_range_of_its_index() {
        let segment = Segment {
            after: Some(vec![KeyValue::Int(7), KeyValue::Hex("ff".into())]),
            from: Some(KeyValue::Int(1)),
            to: Some(KeyValue::Int(100)),
        };
        let styles = [KeyStyle::Plain, KeyStyle::Bytes];
        let query = next_rows(
            &table(&["a", "b"]),
            "`a`, `b`, `c`",
            Some("(`c` <> 0)"),
            &styles,
            &segment,
            10,
            Locking::None,
        );
        assert_eq!(
            query.sql,
            "SELECT `a`, `b`, `c` FROM `shop`.`odd``name` FORCE INDEX (`PRIMARY`) WHERE `a` < ? AND \
             `a` >= ? AND (`a` > ? OR (`a` = ? AND `b` > UNHEX(?))) AND (`c` <> 0) ORDER BY `a`, `b` LIMIT 10"
        );
        let seven = Value::Int(7);
        assert_eq!(
            query.parameters,
            [
                Value::Int(100),
                seven.clone(),
                seven.clone(),
                seven,
                Value::Bytes(b"ff".to_vec())
            ]
        );
    }

    #[test]
    fn a_piece_begins_at_its_bound_and_the_whole_at_none() {
        let styles = [KeyStyle::Decimal(10, 2)];
        let begin = Segment {
            from: Some(KeyValue::Text("1.50".into())),
            ..Segment::ALL
        };
        let query = next_rows(
            &table(&["d"]),
            "`d`",
            None,
            &styles,
            &begin,
            5,
            Locking::Share,
        );
        assert!(query.sql.ends_with(
            "WHERE `d` >= CAST(? AS DECIMAL(10,2)) ORDER BY `d` LIMIT 5 LOCK IN SHARE MODE"
        ));
        let query = next_rows(
            &table(&["d"]),
            "`d`",
            None,
            &styles,
            &Segment::ALL,
            5,
            Locking::None,
        );
        assert!(
            query.sql.ends_with("(`PRIMARY`) ORDER BY `d` LIMIT 5"),
            "{}",
            query.sql
        );
    }
}
