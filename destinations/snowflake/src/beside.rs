//! Tables that are built beside others, and take their places.
//!
//! A table's rows are replaced in the load's transaction: those of the table go, those beside come. So
//! readers see the old rows or the new ones, and the cursor is true with either; and the table keeps
//! its grants, policies and streams. `SWAP` would be cheaper, and a transaction of its own: it would
//! be true before the cursor or after it, whoever reads or fails in between.
//!
//! A table that is built anew is emptied in the transaction too, not dropped when it begins: where that
//! load fails, what earlier loads have put into it is still there, as the state says.

use tributary_model::{Deletes, Mode, Old, Result, TableName, TablePlan};
use tributary_sql::{DELETED, Dialect, FoundColumn, IS_CURRENT, SYNCED_AT, VALID_TO, carry_over};

use crate::answer::Rows;
use crate::client::Scope;
use crate::describe::{Inventory, unfolded};
use crate::dialect::Snow;
use crate::layout::refuse_taken;
use crate::script::Script;
use crate::site::Site;

/// The beginning of the names of columns that are not a stream's.
const SYSTEM: &str = "_tributary_";

/// Whether a column of ours is one that the plan asks for.
fn is_wanted(dialect: Snow, plan: &TablePlan, name: &str) -> bool {
    let is = |own: &str| dialect.same_name(own, name);
    plan.columns.iter().any(|column| is(&column.name))
        || is(SYNCED_AT)
        || (is(DELETED) && plan.deletes == Deletes::Soft)
        || (plan.mode == Mode::History && (is(VALID_TO) || is(IS_CURRENT)))
}

fn is_ours(dialect: Snow, name: &str) -> bool {
    name.starts_with(&dialect.fold(SYSTEM))
}

/// Makes the table of `plan` where there is none, beginning with the columns of `like`.
pub(crate) async fn make(site: &Site, plan: &TablePlan, like: Option<&TableName>) -> Result<()> {
    let Some(like) = like else { return Ok(()) };
    let dialect = site.dialect();
    let inventory = Inventory::of(&site.place.client, dialect, &[like]).await?;
    let columns = inventory.found(like)?.columns.unwrap_or_default();
    let columns = columns
        .iter()
        .filter(|column| !is_ours(dialect, &column.name) || is_wanted(dialect, plan, &column.name));
    let columns: Vec<String> = columns.map(|column| Snow::exact(&column.name)).collect();
    if columns.is_empty() {
        return Ok(());
    }
    let create = empty_copy(dialect, &plan.table, like, &columns);
    let doing = format!("building {} beside {like}", plan.table);
    site.run(&[create], &doing).await
}

fn empty_copy(dialect: Snow, table: &TableName, like: &TableName, columns: &[String]) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} AS SELECT {} FROM {} LIMIT 0",
        dialect.table(table),
        columns.join(", "),
        dialect.table(like)
    )
}

/// What takes the rows of a table into the one that keeps them under another name; that one is made.
pub(crate) async fn keep(site: &Site, table: &TableName, kept: &TableName) -> Result<Vec<String>> {
    let dialect = site.dialect();
    let inventory = Inventory::of(&site.place.client, dialect, &[table, kept]).await?;
    let Some(columns) = inventory.found(table)?.columns else {
        return Ok(Vec::new());
    };
    if inventory.found(kept)?.columns.is_some() {
        refuse_full(site, kept).await?;
    }
    let columns: Vec<String> = columns
        .iter()
        .map(|column| Snow::exact(&column.name))
        .collect();
    let create = empty_copy(dialect, kept, table, &columns);
    site.run(&[create], &format!("keeping {table} as {kept}"))
        .await?;
    let columns = columns.join(", ");
    Ok(vec![format!(
        "INSERT INTO {} ({columns}) SELECT {columns} FROM {}",
        dialect.table(kept),
        dialect.table(table)
    )])
}

/// An empty one is of a load that has failed.
async fn refuse_full(site: &Site, kept: &TableName) -> Result<()> {
    let sql = format!("SELECT COUNT(*) FROM {}", site.dialect().table(kept));
    let doing = format!("looking whether {kept} is free");
    let rows = site.place.client.ask(Scope::Database, &sql, &doing).await?;
    let count = rows
        .rows
        .first()
        .map(|row| Rows::number(row, 0))
        .transpose()?;
    match count.unwrap_or_default() {
        0 => Ok(()),
        _ => Err(refuse_taken(kept)),
    }
}

/// What puts the rows beside in place of those of the plan's table, which has been brought to it.
pub(crate) async fn pour(
    site: &Site,
    plan: &TablePlan,
    beside: &TableName,
    old: &Old,
    script: &mut Script,
) -> Result<Vec<String>> {
    let dialect = site.dialect();
    let inventory = Inventory::of(&site.place.client, dialect, &[&plan.table, beside]).await?;
    let had = inventory.found(&plan.table)?.columns.unwrap_or_default();
    let has = inventory.found(beside)?.columns.unwrap_or_default();
    let (table, next) = (dialect.table(&plan.table), dialect.table(beside));
    let mut statements = Vec::new();
    if *old == Old::Continued {
        let (had, has) = (known(dialect, &had), known(dialect, &has));
        let columns = (had.as_slice(), has.as_slice());
        let carried = carry_over(&dialect, plan, beside, columns, &site.synced_at());
        statements.extend(carried);
    }
    let shared = has.iter().filter_map(|from| {
        let to = had.iter().find(|to| to.name == from.name)?;
        Some((Snow::exact(&from.name), converted(dialect, from, to)))
    });
    let (names, values): (Vec<String>, Vec<String>) = shared.unzip();
    statements.push(format!("DELETE FROM {table}"));
    statements.push(format!(
        "INSERT INTO {table} ({}) SELECT {} FROM {next}",
        names.join(", "),
        values.join(", ")
    ));
    // Columns of ours that belong to another way of keeping the table mean nothing any more.
    let stale = had
        .iter()
        .filter(|column| is_ours(dialect, &column.name) && !is_wanted(dialect, plan, &column.name));
    if *old != Old::Continued {
        script.after.extend(stale.map(|column| {
            let name = Snow::exact(&column.name);
            format!("ALTER TABLE {table} DROP COLUMN IF EXISTS {name}")
        }));
    }
    Ok(statements)
}

/// Columns under the names by which the engine knows them; others are not ours to carry over.
fn known(dialect: Snow, columns: &[FoundColumn]) -> Vec<FoundColumn> {
    let known = columns.iter().map(|column| FoundColumn {
        name: unfolded(dialect, &column.name),
        ..column.clone()
    });
    let pairs = known.zip(columns);
    let ours = pairs.filter(|(known, column)| dialect.fold(&known.name) == column.name);
    ours.map(|(known, _)| known).collect()
}

/// A value of one column on its way into another.
fn converted(dialect: Snow, from: &FoundColumn, to: &FoundColumn) -> String {
    use tributary_model::DataType::{Json, Text};
    let name = Snow::exact(&from.name);
    match (from.data_type, to.data_type) {
        (Some(Json), Some(Text)) => format!("TO_JSON({name})"),
        (Some(from), Some(to)) if from != to => match dialect.type_name(to) {
            Some(sql_type) => format!("CAST({name} AS {sql_type})"),
            None => name,
        },
        _ => name,
    }
}

/// What leaves nothing of the table beside.
pub(crate) fn remove(site: &Site, beside: &TableName, script: &mut Script) -> String {
    let table = site.dialect().table(beside);
    script.after.push(format!("DROP TABLE IF EXISTS {table}"));
    format!("DELETE FROM {table}")
}
