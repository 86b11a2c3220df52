//! What a table has to become before rows of a plan fit into it, and what it can't become.

use tributary_model::{Error, ErrorKind, Mode, Result, TableColumn, TablePlan};
use tributary_sql::{Dialect, Found, Step};

use crate::describe::Inventory;
use crate::dialect::{COLUMNS, DIALECT};

/// A table is merged by its key.
pub(crate) fn refuse_impossible(plan: &TablePlan) -> Result<()> {
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

/// The server would say so as well, but only when rows are on their way.
pub(crate) fn refuse_too_many(
    plan: &TablePlan,
    steps: &[Step],
    inventory: &Inventory,
) -> Result<()> {
    let ever = inventory.get(&plan.table).map_or(0, |table| table.ever);
    let new: usize = steps
        .iter()
        .map(|step| match step {
            Step::CreateTable { columns, .. } => columns.len(),
            Step::AddColumn { .. } => 1,
            Step::CreateSchema { .. } | Step::WidenType { .. } => 0,
        })
        .sum();
    if ever + new <= COLUMNS {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "{} would have {} columns, and a table of PostgreSQL has at most {COLUMNS}",
            plan.table,
            ever + new
        ),
    )
    .fix(format!(
        "Leave columns out in the options of the stream {}: `columns: {{name: exclude}}`. Columns \
         that were dropped count as well, until the table is made anew.",
        plan.stream
    )))
}

/// Whether rows of the plan can be copied into the table as it will be.
pub(crate) fn is_exact(plan: &TablePlan, found: &Found) -> bool {
    let existing = found.columns.as_deref().unwrap_or_default();
    let fits = |column: &TableColumn| {
        let there = existing.iter().find(|found| found.name == column.name);
        there.is_none_or(|there| {
            let joined = there.data_type.and_then(|it| it.join(column.data_type));
            let name = |data_type| DIALECT.type_name(data_type);
            joined.is_some_and(|joined| name(joined) == name(column.data_type))
        })
    };
    plan.columns.iter().all(fits)
}
