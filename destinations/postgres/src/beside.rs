//! Tables that are built beside others and swapped in.
//!
//! All of it is part of the load's transaction: readers see the old table until the commit, then the
//! new one. Views, foreign keys, grants and the like belong to a table and not to its name. So a table
//! that has any of them keeps its identity: its rows go, and those of the table beside come. Any other
//! one gives its name away, which costs nothing.

use sqlx::Row;
use tributary_model::{Deletes, Error, ErrorKind, Mode, Old, Result, TableName, TablePlan};
use tributary_sql::{DELETED, Dialect, IS_CURRENT, SYNCED_AT, VALID_TO, carry_over};

use crate::describe::Inventory;
use crate::dialect::DIALECT;
use crate::error::Explain;
use crate::index::ENDING;
use crate::transaction::Site;

/// The beginning of the names of columns that are not a stream's.
const SYSTEM: &str = "_tributary_";

/// What would be lost with a table, or would not follow its name.
const BELONGINGS: &str = "SELECT \
    EXISTS (SELECT 1 FROM pg_depend d WHERE d.refclassid = 'pg_class'::regclass \
      AND d.refobjid = c.oid AND d.deptype = 'n') \
    OR EXISTS (SELECT 1 FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal) \
    OR EXISTS (SELECT 1 FROM pg_description x WHERE x.classoid = 'pg_class'::regclass AND x.objoid = c.oid) \
    OR EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid) \
    OR EXISTS (SELECT 1 FROM pg_publication_rel r WHERE r.prrelid = c.oid) \
    OR EXISTS (SELECT 1 FROM pg_statistic_ext s WHERE s.stxrelid = c.oid) \
    OR EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conrelid = c.oid) \
    OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attacl IS NOT NULL) \
    OR EXISTS (SELECT 1 FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid \
      WHERE i.indrelid = c.oid AND right(ic.relname::text, length($3)) <> $3) \
    OR c.relkind <> 'r' OR c.relrowsecurity OR c.relispartition OR c.relowner <> b.relowner \
    OR c.relacl IS DISTINCT FROM b.relacl OR c.reloptions IS DISTINCT FROM b.reloptions \
    FROM pg_class c, pg_class b WHERE c.oid = $1::regclass AND b.oid = $2::regclass";

/// Makes the table of `plan` anew, empty, beginning with the columns of `like`.
pub(crate) async fn make(
    site: &mut Site,
    plan: &TablePlan,
    like: Option<&TableName>,
) -> Result<()> {
    drop_table(site, &plan.table).await?;
    let Some(like) = like else { return Ok(()) };
    let inventory = Inventory::of(&mut site.session, &[like]).await?;
    let columns = inventory.found(like)?.columns.into_iter().flatten();
    let columns: Vec<String> = columns
        .filter(|column| !column.name.starts_with(SYSTEM) || is_wanted(plan, &column.name))
        .map(|column| DIALECT.quote(&column.name))
        .collect();
    if columns.is_empty() {
        return Ok(());
    }
    let create = format!(
        "CREATE TABLE {} AS SELECT {} FROM {} LIMIT 0",
        DIALECT.table(&plan.table),
        columns.join(", "),
        DIALECT.table(like)
    );
    let doing = format!("building {} beside {like}", plan.table);
    site.session.run(&create, &doing).await?;
    Ok(())
}

fn is_wanted(plan: &TablePlan, name: &str) -> bool {
    let planned = plan.columns.iter().any(|column| column.name == name);
    planned
        || name == SYNCED_AT
        || (name == DELETED && plan.deletes == Deletes::Soft)
        || (plan.mode == Mode::History && [VALID_TO, IS_CURRENT].contains(&name))
}

/// Drops a table where there is one.
pub(crate) async fn drop_table(site: &mut Site, table: &TableName) -> Result<()> {
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
    let doing = "looking what belongs to a table";
    let inventory = Inventory::of(&mut site.session, &[&plan.table]).await?;
    if inventory.found(&plan.table)?.columns.is_none() {
        return Ok(false);
    }
    let query = sqlx::query(BELONGINGS)
        .bind(DIALECT.table(&plan.table))
        .bind(DIALECT.table(beside))
        .bind(ENDING);
    let rows = site.session.ask(query, doing).await?;
    let row = rows
        .first()
        .ok_or_else(|| Error::bug(format!("{beside} is not there")))?;
    row.try_get(0).explain(doing)
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
