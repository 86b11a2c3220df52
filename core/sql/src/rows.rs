//! The question for the rows of a table that readers see, for a comparison.

use tributary_model::{KeyRange, TableScan};

use crate::history::IS_CURRENT;
use crate::merge::DELETED;

/// Selects the columns of a scan `from` a table (its full name): rows that are not marked as deleted,
/// and of a history what is current. `has` says which columns the table has.
pub fn select_rows(
    scan: &TableScan,
    from: &str,
    has: impl Fn(&str) -> bool,
    quote: impl Fn(&str) -> String,
) -> String {
    let mut conditions = Vec::new();
    if has(DELETED) {
        conditions.push(format!("NOT COALESCE({}, FALSE)", quote(DELETED)));
    }
    if has(IS_CURRENT) {
        conditions.push(quote(IS_CURRENT));
    }
    if let Some(key) = scan.plan.key.first() {
        conditions.extend(within(&quote(key), scan.range));
    }
    let columns: Vec<_> = scan.columns.iter().map(|c| quote(&c.name)).collect();
    let condition = match conditions.is_empty() {
        true => String::new(),
        false => format!(" WHERE {}", conditions.join(" AND ")),
    };
    format!("SELECT {} FROM {from}{condition}", columns.join(", "))
}

/// A NULL, which no key of ours is, is less than every number.
fn within(key: &str, range: KeyRange) -> Option<String> {
    match (range.from, range.below) {
        (None, None) => None,
        (Some(from), None) => Some(format!("{key} >= {from}")),
        (None, Some(below)) => Some(format!("({key} < {below} OR {key} IS NULL)")),
        (Some(from), Some(below)) => Some(format!("{key} >= {from} AND {key} < {below}")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tributary_model::{DataType, Deletes, Mode, StreamName, TableColumn, TableName, TablePlan};

    use super::*;

    #[test]
    fn only_rows_that_readers_see_are_asked_for() {
        let column = |name: &str| TableColumn {
            name: name.to_owned(),
            data_type: DataType::Int64,
            default: None,
        };
        let plan = TablePlan {
            stream: StreamName::within("s", "t"),
            table: TableName {
                schema: "s".to_owned(),
                table: "t".to_owned(),
            },
            mode: Mode::Merge,
            deletes: Deletes::Soft,
            columns: vec![column("id"), column("n")],
            key: vec!["id".to_owned()],
        };
        let mut scan = TableScan {
            columns: plan.columns.clone(),
            plan: Arc::new(plan),
            range: KeyRange::default(),
        };
        let quote = |name: &str| format!("\"{name}\"");
        let hard = select_rows(&scan, "s.t", |_| false, quote);
        assert_eq!(hard, "SELECT \"id\", \"n\" FROM s.t");
        scan.range = KeyRange {
            from: Some(-3),
            below: Some(7),
        };
        let soft = select_rows(&scan, "s.t", |name| name == DELETED, quote);
        assert_eq!(
            soft,
            "SELECT \"id\", \"n\" FROM s.t WHERE NOT COALESCE(\"_tributary_deleted\", FALSE) AND \
             \"id\" >= -3 AND \"id\" < 7"
        );
        scan.range.from = None;
        let history = select_rows(&scan, "s.t", |name| name == IS_CURRENT, quote);
        assert!(
            history.ends_with("WHERE \"_tributary_is_current\" AND (\"id\" < 7 OR \"id\" IS NULL)")
        );
    }
}
