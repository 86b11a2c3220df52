//! Which tables there are, and their columns.

use std::collections::{HashMap, HashSet};

use tributary_model::{Error, ErrorKind, Existing, Result, TableColumn, TableName};
use tributary_sql::{Found, FoundColumn};

use crate::dialect::{data_type, folded};
use crate::session::{Row, Session};
use crate::text::{literal, literals};

/// What is known of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relation {
    pub(crate) columns: Vec<FoundColumn>,
    is_table: bool,
}

/// What is in a database, as far as some tables are concerned.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    schemas: HashSet<String>,
    relations: HashMap<TableName, Relation>,
}

impl Inventory {
    /// Looks for `tables`.
    pub(crate) async fn of(session: &mut Session, tables: &[&TableName]) -> Result<Self> {
        let mut inventory = Self::default();
        if tables.is_empty() {
            return Ok(inventory);
        }
        let doing = "looking for the tables";
        let tables: HashSet<TableName> = tables.iter().map(|table| folded(table)).collect();
        let schemas: HashSet<&str> = tables.iter().map(|table| table.schema.as_str()).collect();
        let schemas = literals(schemas);
        let sql = format!("SELECT nspname FROM pg_namespace WHERE nspname IN ({schemas})");
        for row in session.ask(&sql, doing).await? {
            inventory.schemas.insert(row.text(0)?.to_owned());
        }
        let pairs: Vec<String> = tables.iter().map(is_called).collect();
        let pairs = pairs.join(" OR ");
        let from = "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace";
        let sql = format!("SELECT n.nspname, c.relname, c.relkind {from} WHERE {pairs}");
        for row in session.ask(&sql, doing).await? {
            let is_table = row.text(2)? == "r";
            inventory.relation(&row)?.is_table = is_table;
        }
        let sql = format!(
            "SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod) {from} \
             JOIN pg_attribute a ON a.attrelid = c.oid WHERE a.attnum > 0 AND NOT a.attisdropped \
             AND ({pairs}) ORDER BY a.attnum"
        );
        for row in session.ask(&sql, doing).await? {
            let sql_type = row.text(3)?.to_owned();
            let column = FoundColumn {
                name: row.text(2)?.to_owned(),
                data_type: data_type(&sql_type),
                sql_type,
            };
            inventory.relation(&row)?.columns.push(column);
        }
        Ok(inventory)
    }

    fn relation(&mut self, row: &Row) -> Result<&mut Relation> {
        let name = TableName {
            schema: row.text(0)?.to_owned(),
            table: row.text(1)?.to_owned(),
        };
        Ok(self.relations.entry(name).or_default())
    }

    /// What is there under one name.
    pub(crate) fn found(&self, table: &TableName) -> Result<Found> {
        let relation = self.get(table);
        if relation.is_some_and(|relation| !relation.is_table) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("{table} is a view or the like, and a table is needed there"),
            )
            .fix("Rename it, or name another table with `table:` in the stream's options."));
        }
        Ok(Found {
            schema: self.schemas.contains(&folded(table).schema),
            columns: relation.map(|relation| relation.columns.clone()),
        })
    }

    /// More about a table, where it is there.
    pub(crate) fn get(&self, table: &TableName) -> Option<&Relation> {
        self.relations.get(&folded(table))
    }

    /// Notes a schema that is there now.
    pub(crate) fn add_schema(&mut self, schema: &str) {
        self.schemas.insert(schema.to_ascii_lowercase());
    }
}

/// The condition that finds a table.
fn is_called(table: &TableName) -> String {
    let (schema, name) = (literal(&table.schema), literal(&table.table));
    format!("(n.nspname = {schema} AND c.relname = {name})")
}

/// The columns of those of `tables` that are there, where their types are ours.
pub(crate) async fn describe(session: &mut Session, tables: &[TableName]) -> Result<Existing> {
    let names: Vec<&TableName> = tables.iter().collect();
    let inventory = Inventory::of(session, &names).await?;
    let columns = |relation: &Relation| {
        let columns = relation.columns.iter().filter_map(|column| {
            Some(TableColumn {
                name: column.name.clone(),
                data_type: column.data_type?,
                default: None,
            })
        });
        columns.collect()
    };
    let there = tables.iter().filter_map(|table| {
        let relation = inventory.get(table).filter(|relation| relation.is_table)?;
        Some((table.clone(), columns(relation)))
    });
    Ok(there.collect())
}
