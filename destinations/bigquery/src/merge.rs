//! The statements that take staged rows into a table, each in one reading of the table.
//!
//! What a fold means is told in [`tributary_sql::Merge`]: the *live* row of a key is its newest that
//! is not a delete, the *last* its newest of all. BigQuery bills for what a statement reads, and a
//! `MERGE` reads the table once; it refuses two staged rows for one row of the table, and here every
//! key comes once.
//!
//! Text in, text out.

use std::collections::BTreeMap;
use std::ops::Range;

use tributary_model::{DataType, Deletes, TableColumn, TableName, TablePlan, TruncateKind};
use tributary_sql::{
    DELETED, Dialect, FIRST, IS_CURRENT, LIVE, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, VALID_FROM,
    VALID_TO,
};

use crate::dialect::BigQueryDialect;

const LAST: &str = "_tributary_last";

/// Rows of a staging table.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) table: TableName,
    pub(crate) rows: Range<i64>,
}

/// The statements for one table.
pub(crate) struct Text<'a> {
    pub(crate) dialect: &'a BigQueryDialect,
    pub(crate) plan: &'a TablePlan,
    /// The types that the table's columns have by now, in BigQuery's words.
    pub(crate) types: &'a BTreeMap<String, (DataType, String)>,
    /// The value of [`SYNCED_AT`].
    pub(crate) synced_at: &'a str,
}

