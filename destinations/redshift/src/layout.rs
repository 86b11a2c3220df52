//! What a table has to become before rows of a plan fit into it, and what it can't become.

use tributary_model::{DataType, Error, ErrorKind, Mode, Result, TableName, TablePlan};
use tributary_sql::{Dialect, Found, Step};

use crate::describe::Inventory;
use crate::dialect::{COLUMNS, DIALECT, TEXT_BYTES, text_bytes};
use crate::session::Session;

/// A table is merged by its key, and lives as long as nobody drops it.
pub(crate) fn refuse_impossible(plan: &TablePlan) -> Result<()> {
    let table = &plan.table;
    if table.table.starts_with('#') {
        let what =
            format!("{table} begins with `#`, which makes a table of Redshift's a temporary one");
        return Err(Error::new(ErrorKind::Incompatible, what)
            .fix("Name another table with `table:` in the stream's options."));
    }
    match plan.mode {
        Mode::Append => Ok(()),
        Mode::Merge | Mode::Replace | Mode::History if !plan.key.is_empty() => Ok(()),
        Mode::Merge | Mode::Replace | Mode::History => Err(Error::bug(format!(
            "{table} was to be merged without a key"
        ))),
    }
}

/// The server would say so as well, but only when rows are on their way.
pub(crate) fn refuse_too_many(plan: &TablePlan, steps: &[Step], found: &Found) -> Result<()> {
    let there = found.columns.as_ref().map_or(0, Vec::len);
    let new: usize = steps
        .iter()
        .map(|step| match step {
            Step::CreateTable { columns, .. } => columns.len(),
            Step::AddColumn { .. } => 1,
            Step::CreateSchema { .. } | Step::WidenType { .. } => 0,
        })
        .sum();
    if there + new <= COLUMNS {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "{} would have {} columns, and a table of Redshift has at most {COLUMNS}",
            plan.table,
            there + new
        ),
    )
    .fix(format!(
        "Leave columns out in the options of the stream {}: `columns: {{name: exclude}}`.",
        plan.stream
    )))
}

/// Columns of texts that are there and take fewer bytes than a text may have.
pub(crate) fn short_texts(plan: &TablePlan, found: &Found) -> Vec<String> {
    let columns = found.columns.iter().flatten();
    let short = columns.filter(|there| {
        let is_text = plan.columns.iter().any(|column| {
            column.data_type == DataType::Text && DIALECT.same_name(&column.name, &there.name)
        });
        is_text && text_bytes(&there.sql_type).is_some_and(|bytes| bytes < TEXT_BYTES)
    });
    short.map(|column| column.name.clone()).collect()
}

/// Makes room for the longest texts before a load begins: that can't be a part of its transaction.
/// Nothing is lost where the load then fails. Where it can't be done (a view reads the column), the
/// tables' own steps do it within the load, or say for which table they can't.
pub(crate) async fn lengthen_texts(session: &mut Session, plans: &[&TablePlan]) -> Result<()> {
    let names: Vec<&TableName> = plans.iter().map(|plan| &plan.table).collect();
    let inventory = Inventory::of(session, &names).await?;
    for plan in plans {
        let found = inventory.found(&plan.table)?;
        for column in short_texts(plan, &found) {
            let doing = format!("making room for longer texts in {}", plan.table);
            let statement = DIALECT.lengthen(&plan.table, &column);
            match session.run(&statement, &doing).await {
                Err(error) if error.kind() == ErrorKind::Unavailable => return Err(error),
                Err(error) => tracing::warn!("{column} of {}: {error}", plan.table),
                Ok(_) => {}
            }
        }
    }
    Ok(())
}
