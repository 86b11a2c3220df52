//! The tables in the schema `_tributary`.
//!
//! Writers of one table wait for each other in Redshift, whatever rows they write, and a transaction
//! that has read what another then writes may be ended. So what every load reads and writes is in
//! tables of its connection alone: its state, and an empty table to lock. All connections share only
//! the tables that loads add rows to at their end, and the one of rejected rows.
//!
//! The lock is a table of its own because Redshift's `LOCK` keeps readers out too: who looks at the
//! state does not wait for a load. // G7

use tributary_model::{ConnectionName, Result, TableName};
use tributary_sql::Dialect;

use crate::describe::Inventory;
use crate::dialect::DIALECT;
use crate::session::Session;
use crate::text::literal;

/// The schema.
pub(crate) const SCHEMA: &str = "_tributary";
/// Characters of a connection's name that are kept in the names of its tables.
const KEPT: usize = 60;

/// The tables that all connections share, with their columns.
const SHARED: [(&str, &str); 4] = [
    (
        "loads",
        "load_id VARCHAR(256), connection VARCHAR(1024), sequence BIGINT, started_at TIMESTAMPTZ, \
         committed_at TIMESTAMPTZ, duration_seconds DOUBLE PRECISION, rows_read BIGINT, \
         rows_written BIGINT, rows_rejected BIGINT, bytes_read BIGINT, from_cursor VARCHAR(65535), \
         to_cursor VARCHAR(65535), streams VARCHAR(65535)",
    ),
    (
        "long_texts",
        "connection VARCHAR(1024), sequence BIGINT, name VARCHAR(64), part INTEGER, \
         content VARCHAR(65535)",
    ),
    (
        "rejected",
        "load_id VARCHAR(256), connection VARCHAR(1024), stream VARCHAR(4096), \
         \"table\" VARCHAR(1024), \"column\" VARCHAR(1024), \"value\" VARCHAR(65535), \
         reason VARCHAR(65535), \"row\" VARCHAR(65535), hidden VARCHAR(65535), \
         \"key\" VARCHAR(65535), rejected_at TIMESTAMPTZ, place BIGINT, is_whole BOOLEAN",
    ),
    (
        "schema_changes",
        "load_id VARCHAR(256), connection VARCHAR(1024), stream VARCHAR(4096), \
         \"table\" VARCHAR(1024), \"column\" VARCHAR(1024), change VARCHAR(64), \
         from_type VARCHAR(1024), to_type VARCHAR(1024), changed_at TIMESTAMPTZ",
    ),
];

/// The columns of a connection's state.
const STATE: &str = "stream VARCHAR(4096), kind VARCHAR(16), part INTEGER, content VARCHAR(65535), \
     epoch BIGINT, sequence BIGINT, load_id VARCHAR(256), format INTEGER, written_by VARCHAR(64), \
     updated_at TIMESTAMPTZ";

/// What is a connection's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) connection: ConnectionName,
    /// The name of its state table, and that of the one to lock.
    state: TableName,
    lock: TableName,
}

impl Own {
    pub(crate) fn new(of: &ConnectionName) -> Self {
        let name = suffix(of);
        let table = |what: &str| TableName {
            schema: SCHEMA.to_owned(),
            table: format!("{what}_{name}"),
        };
        Self {
            connection: of.clone(),
            state: table("state"),
            lock: table("lock"),
        }
    }

    /// The state table's full name, quoted.
    pub(crate) fn state(&self) -> String {
        DIALECT.table(&self.state)
    }

    /// The full name of the table to lock.
    pub(crate) fn lock(&self) -> String {
        DIALECT.table(&self.lock)
    }

    /// The lock's name, without its schema, as a text.
    pub(crate) fn lock_name(&self) -> String {
        literal(&self.lock.table)
    }

    /// Whether the state table is there.
    pub(crate) async fn exists(&self, session: &mut Session) -> Result<bool> {
        exists(session, &self.state).await
    }
}

/// What the names of a connection's tables end in: its name where that is plain, and a number that
/// tells all names apart (FNV-1a, 64 bits).
fn suffix(of: &ConnectionName) -> String {
    let plain = |c: char| match c.to_ascii_lowercase() {
        c @ ('a'..='z' | '0'..='9') => c,
        _ => '_',
    };
    let kept: String = of.as_str().chars().take(KEPT).map(plain).collect();
    let bytes = of.as_str().bytes();
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("{kept}_{hash:016x}")
}

/// Makes the schema and those tables that are not there. What is there needs no right to make it.
pub(crate) async fn create(session: &mut Session, own: &Own) -> Result<()> {
    let statements = missing(session, own).await?;
    session
        .run_all(&statements, "making the tables of `_tributary`")
        .await
}

/// The statements that make what is not there.
pub(crate) async fn missing(session: &mut Session, own: &Own) -> Result<Vec<String>> {
    let shared = SHARED.map(|(name, columns)| (shared(name), columns));
    let mut all: Vec<(&TableName, &str)> = shared.iter().map(|(t, c)| (t, *c)).collect();
    all.extend([(&own.state, STATE), (&own.lock, "nothing INTEGER")]);
    let names: Vec<&TableName> = all.iter().map(|(table, _)| *table).collect();
    let inventory = Inventory::of(session, &names).await?;
    let mut statements = Vec::new();
    if !inventory.found(&own.state)?.schema {
        statements.push(format!("CREATE SCHEMA IF NOT EXISTS {SCHEMA}"));
    }
    let tables = all
        .iter()
        .filter(|(table, _)| inventory.get(table).is_none());
    statements.extend(tables.map(|(table, columns)| {
        let table = DIALECT.table(table);
        format!("CREATE TABLE IF NOT EXISTS {table} ({columns})")
    }));
    Ok(statements)
}

fn shared(name: &str) -> TableName {
    TableName {
        schema: SCHEMA.to_owned(),
        table: name.to_owned(),
    }
}

/// Whether a table that connections share is there.
pub(crate) async fn has_shared(session: &mut Session, name: &str) -> Result<bool> {
    exists(session, &shared(name)).await
}

async fn exists(session: &mut Session, table: &TableName) -> Result<bool> {
    let inventory = Inventory::of(session, &[table]).await?;
    Ok(inventory.get(table).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_have_tables_of_their_own() {
        let names = ["shop", "Shop", "a b", "a_b", "odd 'name\"", "日本"].map(|name| {
            let own = Own::new(&ConnectionName::new(name));
            assert!(own.state.table.len() <= 127 && own.state() != own.lock());
            own.state()
        });
        let mut different = names.to_vec();
        different.sort();
        different.dedup();
        assert_eq!(different.len(), names.len());
        assert!(
            names[0].starts_with("\"_tributary\".\"state_shop_"),
            "{}",
            names[0]
        );
    }
}
