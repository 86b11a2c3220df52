//! Redshift's words.
//!
//! It came from PostgreSQL 8 and lacks what that lacked: `IS DISTINCT FROM`, `ON CONFLICT`, aliases of
//! the target of a DELETE. Texts are equal there that differ in blanks at their ends only, so their
//! lengths are compared too. A column's type changes by way of another column: the statement that does
//! it in place can't be a part of a transaction.

use tributary_model::{DataType, TableName};
use tributary_sql::{Definition, Dialect, Step};

use crate::text::literal;

/// Digits of the widest decimal.
pub(crate) const DECIMAL_DIGITS: u8 = 38;
/// Columns that every table has, under names that nobody else can use.
pub(crate) const RESERVED: &[&str] = &[
    "oid",
    "tableoid",
    "xmin",
    "cmin",
    "xmax",
    "cmax",
    "ctid",
    "insertxid",
    "deletexid",
];
/// The most columns of a table.
pub(crate) const COLUMNS: usize = 1600;
/// The most bytes of a text.
pub(crate) const TEXT_BYTES: usize = 65_535;
/// What is added to a column's name while its type grows; no name of the engine's ends so.
const GROWING: &str = "_tributary_grows";

/// Redshift.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RedshiftDialect;

pub(crate) const DIALECT: RedshiftDialect = RedshiftDialect;

impl Dialect for RedshiftDialect {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        let name = match data_type {
            DataType::Bool => "BOOLEAN",
            DataType::Int16 => "SMALLINT",
            DataType::Int32 => "INTEGER",
            DataType::Int64 => "BIGINT",
            DataType::UInt64 => "DECIMAL(20,0)",
            DataType::Decimal(digits, _) if digits > DECIMAL_DIGITS => return None,
            DataType::Decimal(digits, scale) => return Some(format!("DECIMAL({digits},{scale})")),
            DataType::Float32 => "REAL",
            DataType::Float64 => "DOUBLE PRECISION",
            DataType::Date => "DATE",
            DataType::Time => "TIME",
            DataType::Timestamp => "TIMESTAMP",
            DataType::TimestampTz => "TIMESTAMPTZ",
            DataType::Text => "VARCHAR(65535)",
            DataType::Bytes => "VARBYTE(65535)",
            DataType::Json => "SUPER",
        };
        Some(name.to_owned())
    }

    /// Names are folded to lower case even where they are quoted, unless a session says otherwise: so
    /// they are written in it.
    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", name.to_ascii_lowercase().replace('"', "\"\""))
    }

    fn literal(&self, text: &str) -> String {
        literal(text)
    }

    fn default_value(&self, text: &str, data_type: DataType, sql_type: &str) -> String {
        let value = literal(text);
        match data_type {
            DataType::Bytes => format!("TO_VARBYTE({value}, 'utf8')"),
            DataType::Json => format!("JSON_PARSE({value})"),
            _ => format!("CAST({value} AS {sql_type})"),
        }
    }

    /// DATEDIFF takes no instants with a zone.
    fn micros(&self, instant: &str) -> String {
        format!(
            "DATEDIFF(microsecond, CAST('1970-01-01 00:00:00' AS TIMESTAMP), ({instant}) AT TIME ZONE 'UTC')"
        )
    }

    /// Sessions are in UTC, so an instant without a zone is one in UTC.
    fn instant(&self, micros: &str) -> String {
        format!(
            "CAST(DATEADD(microsecond, {micros}, CAST('1970-01-01 00:00:00' AS TIMESTAMP)) AS TIMESTAMPTZ)"
        )
    }

    fn differ(&self, one: &str, other: &str, data_type: DataType) -> String {
        let differ = match data_type {
            DataType::Json => format!("JSON_SERIALIZE({one}) <> JSON_SERIALIZE({other})"),
            DataType::Text => format!("({one} <> {other} OR LEN({one}) <> LEN({other}))"),
            _ => format!("{one} <> {other}"),
        };
        format!(
            "CASE WHEN {one} IS NULL THEN {other} IS NOT NULL WHEN {other} IS NULL THEN TRUE ELSE {differ} END"
        )
    }

    /// The texts themselves first: by them blocks are skipped.
    fn equal(&self, one: &str, other: &str, data_type: DataType) -> String {
        match data_type {
            DataType::Text => format!("{one} = {other} AND LEN({one}) = LEN({other})"),
            _ => format!("{one} = {other}"),
        }
    }

    fn group(&self, value: &str, data_type: DataType) -> String {
        match data_type {
            DataType::Text => format!("{value}, LEN({value})"),
            _ => value.to_owned(),
        }
    }

    fn delete_target(&self, table: &str) -> (String, String) {
        (table.to_owned(), table.to_owned())
    }

    fn render(&self, step: &Step) -> Vec<String> {
        match step {
            Step::CreateSchema { schema } => {
                vec![format!(
                    "CREATE SCHEMA IF NOT EXISTS {}",
                    self.schema(schema)
                )]
            }
            Step::CreateTable { table, columns } => {
                let columns: Vec<String> = columns.iter().map(|c| self.definition(c)).collect();
                let table = self.table(table);
                vec![format!("CREATE TABLE {table} ({})", columns.join(", "))]
            }
            Step::AddColumn { table, column } => self.add_column(&self.table(table), column),
            Step::WidenType {
                table,
                column,
                from,
            } => self.widen(&self.table(table), column, *from),
        }
    }

    /// A default would stay with the column, and nothing takes it away: the rows get its value.
    fn add_column(&self, table: &str, column: &Definition) -> Vec<String> {
        let add = format!("ALTER TABLE {table} ADD COLUMN {}", self.definition(column));
        let fill = column.default.as_ref().map(|text| {
            let value = self.default_value(text, column.data_type, &column.sql_type);
            format!("UPDATE {table} SET {} = {value}", self.quote(&column.name))
        });
        std::iter::once(add).chain(fill).collect()
    }
}

