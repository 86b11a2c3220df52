//! Foreign keys by which the server changes rows of a child without a word in its log.
//!
//! `information_schema.referential_constraints` would say it in one statement, but MariaDB hides it
//! from an account that may only SELECT. What such an account sees is which tables have foreign
//! keys, and their declarations.

use std::collections::{BTreeMap, BTreeSet};

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tributary_model::{Result, StreamName};

use crate::failure::classify;
use crate::names::quote;
use crate::server::{Flavor, Server, Version};

/// The foreign keys of each of these tables that cascade; nothing where the server logs what they
/// do, which MySQL has done since 9.6.
pub(super) async fn find(
    conn: &mut Conn,
    server: &Server,
    streams: &[StreamName],
) -> Result<BTreeMap<StreamName, Vec<String>>> {
    let logged = server.flavor == Flavor::MySql
        && server.version >= Version::new(9, 6, 0)
        && !server.is_on("innodb_native_foreign_keys");
    let mut found = BTreeMap::new();
    if logged {
        return Ok(found);
    }
    let children = children(conn).await?;
    for stream in streams.iter().filter(|stream| children.contains(stream)) {
        let names = cascading(&declaration(conn, stream).await?);
        if !names.is_empty() {
            found.insert(stream.clone(), names);
        }
    }
    Ok(found)
}

async fn children(conn: &mut Conn) -> Result<BTreeSet<StreamName>> {
    let rows: Vec<(String, String)> = conn
        .query(
            "SELECT DISTINCT table_schema, table_name FROM information_schema.key_column_usage \
             WHERE referenced_table_name IS NOT NULL",
        )
        .await
        .map_err(|error| classify(error, "looking for foreign keys"))?;
    Ok(rows
        .into_iter()
        .map(|(database, table)| StreamName::within(database, table))
        .collect())
}

async fn declaration(conn: &mut Conn, stream: &StreamName) -> Result<String> {
    let database = stream.namespace.as_deref().unwrap_or_default();
    let statement = format!(
        "SHOW CREATE TABLE {}.{}",
        quote(database),
        quote(&stream.name)
    );
    let row: Option<(String, String)> = conn
        .query_first(statement)
        .await
        .map_err(|error| classify(error, format!("reading the declaration of {stream}")))?;
    Ok(row.map(|(_, text)| text).unwrap_or_default())
}

/// The names of the foreign keys in a declaration, one to a line, that change rows by themselves.
fn cascading(declaration: &str) -> Vec<String> {
    declaration
        .lines()
        .filter_map(|line| {
            let line = line.trim();
            let (name, rest) = line
                .strip_prefix("CONSTRAINT `")?
                .split_once("` FOREIGN KEY (")?;
            // The rules stand behind the last list of columns.
            let (_, rules) = rest.rsplit_once(')')?;
            let cascades = rules.contains("CASCADE") || rules.contains("SET NULL");
            cascades.then(|| name.replace("``", "`"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_that_change_rows_count() {
        let declaration = "CREATE TABLE `child` (\n  \
             `p` int(11) DEFAULT NULL COMMENT 'ON DELETE CASCADE',\n  \
             CONSTRAINT `a` FOREIGN KEY (`p`) REFERENCES `parent` (`id`) ON DELETE CASCADE,\n  \
             CONSTRAINT `b` FOREIGN KEY (`p`) REFERENCES `parent` (`id`),\n  \
             CONSTRAINT `c` FOREIGN KEY (`p`) REFERENCES `parent` (`id`) ON UPDATE SET NULL,\n  \
             CONSTRAINT `d CASCADE` FOREIGN KEY (`p`) REFERENCES `x` (`SET NULL`) ON DELETE NO ACTION\n\
             ) ENGINE=InnoDB";
        assert_eq!(cascading(declaration), ["a", "c"]);
        assert_eq!(cascading(""), Vec::<String>::new());
    }
}
