//! Snowflake's words.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Time64MicrosecondType, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, StringArray};
use chrono::{Datelike, NaiveDate};
use tributary_model::{DataType, TableName};
use tributary_sql::{Definition, Dialect, Step};

use crate::config::Identifiers;

/// Digits of the widest decimal.
pub(crate) const DECIMAL_DIGITS: u8 = 38;
/// What the schema of our own tables is called.
pub(crate) const SYSTEM: &str = "_tributary";

/// What makes a schema or a table one in which texts are equal where they are the same: an account, a
/// database or a schema may have another collation, which would merge keys.
pub(crate) const BINARY: &str = "DEFAULT_DDL_COLLATION = ''";

/// Snowflake, with names in one way: it was decided when the state was made, and a name is always
/// quoted, so that it means the same in every session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Snow {
    pub(crate) identifiers: Identifiers,
}

impl Snow {
    /// A name as it stands in the database.
    pub(crate) fn fold(&self, name: &str) -> String {
        match self.identifiers {
            // Only ASCII: what an unquoted name can hold. So no two names of the engine meet.
            Identifiers::Upper => name.to_ascii_uppercase(),
            Identifiers::Exact => name.to_owned(),
        }
    }

    /// A name that is as it stands in the database already.
    pub(crate) fn exact(name: &str) -> String {
        format!("\"{}\"", name.replace('"', "\"\""))
    }

    /// A table of ours.
    pub(crate) fn own(&self, table: &str) -> String {
        self.table(&TableName {
            schema: SYSTEM.to_owned(),
            table: table.to_owned(),
        })
    }

    /// A text, or NULL.
    pub(crate) fn text(&self, text: Option<&str>) -> String {
        text.map_or_else(|| "NULL".to_owned(), |text| self.literal(text))
    }

    /// A value on its way from a file, where texts stand for JSON, into a column of the type `to`.
    pub(crate) fn unstaged(&self, value: &str, from: DataType, to: DataType) -> String {
        match (from, to) {
            // `d`: where a name stands twice in an object, the last one counts, as elsewhere.
            (DataType::Json, DataType::Json) => format!("PARSE_JSON({value}, 'd')"),
            (from, to) if self.type_name(from) == self.type_name(to) => value.to_owned(),
            (DataType::Json, DataType::Text) => value.to_owned(),
            (_, to) => match self.type_name(to) {
                Some(sql_type) => format!("CAST({value} AS {sql_type})"),
                None => value.to_owned(),
            },
        }
    }

    /// A value of a column, in a wider type.
    pub(crate) fn widened(&self, value: &str, from: DataType, column: &Definition) -> String {
        match (from, column.data_type) {
            // A cast would take the quotes off a text.
            (DataType::Json, DataType::Text) => format!("TO_JSON({value})"),
            _ => format!("CAST({value} AS {})", column.sql_type),
        }
    }

    /// Whether a column can get its new type where it is: more digits, as many after the point.
    pub(crate) fn widens_in_place(from: DataType, to: DataType) -> bool {
        matches!((places(from), places(to)), (Some(old), Some(new)) if old == new)
    }
}

/// Digits after the point, of a number that is exact.
fn places(data_type: DataType) -> Option<u8> {
    match data_type {
        DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt64 => Some(0),
        DataType::Decimal(_, scale) => Some(scale),
        DataType::Bool
        | DataType::Float32
        | DataType::Float64
        | DataType::Date
        | DataType::Time
        | DataType::Timestamp
        | DataType::TimestampTz
        | DataType::Text
        | DataType::Bytes
        | DataType::Json => None,
    }
}

