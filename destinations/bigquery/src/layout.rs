//! Changes of layout: what has to happen to a table before rows of a plan fit into it.
//!
//! Layouts change before the transaction that loads, because BigQuery changes none within one. So every
//! change is additive and can be made again: one that was made and whose load then failed is found done.
//! A column with a default is filled under another name first and renamed then: no reader and no later
//! load sees one that is half filled. A script that does so may outlive its process. So it looks at the
//! fence before it fills and once more before it renames: behind a newer opening it changes nothing. // G7

use std::collections::BTreeMap;

use tributary_model::{DataType, Error, ErrorKind, Mode, Result, TableName, TablePlan};
use tributary_sql::{Definition, Dialect, Found, FoundColumn, SYNCED_AT, Step, evolve};

use crate::config::{Granularity, PartitionConfig};
use crate::dialect::{BigQueryDialect, document_text};
use crate::names::{COLUMN_CHARACTERS, column_id};
use crate::settings::{MOST_CLUSTERED, Settings};

/// Columns of a table at most.
const COLUMNS: usize = 10_000;
const NEW: &str = "_tributary_new_";
const OLD: &str = "_tributary_old_";

/// The steps that bring what was found to the plan.
pub(crate) fn steps(
    dialect: &BigQueryDialect,
    plan: &TablePlan,
    found: &Found,
) -> Result<Vec<Step>> {
    refuse_impossible(plan)?;
    let steps = evolve(dialect, plan, found)?;
    Ok(steps
        .into_iter()
        .filter(|step| match step {
            // Several of our types are one of BigQuery's.
            Step::WidenType { column, from, .. } => {
                dialect.type_name(*from).as_ref() != Some(&column.sql_type)
            }
            Step::CreateSchema { .. } | Step::CreateTable { .. } | Step::AddColumn { .. } => true,
        })
        .collect())
}

fn refuse_impossible(plan: &TablePlan) -> Result<()> {
    let table = &plan.table;
    if plan.mode != Mode::Append && plan.key.is_empty() {
        return Err(Error::bug(format!(
            "{table} was to be merged without a key"
        )));
    }
    let refuse = |what: String, fix: &str| Err(Error::new(ErrorKind::Incompatible, what).fix(fix));
    if plan.columns.len() > COLUMNS {
        return refuse(
            format!("{table} would have more than the {COLUMNS} columns of BigQuery"),
            "Leave columns out in the stream's options: `columns: {name: exclude}`.",
        );
    }
    for column in &plan.columns {
        if column_id(&column.name).chars().count() > COLUMN_CHARACTERS {
            return refuse(
                format!(
                    "the column `{}` of {table} has a name that is too long for BigQuery",
                    column.name
                ),
                "Give it another name in the stream's options: `columns: {name: {rename: x}}`.",
            );
        }
        let is_key = plan.mode != Mode::Append && plan.key.contains(&column.name);
        if is_key
            && matches!(
                column.data_type,
                DataType::Json | DataType::Float32 | DataType::Float64
            )
        {
            return refuse(
                format!(
                    "the key of {table} has the column `{}` of the type {}, which BigQuery does not compare",
                    column.name, column.data_type
                ),
                "Give it the type `text` in the stream's options.",
            );
        }
    }
    Ok(())
}

/// The columns of whole numbers that the plan has as floats. BigQuery has 64 bits for all of them: only
/// the values there tell whether floats hold them.
pub(crate) fn doubtful(plan: &TablePlan, found: &Found) -> Vec<String> {
    let is_float = |name: &str| {
        let mut columns = plan.columns.iter();
        columns.any(|column| {
            column.name.eq_ignore_ascii_case(name)
                && matches!(column.data_type, DataType::Float32 | DataType::Float64)
        })
    };
    let columns = found.columns.iter().flatten();
    let doubtful = columns
        .filter(|column| column.data_type == Some(DataType::Int64) && is_float(&column.name));
    doubtful.map(|column| column.name.clone()).collect()
}

/// The question whether floats hold all whole numbers of some columns.
pub(crate) fn are_exact(
    dialect: &BigQueryDialect,
    table: &TableName,
    columns: &[String],
) -> String {
    const MOST: i64 = 1 << 53;
    let far = columns.iter().map(|name| {
        let name = dialect.quote(name);
        format!("{name} > {MOST} OR {name} < -{MOST}")
    });
    let far = far.collect::<Vec<_>>().join(" OR ");
    format!(
        "SELECT 1 AS far FROM {} WHERE {far} LIMIT 1",
        dialect.table(table)
    )
}

/// The same with those columns as ones of 32 bits, which floats hold.
pub(crate) fn narrowed(mut found: Found, columns: &[String]) -> Found {
    for column in found.columns.iter_mut().flatten() {
        if columns.contains(&column.name) {
            column.data_type = Some(DataType::Int32);
        }
    }
    found
}

