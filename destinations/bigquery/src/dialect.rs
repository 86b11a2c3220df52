//! BigQuery's words.

use tributary_model::{DataType, TableName};
use tributary_sql::Dialect;

use crate::names::{column_id, dataset_id, table_id};

/// Digits of the widest decimal: more would not leave room for as many after the point.
pub(crate) const DECIMAL_DIGITS: u8 = 38;
/// The most digits of a `NUMERIC` before and after the point.
const NUMERIC: (u8, u8) = (29, 9);

/// BigQuery, in one project.
#[derive(Clone, Debug)]
pub(crate) struct BigQueryDialect {
    pub(crate) project: String,
}

impl Dialect for BigQueryDialect {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        let name = match data_type {
            DataType::Bool => "BOOL",
            DataType::Int16 | DataType::Int32 | DataType::Int64 => "INT64",
            DataType::UInt64 => "NUMERIC(20, 0)",
            DataType::Decimal(digits, scale) => return decimal(digits, scale),
            DataType::Float32 | DataType::Float64 => "FLOAT64",
            DataType::Date => "DATE",
            DataType::Time => "TIME",
            DataType::Timestamp => "DATETIME",
            DataType::TimestampTz => "TIMESTAMP",
            DataType::Text => "STRING",
            DataType::Bytes => "BYTES",
            DataType::Json => "JSON",
        };
        Some(name.to_owned())
    }

    fn quote(&self, name: &str) -> String {
        format!("`{}`", column_id(name))
    }

    fn literal(&self, text: &str) -> String {
        literal(text)
    }

    fn schema(&self, schema: &str) -> String {
        format!("`{}.{}`", self.project, dataset_id(schema))
    }

    fn table(&self, name: &TableName) -> String {
        let (dataset, table) = (dataset_id(&name.schema), table_id(&name.table));
        format!("`{}.{dataset}.{table}`", self.project)
    }

    fn default_value(&self, text: &str, data_type: DataType, sql_type: &str) -> String {
        match data_type {
            DataType::Bytes => {
                let digits: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
                format!("FROM_HEX('{digits}')")
            }
            DataType::Json => format!("PARSE_JSON({})", literal(text)),
            DataType::Bool
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt64
            | DataType::Decimal(..)
            | DataType::Float32
            | DataType::Float64
            | DataType::Date
            | DataType::Time
            | DataType::Timestamp
            | DataType::TimestampTz
            | DataType::Text => format!("CAST({} AS {sql_type})", literal(text)),
        }
    }

    fn create_temporary(&self, name: &str) -> String {
        format!("CREATE TEMP TABLE {}", self.quote(name))
    }

    fn micros(&self, instant: &str) -> String {
        format!("UNIX_MICROS({instant})")
    }

    fn instant(&self, micros: &str) -> String {
        format!("TIMESTAMP_MICROS({micros})")
    }

    /// Documents are compared as texts, and so are floats: NaN is a value like any other.
    fn differ(&self, one: &str, other: &str, data_type: DataType) -> String {
        match data_type {
            DataType::Json => {
                let (one, other) = (document_text(one), document_text(other));
                format!("{one} IS DISTINCT FROM {other}")
            }
            DataType::Float32 | DataType::Float64 => {
                format!("CAST({one} AS STRING) IS DISTINCT FROM CAST({other} AS STRING)")
            }
            DataType::Bool
            | DataType::Int16
            | DataType::Int32
            | DataType::Int64
            | DataType::UInt64
            | DataType::Decimal(..)
            | DataType::Date
            | DataType::Time
            | DataType::Timestamp
            | DataType::TimestampTz
            | DataType::Text
            | DataType::Bytes => format!("{one} IS DISTINCT FROM {other}"),
        }
    }
}

/// A document as text. `TO_JSON_STRING` alone makes the text `null` of a NULL. `JSON_TYPE` takes nothing
/// but documents: what is a text already is refused, and never quoted twice.
pub(crate) fn document_text(document: &str) -> String {
    format!("IF(JSON_TYPE({document}) IS NULL, NULL, TO_JSON_STRING({document}))")
}

/// A text value: what means something in BigQuery's texts is written by its number.
pub(crate) fn literal(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 2);
    written.push('\'');
    for c in text.chars() {
        match c {
            '\\' => written.push_str("\\\\"),
            '\'' => written.push_str("\\'"),
            '\n' => written.push_str("\\n"),
            '\r' => written.push_str("\\r"),
            c if c.is_control() => written.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => written.push(c),
        }
    }
    written.push('\'');
    written
}

fn decimal(digits: u8, scale: u8) -> Option<String> {
    let before = digits - scale;
    if before <= NUMERIC.0 && scale <= NUMERIC.1 {
        return Some(format!("NUMERIC({digits}, {scale})"));
    }
    (before <= 38 && scale <= 38).then(|| format!("BIGNUMERIC({digits}, {scale})"))
}

/// Our type for a column as BigQuery describes it; `None` where it is none that we write.
pub(crate) fn data_type(
    sql_type: &str,
    precision: Option<u8>,
    scale: Option<u8>,
) -> Option<DataType> {
    let found = match sql_type {
        "BOOL" | "BOOLEAN" => DataType::Bool,
        "INT64" | "INTEGER" => DataType::Int64,
        "NUMERIC" => DataType::Decimal(
            precision.unwrap_or(38),
            scale.unwrap_or(match precision {
                Some(_) => 0,
                None => 9,
            }),
        ),
        "BIGNUMERIC" => DataType::Decimal(
            precision.unwrap_or(76),
            scale.unwrap_or(match precision {
                Some(_) => 0,
                None => 38,
            }),
        ),
        "FLOAT64" | "FLOAT" => DataType::Float64,
        "DATE" => DataType::Date,
        "TIME" => DataType::Time,
        "DATETIME" => DataType::Timestamp,
        "TIMESTAMP" => DataType::TimestampTz,
        "STRING" => DataType::Text,
        "BYTES" => DataType::Bytes,
        "JSON" => DataType::Json,
        _ => return None,
    };
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> BigQueryDialect {
        BigQueryDialect {
            project: "p".to_owned(),
        }
    }

    #[test]
    fn decimals_get_the_least_type_that_holds_them() {
        for (digits, scale, name) in [
            (10, 2, Some("NUMERIC(10, 2)")),
            (38, 9, Some("NUMERIC(38, 9)")),
            (38, 0, Some("BIGNUMERIC(38, 0)")),
            (38, 38, Some("BIGNUMERIC(38, 38)")),
            (76, 0, None),
        ] {
            let found = dialect().type_name(DataType::Decimal(digits, scale));
            assert_eq!(found.as_deref(), name);
        }
        assert_eq!(
            data_type("NUMERIC", Some(20), None),
            Some(DataType::Decimal(20, 0))
        );
        assert_eq!(
            data_type("NUMERIC", None, None),
            Some(DataType::Decimal(38, 9))
        );
        assert_eq!(data_type("GEOGRAPHY", None, None), None);
    }

    #[test]
    fn texts_end_where_they_end() {
        assert_eq!(literal("it's \\ \n\u{0}"), "'it\\'s \\\\ \\n\\u0000'");
        assert_eq!(dialect().quote("a`b"), "`a_x60_b`");
    }
}
