//! The statements that take staged rows into a table kept as `history`.
//!
//! A key's versions are intervals `[valid_from, valid_to)` that do not overlap; the newest is open and
//! current unless the key was deleted. Staged rows are *events* of a key, in the order of the source:
//! a row is the key's new values, a delete its end. The table becomes what applying them one by one
//! would make of it:
//!
//! * an event that changes nothing (the values are those of the current version, a delete where
//!   nothing is current) is left out. So what is loaded twice is there once;
//! * any other ends the current version, where there is one, and begins the next, unless it is a
//!   delete;
//! * it happens when the source says, else when the load began, but at least a microsecond after the
//!   key's event before it. So order is never decided by clocks: versions of one instant, and of
//!   clocks that go back, stay apart, in order, and none is empty.
//!
//! Proof of the last in one expression: with the i-th event of a key at `a(i)` and the newest known
//! instant of the key in the table at `b`, `t(i) = max(b + i, i + max over j <= i of (a(j) - j))`. Both
//! arms grow by at least 1 with i, the first is above `b`, the second not below `a(i)`.
//!
//! A staged delete that is NULL is *provisional*, from a list that comes anew: it counts only if no
//! other event of its key follows in the load.

use tributary_model::{Deletes, Result, TableColumn, TableName};

use crate::merge::{DELETED, STAGED_DELETE, STAGED_SEQ, SYNCED_AT};
use crate::{Dialect, Merge};

/// From when a version is valid.
pub const VALID_FROM: &str = "_tributary_valid_from";
/// Until when, itself excluded; NULL where it still is.
pub const VALID_TO: &str = "_tributary_valid_to";
/// Whether it is the newest version of a key that is not deleted.
pub const IS_CURRENT: &str = "_tributary_is_current";

/// When an event happens, in microseconds.
const AT: &str = "_tributary_at";
/// When the next one of its key does, and whether that one is a delete.
const NEXT: &str = "_tributary_next";
const NEXT_GONE: &str = "_tributary_next_gone";
/// Whether an event is a delete.
const GONE: &str = "_tributary_gone";
/// The number of an event among those of its key.
pub(crate) const RANK: &str = "_tributary_rank";
/// The newest instant that the table knows of a key.
const BEFORE: &str = "_tributary_before";

