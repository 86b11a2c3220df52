//! Rows that are staged already, when the plan of their table changes before they are folded.
//!
//! They follow the plan in the staging table, just as rows in the table itself do: a new column has
//! its default in them, a column that left the plan keeps its values. So nothing needs to be folded
//! before the table is changed, which some engines can't do in one transaction.

use tributary_model::{Result, TablePlan};

use crate::evolve::define;
use crate::{Dialect, Staging};

/// The staging table under a newer plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restaged {
    /// By which plan to fold: the newer one, with the columns that only the older one had.
    pub plan: TablePlan,
    /// What has to be done to the staging table.
    pub statements: Vec<String>,
}

/// How rows staged under `old` follow `new`; `None` where they have to be folded under `old`.
///
/// # Errors
/// Fails where the warehouse lacks a type of the plan.
pub fn restage(
    dialect: &impl Dialect,
    staging: &Staging,
    old: &TablePlan,
    new: &TablePlan,
) -> Result<Option<Restaged>> {
    let kept = |plan: &TablePlan| {
        (
            plan.table.clone(),
            plan.mode,
            plan.deletes,
            plan.key.clone(),
        )
    };
    if kept(old) != kept(new) {
        return Ok(None);
    }
    let table = dialect.quote(&staging.rows);
    let mut plan = new.clone();
    let mut statements = Vec::new();
    for column in &new.columns {
        let before = old
            .columns
            .iter()
            .find(|c| dialect.same_name(&c.name, &column.name));
        let definition = define(dialect, &new.table, column.clone())?;
        match before.map(|before| (before.data_type, before.data_type.join(column.data_type))) {
            None => statements.extend(dialect.add_column(&table, &definition)),
            Some((before, _)) if before == column.data_type => {}
            Some((_, Some(joined))) if joined == column.data_type => {
                statements.push(dialect.widen_column(&table, &definition));
            }
            Some(_) => return Ok(None),
        }
    }
    let left = old.columns.iter().filter(|column| {
        !new.columns
            .iter()
            .any(|c| dialect.same_name(&c.name, &column.name))
    });
    plan.columns.extend(left.cloned());
    Ok(Some(Restaged { plan, statements }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use tributary_model::DataType;

    use super::*;
    use crate::sample::{Plain, column, plan};

    fn staging() -> Staging {
        Staging {
            rows: "staged".to_owned(),
            fold: "fold".to_owned(),
        }
    }

    #[test]
    fn staged_rows_follow_like_stored_ones() {
        let mut old = plan();
        old.columns.push(column("gone", DataType::Bool, None));
        old.columns.push(column("price", DataType::Int64, None));
        let mut new = plan();
        new.columns
            .push(column("price", DataType::Decimal(21, 2), None));
        new.columns
            .push(column("state", DataType::Text, Some("new")));
        let restaged = restage(&Plain, &staging(), &old, &new).unwrap().unwrap();
        insta::assert_snapshot!(restaged.statements.join(";\n"), @r#"
        ALTER TABLE "staged" ALTER COLUMN "price" TYPE DECIMAL(21,2);
        ALTER TABLE "staged" ADD COLUMN "state" TEXT DEFAULT CAST('new' AS TEXT);
        ALTER TABLE "staged" ALTER COLUMN "state" DROP DEFAULT
        "#);
        let names: Vec<&str> = restaged
            .plan
            .columns
            .iter()
            .map(|c| c.name.as_str())
            .collect();
        assert_eq!(names, ["id", "note", "price", "state", "gone"]);
    }

    #[test]
    fn another_key_or_a_narrower_type_needs_folding_first() {
        let mut other_key = plan();
        other_key.key.push("note".to_owned());
        assert_eq!(
            restage(&Plain, &staging(), &plan(), &other_key).unwrap(),
            None
        );
        let mut wide = plan();
        wide.columns[0].data_type = DataType::Decimal(20, 0);
        assert_eq!(restage(&Plain, &staging(), &wide, &plan()).unwrap(), None);
    }
}
