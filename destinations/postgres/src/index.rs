//! The unique index on a table's key: by it a merge finds the rows that it changes.
//!
//! It is made when rows of a table are merged for the first time, not before: a first copy is faster
//! without. A table that can't have it, such as one in which a key stands twice since it was kept in
//! `append`, is merged by deleting and inserting.

use std::collections::HashSet;

use tributary_model::{Result, TablePlan};
use tributary_sql::{DELETED, Dialect, Upsert};

use crate::describe::Relation;
use crate::dialect::DIALECT;
use crate::session::Session;
use crate::settings::IDENTIFIER_BYTES;

/// How the names of our indexes end.
pub(crate) const ENDING: &str = "_tributary_key";

/// Sees to the index of a table; says how rows can come whose keys are there.
pub(crate) async fn ensure(
    session: &mut Session,
    plan: &TablePlan,
    relation: Option<&Relation>,
    load_id: &str,
) -> Result<Upsert> {
    let key: HashSet<String> = plan.key.iter().cloned().collect();
    let known = relation.map(|relation| relation.unique.as_slice());
    let known = known.unwrap_or_default();
    // One that we made for a key which the table had before would refuse rows.
    for old in known {
        if old.name.ends_with(ENDING) && old.columns != key {
            let schema = DIALECT.schema(&plan.table.schema);
            let drop = format!("DROP INDEX {schema}.{}", DIALECT.quote(&old.name));
            session
                .run(&drop, "dropping the index of an older key")
                .await?;
        }
    }
    let unique =
        known.iter().any(|index| index.columns == key) || make(session, plan, load_id).await?;
    Ok(match unique && !has_stale_marks(plan, relation) {
        true => Upsert::OnConflict,
        false => Upsert::DeleteThenInsert,
    })
}

/// Whether rows may be marked as deleted by a plan that is not followed any more: a row that comes
/// again must lose the mark.
fn has_stale_marks(plan: &TablePlan, relation: Option<&Relation>) -> bool {
    let columns = relation.iter().flat_map(|relation| &relation.columns);
    plan.deletes != tributary_model::Deletes::Soft
        && columns.into_iter().any(|column| column.name == DELETED)
}

/// Makes the index; false where the table can't have it.
async fn make(session: &mut Session, plan: &TablePlan, load_id: &str) -> Result<bool> {
    let columns: Vec<String> = plan.key.iter().map(|name| DIALECT.quote(name)).collect();
    let statement = format!(
        "CREATE UNIQUE INDEX {} ON {} ({})",
        DIALECT.quote(&name(&plan.table.table, load_id)),
        DIALECT.table(&plan.table),
        columns.join(", ")
    );
    let doing = "making the index of the key";
    session.run("SAVEPOINT index_of_key", doing).await?;
    let made = session.run(&statement, doing).await;
    match made {
        Ok(_) => {
            session.run("RELEASE SAVEPOINT index_of_key", doing).await?;
            Ok(true)
        }
        Err(error) => {
            // Where the session is gone, this fails as well.
            session
                .run("ROLLBACK TO SAVEPOINT index_of_key", doing)
                .await?;
            tracing::warn!(table = %plan.table, %error, "the table is merged without a unique index");
            Ok(false)
        }
    }
}

/// A name for the index: the table's, and a hash of table and load so that it is nobody else's, not
/// even that of a table which had this name before.
fn name(table: &str, load_id: &str) -> String {
    let bytes = table.bytes().chain([0]).chain(load_id.bytes());
    let hash = bytes.fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    let ending = format!("_{hash:08x}{ENDING}");
    let room = table.floor_char_boundary(IDENTIFIER_BYTES - ending.len());
    format!("{}{ending}", &table[..room])
}

/// Makes the index of a history, in which a key stands as often as it has versions.
pub(crate) async fn ensure_plain(
    session: &mut Session,
    plan: &TablePlan,
    relation: Option<&Relation>,
    load_id: &str,
) -> Result<()> {
    if relation.is_some_and(|relation| relation.has_key_index) {
        return Ok(());
    }
    let columns: Vec<String> = plan.key.iter().map(|name| DIALECT.quote(name)).collect();
    let create = format!(
        "CREATE INDEX {} ON {} ({})",
        DIALECT.quote(&name(&plan.table.table, load_id)),
        DIALECT.table(&plan.table),
        columns.join(", ")
    );
    session.run(&create, "making the index of the key").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_has_a_name_that_fits() {
        let long = "ü".repeat(31);
        for table in ["orders", long.as_str()] {
            let one = name(table, "load-1");
            assert!(
                one.len() <= IDENTIFIER_BYTES && one.ends_with(ENDING),
                "{one}"
            );
            assert_ne!(one, name(table, "load-2"));
        }
    }
}
