//! Names that were made legal by length and case are otherwise taken as they are.

use std::sync::Arc;

use tributary_model::{DataType, Deletes, Destination, TableColumn, TableName};

use super::subject::{Subject, any_mode, plan, rows};

const ODD: [&str; 12] = [
    "select",
    "order",
    "Table",
    "with space",
    "quo\"ted",
    "it's",
    "dot.ted",
    "semi;colon",
    "1st",
    "naïve",
    "日本",
    "100%",
];

pub(super) async fn may_be_odd<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("odd 'name\"").await;
    let mode = any_mode(&opened.destination);
    let longest = "l".repeat(opened.destination.capabilities().identifier_bytes.min(128));
    for name in ODD.into_iter().chain([longest.as_str()]) {
        let mut plan = plan("odd", mode, Deletes::Hard, &[(name, DataType::Text)]);
        plan.table = TableName {
            schema: format!("odd {name}"),
            table: name.to_owned(),
        };
        if name == longest {
            plan.table.schema = name.to_owned();
        }
        if !plan.key.is_empty() {
            plan.key.push(name.to_owned());
        }
        let narrow = Arc::new(plan.clone());
        opened
            .load(&[&narrow], vec![rows(&narrow, &["c 1 a", "c 2 b"])])
            .await;
        plan.columns.push(TableColumn {
            name: name.chars().take(2).chain("'2\"".chars()).collect(),
            data_type: DataType::Text,
            default: Some("d".to_owned()),
        });
        let wide = Arc::new(plan);
        opened.load(&[&wide], vec![rows(&wide, &["c 3 c e"])]).await;
        opened
            .assert_rows(&wide, &["1 a d", "2 b d", "3 c e"])
            .await;
    }
}
