//! What has to happen to a table before rows of a plan fit into it.
//!
//! Invariant: a step only adds; no column goes, no type narrows, no name changes. What can't be
//! followed that way is an error that says so, before anything was done.

use tributary_model::{
    DataType, Deletes, Error, ErrorKind, Mode, Result, TableColumn, TableName, TablePlan,
};

use crate::Dialect;
use crate::history::{IS_CURRENT, VALID_TO};
use crate::merge::{DELETED, SYNCED_AT};

/// A column with the text of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Definition {
    /// Its name.
    pub name: String,
    /// Its type.
    pub data_type: DataType,
    /// Its type in the warehouse's words.
    pub sql_type: String,
    /// What rows that are there already hold, as text.
    pub default: Option<String>,
}

/// One change of layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A schema appears.
    CreateSchema {
        /// Its name.
        schema: String,
    },
    /// A table appears.
    CreateTable {
        /// Its name.
        table: TableName,
        /// Its columns.
        columns: Vec<Definition>,
    },
    /// A column appears.
    AddColumn {
        /// The table.
        table: TableName,
        /// The column.
        column: Definition,
    },
    /// A column's type grows.
    WidenType {
        /// The table.
        table: TableName,
        /// The column, with its new type.
        column: Definition,
        /// Its type so far.
        from: DataType,
    },
}

/// A column as found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundColumn {
    /// Its name.
    pub name: String,
    /// Its type; `None` where it is none that we write.
    pub data_type: Option<DataType>,
    /// Its type in the warehouse's words.
    pub sql_type: String,
}

/// What is there under a table's name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Whether the schema is there.
    pub schema: bool,
    /// The columns of the table, where there is one.
    pub columns: Option<Vec<FoundColumn>>,
}

/// The steps that bring what was found to what `plan` needs, in order.
///
/// # Errors
/// [`ErrorKind::Incompatible`] where the table is not ours, or a column can't become what the plan
/// needs without losing values.
pub fn evolve(dialect: &impl Dialect, plan: &TablePlan, found: &Found) -> Result<Vec<Step>> {
    let wanted = definitions(dialect, plan)?;
    let Some(columns) = &found.columns else {
        let mut steps = Vec::new();
        if !found.schema {
            steps.push(Step::CreateSchema {
                schema: plan.table.schema.clone(),
            });
        }
        steps.push(Step::CreateTable {
            table: plan.table.clone(),
            columns: wanted,
        });
        return Ok(steps);
    };
    let find = |name: &str| columns.iter().find(|c| dialect.same_name(&c.name, name));
    if find(SYNCED_AT).is_none() {
        return Err(not_ours(plan));
    }
    let mut steps = Vec::new();
    for column in wanted {
        match find(&column.name) {
            None => steps.push(Step::AddColumn {
                table: plan.table.clone(),
                column,
            }),
            Some(existing) => steps.extend(widen(dialect, &plan.table, existing, column)?),
        }
    }
    Ok(steps)
}

/// The columns of the plan and those that every table of ours has besides.
fn definitions(dialect: &impl Dialect, plan: &TablePlan) -> Result<Vec<Definition>> {
    let is_history = plan.mode == Mode::History;
    let own = [
        Some((SYNCED_AT, DataType::TimestampTz, None)),
        (plan.deletes == Deletes::Soft).then_some((DELETED, DataType::Bool, Some("false"))),
        is_history.then_some((VALID_TO, DataType::TimestampTz, None)),
        is_history.then_some((IS_CURRENT, DataType::Bool, None)),
    ];
    let own = own
        .into_iter()
        .flatten()
        .map(|(name, data_type, default)| TableColumn {
            name: name.to_owned(),
            data_type,
            default: default.map(str::to_owned),
        });
    plan.columns
        .iter()
        .cloned()
        .chain(own)
        .map(|column| define(dialect, &plan.table, column))
        .collect()
}

pub(crate) fn define(
    dialect: &impl Dialect,
    table: &TableName,
    column: TableColumn,
) -> Result<Definition> {
    let TableColumn {
        name,
        data_type,
        default,
    } = column;
    match dialect.type_name(data_type) {
        Some(sql_type) => Ok(Definition {
            name,
            data_type,
            sql_type,
            default,
        }),
        None => Err(Error::new(
            ErrorKind::Incompatible,
            format!("column `{name}` of {table} would need the type {data_type}, which the destination does not have"),
        )
        .fix("Give the column another type in the stream's options, e.g. `{type: text}`.")),
    }
}

fn widen(
    dialect: &impl Dialect,
    table: &TableName,
    existing: &FoundColumn,
    wanted: Definition,
) -> Result<Option<Step>> {
    let joined = existing
        .data_type
        .and_then(|from| Some((from, from.join(wanted.data_type)?)));
    match joined {
        Some((from, to)) if from == to => Ok(None),
        Some((from, to)) => {
            let column = TableColumn {
                name: existing.name.clone(),
                data_type: to,
                default: None,
            };
            let column = define(dialect, table, column)?;
            let table = table.clone();
            Ok(Some(Step::WidenType {
                table,
                column,
                from,
            }))
        }
        None => Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "column `{}` of {table} has the type {}, which can't take values of the type {}",
                existing.name, existing.sql_type, wanted.data_type
            ),
        )
        .fix(format!(
            "Rename the column in the table, or give it another name in the stream's options: \
             `columns: {{{}: {{rename: ...}}}}`.",
            wanted.name
        ))),
    }
}

