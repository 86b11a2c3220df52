//! Which tables there are, their columns, and the indexes that keep keys single.

use std::collections::{HashMap, HashSet};

use sqlx::Row;
use tributary_model::{Error, ErrorKind, Existing, Result, TableColumn, TableName};
use tributary_sql::{Found, FoundColumn};

use crate::dialect::data_type;
use crate::error::Explain;
use crate::index::ENDING;
use crate::session::Session;

const RELATIONS: &str = "SELECT n.nspname::text, c.relname::text, c.relkind::text, c.relnatts::int4 \
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    WHERE (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($1::text[], $2::text[]))";
const COLUMNS: &str = "SELECT n.nspname::text, c.relname::text, a.attname::text, \
    format_type(a.atttypid, a.atttypmod) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
    WHERE (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($1::text[], $2::text[])) \
    ORDER BY a.attnum";
const INDEXES: &str = "SELECT n.nspname::text, c.relname::text, i.relname::text, \
    array_agg(a.attname::text), x.indisunique FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid \
    JOIN pg_class c ON c.oid = x.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (x.indkey) \
    WHERE x.indisvalid AND x.indimmediate AND x.indpred IS NULL \
    AND x.indexprs IS NULL AND x.indnkeyatts = x.indnatts \
    AND (n.nspname::text, c.relname::text) IN (SELECT * FROM unnest($1::text[], $2::text[])) \
    GROUP BY 1, 2, 3, 5";

/// A unique index over whole columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UniqueIndex {
    pub(crate) name: String,
    pub(crate) columns: HashSet<String>,
}

/// What is known of a table.
#[derive(Clone, Debug, Default)]
pub(crate) struct Relation {
    pub(crate) columns: Vec<FoundColumn>,
    pub(crate) unique: Vec<UniqueIndex>,
    /// Whether there is an index that we made for its key.
    pub(crate) has_key_index: bool,
    /// Its columns, those that were dropped included.
    pub(crate) ever: usize,
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
        let schemas: Vec<String> = tables.iter().map(|table| table.schema.clone()).collect();
        let names: Vec<String> = tables.iter().map(|table| table.table.clone()).collect();
        let sql = "SELECT nspname::text FROM pg_namespace WHERE nspname::text = ANY ($1::text[])";
        for row in session.ask(sqlx::query(sql).bind(&schemas), doing).await? {
            inventory.schemas.insert(row.try_get(0).explain(doing)?);
        }
        let about = |sql: &'static str| sqlx::query(sql).bind(schemas.clone()).bind(names.clone());
        for row in session.ask(about(RELATIONS), doing).await? {
            let kind: String = row.try_get(2).explain(doing)?;
            let ever: i32 = row.try_get(3).explain(doing)?;
            let relation = inventory.relation(&row)?;
            relation.is_table = matches!(kind.as_str(), "r" | "p");
            relation.ever = usize::try_from(ever).unwrap_or_default();
        }
        for row in session.ask(about(COLUMNS), doing).await? {
            let sql_type: String = row.try_get(3).explain(doing)?;
            let column = FoundColumn {
                name: row.try_get(2).explain(doing)?,
                data_type: data_type(&sql_type),
                sql_type,
            };
            inventory.relation(&row)?.columns.push(column);
        }
        for row in session.ask(about(INDEXES), doing).await? {
            let columns: Vec<String> = row.try_get(3).explain(doing)?;
            let is_unique: bool = row.try_get(4).explain(doing)?;
            let index = UniqueIndex {
                name: row.try_get(2).explain(doing)?,
                columns: columns.into_iter().collect(),
            };
            let relation = inventory.relation(&row)?;
            relation.has_key_index |= index.name.ends_with(ENDING);
            if is_unique {
                relation.unique.push(index);
            }
        }
        Ok(inventory)
    }

    fn relation(&mut self, row: &sqlx::postgres::PgRow) -> Result<&mut Relation> {
        let doing = "looking for the tables";
        let name = TableName {
            schema: row.try_get(0).explain(doing)?,
            table: row.try_get(1).explain(doing)?,
        };
        Ok(self.relations.entry(name).or_default())
    }

    /// What is there under one name.
    pub(crate) fn found(&self, table: &TableName) -> Result<Found> {
        let relation = self.relations.get(table);
        if relation.is_some_and(|relation| !relation.is_table) {
            return Err(Error::new(
                ErrorKind::Incompatible,
                format!("{table} is a view, an index or the like, and a table is needed there"),
            )
            .fix("Rename it, or name another table with `table:` in the stream's options."));
        }
        Ok(Found {
            schema: self.schemas.contains(&table.schema),
            columns: relation.map(|relation| relation.columns.clone()),
        })
    }

    /// More about a table, where it is there.
    pub(crate) fn get(&self, table: &TableName) -> Option<&Relation> {
        self.relations.get(table)
    }

    /// Notes a schema that is there now.
    pub(crate) fn add_schema(&mut self, schema: &str) {
        self.schemas.insert(schema.to_owned());
    }
}

/// The columns of those of `tables` that are there, where their types are ours.
pub(crate) async fn describe(session: &mut Session, tables: &[TableName]) -> Result<Existing> {
    let names: Vec<&TableName> = tables.iter().collect();
    let inventory = Inventory::of(session, &names).await?;
    let tables = inventory.relations.into_iter();
    let tables = tables.filter(|(_, relation)| relation.is_table);
    let columns = |relation: Relation| {
        let columns = relation.columns.into_iter().filter_map(|column| {
            Some(TableColumn {
                name: column.name,
                data_type: column.data_type?,
                default: None,
            })
        });
        columns.collect()
    };
    Ok(tables
        .map(|(name, relation)| (name, columns(relation)))
        .collect())
}