impl Dialect for Snow {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        let name = match data_type {
            DataType::Bool => "BOOLEAN",
            DataType::Int16 => "NUMBER(5,0)",
            DataType::Int32 => "NUMBER(10,0)",
            DataType::Int64 => "NUMBER(19,0)",
            DataType::UInt64 => "NUMBER(20,0)",
            DataType::Decimal(digits, _) if digits > DECIMAL_DIGITS => return None,
            DataType::Decimal(digits, scale) => return Some(format!("NUMBER({digits},{scale})")),
            DataType::Float32 | DataType::Float64 => "FLOAT",
            DataType::Date => "DATE",
            DataType::Time => "TIME(6)",
            DataType::Timestamp => "TIMESTAMP_NTZ(6)",
            DataType::TimestampTz => "TIMESTAMP_TZ(6)",
            DataType::Text => "VARCHAR",
            DataType::Bytes => "BINARY",
            DataType::Json => "VARIANT",
        };
        Some(name.to_owned())
    }

    fn quote(&self, name: &str) -> String {
        format!("\"{}\"", self.fold(name).replace('"', "\"\""))
    }

    /// A backslash means something in a text.
    fn literal(&self, text: &str) -> String {
        format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
    }

    fn same_name(&self, one: &str, other: &str) -> bool {
        self.fold(one) == self.fold(other)
    }

    fn default_value(&self, text: &str, data_type: DataType, sql_type: &str) -> String {
        match data_type {
            DataType::Bytes => {
                let bytes = text.bytes().map(|byte| format!("{byte:02X}"));
                format!("TO_BINARY('{}', 'HEX')", bytes.collect::<String>())
            }
            DataType::Json => format!("PARSE_JSON({}, 'd')", self.literal(text)),
            DataType::Date | DataType::Time | DataType::Timestamp | DataType::TimestampTz => {
                moment(text, data_type)
                    .unwrap_or_else(|| format!("CAST({} AS {sql_type})", self.literal(text)))
            }
            _ => format!("CAST({} AS {sql_type})", self.literal(text)),
        }
    }

    /// One that goes with the session would go with the request: they go by name instead.
    fn create_temporary(&self, name: &str) -> String {
        format!("CREATE TRANSIENT TABLE IF NOT EXISTS {}", self.quote(name))
    }

    fn micros(&self, instant: &str) -> String {
        format!("DATE_PART(EPOCH_MICROSECOND, {instant})")
    }

    fn instant(&self, micros: &str) -> String {
        format!("TO_TIMESTAMP_TZ({micros}, 6)")
    }

    /// Objects are compared as their texts, in which names have one order.
    fn differ(&self, one: &str, other: &str, data_type: DataType) -> String {
        match data_type {
            DataType::Json => format!("TO_JSON({one}) IS DISTINCT FROM TO_JSON({other})"),
            _ => format!("{one} IS DISTINCT FROM {other}"),
        }
    }

    /// All of them can be done again: a reply may be lost, and two processes may do the same.
    fn render(&self, step: &Step) -> Vec<String> {
        match step {
            Step::CreateSchema { schema } => {
                vec![format!(
                    "CREATE SCHEMA IF NOT EXISTS {} {BINARY}",
                    self.schema(schema)
                )]
            }
            Step::CreateTable { table, columns } => {
                let columns: Vec<String> = columns.iter().map(|c| self.definition(c)).collect();
                let table = self.table(table);
                vec![format!(
                    "CREATE TABLE IF NOT EXISTS {table} ({}) {BINARY}",
                    columns.join(", ")
                )]
            }
            Step::AddColumn { table, column } => vec![format!(
                "ALTER TABLE {} ADD COLUMN IF NOT EXISTS {}",
                self.table(table),
                self.definition(column)
            )],
            Step::WidenType { table, column, .. } => {
                vec![self.widen_column(&self.table(table), column)]
            }
        }
    }

    fn widen_column(&self, table: &str, column: &Definition) -> String {
        let (name, sql_type) = (self.quote(&column.name), &column.sql_type);
        format!("ALTER TABLE {table} ALTER COLUMN {name} SET DATA TYPE {sql_type}")
    }
}

/// A day, a time of day or an instant by its numbers: Snowflake would read the text in the formats of the
/// account. `None` where it is none.
fn moment(text: &str, data_type: DataType) -> Option<String> {
    let arrow = match data_type {
        DataType::TimestampTz => DataType::Timestamp.to_arrow(),
        other => other.to_arrow(),
    };
    let text: ArrayRef = Arc::new(StringArray::from(vec![text]));
    let value = arrow_cast::cast(&text, &arrow).ok()?;
    if value.is_null(0) {
        return None;
    }
    let micros = |value: &ArrayRef| value.as_primitive::<TimestampMicrosecondType>().value(0);
    Some(match data_type {
        DataType::Date => {
            let days = value.as_primitive::<Date32Type>().value(0);
            let day = NaiveDate::from_epoch_days(days)?;
            let (year, month, day) = (day.year(), day.month(), day.day());
            format!("DATE_FROM_PARTS({year}, {month}, {day})")
        }
        DataType::Time => {
            let micros = value.as_primitive::<Time64MicrosecondType>().value(0);
            let (seconds, nanos) = (micros / 1_000_000, micros % 1_000_000 * 1_000);
            let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
            format!("TIME_FROM_PARTS({hours}, {minutes}, {seconds}, {nanos})")
        }
        DataType::TimestampTz => format!("TO_TIMESTAMP_TZ({}, 6)", micros(&value)),
        _ => format!("TO_TIMESTAMP_NTZ({}, 6)", micros(&value)),
    })
}

