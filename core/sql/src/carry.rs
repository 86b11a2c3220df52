//! What a table had besides the rows that were read anew.
//!
//! A stream that is read anew without anybody asking for it (its cursor is gone, it was stopped or left
//! out for a while) is built beside its table. Before that one goes, what only it has comes along:
//!
//! * `append`: all of its rows, as none is ever changed;
//! * `merge`: rows of keys that are not among the new ones. They are gone in the source: so they are
//!   marked with `deletes: soft`, and left as they are with `ignore`. With `hard` none comes.
//!
//! A row without its key can't be told from the new ones and does not come. Where the key is another one
//! than it was, several rows may have the same: the one that was written last comes. `replace` has
//! nothing besides, and how a history goes on is in [`crate::history`].

use tributary_model::{Deletes, Mode, TableName, TablePlan};

use crate::history::RANK;
use crate::merge::{DELETED, SYNCED_AT};
use crate::{Dialect, FoundColumn};

/// The statement that takes what the table of `plan` has besides into the one `beside`, where there may
/// be any. `had` and `has` are the columns of the one and the other.
#[must_use]
pub fn carry_over<D: Dialect>(
    dialect: &D,
    plan: &TablePlan,
    beside: &TableName,
    (had, has): (&[FoundColumn], &[FoundColumn]),
    synced_at: &str,
) -> Option<String> {
    let is_in = |columns: &[FoundColumn], name: &str| {
        let mut names = columns.iter().map(|column| column.name.as_str());
        names.any(|other| dialect.same_name(other, name))
    };
    let shared = || {
        let shared = has.iter().filter(|column| is_in(had, &column.name));
        shared.map(|column| column.name.as_str())
    };
    let is_keyed = plan.key.iter().all(|key| is_in(had, key));
    let (columns, rows): (Vec<(&str, String)>, String) = match (plan.mode, plan.deletes) {
        (Mode::Append, _) => (
            as_they_are(dialect, shared()),
            format!("{} AS t", dialect.table(&plan.table)),
        ),
        (Mode::Merge, Deletes::Ignore) if is_keyed => (
            as_they_are(dialect, shared()),
            besides(dialect, plan, beside),
        ),
        (Mode::Merge, Deletes::Soft) if is_keyed => {
            let own = shared().filter(|name| ![DELETED, SYNCED_AT].contains(name));
            let mut columns = as_they_are(dialect, own);
            let (deleted, synced) = (dialect.quote(DELETED), dialect.quote(SYNCED_AT));
            let at = match is_in(had, DELETED) {
                true => {
                    format!("CASE WHEN t.{deleted} THEN t.{synced} ELSE {synced_at} END")
                }
                false => synced_at.to_owned(),
            };
            columns.extend([(DELETED, "TRUE".to_owned()), (SYNCED_AT, at)]);
            (columns, besides(dialect, plan, beside))
        }
        (Mode::Merge | Mode::Replace | Mode::History, _) => return None,
    };
    let (names, values): (Vec<_>, Vec<_>) = columns
        .into_iter()
        .map(|(name, value)| (dialect.quote(name), value))
        .unzip();
    Some(format!(
        "INSERT INTO {} ({}) SELECT {} FROM {rows}",
        dialect.table(beside),
        names.join(", "),
        values.join(", ")
    ))
}

fn as_they_are<'n>(
    dialect: &impl Dialect,
    names: impl Iterator<Item = &'n str>,
) -> Vec<(&'n str, String)> {
    let value = |name| (name, format!("t.{}", dialect.quote(name)));
    names.map(value).collect()
}

