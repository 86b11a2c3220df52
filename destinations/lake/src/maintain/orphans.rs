//! Files that nobody names any more.
//!
//! A file of rows is named by the log (it is in a table now, or an entry is about to bring it
//! there) or by a snapshot of Iceberg. A file that is being written is no object yet; once an entry
//! has made it one it is younger than [`GRACE`]. So what is older than that, and is named by
//! neither, was taken out of its table before.

use std::collections::BTreeSet;

use tributary_model::{Result, TableName, now};

use super::GRACE;
use crate::destination::Lake;
use crate::log::Snapshot;
use crate::place;

/// Objects of one listing.
const PAGE: usize = 1000;

/// Deletes those of one table.
pub(super) async fn of_table(
    lake: &Lake,
    table: &TableName,
    snapshot: &Snapshot,
) -> Result<Option<String>> {
    let mut named: BTreeSet<String> = BTreeSet::new();
    named.extend(
        snapshot
            .tables
            .get(table)
            .into_iter()
            .flat_map(|table| table.keys())
            .cloned(),
    );
    if let Some(iceberg) = &lake.iceberg {
        named.extend(iceberg.reachable(table).await?);
    }
    let oldest = now() - GRACE;
    let folder = place::folder(table);
    let (mut count, mut bytes) = (0_u64, 0_u64);
    let mut after: Option<String> = None;
    loop {
        let page = lake.store.list(&folder, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        for entry in page {
            if entry.modified < oldest && is_ours(&entry.key) && !named.contains(&entry.key) {
                lake.store.delete(&entry.key).await?;
                count += 1;
                bytes += entry.size;
            }
        }
    }
    Ok(match count {
        0 => None,
        1 => Some(format!(
            "1 file that nobody names was deleted ({bytes} bytes)"
        )),
        count => Some(format!(
            "{count} files that nobody names were deleted ({bytes} bytes)"
        )),
    })
}

/// Whether it is of a kind that we write; what else lies there is someone's.
fn is_ours(key: &str) -> bool {
    key.ends_with(".parquet") || key.ends_with(".avro") || key.ends_with(".metadata.json")
}
