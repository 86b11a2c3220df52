//! DuckDB's words.
//!
//! Tables are named with their catalog, which DuckDB calls after the file: without it the schema
//! `shop` of a file `shop.duckdb` is ambiguous.

use tributary_model::DataType;
use tributary_sql::Dialect;

/// Digits of DuckDB's widest decimal.
pub(crate) const DECIMAL_DIGITS: u8 = 38;

/// DuckDB, for one file.
#[derive(Clone, Debug)]
pub(crate) struct DuckDialect {
    /// What DuckDB calls the file.
    pub(crate) catalog: String,
}

impl Dialect for DuckDialect {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        let name = match data_type {
            DataType::Bool => "BOOLEAN",
            DataType::Int16 => "SMALLINT",
            DataType::Int32 => "INTEGER",
            DataType::Int64 => "BIGINT",
            DataType::UInt64 => "UBIGINT",
            DataType::Decimal(digits, _) if digits > DECIMAL_DIGITS => return None,
            DataType::Decimal(digits, scale) => return Some(format!("DECIMAL({digits},{scale})")),
            DataType::Float32 => "FLOAT",
            DataType::Float64 => "DOUBLE",
            DataType::Date => "DATE",
            DataType::Time => "TIME",
            DataType::Timestamp => "TIMESTAMP",
            DataType::TimestampTz => "TIMESTAMP WITH TIME ZONE",
            DataType::Text => "VARCHAR",
            DataType::Bytes => "BLOB",
            DataType::Json => "JSON",
        };
        Some(name.to_owned())
    }

    fn schema(&self, schema: &str) -> String {
        format!("{}.{}", self.quote(&self.catalog), self.quote(schema))
    }

    fn micros(&self, instant: &str) -> String {
        format!("epoch_us({instant})")
    }

    /// By text: a cast between the two kinds of timestamp would go by the session's time zone.
    fn instant(&self, micros: &str) -> String {
        format!(
            "CAST(CAST(make_timestamp({micros}) AS VARCHAR) || '+00' AS TIMESTAMP WITH TIME ZONE)"
        )
    }

    /// A constant: any expression, even a cast, becomes an UPDATE, after which DuckDB can't commit
    /// further changes of the table's layout in the same transaction.
    fn default_value(&self, text: &str, data_type: DataType, _sql_type: &str) -> String {
        match data_type {
            DataType::Bytes => {
                let bytes = text.bytes().map(|byte| format!("\\x{byte:02X}"));
                self.literal(&bytes.collect::<String>())
            }
            _ => self.literal(text),
        }
    }
}

/// Our type for a type as DuckDB prints it; `None` where it is none that we write.
pub(crate) fn data_type(sql_type: &str) -> Option<DataType> {
    let found = match sql_type {
        "BOOLEAN" => DataType::Bool,
        "SMALLINT" => DataType::Int16,
        "INTEGER" => DataType::Int32,
        "BIGINT" => DataType::Int64,
        "UBIGINT" => DataType::UInt64,
        "FLOAT" => DataType::Float32,
        "DOUBLE" => DataType::Float64,
        "DATE" => DataType::Date,
        "TIME" => DataType::Time,
        "TIMESTAMP" => DataType::Timestamp,
        "TIMESTAMP WITH TIME ZONE" => DataType::TimestampTz,
        "VARCHAR" => DataType::Text,
        "BLOB" => DataType::Bytes,
        "JSON" => DataType::Json,
        other => return other.to_ascii_lowercase().parse().ok(),
    };
    Some(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_known_under_its_own_name() {
        let dialect = DuckDialect {
            catalog: "shop".to_owned(),
        };
        let mut names = "bool int16 int32 int64 uint64 float32 float64 date time timestamp timestamptz text bytes json"
            .split(' ')
            .map(|name| name.parse().unwrap())
            .collect::<Vec<DataType>>();
        names.extend([DataType::Decimal(1, 0), DataType::Decimal(38, 38)]);
        for known in names {
            let name = dialect.type_name(known).unwrap();
            assert_eq!(data_type(&name), Some(known), "{name}");
        }
        assert_eq!(dialect.type_name(DataType::Decimal(39, 0)), None);
        for foreign in [
            "HUGEINT",
            "UUID",
            "INTEGER[]",
            "STRUCT(a INTEGER)",
            "ENUM('date')",
            "TINYINT",
        ] {
            assert_eq!(data_type(foreign), None, "{foreign}");
        }
    }
}