/// What is found once the steps are done.
pub(crate) fn after(found: &Found, steps: &[Step]) -> Found {
    let mut columns = found.columns.clone();
    let as_found = |column: &Definition| FoundColumn {
        name: column.name.clone(),
        data_type: Some(column.data_type),
        sql_type: column.sql_type.clone(),
    };
    for step in steps {
        match step {
            Step::CreateSchema { .. } => {}
            Step::CreateTable { columns: made, .. } => {
                columns = Some(made.iter().map(as_found).collect());
            }
            Step::AddColumn { column, .. } => {
                columns.get_or_insert_default().push(as_found(column));
            }
            Step::WidenType { column, .. } => {
                for there in columns.iter_mut().flatten() {
                    if there.name.eq_ignore_ascii_case(&column.name) {
                        *there = as_found(column);
                    }
                }
            }
        }
    }
    Found {
        schema: true,
        columns,
    }
}

/// The types of a table's columns by their names in lower case.
pub(crate) fn types(found: &Found) -> BTreeMap<String, (DataType, String)> {
    let columns = found.columns.iter().flatten();
    columns
        .filter_map(|column| {
            let data_type = column.data_type?;
            Some((
                column.name.to_lowercase(),
                (data_type, column.sql_type.clone()),
            ))
        })
        .collect()
}

/// The statements of a step.
pub(crate) fn render(
    dialect: &BigQueryDialect,
    settings: &Settings,
    plan: &TablePlan,
    step: &Step,
    guard: &str,
) -> Result<Vec<String>> {
    Ok(match step {
        Step::CreateSchema { schema } => vec![create_schema(dialect, schema, &settings.location)],
        Step::CreateTable { table, columns } => {
            vec![create_table(dialect, settings, plan, table, columns)?]
        }
        Step::AddColumn { table, column } => {
            add_column(dialect, &dialect.table(table), column, guard)
        }
        Step::WidenType {
            table,
            column,
            from,
        } => widen(dialect, &dialect.table(table), column, *from, guard),
    })
}

/// Makes a dataset where there is none.
pub(crate) fn create_schema(dialect: &BigQueryDialect, schema: &str, location: &str) -> String {
    format!(
        "CREATE SCHEMA IF NOT EXISTS {} OPTIONS (location = {})",
        dialect.schema(schema),
        dialect.literal(location)
    )
}

fn create_table(
    dialect: &BigQueryDialect,
    settings: &Settings,
    plan: &TablePlan,
    table: &TableName,
    columns: &[Definition],
) -> Result<String> {
    let defined: Vec<String> = columns
        .iter()
        .map(|column| dialect.definition(column))
        .collect();
    let partition = match settings.partition_by(table) {
        Some(partition) => partition_clause(dialect, table, columns, partition)?,
        None => String::new(),
    };
    Ok(format!(
        "CREATE TABLE IF NOT EXISTS {} ({}){partition}{}",
        dialect.table(table),
        defined.join(", "),
        cluster_clause(dialect, settings, plan, columns)
    ))
}

fn partition_clause(
    dialect: &BigQueryDialect,
    table: &TableName,
    columns: &[Definition],
    partition: &PartitionConfig,
) -> Result<String> {
    let name = partition.column.as_deref().unwrap_or(SYNCED_AT);
    let column = columns
        .iter()
        .find(|column| dialect.same_name(&column.name, name));
    let unit = match partition.granularity {
        Granularity::Hour => "HOUR",
        Granularity::Day => "DAY",
        Granularity::Month => "MONTH",
        Granularity::Year => "YEAR",
    };
    let quoted = dialect.quote(name);
    let by = match column.map(|column| column.data_type) {
        Some(DataType::Date) if partition.granularity == Granularity::Day => quoted,
        Some(DataType::Date) if partition.granularity != Granularity::Hour => {
            format!("DATE_TRUNC({quoted}, {unit})")
        }
        Some(DataType::Timestamp) => format!("DATETIME_TRUNC({quoted}, {unit})"),
        Some(DataType::TimestampTz) => format!("TIMESTAMP_TRUNC({quoted}, {unit})"),
        Some(_) | None => {
            return Err(Error::new(
                ErrorKind::Config,
                format!("{table} can't be partitioned by `{name}`: it has no such column of a date or time for this granularity"),
            )
            .fix(format!(
                "Set `partition_by` of `tables: {{{table}: ...}}` to a column that the table has, or leave `column` out."
            )));
        }
    };
    Ok(format!(" PARTITION BY {by}"))
}

