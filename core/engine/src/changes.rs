//! What a load changed about the layout of tables, in words.

use tributary_model::{TableColumn, TablePlan};

/// What differs between the columns that a table had and those of its plan.
pub(crate) fn between<'p>(
    before: &'p [TableColumn],
    plan: &'p TablePlan,
) -> impl Iterator<Item = String> + 'p {
    let is_ours = |column: &&TableColumn| !column.name.starts_with("_tributary_");
    plan.columns.iter().filter(is_ours).filter_map(|column| {
        let TableColumn {
            name, data_type, ..
        } = column;
        match before.iter().find(|old| old.name == *name) {
            None => Some(format!("column {name} added ({data_type})")),
            Some(old) if old.data_type == *data_type => None,
            Some(old) => Some(format!(
                "column {name} changed from {} to {data_type}",
                old.data_type
            )),
        }
    })
}

#[cfg(test)]
mod tests {
    use tributary_model::{DataType, Deletes, Mode, StreamName, TableName};

    use super::*;

    fn column(name: &str, data_type: DataType) -> TableColumn {
        TableColumn {
            name: name.to_owned(),
            data_type,
            default: None,
        }
    }

    #[test]
    fn new_and_wider_columns_are_told() {
        let plan = TablePlan {
            stream: StreamName::plain("s"),
            table: TableName {
                schema: "a".to_owned(),
                table: "s".to_owned(),
            },
            mode: Mode::Merge,
            deletes: Deletes::Soft,
            columns: vec![
                column("id", DataType::Int64),
                column("n", DataType::Int64),
                column("note", DataType::Text),
                column("_tributary_id", DataType::Text),
            ],
            key: vec!["id".to_owned()],
        };
        let before = [column("id", DataType::Int64), column("n", DataType::Int32)];
        let told: Vec<String> = between(&before, &plan).collect();
        let types = |data_type: DataType| data_type.to_string();
        assert_eq!(
            told,
            [
                format!(
                    "column n changed from {} to {}",
                    types(DataType::Int32),
                    types(DataType::Int64)
                ),
                format!("column note added ({})", types(DataType::Text)),
            ]
        );
    }
}
