//! What a table has to become before rows of a plan fit into it.
//!
//! Snowflake commits whatever is open before it changes a layout, so this happens before the load's
//! transaction. What is done can be done again, and does no harm where the load then fails: columns
//! are added, numbers get more digits.
//!
//! A column that is to hold something from the start (a default in rows that are there, or what another
//! type held) can't be added and filled in one step. It is *built*: added under a name of ours, filled
//! in a transaction that holds the fence row, and then renamed; the one that had the name before goes.
//!
//! Why no value is lost, wherever it stops and whoever else writes. Whoever prepares a table removes
//! what was being built in it, and gives a column its name back that was moved away (`repair`).
//!
//! * Stopped before the renaming: the new column goes, the old one was never touched. Stopped in the
//!   middle of it: the old one gets its name back, with all its values. Stopped after it: the old one
//!   goes, and the new one has had every value since the filling, in which only this load writes.
//! * Another process has taken over. If it did so before the filling, that transaction fails and
//!   nothing is renamed. If after it, then the new column was there when it looked, and it has removed
//!   it: so the later renaming to its name fails, and the old column, if it was moved away by then, is
//!   given its name back by the next load, the other process's own having failed without it.

use std::collections::HashMap;

use tributary_model::{DataType, Error, ErrorKind, Mode, Result, TablePlan};
use tributary_sql::{Definition, Dialect, Found, Step, evolve};

use crate::describe::Inventory;
use crate::dialect::Snow;
use crate::ledger::note_changes;
use crate::site::{Site, hash};

/// How the names of columns begin that are being built, and of those that were in their place.
const NEW: &str = "_tributary_new_";
const OLD: &str = "_tributary_old_";

/// The types of a table's columns, by their names as they stand in it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Types(HashMap<String, Option<DataType>>);

impl Types {
    /// The type of a column; `None` where there is none, or none of ours.
    pub(crate) fn of(&self, dialect: Snow, name: &str) -> Option<DataType> {
        self.0.get(&dialect.fold(name)).copied().flatten()
    }

    /// Whether there is a column.
    pub(crate) fn has(&self, dialect: Snow, name: &str) -> bool {
        self.0.contains_key(&dialect.fold(name))
    }
}

/// What was done to a table.
#[derive(Debug)]
pub(crate) struct Brought {
    pub(crate) types: Types,
    /// The columns that are new, and what rows that are there hold in them.
    pub(crate) filled: Vec<Definition>,
    /// Whether there was no such table.
    pub(crate) is_new: bool,
}

/// A table is merged by its key.
fn refuse_impossible(plan: &TablePlan) -> Result<()> {
    if plan.mode == Mode::Append || !plan.key.is_empty() {
        return Ok(());
    }
    let table = &plan.table;
    Err(Error::bug(format!(
        "{table} was to be merged without a key"
    )))
}

/// Brings a table to its plan.
pub(crate) async fn bring(
    site: &mut Site,
    plan: &TablePlan,
    inventory: &mut Inventory,
) -> Result<Brought> {
    refuse_impossible(plan)?;
    let dialect = site.dialect();
    let mut found = inventory.found(&plan.table)?;
    if let Some(statements) = repair(dialect, plan, &found) {
        let doing = format!("repairing the table {}", plan.table);
        site.run(&statements, &doing).await?;
        let again = Inventory::of(&site.place.client, dialect, &[&plan.table]).await?;
        found = again.found(&plan.table)?;
    }
    let steps: Vec<Step> = evolve(&dialect, plan, &found)?
        .into_iter()
        .filter(|step| !is_done(dialect, step))
        .collect();
    carry_out(site, plan, &steps).await?;
    inventory.add_schema(&plan.table.schema);
    Ok(Brought {
        types: types(dialect, &found, &steps),
        filled: filled(&steps),
        is_new: found.columns.is_none(),
    })
}

/// Two of our types may be one in Snowflake.
fn is_done(dialect: Snow, step: &Step) -> bool {
    match step {
        Step::WidenType { column, from, .. } => {
            dialect.type_name(*from).as_ref() == Some(&column.sql_type)
        }
        Step::CreateSchema { .. } | Step::CreateTable { .. } | Step::AddColumn { .. } => false,
    }
}

fn is_built(step: &Step) -> bool {
    match step {
        Step::AddColumn { column, .. } => column.default.is_some(),
        Step::WidenType { column, from, .. } => !Snow::widens_in_place(*from, column.data_type),
        Step::CreateSchema { .. } | Step::CreateTable { .. } => false,
    }
}