fn not_ours(plan: &TablePlan) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "the table {} exists already and was not made by Tributary (it has no column `{SYNCED_AT}`)",
            plan.table
        ),
    )
    .fix(format!(
        "Rename that table, or choose another one for the stream: \
         `streams: {{{}: {{table: {}.{}_synced}}}}`.",
        plan.stream, plan.table.schema, plan.table.table
    ))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::sample::{Plain, column, plan};

    fn found(columns: &[(&str, Option<DataType>)]) -> Found {
        let columns = columns.iter().map(|(name, data_type)| FoundColumn {
            name: (*name).to_owned(),
            data_type: *data_type,
            sql_type: "HUGEINT".to_owned(),
        });
        Found {
            schema: true,
            columns: Some(columns.collect()),
        }
    }

    fn text(plan: &TablePlan, found: &Found) -> String {
        let steps = evolve(&Plain, plan, found).unwrap();
        let statements: Vec<String> = steps.iter().flat_map(|step| Plain.render(step)).collect();
        statements.join(";\n")
    }

    #[test]
    fn what_is_missing_is_made() {
        insta::assert_snapshot!(text(&plan(), &Found::default()), @r#"
        CREATE SCHEMA "shop";
        CREATE TABLE "shop"."odd ""orders""" ("id" BIGINT, "note" TEXT, "_tributary_synced_at" TIMESTAMPTZ, "_tributary_deleted" BOOLEAN)
        "#);
        let schema_only = Found {
            schema: true,
            columns: None,
        };
        assert!(text(&plan(), &schema_only).starts_with("CREATE TABLE"));
    }

    #[test]
    fn a_table_that_fits_is_left_alone() {
        let fits = found(&[
            ("ID", Some(DataType::Int64)),
            ("note", Some(DataType::Text)),
            ("more", Some(DataType::Date)),
            (SYNCED_AT, Some(DataType::TimestampTz)),
            (DELETED, Some(DataType::Bool)),
        ]);
        assert_eq!(text(&plan(), &fits), "");
    }

    #[test]
    fn columns_are_added_and_widened() {
        let mut plan = plan();
        plan.columns
            .push(column("price", DataType::Decimal(20, 2), None));
        plan.columns
            .push(column("state", DataType::Text, Some("it's new")));
        let narrow = found(&[
            ("id", Some(DataType::Int32)),
            ("note", Some(DataType::Json)),
            ("price", Some(DataType::Int64)),
            (SYNCED_AT, Some(DataType::TimestampTz)),
        ]);
        insta::assert_snapshot!(text(&plan, &narrow), @r#"
        ALTER TABLE "shop"."odd ""orders""" ALTER COLUMN "id" TYPE BIGINT;
        ALTER TABLE "shop"."odd ""orders""" ALTER COLUMN "note" TYPE TEXT;
        ALTER TABLE "shop"."odd ""orders""" ALTER COLUMN "price" TYPE DECIMAL(21,2);
        ALTER TABLE "shop"."odd ""orders""" ADD COLUMN "state" TEXT DEFAULT CAST('it''s new' AS TEXT);
        ALTER TABLE "shop"."odd ""orders""" ALTER COLUMN "state" DROP DEFAULT;
        ALTER TABLE "shop"."odd ""orders""" ADD COLUMN "_tributary_deleted" BOOLEAN DEFAULT CAST('false' AS BOOLEAN);
        ALTER TABLE "shop"."odd ""orders""" ALTER COLUMN "_tributary_deleted" DROP DEFAULT
        "#);
    }

    #[test]
    fn a_wider_table_stays_as_wide_as_it_is() {
        let wide = found(&[
            ("id", Some(DataType::Decimal(20, 0))),
            ("note", Some(DataType::Text)),
            (SYNCED_AT, Some(DataType::TimestampTz)),
            (DELETED, Some(DataType::Bool)),
        ]);
        assert_eq!(text(&plan(), &wide), "");
    }

    #[test]
    fn what_cannot_be_followed_is_refused_with_the_fix() {
        let foreign = found(&[("id", Some(DataType::Int64))]);
        let unknown = found(&[("id", None), (SYNCED_AT, Some(DataType::TimestampTz))]);
        let apart = found(&[
            ("id", Some(DataType::Date)),
            (SYNCED_AT, Some(DataType::TimestampTz)),
        ]);
        for (found, part) in [
            (foreign, "was not made by Tributary"),
            (unknown, "has the type HUGEINT"),
            (apart, "can't take values of the type int64"),
        ] {
            let error = evolve(&Plain, &plan(), &found).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Incompatible);
            assert!(error.to_string().contains(part), "{error}");
            assert!(error.help().is_some());
        }
    }

    #[test]
    fn a_type_the_destination_lacks_is_refused() {
        let mut plan = plan();
        plan.columns
            .push(column("vast", DataType::Decimal(60, 2), None));
        let error = evolve(&Plain, &plan, &Found::default()).unwrap_err();
        assert!(error.to_string().contains("decimal(60,2)"), "{error}");
    }
}
