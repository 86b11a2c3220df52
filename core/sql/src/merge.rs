//! The statements that take rows of a plan into its table.
//!
//! Rows that may meet others of the same key are staged in the order of the source, numbered by
//! [`STAGED_SEQ`]. Folding gives the table the content that applying them one by one would give:
//!
//! * the *live* row of a key is its newest that is not a delete, the *last* its newest of all;
//! * `hard`: the key's row goes; the live row comes if it is the last;
//! * `soft`: the live row comes, marked if it is not the last. A key with deletes alone marks the
//!   row that is there, and where there is none its first delete becomes the row, marked;
//! * `ignore`: deletes are not staged at all.
//!
//! Never MERGE: on some engines it takes an arbitrary one of several rows of a key, on others it
//! takes them all. Keys are compared by `=`, which lets engines skip by their zone maps; a row
//! without a key value must not be staged.

use tributary_model::{DataType, Deletes, Error, Result, TableColumn, TablePlan, TruncateKind};

use crate::{Dialect, Upsert};

/// When the load that wrote a row began.
pub const SYNCED_AT: &str = "_tributary_synced_at";
/// Whether the source has deleted the row.
pub const DELETED: &str = "_tributary_deleted";
/// The number of a staged row: later rows have higher ones.
pub const STAGED_SEQ: &str = "_tributary_staged_seq";
/// Whether a staged row is a delete.
pub const STAGED_DELETE: &str = "_tributary_staged_delete";

/// The number of a key's live row, where it has one.
pub const LIVE: &str = "_tributary_live";
/// The number of a key's first row.
pub const FIRST: &str = "_tributary_first";
const LAST: &str = "_tributary_last";

/// What the staged rows are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staged {
    /// No delete among them.
    Upserts,
    /// Deletes too.
    Deletes,
}

/// The names of the temporary tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Staging {
    /// Holds the staged rows.
    pub rows: String,
    /// Holds, while folding, what becomes of each key.
    pub fold: String,
}

/// The statements for one table.
#[derive(Clone, Copy, Debug)]
pub struct Merge<'a, D> {
    /// The warehouse.
    pub dialect: &'a D,
    /// The table.
    pub plan: &'a TablePlan,
    /// Where its rows are staged.
    pub staging: &'a Staging,
    /// The value of [`SYNCED_AT`], as an SQL expression.
    pub synced_at: &'a str,
}