/// Our type for one of the information schema; `None` where it is none that we write.
pub(crate) fn data_type(name: &str, digits: Option<u8>, scale: Option<u8>) -> Option<DataType> {
    let found = match name {
        "BOOLEAN" => DataType::Bool,
        "NUMBER" => match (digits?, scale?) {
            (5, 0) => DataType::Int16,
            (10, 0) => DataType::Int32,
            (19, 0) => DataType::Int64,
            (digits, scale) => DataType::Decimal(digits, scale),
        },
        "FLOAT" => DataType::Float64,
        "DATE" => DataType::Date,
        "TIME" => DataType::Time,
        "TIMESTAMP_NTZ" => DataType::Timestamp,
        "TIMESTAMP_TZ" => DataType::TimestampTz,
        "TEXT" => DataType::Text,
        "BINARY" => DataType::Bytes,
        "VARIANT" => DataType::Json,
        _ => return None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UPPER: Snow = Snow {
        identifiers: Identifiers::Upper,
    };

    #[test]
    fn names_are_always_quoted_and_folded_in_one_way() {
        assert_eq!(UPPER.quote("order \"x\""), "\"ORDER \"\"X\"\"\"");
        // Snowflake's own upper case knows no more letters than these in unquoted names.
        assert_eq!(UPPER.quote("straße"), "\"STRAßE\"");
        let exact = Snow {
            identifiers: Identifiers::Exact,
        };
        assert_eq!(exact.quote("orders"), "\"orders\"");
        assert!(UPPER.same_name("a", "A") && !exact.same_name("a", "A"));
    }

    #[test]
    fn texts_keep_their_backslashes() {
        assert_eq!(UPPER.literal(r"it's \n"), r"'it''s \\n'");
        assert_eq!(
            UPPER.default_value("a'", DataType::Bytes, "BINARY"),
            "TO_BINARY('6127', 'HEX')"
        );
    }

    #[test]
    fn moments_are_told_by_numbers_alone() {
        for (text, data_type, told) in [
            ("2024-02-29", DataType::Date, "DATE_FROM_PARTS(2024, 2, 29)"),
            (
                "23:59:58.5",
                DataType::Time,
                "TIME_FROM_PARTS(23, 59, 58, 500000000)",
            ),
            ("07:00:00", DataType::Time, "TIME_FROM_PARTS(7, 0, 0, 0)"),
            (
                "1970-01-01 00:00:01.000002",
                DataType::Timestamp,
                "TO_TIMESTAMP_NTZ(1000002, 6)",
            ),
            (
                "1970-01-01 00:00:01",
                DataType::TimestampTz,
                "TO_TIMESTAMP_TZ(1000000, 6)",
            ),
            (
                "1970-01-01T01:00:00+01:00",
                DataType::TimestampTz,
                "TO_TIMESTAMP_TZ(0, 6)",
            ),
        ] {
            assert_eq!(UPPER.default_value(text, data_type, "?"), told, "{text}");
        }
    }

    #[test]
    fn only_digits_before_the_point_grow_in_place() {
        let decimal = DataType::Decimal;
        assert!(Snow::widens_in_place(DataType::Int16, DataType::Int64));
        assert!(Snow::widens_in_place(decimal(10, 2), decimal(14, 2)));
        assert!(!Snow::widens_in_place(DataType::Int64, decimal(21, 2)));
        assert!(!Snow::widens_in_place(DataType::Int32, DataType::Float64));
        assert!(!Snow::widens_in_place(DataType::Date, DataType::Timestamp));
    }
}
