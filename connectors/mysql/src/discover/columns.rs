//! The columns of tables.

use std::collections::HashMap;

use mysql_async::Conn;
use mysql_async::Row;
use mysql_async::prelude::FromValue;
use tributary_model::{Error, ErrorKind, Result};

use super::{Place, ask, grouped};
use crate::info::ColumnInfo;

/// All columns, invisible and generated ones included, in the order of their tables.
pub(super) async fn read(conn: &mut Conn, filter: &str) -> Result<HashMap<Place, Vec<ColumnInfo>>> {
    let rows: Vec<Row> = ask(
        conn,
        &format!(
            "SELECT table_schema, table_name, column_name, data_type, column_type, is_nullable, \
             column_default, extra, character_set_name, numeric_precision, numeric_scale, \
             datetime_precision, collation_name \
             FROM information_schema.columns WHERE {filter} \
             ORDER BY table_schema, table_name, ordinal_position"
        ),
    )
    .await?;
    let columns: Vec<(Place, ColumnInfo)> = rows.iter().map(column).collect::<Result<_>>()?;
    Ok(grouped(columns))
}

fn column(row: &Row) -> Result<(Place, ColumnInfo)> {
    let place = (need(row, 0)?, need(row, 1)?);
    let info = ColumnInfo {
        name: need(row, 2)?,
        data_type: need::<String>(row, 3)?.to_lowercase(),
        column_type: need(row, 4)?,
        nullable: need::<String>(row, 5)?.eq_ignore_ascii_case("YES"),
        default: may(row, 6),
        extra: may::<String>(row, 7).unwrap_or_default().to_lowercase(),
        charset: may(row, 8),
        precision: may(row, 9),
        scale: may(row, 10),
        fraction: may(row, 11),
        collation: may(row, 12),
    };
    Ok((place, info))
}

/// A cell that is never NULL.
fn need<T: FromValue>(row: &Row, index: usize) -> Result<T> {
    may(row, index).ok_or_else(|| {
        Error::new(
            ErrorKind::Malformed,
            format!("information_schema.columns has no value in column {index}"),
        )
    })
}

/// A cell; `None` for NULL.
fn may<T: FromValue>(row: &Row, index: usize) -> Option<T> {
    row.get_opt(index)?.ok()
}
