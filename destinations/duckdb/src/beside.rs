//! Tables that are built beside others and swapped in.
//!
//! All of it is part of the load's transaction: readers see the old table until the commit, then the
//! new one. Views find a table by its name, so they go on with the new one.

use tributary_model::{Error, ErrorKind, Mode, Old, Result, TableName, TablePlan};
use tributary_sql::{DELETED, Dialect, IS_CURRENT, SYNCED_AT, VALID_TO, carry_over};

use crate::describe::Inventory;
use crate::layout::{Rows, Site, rebuild};

/// The beginning of the names of columns that are not a stream's.
const SYSTEM: &str = "_tributary_";

/// Makes the table of `plan` anew, empty, beginning with the columns of `like`.
pub(crate) fn make_beside(site: &Site, plan: &TablePlan, like: Option<&TableName>) -> Result<()> {
    drop_table(site, &plan.table)?;
    let Some(like) = like else { return Ok(()) };
    let dialect = &site.dialect;
    let found = Inventory::of(&site.connection, &[like])?.found(like)?;
    let columns = found.columns.into_iter().flatten();
    let columns: Vec<String> = columns
        .filter(|column| !column.name.starts_with(SYSTEM) || is_wanted(plan, &column.name))
        .map(|column| dialect.quote(&column.name))
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    let create = format!(
        "CREATE TABLE {} AS SELECT {} FROM {} LIMIT 0",
        dialect.table(&plan.table),
        columns.join(", "),
        dialect.table(like)
    );
    site.run(&[create], &format!("building {} beside {like}", plan.table))
}

fn is_wanted(plan: &TablePlan, name: &str) -> bool {
    let planned = plan.columns.iter().any(|column| column.name == name);
    planned
        || name == SYNCED_AT
        || (name == DELETED && plan.deletes == tributary_model::Deletes::Soft)
        || (plan.mode == Mode::History && [VALID_TO, IS_CURRENT].contains(&name))
}

/// Drops a table where there is one.
pub(crate) fn drop_table(site: &Site, table: &TableName) -> Result<()> {
    let drop = format!("DROP TABLE IF EXISTS {}", site.dialect.table(table));
    site.run(&[drop], &format!("dropping {table}"))
}

/// Takes what the plan's table has besides into the one that takes its place.
pub(crate) fn carry(site: &Site, plan: &TablePlan, beside: &TableName) -> Result<()> {
    let inventory = Inventory::of(&site.connection, &[&plan.table, beside])?;
    let had = inventory.found(&plan.table)?.columns.unwrap_or_default();
    let has = inventory.found(beside)?.columns.unwrap_or_default();
    let carried = carry_over(&site.dialect, plan, beside, (&had, &has), &site.synced_at());
    let doing = format!("taking along what {} has besides", plan.table);
    site.run(carried.as_slice(), &doing)
}

/// Gives the table beside the name of the plan's, which goes or gets another one. Of each it is said
/// what the load has done to its rows: a name can't be given to a table whose rows it has touched.
pub(crate) fn swap_in(
    site: &Site,
    plan: &TablePlan,
    (beside, new): (&TableName, Rows),
    (old, live): (&Old, Rows),
) -> Result<()> {
    let doing = format!("swapping in {}", plan.table);
    let rename = |from: &TableName, to: &TableName| {
        let (table, name) = (site.dialect.table(from), site.dialect.quote(&to.table));
        site.run(&[format!("ALTER TABLE {table} RENAME TO {name}")], &doing)
    };
    let there = Inventory::of(&site.connection, &[&plan.table])?.found(&plan.table)?;
    match old {
        Old::Kept(name) if there.columns.is_some() => {
            refuse_taken(site, name)?;
            if live == Rows::Touched {
                rebuild(site, &plan.table)?;
            }
            rename(&plan.table, name)?;
        }
        Old::Gone | Old::Kept(_) | Old::Continued => drop_table(site, &plan.table)?,
    }
    if new == Rows::Touched {
        rebuild(site, beside)?;
    }
    rename(beside, &plan.table)
}

fn refuse_taken(site: &Site, name: &TableName) -> Result<()> {
    let there = Inventory::of(&site.connection, &[name])?.found(name)?;
    match there.columns {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Incompatible,
            format!("a table is to be kept as {name}, and there is one of that name"),
        )
        .fix("Drop the tables of earlier modes that are not needed any more, or rename them.")),
    }
}