impl Text<'_> {
    fn quote(&self, name: &str) -> String {
        self.dialect.quote(name)
    }

    fn table(&self) -> String {
        self.dialect.table(&self.plan.table)
    }

    /// A staged value as one of the table's column.
    fn value(&self, of: &str, column: &TableColumn) -> String {
        let staged = format!("{of}.{}", self.quote(&column.name));
        let into = self.types.get(&column.name.to_lowercase());
        let (into, sql_type) = match into {
            Some((into, sql_type)) => (*into, sql_type.clone()),
            None => (
                column.data_type,
                self.dialect.type_name(column.data_type).unwrap_or_default(),
            ),
        };
        match (column.data_type, into) {
            (DataType::Json, DataType::Json) => format!("PARSE_JSON({staged})"),
            (DataType::UInt64 | DataType::Decimal(..), _)
            | (DataType::Date, DataType::Timestamp) => format!("CAST({staged} AS {sql_type})"),
            (
                DataType::Int16 | DataType::Int32 | DataType::Int64,
                DataType::UInt64 | DataType::Decimal(..) | DataType::Float32 | DataType::Float64,
            ) => format!("CAST({staged} AS {sql_type})"),
            _ => staged,
        }
    }

    fn from(&self, staged: &Staged) -> String {
        let seq = self.quote(STAGED_SEQ);
        format!(
            "{} AS s WHERE s.{seq} >= {} AND s.{seq} < {}",
            self.dialect.table(&staged.table),
            staged.rows.start,
            staged.rows.end
        )
    }

    /// Staged rows as they are: for `append`, and for keys that are not there.
    pub(crate) fn insert(&self, staged: &Staged) -> String {
        let mut names = Vec::new();
        let mut values = Vec::new();
        for column in &self.plan.columns {
            names.push(self.quote(&column.name));
            values.push(self.value("s", column));
        }
        names.push(self.quote(SYNCED_AT));
        values.push(self.synced_at.to_owned());
        if self.plan.deletes == Deletes::Soft {
            names.push(self.quote(DELETED));
            values.push(format!("s.{}", self.quote(STAGED_DELETE)));
        }
        if self.plan.mode == tributary_model::Mode::History {
            names.extend([VALID_TO, IS_CURRENT].map(|name| self.quote(name)));
            values.extend(["NULL", "TRUE"].map(str::to_owned));
        }
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {}",
            self.table(),
            names.join(", "),
            values.join(", "),
            self.from(staged)
        )
    }

    /// Folds staged rows into the table.
    pub(crate) fn merge(&self, staged: &Staged) -> String {
        let (live, last, first) = (self.quote(LIVE), self.quote(LAST), self.quote(FIRST));
        let (seq, delete) = (self.quote(STAGED_SEQ), self.quote(STAGED_DELETE));
        let key: Vec<String> = self.plan.key.iter().map(|key| self.quote(key)).collect();
        let key = key.join(", ");
        let values = self.plan.columns.iter().map(|column| {
            format!(
                "{} AS {}",
                self.value("s", column),
                self.quote(&column.name)
            )
        });
        let values: Vec<String> = values.collect();
        let winners = format!(
            "SELECT {key}, MAX(CASE WHEN NOT s.{delete} THEN s.{seq} END) AS {live}, \
             MAX(s.{seq}) AS {last}, MIN(s.{seq}) AS {first} FROM {} GROUP BY {key}",
            self.from(staged)
        );
        let source = format!(
            "SELECT {}, f.{live}, f.{last} FROM {} AS s JOIN ({winners}) AS f \
             ON s.{seq} = COALESCE(f.{live}, f.{first})",
            values.join(", "),
            self.dialect.table(&staged.table)
        );
        let same = self.plan.key.iter().map(|key| {
            let key = self.quote(key);
            format!("t.{key} = s.{key}")
        });
        format!(
            "MERGE INTO {} AS t USING ({source}) AS s ON {} {}",
            self.table(),
            same.collect::<Vec<_>>().join(" AND "),
            self.arms().join(" ")
        )
    }

    /// What becomes of rows that are there, and of those that are not.
    fn arms(&self) -> Vec<String> {
        let (live, last) = (
            format!("s.{}", self.quote(LIVE)),
            format!("s.{}", self.quote(LAST)),
        );
        let stays = format!("{live} = {last}");
        let goes = format!("({live} IS NULL OR {live} <> {last})");
        let mut arms = Vec::new();
        match self.plan.deletes {
            Deletes::Soft => arms.push(format!(
                "WHEN MATCHED AND {live} IS NULL THEN UPDATE SET {}",
                self.marks()
            )),
            Deletes::Hard | Deletes::Ignore => {
                arms.push(format!("WHEN MATCHED AND {goes} THEN DELETE"));
            }
        }
        arms.push(format!(
            "WHEN MATCHED THEN UPDATE SET {}",
            self.updates(&goes)
        ));
        let condition = match self.plan.deletes {
            Deletes::Soft => String::new(),
            Deletes::Hard | Deletes::Ignore => format!(" AND {stays}"),
        };
        let (names, values) = self.inserts(&goes);
        arms.push(format!(
            "WHEN NOT MATCHED{condition} THEN INSERT ({names}) VALUES ({values})"
        ));
        arms
    }

    fn updates(&self, goes: &str) -> String {
        let own = self
            .plan
            .columns
            .iter()
            .filter(|c| !self.plan.key.contains(&c.name));
        let mut sets: Vec<String> = own
            .map(|column| {
                let name = self.quote(&column.name);
                format!("{name} = s.{name}")
            })
            .collect();
        sets.push(format!("{} = {}", self.quote(SYNCED_AT), self.synced_at));
        match self.plan.deletes {
            Deletes::Soft => sets.push(format!("{} = {goes}", self.quote(DELETED))),
            // A mark of a plan that is not followed any more: the row is there again.
            Deletes::Hard | Deletes::Ignore if self.types.contains_key(DELETED) => {
                sets.push(format!("{} = FALSE", self.quote(DELETED)));
            }
            Deletes::Hard | Deletes::Ignore => {}
        }
        sets.join(", ")
    }

    fn inserts(&self, goes: &str) -> (String, String) {
        let own = self
            .plan
            .columns
            .iter()
            .map(|column| self.quote(&column.name));
        let mut names: Vec<String> = own.collect();
        let mut values: Vec<String> = names.iter().map(|name| format!("s.{name}")).collect();
        names.push(self.quote(SYNCED_AT));
        values.push(self.synced_at.to_owned());
        if self.plan.deletes == Deletes::Soft {
            names.push(self.quote(DELETED));
            values.push(goes.to_owned());
        }
        (names.join(", "), values.join(", "))
    }

    fn marks(&self) -> String {
        let (deleted, synced) = (self.quote(DELETED), self.quote(SYNCED_AT));
        format!("{deleted} = TRUE, {synced} = {}", self.synced_at)
    }

    /// Rows that agree with one of the staged values of `columns` are gone.
    pub(crate) fn clear(&self, columns: &[TableColumn], staged: &Staged) -> Option<String> {
        let same = columns.iter().map(|column| {
            format!(
                "t.{} = {}",
                self.quote(&column.name),
                self.value("s", column)
            )
        });
        let is_one = format!(
            "EXISTS (SELECT 1 FROM {} AND {})",
            self.from(staged),
            same.collect::<Vec<_>>().join(" AND ")
        );
        let table = self.table();
        match self.plan.deletes {
            Deletes::Ignore => None,
            Deletes::Hard => Some(format!("DELETE FROM {table} AS t WHERE {is_one}")),
            Deletes::Soft => Some(format!(
                "UPDATE {table} AS t SET {} WHERE {is_one} AND NOT COALESCE(t.{}, FALSE)",
                self.marks(),
                self.quote(DELETED)
            )),
        }
    }

    /// Empties the table.
    pub(crate) fn truncate(&self, kind: TruncateKind) -> Option<String> {
        let table = self.table();
        match (kind, self.plan.deletes) {
            (TruncateKind::Restart, _)
            | (TruncateKind::Change | TruncateKind::Anew, Deletes::Hard) => {
                Some(format!("DELETE FROM {table} WHERE TRUE"))
            }
            (TruncateKind::Change | TruncateKind::Anew, Deletes::Soft) => Some(format!(
                "UPDATE {table} SET {} WHERE NOT COALESCE({}, FALSE)",
                self.marks(),
                self.quote(DELETED)
            )),
            (TruncateKind::Change | TruncateKind::Anew, Deletes::Ignore) => None,
        }
    }

    /// Staged rows as a temporary table of the columns' own types.
    pub(crate) fn unstage(&self, name: &str, staged: Option<&Staged>) -> String {
        let create = self.dialect.create_temporary(name);
        let values: Vec<String> = self
            .plan
            .columns
            .iter()
            .map(|column| {
                let value = match staged {
                    Some(_) => self.value("s", column),
                    None => format!("CAST(NULL AS {})", self.type_of(column)),
                };
                format!("{value} AS {}", self.quote(&column.name))
            })
            .collect();
        let (seq, delete) = (self.quote(STAGED_SEQ), self.quote(STAGED_DELETE));
        let values = values.join(", ");
        match staged {
            Some(staged) => format!(
                "{create} AS SELECT {values}, s.{seq}, s.{delete} FROM {}",
                self.from(staged)
            ),
            None => format!(
                "{create} AS SELECT {values}, CAST(NULL AS INT64) AS {seq}, \
                 CAST(NULL AS BOOL) AS {delete} FROM (SELECT 1) AS one WHERE FALSE"
            ),
        }
    }

    fn type_of(&self, column: &TableColumn) -> String {
        match self.types.get(&column.name.to_lowercase()) {
            Some((_, sql_type)) => sql_type.clone(),
            None => self.dialect.type_name(column.data_type).unwrap_or_default(),
        }
    }

    /// Stages, in a temporary table, a provisional delete of each current version that agrees with one
    /// of the staged values.
    pub(crate) fn clear_history(
        &self,
        name: &str,
        columns: &[TableColumn],
        staged: &Staged,
        seq: i64,
    ) -> String {
        let keys = |of: &str| {
            let keys = self
                .plan
                .key
                .iter()
                .map(|key| format!("{of}{}", self.quote(key)));
            keys.collect::<Vec<_>>().join(", ")
        };
        let same = columns.iter().map(|column| {
            format!(
                "t.{} = {}",
                self.quote(&column.name),
                self.value("s", column)
            )
        });
        format!(
            "INSERT INTO {} ({}, {}) SELECT {}, {seq} FROM {} AS t WHERE t.{} AND EXISTS (SELECT 1 FROM {} AND {})",
            self.quote(name),
            keys(""),
            self.quote(STAGED_SEQ),
            keys("t."),
            self.table(),
            self.quote(IS_CURRENT),
            self.from(staged),
            same.collect::<Vec<_>>().join(" AND ")
        )
    }

    /// Gives a new column its default in rows of this load that came without it.
    pub(crate) fn fill(&self, column: &TableColumn) -> Option<String> {
        let text = column.default.as_ref()?;
        let value = self
            .dialect
            .default_value(text, column.data_type, &self.type_of(column));
        let (name, synced) = (self.quote(&column.name), self.quote(SYNCED_AT));
        Some(format!(
            "UPDATE {} SET {name} = {value} WHERE {name} IS NULL AND {synced} = {}",
            self.table(),
            self.synced_at
        ))
    }

    /// Puts the rows of another table, of these columns, in place of those of this one.
    pub(crate) fn pour(&self, from: &TableName, columns: &[String]) -> Vec<String> {
        let names: Vec<String> = columns.iter().map(|name| self.quote(name)).collect();
        let names = names.join(", ");
        let mut more = String::new();
        let mut values = names.clone();
        // A column that only histories have, from a plan that is not followed any more.
        if self.types.contains_key(IS_CURRENT) && !columns.iter().any(|name| name == IS_CURRENT) {
            more = format!(", {}", self.quote(IS_CURRENT));
            values.push_str(", TRUE");
        }
        vec![
            format!("DELETE FROM {} WHERE TRUE", self.table()),
            format!(
                "INSERT INTO {} ({names}{more}) SELECT {values} FROM {}",
                self.table(),
                self.dialect.table(from)
            ),
        ]
    }
}

