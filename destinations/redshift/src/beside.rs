//! Tables that are built beside others and swapped in.
//!
//! All of it is part of the load's transaction: readers see the old table until the commit, then the
//! new one. Views and grants belong to a table and not to its name. So a table that has any of them, or
//! another owner, keeps its identity: its rows go, and those of the table beside come. Any other one
//! gives its name away, which costs nothing.

use tributary_model::{Deletes, Error, ErrorKind, Mode, Old, Result, TableName, TablePlan};
use tributary_sql::{DELETED, Dialect, IS_CURRENT, SYNCED_AT, VALID_TO, carry_over};

use crate::describe::Inventory;
use crate::dialect::{DIALECT, folded};
use crate::text::literal;
use crate::transaction::Site;

/// The beginning of the names of columns that are not a stream's.
const SYSTEM: &str = "_tributary_";

/// Makes the table of `plan` anew, empty, beginning with the columns of `like`.
pub(crate) async fn make(
    site: &mut Site,
    plan: &TablePlan,
    like: Option<&TableName>,
) -> Result<()> {
    drop_table(site, &plan.table).await?;
    let Some(like) = like else { return Ok(()) };
    let inventory = Inventory::of(&mut site.session, &[like]).await?;
    let Some(columns) = inventory.found(like)?.columns else {
        return Ok(());
    };
    let table = DIALECT.table(&plan.table);
    // Made like it, a table is distributed and sorted like it too.
    let mut statements = vec![format!(
        "CREATE TABLE {table} (LIKE {})",
        DIALECT.table(like)
    )];
    let unwanted = columns
        .iter()
        .filter(|column| column.name.starts_with(SYSTEM) && !is_wanted(plan, &column.name));
    statements.extend(unwanted.map(|column| {
        let name = DIALECT.quote(&column.name);
        format!("ALTER TABLE {table} DROP COLUMN {name}")
    }));
    let doing = format!("building {} beside {like}", plan.table);
    site.session.run_all(&statements, &doing).await
}

fn is_wanted(plan: &TablePlan, name: &str) -> bool {
    let planned = plan.columns.iter().any(|column| column.name == name);
    planned
        || name == SYNCED_AT
        || (name == DELETED && plan.deletes == Deletes::Soft)
        || (plan.mode == Mode::History && [VALID_TO, IS_CURRENT].contains(&name))
}

/// Drops a table where there is one. `IF EXISTS` alone would fail where there is not even the schema.
pub(crate) async fn drop_table(site: &mut Site, table: &TableName) -> Result<()> {
    let inventory = Inventory::of(&mut site.session, &[table]).await?;
    if inventory.get(table).is_none() {
        return Ok(());
    }
    let drop = format!("DROP TABLE IF EXISTS {}", DIALECT.table(table));
    site.session
        .run(&drop, &format!("dropping {table}"))
        .await?;
    Ok(())
}

/// Takes what the plan's table has besides into the one that takes its place.
pub(crate) async fn carry(site: &mut Site, plan: &TablePlan, beside: &TableName) -> Result<()> {
    let inventory = Inventory::of(&mut site.session, &[&plan.table, beside]).await?;
    let had = inventory.found(&plan.table)?.columns.unwrap_or_default();
    let has = inventory.found(beside)?.columns.unwrap_or_default();
    let carried = carry_over(&DIALECT, plan, beside, (&had, &has), &site.synced_at());
    let doing = format!("taking along what {} has besides", plan.table);
    site.session.run_all(carried.as_slice(), &doing).await?;
    Ok(())
}

/// Whether the plan's table keeps its identity when what is beside takes its place.
pub(crate) async fn keeps_identity(
    site: &mut Site,
    plan: &TablePlan,
    beside: &TableName,
) -> Result<bool> {
    let inventory = Inventory::of(&mut site.session, &[&plan.table]).await?;
    if inventory.found(&plan.table)?.columns.is_none() {
        return Ok(false);
    }
    let old = belongings(site, &plan.table).await?;
    let new = belongings(site, beside).await?;
    Ok(old != new)
}

/// The owner of a table, whom it is granted to, and how many things depend on it.
async fn belongings(site: &mut Site, table: &TableName) -> Result<Vec<Option<String>>> {
    let doing = "looking what belongs to a table";
    let table = folded(table);
    let (schema, name) = (literal(&table.schema), literal(&table.table));
    // 1259 is the number of pg_class in itself.
    let sql = format!(
        "SELECT c.relowner, array_to_string(c.relacl, ','), (SELECT COUNT(*) FROM pg_depend d \
         WHERE d.refclassid = 1259 AND d.refobjid = c.oid AND d.deptype = 'n') FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = {schema} AND c.relname = {name}"
    );
    let rows = site.session.ask(&sql, doing).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::bug(format!("{table} is not there")))?;
    (0..3)
        .map(|index| Ok(row.optional(index)?.map(str::to_owned)))
        .collect()
}

/// Puts the rows beside in place of those of the plan's table, which has all their columns.
pub(crate) async fn pour(site: &mut Site, plan: &TablePlan, beside: &TableName) -> Result<()> {
    let inventory = Inventory::of(&mut site.session, &[beside]).await?;
    let columns = inventory.found(beside)?.columns.into_iter().flatten();
    let columns: Vec<String> = columns.map(|column| DIALECT.quote(&column.name)).collect();
    let (columns, table) = (columns.join(", "), DIALECT.table(&plan.table));
    let statements = [
        format!("DELETE FROM {table}"),
        format!(
            "INSERT INTO {table} ({columns}) SELECT {columns} FROM {}",
            DIALECT.table(beside)
        ),
    ];
    let doing = format!("putting new rows into {}", plan.table);
    site.session.run_all(&statements, &doing).await?;
    drop_table(site, beside).await
}

/// Gives the table beside the name of the plan's, which goes or gets another one.
pub(crate) async fn rename(
    site: &mut Site,
    plan: &TablePlan,
    beside: &TableName,
    old: &Old,
) -> Result<()> {
    let inventory = Inventory::of(&mut site.session, &[&plan.table]).await?;
    let is_there = inventory.found(&plan.table)?.columns.is_some();
    match old {
        Old::Kept(name) if is_there => {
            refuse_taken(site, name).await?;
            give_name(site, &plan.table, name).await?;
        }
        Old::Gone | Old::Kept(_) | Old::Continued => drop_table(site, &plan.table).await?,
    }
    give_name(site, beside, &plan.table).await
}

async fn give_name(site: &mut Site, from: &TableName, to: &TableName) -> Result<()> {
    let (table, name) = (DIALECT.table(from), DIALECT.quote(&to.table));
    let rename = format!("ALTER TABLE {table} RENAME TO {name}");
    site.session
        .run(&rename, &format!("swapping in {to}"))
        .await?;
    Ok(())
}

async fn refuse_taken(site: &mut Site, name: &TableName) -> Result<()> {
    let inventory = Inventory::of(&mut site.session, &[name]).await?;
    match inventory.get(name) {
        None => Ok(()),
        Some(_) => Err(Error::new(
            ErrorKind::Incompatible,
            format!("a table is to be kept as {name}, and there is something of that name"),
        )
        .fix("Drop the tables of earlier modes that are not needed any more, or rename them.")),
    }
}
