//! PostgreSQL's words.

use tributary_model::DataType;
use tributary_sql::{Dialect, Upsert};

/// Digits of the widest decimal that we carry; PostgreSQL's own are wider.
pub(crate) const DECIMAL_DIGITS: u8 = 76;
/// Columns that every table has, under names that nobody else can use.
pub(crate) const RESERVED: &[&str] = &["ctid", "xmin", "cmin", "xmax", "cmax", "tableoid"];
/// The most columns of a table, those that were dropped included.
pub(crate) const COLUMNS: usize = 1600;

/// PostgreSQL, for one table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PgDialect {
    /// How rows come whose keys may be there already.
    pub(crate) upsert: Upsert,
}

/// Where no table is in question.
pub(crate) const DIALECT: PgDialect = PgDialect {
    upsert: Upsert::DeleteThenInsert,
};

impl Dialect for PgDialect {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        let name = match data_type {
            DataType::Bool => "boolean",
            DataType::Int16 => "smallint",
            DataType::Int32 => "integer",
            DataType::Int64 => "bigint",
            DataType::UInt64 => "numeric(20,0)",
            DataType::Decimal(digits, scale) => return Some(format!("numeric({digits},{scale})")),
            DataType::Float32 => "real",
            DataType::Float64 => "double precision",
            DataType::Date => "date",
            DataType::Time => "time without time zone",
            DataType::Timestamp => "timestamp without time zone",
            DataType::TimestampTz => "timestamp with time zone",
            DataType::Text => "text",
            DataType::Bytes => "bytea",
            DataType::Json => "jsonb",
        };
        Some(name.to_owned())
    }

    fn same_name(&self, one: &str, other: &str) -> bool {
        one == other
    }

    fn default_value(&self, text: &str, data_type: DataType, sql_type: &str) -> String {
        let value = match data_type {
            DataType::Bytes => {
                let bytes = text.bytes().map(|byte| format!("{byte:02x}"));
                self.literal(&format!("\\x{}", bytes.collect::<String>()))
            }
            _ => self.literal(text),
        };
        format!("CAST({value} AS {sql_type})")
    }

    fn upsert(&self) -> Upsert {
        self.upsert
    }

    /// Nobody else ever looks at temporary tables, and plans for tables of unknown size are bad ones.
    fn analyze(&self, name: &str) -> Option<String> {
        Some(format!("ANALYZE {}", self.quote(name)))
    }
}

/// Our type for a type as PostgreSQL prints it; `None` where it is none that we write.
pub(crate) fn data_type(sql_type: &str) -> Option<DataType> {
    let found = match sql_type {
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
        "text" => DataType::Text,
        "bytea" => DataType::Bytes,
        "jsonb" => DataType::Json,
        other => {
            let digits = other.strip_prefix("numeric(")?;
            return format!("decimal({digits}").parse().ok();
        }
    };
    Some(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_known_under_its_own_name() {
        let mut known = "bool int16 int32 int64 float32 float64 date time timestamp timestamptz text bytes json"
            .split(' ')
            .map(|name| name.parse().unwrap())
            .collect::<Vec<DataType>>();
        known.extend([DataType::Decimal(1, 0), DataType::Decimal(76, 38)]);
        for data_type in known {
            let name = DIALECT.type_name(data_type).unwrap();
            assert_eq!(super::data_type(&name), Some(data_type), "{name}");
        }
        // Wide enough for every value, and read back as what it is.
        let unsigned = DIALECT.type_name(DataType::UInt64).unwrap();
        assert_eq!(data_type(&unsigned), Some(DataType::Decimal(20, 0)));
        for foreign in [
            "numeric",
            "character varying(10)",
            "uuid",
            "integer[]",
            "money",
            "json",
        ] {
            assert_eq!(data_type(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn defaults_are_values_of_their_type() {
        let value = |text, data_type: DataType| {
            DIALECT.default_value(text, data_type, &DIALECT.type_name(data_type).unwrap())
        };
        assert_eq!(value("it's", DataType::Text), "CAST('it''s' AS text)");
        assert_eq!(value("a'", DataType::Bytes), "CAST('\\x6127' AS bytea)");
    }
}