impl RedshiftDialect {
    /// Gives a column a wider type: by way of another one, all of it undone with the transaction.
    pub(crate) fn widen(&self, table: &str, column: &Definition, from: DataType) -> Vec<String> {
        let (name, sql_type) = (self.quote(&column.name), &column.sql_type);
        let short: String = column.name.chars().take(24).collect();
        let grown = self.quote(&format!("{short}_{GROWING}"));
        let value = match (from, column.data_type) {
            (DataType::Json, DataType::Text) => format!("JSON_SERIALIZE({name})"),
            _ => format!("CAST({name} AS {sql_type})"),
        };
        vec![
            format!("ALTER TABLE {table} ADD COLUMN {grown} {sql_type}"),
            format!("UPDATE {table} SET {grown} = {value}"),
            format!("ALTER TABLE {table} DROP COLUMN {name}"),
            format!("ALTER TABLE {table} RENAME COLUMN {grown} TO {name}"),
        ]
    }

    /// Makes room for longer texts in a column: not a part of a transaction, and harmless twice.
    pub(crate) fn lengthen(&self, table: &TableName, column: &str) -> String {
        format!(
            "ALTER TABLE {} ALTER COLUMN {} TYPE VARCHAR({TEXT_BYTES})",
            self.table(table),
            self.quote(column)
        )
    }
}

/// Our type for a type as Redshift prints it; `None` where it is none that we write.
pub(crate) fn data_type(sql_type: &str) -> Option<DataType> {
    let (name, arguments) = match sql_type.split_once('(') {
        Some((name, rest)) => (name, Some(rest)),
        None => (sql_type, None),
    };
    let found = match name.trim() {
        "boolean" => DataType::Bool,
        "smallint" => DataType::Int16,
        "integer" => DataType::Int32,
        "bigint" => DataType::Int64,
        "real" => DataType::Float32,
        "double precision" => DataType::Float64,
        "date" => DataType::Date,
        "time without time zone" => DataType::Time,
        "timestamp without time zone" => DataType::Timestamp,
        "timestamp with time zone" => DataType::TimestampTz,
        "character varying" => DataType::Text,
        "varbyte" | "binary varying" => DataType::Bytes,
        "super" => DataType::Json,
        "numeric" => return format!("decimal({}", arguments?).parse().ok(),
        _ => return None,
    };
    Some(found)
}

/// How many bytes a text of a type may have; `None` where it is none with such a limit.
pub(crate) fn text_bytes(sql_type: &str) -> Option<usize> {
    let length = sql_type.strip_prefix("character varying(")?;
    length.strip_suffix(')')?.parse().ok()
}

/// A table's name as the catalog has it.
pub(crate) fn folded(table: &TableName) -> TableName {
    TableName {
        schema: table.schema.to_ascii_lowercase(),
        table: table.table.to_ascii_lowercase(),
    }
}

#[cfg(test)]
#[path = "dialect_tests.rs"]
mod tests;