/// Whether a column is when a version begins.
pub(crate) fn is_begin(column: &TableColumn) -> bool {
    column.name == VALID_FROM
}

#[cfg(test)]
mod tests {
    use tributary_model::{Mode, StreamName};

    use super::*;

    fn with<T>(deletes: Deletes, ask: impl FnOnce(Text<'_>) -> T) -> T {
        let column = |name: &str, data_type| TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        };
        let plan = TablePlan {
            stream: StreamName::within("shop", "orders"),
            table: TableName {
                schema: "shop".to_owned(),
                table: "orders".to_owned(),
            },
            mode: Mode::Merge,
            deletes,
            columns: vec![
                column("id", DataType::Int64),
                column("price", DataType::Decimal(10, 2)),
                column("doc", DataType::Json),
            ],
            key: vec!["id".to_owned()],
        };
        let dialect = BigQueryDialect {
            project: "p".to_owned(),
        };
        ask(Text {
            dialect: &dialect,
            plan: &plan,
            types: &BTreeMap::new(),
            synced_at: "NOW",
        })
    }

    fn staged() -> Staged {
        Staged {
            table: TableName {
                schema: "_tributary".to_owned(),
                table: "stage_1".to_owned(),
            },
            rows: 3..7,
        }
    }

    #[test]
    fn a_fold_reads_the_table_once() {
        insta::assert_snapshot!(
            "merge_soft",
            with(Deletes::Soft, |text| text.merge(&staged()))
        );
        insta::assert_snapshot!(
            "merge_hard",
            with(Deletes::Hard, |text| text.merge(&staged()))
        );
    }

    #[test]
    fn other_statements() {
        let all = with(Deletes::Soft, |text| {
            let clear = text.clear(&text.plan.columns[..1], &staged());
            let truncate = text.truncate(TruncateKind::Change);
            [
                Some(text.insert(&staged())),
                clear,
                truncate,
                Some(text.unstage("t1", Some(&staged()))),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(";\n")
        });
        insta::assert_snapshot!("other_soft", all);
    }
}