impl<D: Dialect> Merge<'_, D> {
    /// Makes the staging table: the plan's columns and our two.
    ///
    /// # Errors
    /// Fails where the warehouse lacks a type of the plan; evolving the table finds that earlier.
    pub fn create_staging(&self) -> Result<String> {
        let mut columns = self.define(self.plan.columns.iter())?;
        columns.push(format!("{} BIGINT", self.dialect.quote(STAGED_SEQ)));
        columns.push(format!("{} BOOLEAN", self.dialect.quote(STAGED_DELETE)));
        let create = self.dialect.create_temporary(&self.staging.rows);
        Ok(format!("{create} ({})", columns.join(", ")))
    }

    /// Folds the staged rows into the table.
    #[must_use]
    pub fn fold(&self, staged: Staged) -> Vec<String> {
        let mut statements = vec![];
        statements.extend(self.dialect.analyze(&self.staging.rows));
        statements.push(self.find_winners(staged));
        statements.extend(self.dialect.analyze(&self.staging.fold));
        statements.extend(self.make_way(staged));
        if (staged, self.plan.deletes) == (Staged::Deletes, Deletes::Soft) {
            statements.push(self.insert_tombstones());
        }
        statements.push(self.insert_live(staged));
        statements.push(self.drop_fold());
        statements.push(self.drop_staging());
        statements
    }

    /// Takes the rows that are there out of the way, or marks them, once it is known what becomes of
    /// each key. It needs no staged rows.
    #[must_use]
    pub fn make_way(&self, staged: Staged) -> Vec<String> {
        let (live, last) = (self.quoted(LIVE), self.quoted(LAST));
        match (self.dialect.upsert(), staged, self.plan.deletes) {
            (Upsert::DeleteThenInsert, Staged::Deletes, Deletes::Soft) => vec![
                self.delete_matches(&format!(" AND f.{live} IS NOT NULL")),
                self.mark_existing(),
            ],
            (Upsert::DeleteThenInsert, ..) => vec![self.delete_matches("")],
            (Upsert::OnConflict, Staged::Deletes, Deletes::Soft) => vec![self.mark_existing()],
            (Upsert::OnConflict, Staged::Deletes, Deletes::Hard | Deletes::Ignore) => {
                vec![self.delete_matches(&format!(" AND f.{live} IS DISTINCT FROM f.{last}"))]
            }
            (Upsert::OnConflict, Staged::Upserts, _) => Vec::new(),
        }
    }

    /// Makes the table of what becomes of each key: the key's columns, then [`LIVE`] and [`FIRST`].
    ///
    /// # Errors
    /// As [`Self::create_staging`].
    pub fn create_fold(&self) -> Result<String> {
        let is_key = |column: &&TableColumn| self.plan.key.contains(&column.name);
        let mut columns = self.define(self.plan.columns.iter().filter(is_key))?;
        columns.extend([LIVE, FIRST].map(|name| format!("{} BIGINT", self.quoted(name))));
        let create = self.dialect.create_temporary(&self.staging.fold);
        Ok(format!("{create} ({})", columns.join(", ")))
    }

    /// Drops the table of what becomes of each key.
    #[must_use]
    pub fn drop_fold(&self) -> String {
        format!("DROP TABLE {}", self.quoted(&self.staging.fold))
    }

    /// Takes every staged row as it is: for `append`.
    #[must_use]
    pub fn append(&self) -> Vec<String> {
        let deleted = format!("s.{}", self.quoted(STAGED_DELETE));
        let insert = self.insert(
            &deleted,
            &format!("{} AS s", self.quoted(&self.staging.rows)),
        );
        vec![insert, self.drop_staging()]
    }

    /// Makes room for the values that say which rows are gone: some of the plan's columns.
    ///
    /// # Errors
    /// Fails for a type that the dialect does not have.
    pub fn create_clear(&self, names: &[&str]) -> Result<String> {
        let is_named = |column: &&TableColumn| names.contains(&column.name.as_str());
        let columns = self.define(self.plan.columns.iter().filter(is_named))?;
        let create = self.dialect.create_temporary(&self.staging.fold);
        Ok(format!("{create} ({})", columns.join(", ")))
    }

    /// Rows that agree with one of those values are gone. Staged rows must have been folded before.
    #[must_use]
    pub fn clear(&self, names: &[&str]) -> Vec<String> {
        let (table, fold) = (
            self.dialect.table(&self.plan.table),
            self.quoted(&self.staging.fold),
        );
        let same = |target: &str| self.agree(names.iter().copied(), target);
        let go = match self.plan.deletes {
            Deletes::Ignore => None,
            Deletes::Hard => {
                let (target, called) = self.dialect.delete_target(&table);
                Some(format!(
                    "DELETE FROM {target} USING {fold} AS f WHERE {}",
                    same(&called)
                ))
            }
            Deletes::Soft => Some(format!(
                "UPDATE {table} AS t SET {} FROM {fold} AS f WHERE {} AND NOT COALESCE(t.{}, FALSE)",
                self.marks(),
                same("t"),
                self.quoted(DELETED)
            )),
        };
        go.into_iter().chain([self.drop_fold()]).collect()
    }

    /// Empties the table. Staged rows must have been folded before, or dropped where none would
    /// stay.
    #[must_use]
    pub fn truncate(&self, kind: TruncateKind) -> Vec<String> {
        let table = self.dialect.table(&self.plan.table);
        match (kind, self.plan.deletes) {
            (TruncateKind::Restart, _)
            | (TruncateKind::Change | TruncateKind::Anew, Deletes::Hard) => {
                vec![format!("DELETE FROM {table}")]
            }
            (TruncateKind::Change | TruncateKind::Anew, Deletes::Soft) => vec![format!(
                "UPDATE {table} SET {} WHERE NOT COALESCE({}, FALSE)",
                self.marks(),
                self.quoted(DELETED)
            )],
            (TruncateKind::Change | TruncateKind::Anew, Deletes::Ignore) => Vec::new(),
        }
    }

    /// Drops the staging table with what it holds.
    #[must_use]
    pub fn drop_staging(&self) -> String {
        format!("DROP TABLE {}", self.quoted(&self.staging.rows))
    }

    pub(crate) fn define<'p>(
        &self,
        columns: impl Iterator<Item = &'p TableColumn>,
    ) -> Result<Vec<String>> {
        let define = |column: &TableColumn| {
            let sql_type = self.dialect.type_name(column.data_type).ok_or_else(|| {
                Error::bug(format!(
                    "rows of type {} were to be staged",
                    column.data_type
                ))
            })?;
            Ok(format!("{} {sql_type}", self.quoted(&column.name)))
        };
        columns.map(define).collect()
    }

    fn find_winners(&self, staged: Staged) -> String {
        let seq = self.quoted(STAGED_SEQ);
        let delete = self.quoted(STAGED_DELETE);
        let (live, last, first) = (self.quoted(LIVE), self.quoted(LAST), self.quoted(FIRST));
        let values = match staged {
            Staged::Upserts => format!("MAX({seq}) AS {live}"),
            Staged::Deletes => format!(
                "MAX(CASE WHEN NOT {delete} THEN {seq} END) AS {live}, \
                 MAX({seq}) AS {last}, MIN({seq}) AS {first}"
            ),
        };
        let key: Vec<String> = self.plan.key.iter().map(|k| self.quoted(k)).collect();
        let key = key.join(", ");
        format!(
            "{} AS SELECT {key}, {values} FROM {} GROUP BY {}",
            self.dialect.create_temporary(&self.staging.fold),
            self.quoted(&self.staging.rows),
            self.group("")
        )
    }

    fn delete_matches(&self, condition: &str) -> String {
        let table = self.dialect.table(&self.plan.table);
        let (target, called) = self.dialect.delete_target(&table);
        format!(
            "DELETE FROM {target} USING {} AS f WHERE {}{condition}",
            self.quoted(&self.staging.fold),
            self.agree(self.plan.key.iter().map(String::as_str), &called)
        )
    }

    fn mark_existing(&self) -> String {
        format!(
            "UPDATE {} AS t SET {} FROM {} AS f WHERE {} AND f.{} IS NULL",
            self.dialect.table(&self.plan.table),
            self.marks(),
            self.quoted(&self.staging.fold),
            self.same_key(),
            self.quoted(LIVE)
        )
    }

    /// Inserts the first staged row of each key that has no live one and no row in the table.
    #[must_use]
    pub fn insert_tombstones(&self) -> String {
        let from = format!(
            "{} WHERE f.{} IS NULL AND NOT EXISTS (SELECT 1 FROM {} AS t WHERE {})",
            self.staged_with(FIRST),
            self.quoted(LIVE),
            self.dialect.table(&self.plan.table),
            self.same_key()
        );
        self.insert("TRUE", &from)
    }

    fn insert_live(&self, staged: Staged) -> String {
        let (live, last) = (self.quoted(LIVE), self.quoted(LAST));
        let from = self.staged_with(LIVE);
        let insert = match (staged, self.plan.deletes) {
            (Staged::Upserts, _) => self.insert("FALSE", &from),
            (Staged::Deletes, Deletes::Soft) => {
                self.insert(&format!("f.{live} <> f.{last}"), &from)
            }
            (Staged::Deletes, Deletes::Hard | Deletes::Ignore) => {
                self.insert("FALSE", &format!("{from} WHERE f.{live} = f.{last}"))
            }
        };
        match self.dialect.upsert() {
            Upsert::DeleteThenInsert => insert,
            Upsert::OnConflict => format!("{insert} {}", self.or_update()),
        }
    }

    /// What becomes of a row that is there: all but its key, and columns that the plan does not have.
    fn or_update(&self) -> String {
        let is_key = |name: &String| self.plan.key.contains(name);
        let names = self.plan.columns.iter().map(|column| &column.name);
        let mut names: Vec<&str> = names
            .filter(|name| !is_key(name))
            .map(String::as_str)
            .collect();
        names.push(SYNCED_AT);
        if self.plan.deletes == Deletes::Soft {
            names.push(DELETED);
        }
        let sets = names.into_iter().map(|name| {
            let name = self.quoted(name);
            format!("{name} = EXCLUDED.{name}")
        });
        let sets: Vec<String> = sets.collect();
        let key: Vec<String> = self.plan.key.iter().map(|name| self.quoted(name)).collect();
        format!(
            "ON CONFLICT ({}) DO UPDATE SET {}",
            key.join(", "),
            sets.join(", ")
        )
    }

    /// The staged rows that the fold names in `column`.
    fn staged_with(&self, column: &str) -> String {
        format!(
            "{} AS s JOIN {} AS f ON s.{} = f.{}",
            self.quoted(&self.staging.rows),
            self.quoted(&self.staging.fold),
            self.quoted(STAGED_SEQ),
            self.quoted(column)
        )
    }

    pub(crate) fn insert(&self, deleted: &str, from: &str) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut values: Vec<String> = Vec::new();
        for column in &self.plan.columns {
            names.push(self.quoted(&column.name));
            values.push(format!("s.{}", self.quoted(&column.name)));
        }
        names.push(self.quoted(SYNCED_AT));
        values.push(self.synced_at.to_owned());
        if self.plan.deletes == Deletes::Soft {
            names.push(self.quoted(DELETED));
            values.push(deleted.to_owned());
        }
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {from}",
            self.dialect.table(&self.plan.table),
            names.join(", "),
            values.join(", ")
        )
    }

    fn marks(&self) -> String {
        let (deleted, synced_at) = (self.quoted(DELETED), self.quoted(SYNCED_AT));
        format!("{deleted} = TRUE, {synced_at} = {}", self.synced_at)
    }

    pub(crate) fn same_key(&self) -> String {
        self.agree(self.plan.key.iter().map(String::as_str), "t")
    }

    /// Whether the table, called `target`, and the fold agree in these columns.
    fn agree<'n>(&self, names: impl Iterator<Item = &'n str>, target: &str) -> String {
        let pairs = names.map(|name| self.equal(name, target, "f"));
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    /// Whether a column of the plan has the same value in `one` and `other`.
    pub(crate) fn equal(&self, name: &str, one: &str, other: &str) -> String {
        let quoted = self.quoted(name);
        let (one, other) = (format!("{one}.{quoted}"), format!("{other}.{quoted}"));
        match self.data_type(name) {
            Some(data_type) => self.dialect.equal(&one, &other, data_type),
            None => format!("{one} = {other}"),
        }
    }

    /// What rows are grouped by so that those of one key come together; `of` says whose they are.
    pub(crate) fn group(&self, of: &str) -> String {
        let keys = self.plan.key.iter().map(|name| {
            let value = format!("{of}{}", self.quoted(name));
            match self.data_type(name) {
                Some(data_type) => self.dialect.group(&value, data_type),
                None => value,
            }
        });
        keys.collect::<Vec<_>>().join(", ")
    }

    fn data_type(&self, name: &str) -> Option<DataType> {
        let mut columns = self.plan.columns.iter();
        let column = columns.find(|column| column.name == name)?;
        Some(column.data_type)
    }

    pub(crate) fn quoted(&self, name: &str) -> String {
        self.dialect.quote(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
#[path = "merge_tests.rs"]
mod tests;