/// The rows whose key is there, and not among the new ones; of those that have the same one the last.
fn besides(dialect: &impl Dialect, plan: &TablePlan, beside: &TableName) -> String {
    let keys = || plan.key.iter().map(|key| dialect.quote(key));
    let known: Vec<_> = keys().map(|key| format!("t.{key} IS NOT NULL")).collect();
    let typed = || {
        let columns = plan.columns.iter();
        let columns = columns.filter(|column| plan.key.contains(&column.name));
        columns.map(|column| (dialect.quote(&column.name), column.data_type))
    };
    let same: Vec<_> = typed()
        .map(|(key, of)| dialect.equal(&format!("n.{key}"), &format!("t.{key}"), of))
        .collect();
    let one: Vec<_> = typed()
        .map(|(key, of)| dialect.group(&format!("t.{key}"), of))
        .collect();
    let (rank, synced) = (dialect.quote(RANK), dialect.quote(SYNCED_AT));
    format!(
        "(SELECT t.*, ROW_NUMBER() OVER (PARTITION BY {} ORDER BY t.{synced} DESC) AS {rank} \
         FROM {} AS t WHERE {} AND NOT EXISTS (SELECT 1 FROM {} AS n WHERE {})) AS t \
         WHERE t.{rank} = 1",
        one.join(", "),
        dialect.table(&plan.table),
        known.join(" AND "),
        dialect.table(beside),
        same.join(" AND ")
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::DataType;

    use super::*;
    use crate::sample::{Plain, plan};

    fn carried(mode: Mode, deletes: Deletes, had: &[&str]) -> Option<String> {
        let plan = TablePlan {
            mode,
            deletes,
            ..plan()
        };
        let next = TableName {
            table: "next".to_owned(),
            ..plan.table.clone()
        };
        let columns = |names: &[&str]| -> Vec<FoundColumn> {
            let column = |name: &&str| FoundColumn {
                name: (*name).to_owned(),
                data_type: Some(DataType::Text),
                sql_type: "TEXT".to_owned(),
            };
            names.iter().map(column).collect()
        };
        let has = columns(&["id", "note", "new", SYNCED_AT, DELETED]);
        carry_over(&Plain, &plan, &next, (&columns(had), &has), "NOW")
    }

    const HAD: [&str; 4] = ["id", "NOTE", "mine", SYNCED_AT];

    #[test]
    fn what_is_not_read_again_comes_along() {
        insta::assert_snapshot!(carried(Mode::Merge, Deletes::Soft, &HAD).unwrap(), @r#"INSERT INTO "shop"."next" ("id", "note", "_tributary_deleted", "_tributary_synced_at") SELECT t."id", t."note", TRUE, NOW FROM (SELECT t.*, ROW_NUMBER() OVER (PARTITION BY t."id" ORDER BY t."_tributary_synced_at" DESC) AS "_tributary_rank" FROM "shop"."odd ""orders""" AS t WHERE t."id" IS NOT NULL AND NOT EXISTS (SELECT 1 FROM "shop"."next" AS n WHERE n."id" = t."id")) AS t WHERE t."_tributary_rank" = 1"#);
        let marked = carried(Mode::Merge, Deletes::Soft, &["id", SYNCED_AT, DELETED]).unwrap();
        assert!(
            marked.contains("CASE WHEN t.\"_tributary_deleted\" THEN t."),
            "{marked}"
        );
        let ignored = carried(Mode::Merge, Deletes::Ignore, &HAD).unwrap();
        assert!(
            ignored.contains("SELECT t.\"id\", t.\"note\", t.\"_tributary_synced_at\""),
            "{ignored}"
        );
        let appended = carried(Mode::Append, Deletes::Hard, &HAD).unwrap();
        assert!(!appended.contains("WHERE"), "{appended}");
    }

    #[test]
    fn nothing_comes_along_where_nothing_may() {
        assert_eq!(carried(Mode::Merge, Deletes::Hard, &HAD), None);
        assert_eq!(carried(Mode::Replace, Deletes::Hard, &HAD), None);
        assert_eq!(
            carried(Mode::Merge, Deletes::Soft, &["note", SYNCED_AT]),
            None
        );
    }
}
