//! The statements that take staged rows into a table: one MERGE, or one INSERT where no row can meet
//! another of its key.
//!
//! What becomes of each key is what [`tributary_sql::Merge`] describes: its *live* row is its newest
//! that is not a delete. The source of the MERGE has one row for each key, so no row of the table is
//! met by two. That row is the live one, or the first delete where there is none; it is *dead* where a
//! delete came last, and *gone* where nothing but deletes came.

use tributary_model::{DataType, Deletes, TablePlan};
use tributary_sql::{DELETED, Dialect, FIRST, LIVE, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, Staged};

use crate::dialect::Snow;

const LAST: &str = "_tributary_last";
const DEAD: &str = "_tributary_dead";
const GONE: &str = "_tributary_gone";

/// Staged rows of one plan, on their way into its table.
pub(crate) struct Fold<'a> {
    pub(crate) dialect: Snow,
    pub(crate) plan: &'a TablePlan,
    /// The staging table.
    pub(crate) staged: &'a str,
    /// The types that the table's columns have.
    pub(crate) types: &'a dyn Fn(&str) -> Option<DataType>,
    /// Whether the table has marks of an earlier plan, which a row that comes again must lose.
    pub(crate) unmarks: bool,
    /// When the load began, as SQL.
    pub(crate) synced_at: &'a str,
}

impl Fold<'_> {
    /// Takes every row as it is.
    pub(crate) fn insert(&self) -> String {
        let (names, values) = self.row("s.", &format!("s.{}", self.quoted(STAGED_DELETE)));
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS s",
            self.dialect.table(&self.plan.table),
            names.join(", "),
            values.join(", "),
            self.quoted(self.staged)
        )
    }

    /// Takes the newest row of each key.
    pub(crate) fn merge(&self, staged: Staged) -> String {
        let arms = match (staged, self.plan.deletes) {
            (Staged::Upserts, _) => self.upserts("FALSE"),
            (Staged::Deletes, Deletes::Soft) => format!(
                "WHEN MATCHED AND s.{} THEN UPDATE SET {} = TRUE, {} = {} {}",
                self.quoted(GONE),
                self.quoted(DELETED),
                self.quoted(SYNCED_AT),
                self.synced_at,
                self.upserts(&format!("s.{}", self.quoted(DEAD)))
            ),
            (Staged::Deletes, Deletes::Hard | Deletes::Ignore) => {
                let dead = format!("s.{}", self.quoted(DEAD));
                let (names, values) = self.row("s.", "FALSE");
                format!(
                    "WHEN MATCHED AND {dead} THEN DELETE WHEN MATCHED THEN UPDATE SET {} \
                     WHEN NOT MATCHED AND NOT {dead} THEN INSERT ({}) VALUES ({})",
                    self.sets("FALSE"),
                    names.join(", "),
                    values.join(", ")
                )
            }
        };
        format!(
            "MERGE INTO {} AS t USING ({}) AS s ON {} {arms}",
            self.dialect.table(&self.plan.table),
            self.winners(staged),
            self.same_key()
        )
    }

    fn upserts(&self, deleted: &str) -> String {
        let (names, values) = self.row("s.", deleted);
        format!(
            "WHEN MATCHED THEN UPDATE SET {} WHEN NOT MATCHED THEN INSERT ({}) VALUES ({})",
            self.sets(deleted),
            names.join(", "),
            values.join(", ")
        )
    }

    /// One row for each key.
    fn winners(&self, staged: Staged) -> String {
        let rows = self.quoted(self.staged);
        let (seq, delete) = (self.quoted(STAGED_SEQ), self.quoted(STAGED_DELETE));
        let (live, last, first) = (self.quoted(LIVE), self.quoted(LAST), self.quoted(FIRST));
        let key: Vec<String> = self.plan.key.iter().map(|name| self.quoted(name)).collect();
        let key = key.join(", ");
        match staged {
            Staged::Upserts => format!(
                "SELECT r.* FROM {rows} AS r JOIN (SELECT {key}, MAX({seq}) AS {live} FROM {rows} \
                 GROUP BY {key}) AS f ON r.{seq} = f.{live}"
            ),
            Staged::Deletes => format!(
                "SELECT r.*, f.{live} IS NULL AS {}, COALESCE(f.{live} <> f.{last}, TRUE) AS {} \
                 FROM {rows} AS r JOIN (SELECT {key}, \
                 MAX(CASE WHEN NOT {delete} THEN {seq} END) AS {live}, MAX({seq}) AS {last}, \
                 MIN({seq}) AS {first} FROM {rows} GROUP BY {key}) AS f \
                 ON r.{seq} = COALESCE(f.{live}, f.{first})",
                self.quoted(GONE),
                self.quoted(DEAD)
            ),
        }
    }

    /// The names of a row's columns, and its values.
    fn row(&self, of: &str, deleted: &str) -> (Vec<String>, Vec<String>) {
        let own = self.plan.columns.iter().map(|column| {
            (
                self.quoted(&column.name),
                self.value(of, &column.name, column.data_type),
            )
        });
        let mut row: Vec<(String, String)> = own.collect();
        row.push((self.quoted(SYNCED_AT), self.synced_at.to_owned()));
        if self.plan.deletes == Deletes::Soft {
            row.push((self.quoted(DELETED), deleted.to_owned()));
        }
        row.into_iter().unzip()
    }

    /// What is set in a row that is there: all but its key.
    fn sets(&self, deleted: &str) -> String {
        let is_value = |name: &str| !self.plan.key.iter().any(|key| key == name);
        let own = self
            .plan
            .columns
            .iter()
            .filter(|column| is_value(&column.name));
        let mut sets: Vec<String> = own
            .map(|column| {
                let value = self.value("s.", &column.name, column.data_type);
                format!("{} = {value}", self.quoted(&column.name))
            })
            .collect();
        sets.push(format!("{} = {}", self.quoted(SYNCED_AT), self.synced_at));
        if self.plan.deletes == Deletes::Soft {
            sets.push(format!("{} = {deleted}", self.quoted(DELETED)));
        } else if self.unmarks {
            sets.push(format!("{} = NULL", self.quoted(DELETED)));
        }
        sets.join(", ")
    }

    fn value(&self, of: &str, name: &str, data_type: DataType) -> String {
        let to = (self.types)(name).unwrap_or(data_type);
        let value = format!("{of}{}", self.quoted(name));
        self.dialect.unstaged(&value, data_type, to)
    }

    fn same_key(&self) -> String {
        let pairs = self.plan.key.iter().map(|name| {
            let name = self.quoted(name);
            format!("t.{name} = s.{name}")
        });
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    fn quoted(&self, name: &str) -> String {
        self.dialect.quote(name)
    }
}
