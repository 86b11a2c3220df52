//! What one warehouse says differently: quoting, type names, and the form of a statement.
//!
//! Only `type_name` has to be written; the rest is standard SQL until a warehouse disagrees.

use tributary_model::{DataType, TableName};

use crate::{Definition, Step};

/// How rows come whose keys may be there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upsert {
    /// Rows of these keys go first.
    DeleteThenInsert,
    /// They are changed where they are: the key has a unique index.
    OnConflict,
}

/// The text of one warehouse.
pub trait Dialect {
    /// The warehouse's name of a type; `None` where it has none that holds every value.
    fn type_name(&self, data_type: DataType) -> Option<String>;

    /// A name, so that no character in it means anything.
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// A text value.
    fn literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\'', "''"))
    }

    /// A schema's full name.
    fn schema(&self, schema: &str) -> String {
        self.quote(schema)
    }

    /// A table's full name.
    fn table(&self, name: &TableName) -> String {
        format!("{}.{}", self.schema(&name.schema), self.quote(&name.table))
    }

    /// Whether two names mean the same thing.
    fn same_name(&self, one: &str, other: &str) -> bool {
        one.eq_ignore_ascii_case(other)
    }

    /// The default of a column: `text`, as a value of its type.
    fn default_value(&self, text: &str, _data_type: DataType, sql_type: &str) -> String {
        format!("CAST({} AS {sql_type})", self.literal(text))
    }

    /// The beginning of a statement that makes a table which goes with the session.
    fn create_temporary(&self, name: &str) -> String {
        format!("CREATE TEMPORARY TABLE {}", self.quote(name))
    }

    /// An instant as microseconds since 1970, a whole number.
    fn micros(&self, instant: &str) -> String {
        format!("CAST(EXTRACT(EPOCH FROM {instant}) * 1000000 AS BIGINT)")
    }

    /// Microseconds since 1970 as an instant.
    fn instant(&self, micros: &str) -> String {
        format!("(TIMESTAMP WITH TIME ZONE 'epoch' + ({micros}) * INTERVAL '1 microsecond')")
    }

    /// Whether two values of a type differ, NULL being a value like any other.
    fn differ(&self, one: &str, other: &str, _data_type: DataType) -> String {
        format!("{one} IS DISTINCT FROM {other}")
    }

    /// Whether two values of a type are one, neither being NULL.
    fn equal(&self, one: &str, other: &str, _data_type: DataType) -> String {
        format!("{one} = {other}")
    }

    /// What rows are grouped by so that only equal values of a type come together.
    fn group(&self, value: &str, _data_type: DataType) -> String {
        value.to_owned()
    }

    /// A table as the target of a DELETE, and what conditions call it.
    fn delete_target(&self, table: &str) -> (String, String) {
        (format!("{table} AS t"), "t".to_owned())
    }

    /// How rows come whose keys may be there already.
    fn upsert(&self) -> Upsert {
        Upsert::DeleteThenInsert
    }

    /// Statements that let the planner know what was put into a temporary table.
    fn analyze(&self, _name: &str) -> Option<String> {
        None
    }

    /// The statements that carry a step out.
    fn render(&self, step: &Step) -> Vec<String> {
        match step {
            Step::CreateSchema { schema } => {
                vec![format!("CREATE SCHEMA {}", self.schema(schema))]
            }
            Step::CreateTable { table, columns } => {
                let columns: Vec<String> = columns.iter().map(|c| self.definition(c)).collect();
                let table = self.table(table);
                vec![format!("CREATE TABLE {table} ({})", columns.join(", "))]
            }
            Step::AddColumn { table, column } => self.add_column(&self.table(table), column),
            Step::WidenType { table, column, .. } => {
                vec![self.widen_column(&self.table(table), column)]
            }
        }
    }

    /// The statement that gives a column of `table` (a full name) a wider type.
    fn widen_column(&self, table: &str, column: &Definition) -> String {
        let (name, sql_type) = (self.quote(&column.name), &column.sql_type);
        format!("ALTER TABLE {table} ALTER COLUMN {name} TYPE {sql_type}")
    }

    /// The statements that add a column to `table` (a full name). A default fills the rows that are there and then goes, so
    /// that a later row without a value has none.
    fn add_column(&self, table: &str, column: &Definition) -> Vec<String> {
        let alter = format!("ALTER TABLE {table}");
        let add = format!("{alter} ADD COLUMN {}", self.definition(column));
        match &column.default {
            None => vec![add],
            Some(text) => {
                let value = self.default_value(text, column.data_type, &column.sql_type);
                let name = self.quote(&column.name);
                vec![
                    format!("{add} DEFAULT {value}"),
                    format!("{alter} ALTER COLUMN {name} DROP DEFAULT"),
                ]
            }
        }
    }

    /// A column's name and type.
    fn definition(&self, column: &Definition) -> String {
        format!("{} {}", self.quote(&column.name), column.sql_type)
    }
}
