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
const ENDING: &str = "_tributary_key";

/// Sees to the index of a table; says how rows can come whose keys are there.
pub(crate) async fn ensure(
    session: &mut Session,
    plan: &TablePlan,
    relation: Option<&Relation>,
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
    let unique = known.iter().any(|index| index.columns == key) || make(session, plan).await?;
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
async fn make(session: &mut Session, plan: &TablePlan) -> Result<bool> {
    let columns: Vec<String> = plan.key.iter().map(|name| DIALECT.quote(name)).collect();
    let statement = format!(
        "CREATE UNIQUE INDEX {} ON {} ({})",
        DIALECT.quote(&name(plan)),
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

/// A name for the index: the table's, and a hash of table and key so that it is nobody else's.
fn name(plan: &TablePlan) -> String {
    let parts =
        std::iter::once(plan.table.table.as_str()).chain(plan.key.iter().map(String::as_str));
    let hash = parts
        .flat_map(|part| part.bytes().chain([0]))
        .fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
    let ending = format!("_{hash:08x}{ENDING}");
    let table = &plan.table.table;
    let room = table.floor_char_boundary(IDENTIFIER_BYTES - ending.len());
    format!("{}{ending}", &table[..room])
}
