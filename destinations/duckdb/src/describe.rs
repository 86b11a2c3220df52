//! Which tables there are, and their columns.

use std::collections::{HashMap, HashSet};

use duckdb::Connection;
use tributary_model::{Error, ErrorKind, Existing, Result, TableColumn, TableName};
use tributary_sql::{Dialect, Found, FoundColumn};

use crate::dialect::{DuckDialect, data_type};
use crate::error::Explain;

/// What is in a file, as far as some tables are concerned.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    schemas: HashSet<String>,
    tables: HashMap<(String, String), Vec<FoundColumn>>,
    views: HashSet<(String, String)>,
}

impl Inventory {
    /// Looks for `tables`.
    pub(crate) fn of(connection: &Connection, tables: &[&TableName]) -> Result<Self> {
        let mut inventory = Self::default();
        inventory.read_schemas(connection)?;
        if !tables.is_empty() {
            inventory.read_views(connection, tables)?;
            inventory.read_columns(connection, tables)?;
        }
        Ok(inventory)
    }

    /// What is there under one name.
    pub(crate) fn found(&self, table: &TableName) -> Result<Found> {
        let key = key(table);
        if self.views.contains(&key) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("{table} is a view, and a table is needed there"),
            )
            .fix("Rename the view, or name another table with `table:` in the stream's options."));
        }
        Ok(Found {
            schema: self.schemas.contains(&key.0),
            columns: self.tables.get(&key).cloned(),
        })
    }

    /// How many columns a table has; 0 where there is none.
    pub(crate) fn columns(&self, table: &TableName) -> usize {
        self.tables.get(&key(table)).map_or(0, Vec::len)
    }

    /// Notes a schema that is there now.
    pub(crate) fn add_schema(&mut self, schema: &str) {
        self.schemas.insert(schema.to_ascii_lowercase());
    }

    fn read_schemas(&mut self, connection: &Connection) -> Result<()> {
        let doing = "looking for schemas";
        let sql =
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = current_database()";
        let mut statement = connection.prepare(sql).explain(doing)?;
        let mut rows = statement.query([]).explain(doing)?;
        while let Some(row) = rows.next().explain(doing)? {
            self.add_schema(&row.get::<_, String>(0).explain(doing)?);
        }
        Ok(())
    }

    fn read_views(&mut self, connection: &Connection, tables: &[&TableName]) -> Result<()> {
        let doing = "looking for views";
        let sql = format!(
            "SELECT schema_name, view_name FROM duckdb_views() \
             WHERE database_name = current_database() AND {}",
            named("view_name", tables)
        );
        let mut statement = connection.prepare(&sql).explain(doing)?;
        let mut rows = statement.query([]).explain(doing)?;
        while let Some(row) = rows.next().explain(doing)? {
            self.views.insert(key(&TableName {
                schema: row.get(0).explain(doing)?,
                table: row.get(1).explain(doing)?,
            }));
        }
        Ok(())
    }

    fn read_columns(&mut self, connection: &Connection, tables: &[&TableName]) -> Result<()> {
        let doing = "looking at the tables' columns";
        let sql = format!(
            "SELECT schema_name, table_name, column_name, data_type FROM duckdb_columns() \
             WHERE database_name = current_database() AND {} ORDER BY column_index",
            named("table_name", tables)
        );
        let mut statement = connection.prepare(&sql).explain(doing)?;
        let mut rows = statement.query([]).explain(doing)?;
        while let Some(row) = rows.next().explain(doing)? {
            let table = TableName {
                schema: row.get(0).explain(doing)?,
                table: row.get(1).explain(doing)?,
            };
            let sql_type: String = row.get(3).explain(doing)?;
            self.tables
                .entry(key(&table))
                .or_default()
                .push(FoundColumn {
                    name: row.get(2).explain(doing)?,
                    data_type: data_type(&sql_type),
                    sql_type,
                });
        }
        Ok(())
    }
}

/// The columns of those of `tables` that are there, where their types are ours.
pub(crate) fn describe(connection: &Connection, tables: &[TableName]) -> Result<Existing> {
    let inventory = Inventory::of(connection, &tables.iter().collect::<Vec<_>>())?;
    let mut existing = Existing::new();
    for table in tables {
        if let Some(columns) = inventory.tables.get(&key(table)) {
            let columns = columns.iter().filter_map(|column| {
                Some(TableColumn {
                    name: column.name.clone(),
                    data_type: column.data_type?,
                    default: None,
                })
            });
            existing.insert(table.clone(), columns.collect());
        }
    }
    Ok(existing)
}

/// What DuckDB calls the file.
pub(crate) fn dialect(connection: &Connection) -> Result<DuckDialect> {
    let catalog = connection
        .query_row("SELECT current_database()", [], |row| row.get(0))
        .explain("asking for the file's name")?;
    Ok(DuckDialect { catalog })
}

/// DuckDB tells names apart without regard to the case of ASCII letters.
fn key(table: &TableName) -> (String, String) {
    (
        table.schema.to_ascii_lowercase(),
        table.table.to_ascii_lowercase(),
    )
}

/// A condition that lets the named tables pass; it may let others of similar names pass too.
fn named(column: &str, tables: &[&TableName]) -> String {
    let dialect = DuckDialect {
        catalog: String::new(),
    };
    let list = |name: fn(&TableName) -> &str| {
        let names: HashSet<&str> = tables.iter().map(|table| name(table)).collect();
        let names: Vec<String> = names
            .into_iter()
            .map(|name| format!("lower({})", dialect.literal(name)))
            .collect();
        names.join(", ")
    };
    format!(
        "lower(schema_name) IN ({}) AND lower({column}) IN ({})",
        list(|table| &table.schema),
        list(|table| &table.table)
    )
}
