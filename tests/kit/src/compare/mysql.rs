//! The source's side, in the binary protocol: the text protocol rounds FLOAT.

use std::collections::BTreeMap;

use mysql_async::consts::ColumnType;
use mysql_async::prelude::Queryable;
use mysql_async::{Column, Conn, Row, Value};

use super::{Cell, Table};
use crate::server::MySqlServer;
use crate::text;

/// The character set number of bytes that are no text.
const BINARY: u16 = 63;

/// Reads `database.table`; the first part is the names of the primary key's columns.
pub(super) async fn read(server: &MySqlServer, name: &str) -> (Vec<String>, Table) {
    let (database, table) = name
        .split_once('.')
        .expect("a table is named database.table");
    let mut conn = server.conn().await;
    let fail =
        |error: mysql_async::Error| -> ! { panic!("reading {name} from the source: {error}") };
    conn.query_drop("SET time_zone = '+00:00', NAMES utf8mb4")
        .await
        .unwrap_or_else(|e| fail(e));
    let key = key(&mut conn, database, table)
        .await
        .unwrap_or_else(|e| fail(e));
    let sql = format!(
        "SELECT * FROM `{}`.`{}`",
        database.replace('`', "``"),
        table.replace('`', "``")
    );
    let statement = conn.prep(&sql).await.unwrap_or_else(|e| fail(e));
    let columns = statement.columns().to_vec();
    let rows: Vec<Row> = conn.exec(&statement, ()).await.unwrap_or_else(|e| fail(e));
    let _ = conn.disconnect().await;
    let names: Vec<_> = columns
        .iter()
        .map(|column| column.name_str().into_owned())
        .collect();
    let places: Vec<_> = key
        .iter()
        .filter_map(|k| names.iter().position(|n| n == k))
        .collect();
    let mut found = Table {
        columns: names,
        rows: BTreeMap::new(),
    };
    for row in rows {
        let cells: Vec<Cell> = columns
            .iter()
            .zip(row.unwrap())
            .map(|(column, value)| cell(column, value))
            .collect();
        found
            .rows
            .entry(key_of(&places, &cells))
            .or_default()
            .push(cells);
    }
    (key, found)
}

/// The cells of the key; of a table without one, the whole row.
pub(super) fn key_of(places: &[usize], cells: &[Cell]) -> Vec<Cell> {
    if places.is_empty() {
        return cells.to_vec();
    }
    places.iter().map(|&place| cells[place].clone()).collect()
}

async fn key(conn: &mut Conn, database: &str, table: &str) -> mysql_async::Result<Vec<String>> {
    let sql = "SELECT column_name FROM information_schema.key_column_usage
               WHERE table_schema = ? AND table_name = ? AND constraint_name = 'PRIMARY'
               ORDER BY ordinal_position";
    conn.exec(sql, (database, table)).await
}

fn cell(column: &Column, value: Value) -> Cell {
    let text = match value {
        Value::NULL | Value::Date(_, 0, ..) | Value::Date(_, _, 0, ..) => return None,
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Float(number) => text::float(number.into()),
        Value::Double(number) => text::float(number),
        Value::Date(year, month, day, hour, minute, second, micros) => {
            let date = format!("{year:04}-{month:02}-{day:02}");
            if column.column_type() == ColumnType::MYSQL_TYPE_DATE {
                date
            } else {
                text::trim_fraction(&format!(
                    "{date} {hour:02}:{minute:02}:{second:02}.{micros:06}"
                ))
            }
        }
        Value::Time(negative, days, hours, minutes, seconds, micros) => {
            let sign = if negative { "-" } else { "" };
            let hours = days * 24 + u32::from(hours);
            text::trim_fraction(&format!(
                "{sign}{hours:02}:{minutes:02}:{seconds:02}.{micros:06}"
            ))
        }
        Value::Bytes(bytes) => bytes_text(column, &bytes),
    };
    Some(text)
}

fn bytes_text(column: &Column, bytes: &[u8]) -> String {
    match column.column_type() {
        ColumnType::MYSQL_TYPE_DECIMAL | ColumnType::MYSQL_TYPE_NEWDECIMAL => {
            text::decimal(&String::from_utf8_lossy(bytes))
        }
        ColumnType::MYSQL_TYPE_BIT => bytes
            .iter()
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte))
            .to_string(),
        ColumnType::MYSQL_TYPE_JSON => String::from_utf8_lossy(bytes).into_owned(),
        _ if column.character_set() == BINARY => text::hex(bytes),
        _ => String::from_utf8_lossy(bytes).into_owned(),
    }
}
