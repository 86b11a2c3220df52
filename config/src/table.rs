//! The table a user named for a stream: `orders` or `sales.orders`.

use tributary_model::{ConnectionName, StreamName, TableName};

pub(crate) const FORMAT: &str = "table";
/// Names that begin so are Tributary's own.
pub(crate) const RESERVED: &str = "_tributary";

/// The schema, where one is given, and the table.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse(text: &str) -> Result<(Option<&str>, &str), String> {
    let (schema, table) = match text.split_once('.') {
        Some((schema, table)) => (Some(schema), table),
        None => (None, text),
    };
    if table.is_empty() || table.contains('.') || schema == Some("") {
        return Err("a table is written `name` or `schema.name`".to_owned());
    }
    if schema.unwrap_or(table).starts_with(RESERVED) {
        return Err("names that begin with `_tributary` are kept for Tributary itself".to_owned());
    }
    Ok((schema, table))
}

/// Where a stream goes when nothing else is said.
pub(crate) fn default(stream: &StreamName, connection: &ConnectionName) -> TableName {
    let schema = stream.namespace.as_deref().unwrap_or(connection.as_str());
    TableName {
        schema: schema.to_owned(),
        table: stream.name.clone(),
    }
}

/// Where a stream goes when the user named a table.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn resolve(
    text: &str,
    stream: &StreamName,
    connection: &ConnectionName,
) -> Result<TableName, String> {
    let (schema, table) = parse(text)?;
    let default = default(stream, connection);
    Ok(TableName {
        schema: schema.map_or(default.schema, ToOwned::to_owned),
        table: table.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_falls_back_to_namespace_then_connection() {
        let connection = ConnectionName::new("billing");
        let table = |text, stream: &str| {
            resolve(text, &stream.to_owned().into(), &connection).map(|table| table.to_string())
        };
        assert_eq!(table("o", "shop.orders"), Ok("shop.o".to_owned()));
        assert_eq!(table("o", "charges"), Ok("billing.o".to_owned()));
        assert_eq!(table("x.o", "charges"), Ok("x.o".to_owned()));
        for bad in ["", "a.", ".a", "a.b.c", "_tributary.state", "_tributary_x"] {
            assert!(table(bad, "charges").is_err(), "{bad}");
        }
    }
}
