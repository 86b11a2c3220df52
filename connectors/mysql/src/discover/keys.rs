//! What identifies a row of a table.

use std::collections::{BTreeMap, HashMap};

use mysql_async::Conn;
use tributary_model::Result;

use super::{Place, ask, grouped};

/// A key and its index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Key {
    pub(super) index: String,
    pub(super) columns: Vec<String>,
}

/// A column of a unique index.
#[derive(Clone, Debug)]
struct Part {
    index: String,
    /// `None` for an expression.
    column: Option<String>,
    nullable: bool,
    /// Whether only the beginning of the column is indexed.
    prefix: bool,
    /// Whether rows can be read in the order of the index.
    ordered: bool,
}

/// The key of each table that has one.
pub(super) async fn read(conn: &mut Conn, filter: &str) -> Result<HashMap<Place, Key>> {
    type Cells = (
        String,
        String,
        String,
        Option<String>,
        Option<String>,
        Option<u64>,
        Option<String>,
    );
    let rows: Vec<Cells> = ask(
        conn,
        &format!(
            "SELECT table_schema, table_name, index_name, column_name, nullable, sub_part, \
             index_type FROM information_schema.statistics WHERE {filter} AND non_unique = 0 \
             ORDER BY table_schema, table_name, index_name, seq_in_index"
        ),
    )
    .await?;
    let parts = rows.into_iter().map(
        |(database, table, index, column, nullable, sub_part, index_type)| {
            let part = Part {
                index,
                column,
                nullable: nullable.is_some_and(|text| text.eq_ignore_ascii_case("YES")),
                prefix: sub_part.is_some(),
                ordered: index_type.is_some_and(|text| text.eq_ignore_ascii_case("BTREE")),
            };
            ((database, table), part)
        },
    );
    Ok(grouped(parts)
        .into_iter()
        .filter_map(|(place, parts)| Some((place, choose(parts)?)))
        .collect())
}

/// The primary key, else the first unique index by name that is one.
///
/// By name, since the order in which they were declared is not to be had from every version.
fn choose(parts: Vec<Part>) -> Option<Key> {
    let mut indexes: BTreeMap<String, Vec<Part>> = BTreeMap::new();
    for part in parts {
        indexes.entry(part.index.clone()).or_default().push(part);
    }
    const PRIMARY: &str = "PRIMARY";
    let primary = indexes.remove(PRIMARY).and_then(|parts| columns(&parts));
    if let Some(columns) = primary {
        let index = PRIMARY.to_owned();
        return Some(Key { index, columns });
    }
    indexes.into_iter().find_map(|(index, parts)| {
        // MariaDB's unique indexes over long columns are hashes, which nothing can be read by.
        let ordered = parts.iter().all(|part| part.ordered);
        let columns = columns(&parts).filter(|_| ordered)?;
        Some(Key { index, columns })
    })
}

/// The columns of an index that identifies every row; `None` where it does not.
fn columns(parts: &[Part]) -> Option<Vec<String>> {
    parts
        .iter()
        .map(|part| match &part.column {
            Some(column) if !part.nullable && !part.prefix => Some(column.clone()),
            Some(_) | None => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(index: &str, column: &str) -> Part {
        Part {
            index: index.to_owned(),
            column: Some(column.to_owned()),
            nullable: false,
            prefix: false,
            ordered: true,
        }
    }

    fn chosen(parts: Vec<Part>) -> Option<(String, Vec<String>)> {
        choose(parts).map(|key| (key.index, key.columns))
    }

    #[test]
    fn the_primary_key_goes_first() {
        let parts = vec![part("PRIMARY", "b"), part("PRIMARY", "a"), part("A", "c")];
        let names = vec!["b".to_owned(), "a".to_owned()];
        assert_eq!(chosen(parts), Some(("PRIMARY".to_owned(), names)));
    }

    #[test]
    fn else_a_unique_index_that_identifies_every_row() {
        let nullable = Part {
            nullable: true,
            ..part("a", "x")
        };
        let prefix = Part {
            prefix: true,
            ..part("b", "x")
        };
        let expression = Part {
            column: None,
            ..part("c", "")
        };
        let hash = Part {
            ordered: false,
            ..part("d", "x")
        };
        let unfit = vec![nullable, part("a", "y"), prefix, expression, hash];
        assert_eq!(chosen(unfit.clone()), None);
        let with_one = [unfit, vec![part("z", "y"), part("e", "x")]].concat();
        assert_eq!(
            chosen(with_one),
            Some(("e".to_owned(), vec!["x".to_owned()]))
        );
    }

    #[test]
    fn a_primary_key_over_a_prefix_is_none() {
        let prefix = Part {
            prefix: true,
            ..part("PRIMARY", "x")
        };
        assert_eq!(chosen(vec![prefix.clone()]), None);
        let other = chosen(vec![prefix, part("u", "id")]);
        assert_eq!(other, Some(("u".to_owned(), vec!["id".to_owned()])));
    }
}
