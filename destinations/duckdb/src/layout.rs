//! Bringing a table to its plan within a load.
//!
//! DuckDB can't commit a change of layout after rows that were there before the transaction were
//! updated or deleted in it. A table of which the load has touched such rows is therefore written
//! anew before it changes; that one belongs to the transaction, and everything goes.

use duckdb::Connection;
use tributary_model::{Error, LoadPlan, Mode, Result, TableName, TablePlan};
use tributary_sql::{Dialect, Found, evolve};

use crate::describe::Inventory;
use crate::dialect::DuckDialect;
use crate::error::Explain;
use crate::ledger::note_changes;
use crate::system::instant;

/// The name of a table while it is written anew.
const REBUILT: &str = "_tributary_rebuilt";

/// The load that a table is written by.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) connection: Connection,
    pub(crate) dialect: DuckDialect,
    pub(crate) load: LoadPlan,
}

impl Site {
    /// Runs statements one after the other.
    pub(crate) fn run(&self, statements: &[String], doing: &str) -> Result<()> {
        statements
            .iter()
            .try_for_each(|statement| self.connection.execute_batch(statement).explain(doing))
    }

    /// When the load began, as SQL.
    pub(crate) fn synced_at(&self) -> String {
        let at = self.dialect.literal(&instant(self.load.started_at));
        format!("CAST({at} AS TIMESTAMP WITH TIME ZONE)")
    }
}

/// What the load has done to the rows of a table so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    /// Rows that were there before are as they were.
    Untouched,
    /// Some of them were updated or deleted.
    Touched,
    /// The whole table was made by this load.
    New,
}

/// How a table stands to its plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    /// Whether the columns have exactly the plan's names and types; the appender needs that.
    pub(crate) exact: bool,
    pub(crate) rows: Rows,
}

impl Layout {
    /// Notes that rows are about to be updated or deleted.
    pub(crate) fn touch(&mut self) {
        if self.rows == Rows::Untouched {
            self.rows = Rows::Touched;
        }
    }
}

/// Brings the table to `plan`.
pub(crate) fn bring(
    site: &Site,
    plan: &TablePlan,
    inventory: &mut Inventory,
    rows: Rows,
) -> Result<Layout> {
    refuse_impossible(plan)?;
    let found = inventory.found(&plan.table)?;
    let steps = evolve(&site.dialect, plan, &found)?;
    let rebuilt = rows == Rows::Touched && !steps.is_empty();
    if rebuilt {
        rebuild(site, &plan.table)?;
    }
    for step in &steps {
        let doing = format!("changing the table {}", plan.table);
        site.run(&site.dialect.render(step), &doing)?;
    }
    note_changes(&site.connection, &site.dialect, &site.load, plan, &steps)?;
    inventory.add_schema(&plan.table.schema);
    let is_new = rebuilt || found.columns.is_none();
    Ok(Layout {
        exact: is_exact(plan, &found),
        rows: if is_new { Rows::New } else { rows },
    })
}

pub(crate) fn rebuild(site: &Site, table: &TableName) -> Result<()> {
    let dialect = &site.dialect;
    let old = dialect.table(table);
    let new = dialect.table(&TableName {
        schema: table.schema.clone(),
        table: REBUILT.to_owned(),
    });
    let statements = [
        format!("CREATE TABLE {new} AS FROM {old}"),
        format!("DROP TABLE {old}"),
        format!(
            "ALTER TABLE {new} RENAME TO {}",
            dialect.quote(&table.table)
        ),
    ];
    site.run(&statements, &format!("writing {table} anew to change it"))
}

fn refuse_impossible(plan: &TablePlan) -> Result<()> {
    match plan.mode {
        Mode::Append => Ok(()),
        Mode::Merge | Mode::Replace | Mode::History if !plan.key.is_empty() => Ok(()),
        Mode::Merge | Mode::Replace | Mode::History => {
            let table = &plan.table;
            Err(Error::bug(format!(
                "{table} was to be merged without a key"
            )))
        }
    }
}

fn is_exact(plan: &TablePlan, found: &Found) -> bool {
    let existing = found.columns.as_deref().unwrap_or_default();
    plan.columns.iter().all(|column| {
        let same = |name: &str| name.eq_ignore_ascii_case(&column.name);
        existing
            .iter()
            .find(|found| same(&found.name))
            .is_none_or(|found| {
                let joined = found
                    .data_type
                    .and_then(|found| found.join(column.data_type));
                joined == Some(column.data_type) && found.name == column.name
            })
    })
}
