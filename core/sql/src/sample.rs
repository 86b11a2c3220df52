//! A small plan and a plain dialect for the tests of this crate.

use tributary_model::{DataType, Deletes, Mode, StreamName, TableColumn, TableName, TablePlan};

use crate::Dialect;

pub(crate) struct Plain;

impl Dialect for Plain {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        let name = match data_type {
            DataType::Bool => "BOOLEAN",
            DataType::Int64 => "BIGINT",
            DataType::TimestampTz => "TIMESTAMPTZ",
            DataType::Decimal(digits, _) if digits > 38 => return None,
            DataType::Decimal(digits, scale) => return Some(format!("DECIMAL({digits},{scale})")),
            _ => "TEXT",
        };
        Some(name.to_owned())
    }
}

pub(crate) fn column(name: &str, data_type: DataType, default: Option<&str>) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        data_type,
        default: default.map(str::to_owned),
    }
}

pub(crate) fn plan() -> TablePlan {
    TablePlan {
        stream: StreamName::within("shop", "orders"),
        table: TableName {
            schema: "shop".to_owned(),
            table: "odd \"orders\"".to_owned(),
        },
        mode: Mode::Merge,
        deletes: Deletes::Soft,
        columns: vec![
            column("id", DataType::Int64, None),
            column("note", DataType::Text, None),
        ],
        key: vec!["id".to_owned()],
    }
}
