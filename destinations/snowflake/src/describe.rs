//! Which tables there are, and their columns.

use std::collections::{HashMap, HashSet};

use tributary_model::{Error, ErrorKind, Existing, Result, TableColumn, TableName};
use tributary_sql::{Dialect, Found, FoundColumn};

use crate::answer::Rows;
use crate::client::{Client, Scope};
use crate::config::Identifiers;
use crate::dialect::{Snow, data_type};

/// What is there under a table's name.
#[derive(Clone, Debug, Default)]
struct Relation {
    columns: Vec<FoundColumn>,
    is_table: bool,
}

/// What is in a database, as far as some tables are concerned. Names are as they stand there.
#[derive(Debug)]
pub(crate) struct Inventory {
    dialect: Snow,
    schemas: HashSet<String>,
    relations: HashMap<(String, String), Relation>,
}

impl Inventory {
    /// Looks for `tables`, in one question.
    pub(crate) async fn of(client: &Client, dialect: Snow, tables: &[&TableName]) -> Result<Self> {
        let mut inventory = Self {
            dialect,
            schemas: HashSet::new(),
            relations: HashMap::new(),
        };
        if tables.is_empty() {
            return Ok(inventory);
        }
        let sql = question(dialect, tables);
        let rows = client
            .ask(Scope::Database, &sql, "looking for the tables")
            .await?;
        for row in &rows.rows {
            inventory.take(row)?;
        }
        Ok(inventory)
    }

    fn take(&mut self, row: &[Option<String>]) -> Result<()> {
        let schema = Rows::text(row, 1)?.to_owned();
        let cell = |place: usize| row.get(place).and_then(Option::as_deref);
        if Rows::text(row, 0)? == "0" {
            self.schemas.insert(schema);
            return Ok(());
        }
        let name = (schema, Rows::text(row, 2)?.to_owned());
        let relation = self.relations.entry(name).or_default();
        match cell(3) {
            None => {
                relation.is_table = matches!(Rows::text(row, 4)?, "BASE TABLE" | "TRANSIENT");
            }
            Some(column) => {
                let number = |place: usize| cell(place).and_then(|text| text.parse().ok());
                let sql_type = Rows::text(row, 4)?.to_owned();
                relation.columns.push(FoundColumn {
                    name: column.to_owned(),
                    data_type: data_type(&sql_type, number(5), number(6)),
                    sql_type,
                });
            }
        }
        Ok(())
    }

    fn relation(&self, table: &TableName) -> Option<&Relation> {
        let name = (
            self.dialect.fold(&table.schema),
            self.dialect.fold(&table.table),
        );
        self.relations.get(&name)
    }

    /// What is there under one name.
    pub(crate) fn found(&self, table: &TableName) -> Result<Found> {
        let relation = self.relation(table);
        if relation.is_some_and(|relation| !relation.is_table) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("{table} is a view or the like, and a table is needed there"),
            )
            .fix("Rename it, or name another table with `table:` in the stream's options."));
        }
        Ok(Found {
            schema: self.schemas.contains(&self.dialect.fold(&table.schema)),
            columns: relation.map(|relation| relation.columns.clone()),
        })
    }

    /// Notes a schema that is there now.
    pub(crate) fn add_schema(&mut self, schema: &str) {
        self.schemas.insert(self.dialect.fold(schema));
    }
}

/// Kind (0 a schema, 1 a table, 2 a column), names, type, digits and digits after the point.
fn question(dialect: Snow, tables: &[&TableName]) -> String {
    let literal = |name: &str| dialect.literal(&dialect.fold(name));
    let mut schemas: Vec<String> = tables.iter().map(|table| literal(&table.schema)).collect();
    schemas.sort();
    schemas.dedup();
    let names = tables
        .iter()
        .map(|table| format!("({}, {})", literal(&table.schema), literal(&table.table)));
    let (schemas, names) = (schemas.join(", "), names.collect::<Vec<_>>().join(", "));
    format!(
        "SELECT 0 AS KIND, SCHEMA_NAME AS A, NULL AS B, NULL AS C, NULL AS D, NULL AS E, NULL AS F, 0 AS N \
         FROM INFORMATION_SCHEMA.SCHEMATA WHERE SCHEMA_NAME IN ({schemas}) \
         UNION ALL SELECT 1, TABLE_SCHEMA, TABLE_NAME, NULL, TABLE_TYPE, NULL, NULL, 0 \
         FROM INFORMATION_SCHEMA.TABLES WHERE (TABLE_SCHEMA, TABLE_NAME) IN ({names}) \
         UNION ALL SELECT 2, TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, \
         NUMERIC_SCALE, ORDINAL_POSITION \
         FROM INFORMATION_SCHEMA.COLUMNS WHERE (TABLE_SCHEMA, TABLE_NAME) IN ({names}) \
         ORDER BY KIND, A, B, N"
    )
}

/// The columns of those of `tables` that are there, where their types are ours.
pub(crate) async fn describe(
    client: &Client,
    dialect: Snow,
    tables: &[TableName],
) -> Result<Existing> {
    let names: Vec<&TableName> = tables.iter().collect();
    let inventory = Inventory::of(client, dialect, &names).await?;
    let mut existing = Existing::new();
    for table in tables {
        let Some(relation) = inventory
            .relation(table)
            .filter(|relation| relation.is_table)
        else {
            continue;
        };
        let columns = relation.columns.iter().filter_map(|column| {
            Some(TableColumn {
                name: unfolded(dialect, &column.name),
                data_type: column.data_type?,
                default: None,
            })
        });
        existing.insert(table.clone(), columns.collect());
    }
    Ok(existing)
}

/// A name as the engine knows it: those that are all in upper case are written small.
pub(crate) fn unfolded(dialect: Snow, name: &str) -> String {
    match dialect.identifiers {
        Identifiers::Upper => name.to_ascii_lowercase(),
        Identifiers::Exact => name.to_owned(),
    }
}
