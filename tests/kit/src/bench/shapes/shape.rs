//! The shapes: how their tables are made, what changes in them, and what must be equal in the end.

use serde::Serialize;

/// How many tables there are of the shape with many.
const TABLES: u64 = 1_000;
/// The rows of each.
const EACH: u64 = 100;
/// Updates of one transaction in the log of updates.
const BATCH: u64 = 100;

/// A shape of tables, or of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Shape {
    /// Two numbers in a row.
    Narrow,
    /// Some kilobytes of text and JSON in a row.
    Wide,
    /// A thousand tables of a hundred rows.
    Many,
    /// A log of transactions of a hundred updates each.
    Updates,
    /// A log of one transaction that changes every row.
    Transaction,
}

/// A question for the source, the same for the destination.
pub(super) struct Check {
    pub(super) source: String,
    pub(super) target: String,
}

impl Shape {
    pub(super) const ALL: [Self; 5] = [
        Self::Narrow,
        Self::Wide,
        Self::Many,
        Self::Updates,
        Self::Transaction,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Narrow => "narrow",
            Self::Wide => "wide",
            Self::Many => "many",
            Self::Updates => "updates",
            Self::Transaction => "transaction",
        }
    }

    /// Each has a database of its own.
    pub(super) fn database(self) -> String {
        format!("shape_{}", self.name())
    }

    /// How many rows it has where `rows` are asked for.
    pub(super) fn rows(self, rows: u64) -> u64 {
        match self {
            Self::Narrow | Self::Transaction => rows,
            Self::Wide => (rows / 20).max(1),
            Self::Updates => (rows / 10).max(BATCH),
            Self::Many => TABLES * EACH,
        }
    }

    /// How many rows change.
    pub(super) fn changed(self, rows: u64) -> u64 {
        match self {
            Self::Narrow | Self::Wide | Self::Many => 0,
            Self::Updates => rows * 5,
            Self::Transaction => rows,
        }
    }

    /// The statements that make it. Its rows are in no log: the first copy reads the tables.
    pub(super) fn make(self, rows: u64) -> Vec<String> {
        let database = self.database();
        let columns = match self {
            Self::Wide => {
                "CONCAT('row ', seq) AS title, REPEAT(CONCAT('text of row ', seq, ', '), 100) AS body, \
                 JSON_OBJECT('id', seq, 'tags', JSON_ARRAY('a', 'b', seq), 'note', REPEAT('x', 1500)) AS data"
            }
            Self::Narrow | Self::Many | Self::Updates | Self::Transaction => "seq * 7 AS n",
        };
        let table = |name: &str, rows: u64| {
            format!(
                "SET sql_log_bin = 0; CREATE TABLE {database}.{name} (id BIGINT PRIMARY KEY) \
                 SELECT seq AS id, {columns} FROM {database}.seq_1_to_{rows}; \
                 ANALYZE TABLE {database}.{name}"
            )
        };
        let mut statements = vec![format!("SET sql_log_bin = 0; CREATE DATABASE {database}")];
        match self {
            Self::Many => {
                statements.extend((0..TABLES).map(|index| table(&format!("t{index}"), EACH)));
            }
            Self::Narrow | Self::Wide | Self::Updates | Self::Transaction => {
                statements.push(table("t", rows));
            }
        }
        statements
    }

    /// The statements that change it.
    pub(super) fn changes(self, rows: u64) -> Vec<String> {
        let table = format!("{}.t", self.database());
        match self {
            Self::Narrow | Self::Wide | Self::Many => Vec::new(),
            Self::Transaction => vec![format!("UPDATE {table} SET n = n + 1")],
            Self::Updates => {
                let update = |from: u64| {
                    let to = from + BATCH - 1;
                    format!("UPDATE {table} SET n = n + 1 WHERE id BETWEEN {from} AND {to}")
                };
                // Many statements in one message: a round trip each would take longer than they do.
                let all: Vec<String> = (0..5)
                    .flat_map(|_| (1..=rows).step_by(BATCH as usize))
                    .map(update)
                    .collect();
                all.chunks(200).map(|chunk| chunk.join("; ")).collect()
            }
        }
    }

    /// What must be equal.
    pub(super) fn checks(self) -> Vec<Check> {
        let database = self.database();
        let sums = match self {
            Self::Wide => {
                "concat(count(*), ' ', sum(id), ' ', sum(length(body)), ' ', sum(length(title)))"
            }
            Self::Narrow | Self::Many | Self::Updates | Self::Transaction => {
                "concat(count(*), ' ', sum(id), ' ', sum(n))"
            }
        };
        let names: &[&str] = match self {
            Self::Many => &["t0", "t499", "t999"],
            Self::Narrow | Self::Wide | Self::Updates | Self::Transaction => &["t"],
        };
        let check = |name: &&str| Check {
            source: format!("SELECT {sums} FROM {database}.{name}"),
            target: format!("SELECT {sums} FROM {database}.{name} WHERE NOT _tributary_deleted"),
        };
        names.iter().map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_a_log_of_updates_changes_five_times() {
        let rows = Shape::Updates.rows(10_000);
        assert_eq!((rows, Shape::Updates.changed(rows)), (1_000, 5_000));
        let statements = Shape::Updates.changes(rows).join("; ");
        assert_eq!(statements.matches("UPDATE").count(), 50);
        assert!(statements.ends_with("BETWEEN 901 AND 1000"));
    }

    #[test]
    fn many_tables_are_made_one_by_one() {
        let statements = Shape::Many.make(Shape::Many.rows(7));
        assert_eq!(statements.len(), 1 + 1_000);
        assert!(statements[1_000].contains("shape_many.t999 "));
        assert!(Shape::Many.changes(7).is_empty());
    }
}