async fn carry_out(site: &Site, plan: &TablePlan, steps: &[Step]) -> Result<()> {
    let dialect = site.dialect();
    let doing = format!("changing the table {}", plan.table);
    let simple = steps.iter().filter(|step| !is_built(step));
    let mut statements: Vec<String> = simple.flat_map(|step| dialect.render(step)).collect();
    if steps.iter().all(|step| !is_built(step)) {
        statements.extend(note_changes(dialect, &site.load, plan, steps));
        return site.run(&statements, &doing).await;
    }
    let built = steps.iter().filter_map(|step| match step {
        Step::AddColumn { column, .. } if is_built(step) => Some((column, None)),
        Step::WidenType { column, from, .. } if is_built(step) => Some((column, Some(*from))),
        _ => None,
    });
    let built: Vec<(&Definition, Option<DataType>)> = built.collect();
    let table = dialect.table(&plan.table);
    let adds = built.iter().map(|(column, _)| {
        let name = dialect.quote(&beside(dialect, NEW, &column.name));
        format!("ALTER TABLE {table} ADD COLUMN {name} {}", column.sql_type)
    });
    statements.extend(adds);
    site.run(&statements, &doing).await?;
    let sets = built.iter().map(|(column, from)| {
        let value = match (from, &column.default) {
            (Some(from), _) => dialect.widened(&dialect.quote(&column.name), *from, column),
            (None, Some(text)) => dialect.default_value(text, column.data_type, &column.sql_type),
            (None, None) => "NULL".to_owned(),
        };
        format!(
            "{} = {value}",
            dialect.quote(&beside(dialect, NEW, &column.name))
        )
    });
    let sets: Vec<String> = sets.collect();
    let fill = format!("UPDATE {table} SET {}", sets.join(", "));
    site.run_held(vec![fill], &doing).await?;
    let mut statements: Vec<String> = built
        .iter()
        .flat_map(|(column, from)| put_in_place(dialect, &table, &column.name, *from))
        .collect();
    statements.extend(note_changes(dialect, &site.load, plan, steps));
    site.run(&statements, &doing).await
}

/// Gives a column that was built its name; `from` is the type of the one that has it, if one does.
fn put_in_place(dialect: Snow, table: &str, name: &str, from: Option<DataType>) -> Vec<String> {
    let (new, old) = (beside(dialect, NEW, name), beside(dialect, OLD, name));
    let (new, old, own) = (
        dialect.quote(&new),
        dialect.quote(&old),
        dialect.quote(name),
    );
    let come = format!("ALTER TABLE {table} RENAME COLUMN {new} TO {own}");
    match from {
        None => vec![come],
        Some(_) => vec![
            format!("ALTER TABLE {table} RENAME COLUMN {own} TO {old}"),
            come,
            format!("ALTER TABLE {table} DROP COLUMN {old}"),
        ],
    }
}

/// The name of a column beside another: of any length, it fits.
fn beside(dialect: Snow, prefix: &str, name: &str) -> String {
    let folded = dialect.fold(name);
    // Two hashes of which one is of the name backwards: columns of one table do not meet.
    let backwards: String = folded.chars().rev().collect();
    dialect.fold(&format!(
        "{prefix}{:08x}{:08x}",
        hash(&folded),
        hash(&backwards)
    ))
}

/// What removes the traces of a change that was not finished; `None` where there are none.
fn repair(dialect: Snow, plan: &TablePlan, found: &Found) -> Option<Vec<String>> {
    let columns = found.columns.as_deref()?;
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    let begins = |name: &str, prefix: &str| name.starts_with(&dialect.fold(prefix));
    let table = dialect.table(&plan.table);
    let mut statements = Vec::new();
    for column in columns.iter().filter(|column| begins(&column.name, NEW)) {
        let name = dialect.quote(&column.name);
        statements.push(format!("ALTER TABLE {table} DROP COLUMN IF EXISTS {name}"));
    }
    for column in columns.iter().filter(|column| begins(&column.name, OLD)) {
        let name = dialect.quote(&column.name);
        let mut names = plan.columns.iter().map(|column| column.name.as_str());
        let own = names.find(|name| beside(dialect, OLD, name) == column.name);
        match own {
            Some(own) if !has(&dialect.fold(own)) => {
                let own = dialect.quote(own);
                statements.push(format!("ALTER TABLE {table} RENAME COLUMN {name} TO {own}"));
            }
            Some(_) => statements.push(format!("ALTER TABLE {table} DROP COLUMN IF EXISTS {name}")),
            // Its own name is not known any more: it stays, with what it holds.
            None => {}
        }
    }
    (!statements.is_empty()).then_some(statements)
}

fn types(dialect: Snow, found: &Found, steps: &[Step]) -> Types {
    let there = found.columns.iter().flatten();
    let mut types: HashMap<String, Option<DataType>> = there
        .map(|column| (column.name.clone(), column.data_type))
        .collect();
    for step in steps {
        let changed: &[Definition] = match step {
            Step::CreateSchema { .. } => &[],
            Step::CreateTable { columns, .. } => columns,
            Step::AddColumn { column, .. } | Step::WidenType { column, .. } => {
                std::slice::from_ref(column)
            }
        };
        for column in changed {
            types.insert(dialect.fold(&column.name), Some(column.data_type));
        }
    }
    Types(types)
}

fn filled(steps: &[Step]) -> Vec<Definition> {
    let filled = steps.iter().filter_map(|step| match step {
        Step::AddColumn { column, .. } => column.default.is_some().then(|| column.clone()),
        Step::CreateSchema { .. } | Step::CreateTable { .. } | Step::WidenType { .. } => None,
    });
    filled.collect()
}

/// Why a table of another kind can't be followed.
pub(crate) fn refuse_taken(name: &tributary_model::TableName) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("a table is to be kept as {name}, and there is something of that name"),
    )
    .fix("Drop the tables of earlier modes that are not needed any more, or rename them.")
}