impl<D: Dialect> Merge<'_, D> {
    /// Takes the staged rows into the table.
    #[must_use]
    pub fn fold_history(&self) -> Vec<String> {
        vec![
            self.chain(),
            self.end_current(),
            self.insert_versions(),
            self.drop_fold(),
            self.drop_staging(),
        ]
    }

    /// Ends every current version, `at` microseconds, or when the load began. Staged rows must have
    /// been folded before.
    #[must_use]
    pub fn close(&self, at: Option<i64>) -> Vec<String> {
        if self.plan.deletes == Deletes::Ignore {
            return Vec::new();
        }
        let from = self.dialect.micros(&self.quoted(VALID_FROM));
        let at = at.map_or_else(|| self.now(), |at| at.to_string());
        let to = self.dialect.instant(&format!("GREATEST({at}, {from} + 1)"));
        vec![format!(
            "UPDATE {} SET {} WHERE {}",
            self.dialect.table(&self.plan.table),
            self.ending(&to, "TRUE"),
            self.quoted(IS_CURRENT)
        )]
    }

    /// Stages a provisional delete, number `seq`, of each current version that agrees with one of the
    /// cleared values, which go. Rows that were staged before must have been folded.
    #[must_use]
    pub fn clear_history(&self, names: &[&str], seq: i64) -> Vec<String> {
        let same = names.iter().map(|name| self.equal(name, "t", "f"));
        let stage = format!(
            "INSERT INTO {} ({}, {}) SELECT {}, {seq} FROM {} AS t WHERE t.{} AND EXISTS (SELECT 1 FROM {} AS f WHERE {})",
            self.quoted(&self.staging.rows),
            self.keys(""),
            self.quoted(STAGED_SEQ),
            self.keys("t."),
            self.dialect.table(&self.plan.table),
            self.quoted(IS_CURRENT),
            self.quoted(&self.staging.fold),
            same.collect::<Vec<_>>().join(" AND ")
        );
        vec![stage, self.drop_fold()]
    }

    /// Stages what continues the table: the versions of `beside`, a history of the same plan, and the
    /// end of every key that it does not have. Then fold.
    ///
    /// # Errors
    /// Fails where the warehouse lacks a type of the plan.
    pub fn stage_continuation(&self, beside: &TableName) -> Result<String> {
        let (from, to) = (self.quoted(VALID_FROM), self.quoted(VALID_TO));
        let (table, beside) = (
            self.dialect.table(&self.plan.table),
            self.dialect.table(beside),
        );
        let names: Vec<String> = self
            .plan
            .columns
            .iter()
            .map(|c| self.quoted(&c.name))
            .collect();
        let mut parts = vec![format!(
            "SELECT {}, FALSE AS {} FROM {beside}",
            names.join(", "),
            self.quoted(STAGED_DELETE)
        )];
        if self.plan.deletes != Deletes::Ignore {
            let same = self.same("n", "t");
            parts.push(format!(
                "SELECT {}, TRUE FROM {beside} AS t WHERE t.{to} IS NOT NULL AND NOT EXISTS \
                 (SELECT 1 FROM {beside} AS n WHERE {same} AND n.{from} = t.{to})",
                self.key_and(&format!("t.{to}"))?
            ));
            parts.push(format!(
                "SELECT {}, TRUE FROM {table} AS t WHERE t.{} AND NOT EXISTS \
                 (SELECT 1 FROM {beside} AS n WHERE {same})",
                self.key_and(self.synced_at)?,
                self.quoted(IS_CURRENT)
            ));
        }
        let names = names.join(", ");
        let (seq, delete) = (self.quoted(STAGED_SEQ), self.quoted(STAGED_DELETE));
        Ok(format!(
            "INSERT INTO {} ({names}, {delete}, {seq}) SELECT {names}, {delete}, \
             ROW_NUMBER() OVER (ORDER BY {from}) FROM ({}) AS s",
            self.quoted(&self.staging.rows),
            parts.join(" UNION ALL ")
        ))
    }

    /// Finds the events that change something, and when each happens.
    fn chain(&self) -> String {
        let create = self.dialect.create_temporary(&self.staging.fold);
        format!("{create} AS {}", self.events())
    }

    /// The question for the events that change something, and when each happens: what
    /// [`Self::end_current`] and [`Self::insert_versions`] find in the table of the fold. For
    /// warehouses that can't make a table within a transaction.
    #[must_use]
    pub fn events(&self) -> String {
        let (at, rank, before) = (self.quoted(AT), self.quoted(RANK), self.quoted(BEFORE));
        let (seq, gone) = (self.quoted(STAGED_SEQ), self.quoted(GONE));
        let (keys, group) = (self.keys(""), self.group(""));
        // Some engines want the frame to be said.
        let latest = format!(
            "{rank} + MAX({at} - {rank}) OVER (PARTITION BY {group} ORDER BY {seq} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
        );
        let timed = format!(
            "SELECT {keys}, {seq}, {gone}, {rank}, \
             GREATEST({latest}, COALESCE({before} + {rank}, {latest})) AS {at} FROM \
             (SELECT e.*, ROW_NUMBER() OVER (PARTITION BY {group} ORDER BY {seq}) AS {rank} FROM e) AS i"
        );
        let next = format!("OVER (PARTITION BY {group} ORDER BY {seq})");
        format!(
            "WITH p AS ({}), n AS ({}), e AS ({}) \
             SELECT {keys}, {seq}, {gone}, {rank}, {at}, LEAD({at}) {next} AS {}, \
             LEAD({gone}) {next} AS {} FROM ({timed}) AS m",
            self.newest_versions(),
            self.numbered_events(),
            self.effective_events(),
            self.quoted(NEXT),
            self.quoted(NEXT_GONE)
        )
    }

    /// The newest version of each key that events are staged of.
    fn newest_versions(&self) -> String {
        let (from, to) = (self.quoted(VALID_FROM), self.quoted(VALID_TO));
        let (current, rank) = (self.quoted(IS_CURRENT), self.quoted(RANK));
        format!(
            "SELECT v.*, CASE WHEN v.{current} THEN {} ELSE {} END AS {} FROM \
             (SELECT t.*, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY t.{from} DESC) AS {rank} \
             FROM {} AS t WHERE EXISTS (SELECT 1 FROM {} AS s WHERE {})) AS v WHERE v.{rank} = 1",
            self.dialect.micros(&format!("v.{from}")),
            self.dialect.micros(&format!("v.{to}")),
            self.quoted(BEFORE),
            self.group("t."),
            self.dialect.table(&self.plan.table),
            self.quoted(&self.staging.rows),
            self.same("s", "t")
        )
    }

    /// The events of each key in order, without provisional deletes that something follows.
    fn numbered_events(&self) -> String {
        let (seq, delete) = (self.quoted(STAGED_SEQ), self.quoted(STAGED_DELETE));
        let (group, last) = (self.group("s."), self.quoted(NEXT));
        format!(
            "SELECT s.*, ROW_NUMBER() OVER (PARTITION BY {group} ORDER BY s.{seq}) AS {} FROM \
             (SELECT s.*, MAX(CASE WHEN s.{delete} IS NOT NULL THEN s.{seq} END) OVER \
             (PARTITION BY {group}) AS {last} FROM {} AS s) AS s \
             WHERE s.{delete} IS NOT NULL OR s.{last} IS NULL OR s.{last} < s.{seq}",
            self.quoted(RANK),
            self.quoted(&self.staging.rows)
        )
    }

    /// The events that are not what the one before has left, or the table where it is the first.
    fn effective_events(&self) -> String {
        let (rank, current) = (self.quoted(RANK), self.quoted(IS_CURRENT));
        let is_gone = |of: &str| format!("COALESCE({of}.{}, TRUE)", self.quoted(STAGED_DELETE));
        let is_there = format!("COALESCE(p.{current}, FALSE)");
        let at = self
            .dialect
            .micros(&format!("n.{}", self.quoted(VALID_FROM)));
        format!(
            "SELECT {}, n.{seq}, {} AS {}, COALESCE({at}, {}) AS {}, p.{} FROM n \
             LEFT JOIN n AS b ON {} AND b.{rank} = n.{rank} - 1 LEFT JOIN p ON {} \
             WHERE CASE WHEN {} THEN CASE WHEN n.{rank} = 1 THEN {is_there} ELSE NOT {} END \
             WHEN n.{rank} = 1 THEN NOT {is_there} OR {} ELSE {} OR {} END",
            self.keys("n."),
            is_gone("n"),
            self.quoted(GONE),
            self.now(),
            self.quoted(AT),
            self.quoted(BEFORE),
            self.same("b", "n"),
            self.same("p", "n"),
            is_gone("n"),
            is_gone("b"),
            self.differs("p"),
            is_gone("b"),
            self.differs("b"),
            seq = self.quoted(STAGED_SEQ),
        )
    }

    /// Whether an event's values are not those of `other`.
    fn differs(&self, other: &str) -> String {
        let is_value = |column: &&TableColumn| {
            column.name != VALID_FROM && !self.plan.key.contains(&column.name)
        };
        let pairs = self.plan.columns.iter().filter(is_value).map(|column| {
            let name = self.quoted(&column.name);
            let (one, other) = (format!("n.{name}"), format!("{other}.{name}"));
            self.dialect.differ(&one, &other, column.data_type)
        });
        let pairs: Vec<String> = pairs.collect();
        match pairs.is_empty() {
            true => "FALSE".to_owned(),
            false => format!("({})", pairs.join(" OR ")),
        }
    }

    /// Ends the current versions of keys that have events.
    #[must_use]
    pub fn end_current(&self) -> String {
        let to = self.dialect.instant(&format!("f.{}", self.quoted(AT)));
        format!(
            "UPDATE {} AS t SET {} FROM {} AS f WHERE f.{} = 1 AND {} AND t.{}",
            self.dialect.table(&self.plan.table),
            self.ending(&to, &format!("f.{}", self.quoted(GONE))),
            self.quoted(&self.staging.fold),
            self.quoted(RANK),
            self.same_key(),
            self.quoted(IS_CURRENT)
        )
    }

    /// Inserts a version for each event that is not a delete.
    #[must_use]
    pub fn insert_versions(&self) -> String {
        let mut names: Vec<String> = Vec::new();
        let mut values: Vec<String> = Vec::new();
        let from = self.dialect.instant(&format!("f.{}", self.quoted(AT)));
        for column in &self.plan.columns {
            let name = self.quoted(&column.name);
            values.push(match column.name.as_str() {
                VALID_FROM => from.clone(),
                _ => format!("s.{name}"),
            });
            names.push(name);
        }
        let next = format!("f.{}", self.quoted(NEXT));
        let mut own = vec![(SYNCED_AT, self.synced_at.to_owned())];
        if self.plan.deletes == Deletes::Soft {
            let gone = format!("COALESCE(f.{}, FALSE)", self.quoted(NEXT_GONE));
            own.push((DELETED, gone));
        }
        own.push((VALID_TO, self.dialect.instant(&next)));
        own.push((IS_CURRENT, format!("{next} IS NULL")));
        for (name, value) in own {
            names.push(self.quoted(name));
            values.push(value);
        }
        format!(
            "INSERT INTO {} ({}) SELECT {} FROM {} AS s JOIN {} AS f ON s.{seq} = f.{seq} WHERE NOT f.{}",
            self.dialect.table(&self.plan.table),
            names.join(", "),
            values.join(", "),
            self.quoted(&self.staging.rows),
            self.quoted(&self.staging.fold),
            self.quoted(GONE),
            seq = self.quoted(STAGED_SEQ),
        )
    }

    /// What is set in a version that ends at `to`; `gone` says whether the key does.
    fn ending(&self, to: &str, gone: &str) -> String {
        let mark = match self.plan.deletes {
            Deletes::Soft => format!(", {} = {gone}", self.quoted(DELETED)),
            Deletes::Hard | Deletes::Ignore => String::new(),
        };
        format!(
            "{} = {to}, {} = FALSE, {} = {}{mark}",
            self.quoted(VALID_TO),
            self.quoted(IS_CURRENT),
            self.quoted(SYNCED_AT),
            self.synced_at
        )
    }

    /// When the load began, in microseconds.
    fn now(&self) -> String {
        self.dialect.micros(self.synced_at)
    }

    /// The key's columns.
    fn keys(&self, of: &str) -> String {
        let keys = self.plan.key.iter();
        let keys: Vec<String> = keys
            .map(|key| format!("{of}{}", self.quoted(key)))
            .collect();
        keys.join(", ")
    }

    fn same(&self, one: &str, other: &str) -> String {
        let keys = self.plan.key.iter();
        let pairs = keys.map(|key| self.equal(key, one, other));
        pairs.collect::<Vec<_>>().join(" AND ")
    }

    /// The plan's columns with the key of `t`, `at` as the time, and nothing else.
    fn key_and(&self, at: &str) -> Result<String> {
        let types = self.define(self.plan.columns.iter())?;
        let values = self
            .plan
            .columns
            .iter()
            .zip(types)
            .map(|(column, defined)| {
                let name = self.quoted(&column.name);
                if column.name == VALID_FROM {
                    at.to_owned()
                } else if self.plan.key.contains(&column.name) {
                    format!("t.{name}")
                } else {
                    let sql_type = defined.strip_prefix(&name).unwrap_or_default();
                    format!("CAST(NULL AS{sql_type})")
                }
            });
        Ok(values.collect::<Vec<_>>().join(", "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::{DataType, Mode};

    use super::*;
    use crate::Staging;
    use crate::sample::{Plain, column, plan};

    fn with<T>(deletes: Deletes, ask: impl FnOnce(Merge<'_, Plain>) -> T) -> T {
        let mut plan = plan();
        plan.mode = Mode::History;
        plan.deletes = deletes;
        plan.columns
            .push(column(VALID_FROM, DataType::TimestampTz, None));
        ask(Merge {
            dialect: &Plain,
            plan: &plan,
            staging: &Staging {
                rows: "staged".to_owned(),
                fold: "fold".to_owned(),
            },
            synced_at: "NOW",
        })
    }

    /// What the statements do is tested where they can be run; here is only which there are.
    #[test]
    fn a_fold_ends_versions_and_inserts_others() {
        for deletes in [Deletes::Soft, Deletes::Hard, Deletes::Ignore] {
            let statements = with(deletes, |merge| merge.fold_history());
            let begin = |text: &str| statements.iter().position(|s| s.starts_with(text));
            assert_eq!(begin("CREATE TEMPORARY TABLE \"fold\""), Some(0));
            assert!(begin("UPDATE") < begin("INSERT"), "{statements:#?}");
            assert!(!statements.iter().any(|s| s.contains("DELETE")));
            let marks = statements[1].contains(DELETED);
            assert_eq!(marks, deletes == Deletes::Soft);
        }
    }

    #[test]
    fn nothing_ends_where_deletes_are_ignored() {
        let close = |deletes| with(deletes, |merge| merge.close(Some(7))).join(";");
        assert_eq!(close(Deletes::Ignore), "");
        assert!(close(Deletes::Hard).contains("GREATEST(7, "));
        let beside = TableName {
            schema: "shop".to_owned(),
            table: "next".to_owned(),
        };
        let stage = |deletes| with(deletes, |merge| merge.stage_continuation(&beside)).unwrap();
        assert!(!stage(Deletes::Ignore).contains("UNION"));
        assert!(stage(Deletes::Soft).contains("CAST(NULL AS TEXT)"));
    }
}
