//! Tables of which the account may read single columns only: the others do not exist for it, and
//! nobody would be told that they are left out.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;
use tributary_model::{Report, Result, StreamName};

use crate::failure::classify;
use crate::names::quote;
use crate::server::Server;

/// Rights on columns of tables that no right on more covers.
const PARTIAL: &str = "SELECT c.table_schema, c.table_name, c.column_name \
     FROM information_schema.column_privileges c WHERE c.privilege_type = 'SELECT' \
     AND NOT EXISTS (SELECT 1 FROM information_schema.table_privileges t WHERE t.privilege_type = 'SELECT' \
         AND t.table_schema = c.table_schema AND t.table_name = c.table_name) \
     AND NOT EXISTS (SELECT 1 FROM information_schema.schema_privileges s \
         WHERE s.privilege_type = 'SELECT' AND c.table_schema LIKE s.table_schema) \
     AND NOT EXISTS (SELECT 1 FROM information_schema.user_privileges u WHERE u.privilege_type = 'SELECT') \
     ORDER BY 1, 2, 3";

/// Warns of each of `streams` that is seen in part.
pub(super) async fn check(
    conn: &mut Conn,
    server: &Server,
    streams: &[StreamName],
    report: &mut Report,
) -> Result<()> {
    let rights: Vec<(String, String, String)> = conn
        .query(PARTIAL)
        .await
        .map_err(|error| classify(error, "asking for rights on columns"))?;
    for stream in streams {
        let of_stream = |(database, table, _): &&(String, String, String)| {
            stream.namespace.as_deref() == Some(database.as_str()) && stream.name == *table
        };
        let columns: Vec<&str> = rights
            .iter()
            .filter(of_stream)
            .map(|(.., column)| column.as_str())
            .collect();
        if columns.is_empty() {
            continue;
        }
        let database = stream.namespace.as_deref().unwrap_or_default();
        report.warn(
            format!("table {stream}"),
            format!(
                "the account may read single columns of {stream} ({}): a copy has no others, and \
                 changes in the log have all of them",
                columns.join(", ")
            ),
            format!(
                "Run on the server: GRANT SELECT ON {}.{} TO {}; and leave columns out with `columns: \
                 {{<name>: exclude}}`.",
                quote(database),
                quote(&stream.name),
                server.account
            ),
        );
    }
    Ok(())
}
