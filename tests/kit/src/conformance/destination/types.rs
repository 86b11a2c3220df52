//! A value that goes in comes out again, at the edges of each type.

use std::sync::Arc;

use tributary_model::{DataType, Deletes, Destination};

use super::subject::{Subject, absent, any_mode, plan};
use crate::cells::{self, Cells};

/// For each type values at its edges; texts are canonical.
fn edges(decimal_digits: u8, text_bytes: usize) -> Vec<(DataType, Vec<String>)> {
    let mut edges = vec![
        (DataType::Bool, words("true false")),
        (DataType::Int16, words("-32768 32767 0")),
        (DataType::Int32, words("-2147483648 2147483647")),
        (
            DataType::Int64,
            words("-9223372036854775808 9223372036854775807"),
        ),
        (DataType::UInt64, words("0 18446744073709551615")),
        (
            DataType::Decimal(10, 2),
            words("-99999999.99 99999999.99 0.01 0"),
        ),
        (
            DataType::Float32,
            words("0.5 -3.4028234663852886e38 1.401298464324817e-45"),
        ),
        (
            DataType::Float64,
            words("0.1 -1.7976931348623157e308 5e-324"),
        ),
        (
            DataType::Date,
            words("1000-01-01 9999-12-31 1970-01-01 2024-02-29"),
        ),
        (DataType::Time, words("00:00:00 23:59:59.999999")),
        (DataType::Text, texts(text_bytes)),
        (DataType::Bytes, words("00 ff00feff 5c7830307c 275c22")),
        (
            DataType::Json,
            words(r#"{"a":[1,null,"☕"]} [] "text" 1.5 null"#),
        ),
    ];
    let moments = [
        "1000-01-01 00:00:00",
        "9999-12-31 23:59:59.999999",
        "2024-03-31 02:30:00.000001",
    ];
    let moments = moments.map(ToOwned::to_owned).to_vec();
    edges.push((DataType::Timestamp, moments.clone()));
    edges.push((DataType::TimestampTz, moments));
    let digits = decimal_digits.min(76);
    let widest = "9".repeat(usize::from(digits));
    edges.push((
        DataType::Decimal(digits, 0),
        vec![widest.clone(), format!("-{widest}")],
    ));
    edges
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(ToOwned::to_owned).collect()
}

fn texts(bytes: usize) -> Vec<String> {
    let mut long = "long ".repeat(20_000);
    long.truncate(bytes);
    [
        "",
        " padded ",
        "~",
        "NULL",
        "\\N",
        "it's \"quoted\" \\ $$",
        "a\tb\r\nc",
        "naïve ☕ 𝒳 مرحبا",
        &long,
    ]
    .map(ToOwned::to_owned)
    .to_vec()
}

pub(super) async fn come_back_as_they_were<D: Destination>(subject: &Subject<D>) {
    let mut opened = subject.open("types").await;
    let mode = any_mode(&opened.destination);
    let digits = opened.destination.capabilities().decimal_digits;
    for (number, (data_type, values)) in edges(digits, subject.text_bytes).into_iter().enumerate() {
        let name = format!("type_{number}_{}", data_type.tag());
        let plan = Arc::new(plan(&name, mode, Deletes::Hard, &[("value", data_type)]));
        let ids: Vec<_> = (0..=values.len()).map(|id| id.to_string()).collect();
        let nullable = values
            .iter()
            .map(|value| Some(value.as_str()))
            .chain([None]);
        let rows: Vec<Cells<'_>> = ids
            .iter()
            .zip(nullable)
            .map(|(id, value)| vec![Some(id.as_str()), value])
            .collect();
        opened.load(&[&plan], vec![absent(&plan, &rows)]).await;
        let mut found = opened.cells(&plan).await;
        found.sort_by_key(|row| row[0].as_deref().and_then(|id| id.parse::<usize>().ok()));
        for (row, back) in rows.iter().zip(&found) {
            let expected = row[1].map(|value| cells::canonical(data_type, value));
            assert_eq!(back[1], expected, "a {data_type}");
        }
        assert_eq!(found.len(), rows.len(), "rows of {data_type}");
        described(&opened.destination, &plan).await;
    }
}

/// The table's columns are of the planned types, or of types that hold all of them.
async fn described<D: Destination>(destination: &D, plan: &tributary_model::TablePlan) {
    let tables = [plan.table.clone()];
    let existing = destination
        .describe(&tables)
        .await
        .expect("tables can be described");
    let columns = existing
        .get(&plan.table)
        .unwrap_or_else(|| panic!("{} is not described", plan.table));
    for wanted in &plan.columns {
        let same = |name: &str| match destination.capabilities().case_insensitive {
            true => name.eq_ignore_ascii_case(&wanted.name),
            false => name == wanted.name,
        };
        let there = columns.iter().find(|column| same(&column.name));
        let there =
            there.unwrap_or_else(|| panic!("{} of {} is not described", wanted.name, plan.table));
        assert_eq!(
            there.data_type.join(wanted.data_type),
            Some(there.data_type),
            "{} is described as {}, which does not hold {}",
            wanted.name,
            there.data_type,
            wanted.data_type
        );
    }
}