/// Clustering by the key lets a merge skip what has none of its keys.
fn cluster_clause(
    dialect: &BigQueryDialect,
    settings: &Settings,
    plan: &TablePlan,
    columns: &[Definition],
) -> String {
    let wanted = settings.cluster_by(&plan.table).unwrap_or(&plan.key);
    let can_cluster = |name: &&String| {
        let column = columns
            .iter()
            .find(|column| dialect.same_name(&column.name, name));
        column.is_some_and(|column| match column.data_type {
            DataType::Float32
            | DataType::Float64
            | DataType::Bytes
            | DataType::Json
            | DataType::Time => false,
            DataType::Bool
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt64
            | DataType::Decimal(..)
            | DataType::Date
            | DataType::Timestamp
            | DataType::TimestampTz
            | DataType::Text => true,
        })
    };
    let names = wanted.iter().filter(can_cluster).take(MOST_CLUSTERED);
    let names: Vec<String> = names.map(|name| dialect.quote(name)).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!(" CLUSTER BY {}", names.join(", ")),
    }
}

fn add_column(
    dialect: &BigQueryDialect,
    table: &str,
    column: &Definition,
    guard: &str,
) -> Vec<String> {
    let Some(text) = &column.default else {
        let column = dialect.definition(column);
        return vec![format!(
            "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column}"
        )];
    };
    let value = dialect.default_value(text, column.data_type, &column.sql_type);
    let new = helper(dialect, NEW, column);
    let name = dialect.quote(&column.name);
    vec![
        guard.to_owned(),
        format!(
            "ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {new} {}",
            column.sql_type
        ),
        format!("UPDATE {table} SET {new} = {value} WHERE TRUE"),
        guard.to_owned(),
        format!("ALTER TABLE {table} RENAME COLUMN {new} TO {name}"),
    ]
}

/// Gives a column a wider type: in place where BigQuery can, else by a column that takes its name.
fn widen(
    dialect: &BigQueryDialect,
    table: &str,
    column: &Definition,
    from: DataType,
    guard: &str,
) -> Vec<String> {
    let (name, sql_type) = (dialect.quote(&column.name), &column.sql_type);
    let value = match (from, column.data_type) {
        (DataType::Json, _) => document_text(&name),
        (DataType::Date, _) => format!("CAST({name} AS {sql_type})"),
        _ => {
            return vec![format!(
                "ALTER TABLE {table} ALTER COLUMN {name} SET DATA TYPE {sql_type}"
            )];
        }
    };
    let new = helper(dialect, NEW, column);
    let old = helper(dialect, OLD, column);
    vec![
        guard.to_owned(),
        format!("ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {new} {sql_type}"),
        format!("UPDATE {table} SET {new} = {value} WHERE TRUE"),
        guard.to_owned(),
        format!("ALTER TABLE {table} RENAME COLUMN {name} TO {old}, RENAME COLUMN {new} TO {name}"),
        format!("ALTER TABLE {table} DROP COLUMN IF EXISTS {old}"),
    ]
}

/// The name of a column while it is made or goes: as long as any, whatever the column's own is.
fn helper(dialect: &BigQueryDialect, start: &str, column: &Definition) -> String {
    let hash = crate::names::hash(&column.name.to_lowercase());
    dialect.quote(&format!("{start}{hash:016x}"))
}

/// Whether a step fills a column under another name and renames it.
pub(crate) fn rewrites(step: &Step) -> bool {
    match step {
        Step::AddColumn { column, .. } => column.default.is_some(),
        Step::WidenType { from, .. } => matches!(from, DataType::Json | DataType::Date),
        Step::CreateSchema { .. } | Step::CreateTable { .. } => false,
    }
}

/// Whether a step has been done since it was planned, by a job of somebody else's.
pub(crate) fn is_done(dialect: &BigQueryDialect, step: &Step, found: &Found) -> bool {
    let there = |name: &str| {
        let mut columns = found.columns.iter().flatten();
        columns.find(|column| dialect.same_name(&column.name, name))
    };
    match step {
        Step::AddColumn { column, .. } => there(&column.name).is_some(),
        Step::WidenType { column, .. } => {
            there(&column.name).is_some_and(|there| there.sql_type == column.sql_type)
        }
        Step::CreateSchema { .. } | Step::CreateTable { .. } => false,
    }
}

/// Refuses to rename a column by which its table is clustered or partitioned: BigQuery does not.
pub(crate) fn refuse_fixed(step: &Step, fixed: &[String]) -> Result<()> {
    let Step::WidenType { table, column, .. } = step else {
        return Ok(());
    };
    let is_fixed = |name: &String| name.eq_ignore_ascii_case(&column.name);
    if !rewrites(step) || !fixed.iter().any(is_fixed) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "the column `{}` of {table} can't become {}: the table is clustered or partitioned by it",
            column.name, column.sql_type
        ),
    )
    .fix("Drop the table and read the stream anew with `tributary sync --full-refresh`."))
}

/// A column that is being made belongs to nobody.
pub(crate) fn is_unfinished(column: &FoundColumn) -> bool {
    column.name.starts_with(NEW) || column.name.starts_with(OLD)
}
