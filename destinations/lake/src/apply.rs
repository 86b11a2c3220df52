//! Making true outside the log what an entry of it says.
//!
//! Everything here may be done any number of times and by several processes at once. For each table
//! new files appear before old ones go, so a reader in between may see a row twice, and never misses
//! one.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use tributary_model::failpoint::reach;
use tributary_model::{ConnectionName, Error, ErrorKind, Result};

use crate::iceberg::Iceberg;
use crate::log::{Entry, Snapshot};
use crate::system;
use crate::table::TableChange;
use crate::views;
use tributary_store::{Completion, Pending, Store};

/// Requests at the same time. // G6
const REQUESTS: usize = 16;

/// Files that an entry names and that neither exist nor can be completed.
pub(crate) type Gone = Vec<String>;

/// Does what `entry` asks for; `after` is the connection as of that entry or a later one.
pub(crate) async fn apply(
    store: &Arc<dyn Store>,
    iceberg: Option<&Iceberg>,
    of: &ConnectionName,
    entry: &Entry,
    after: &Snapshot,
) -> Result<Gone> {
    let gone = complete(store, entry).await?;
    // Without all of its files a snapshot must not be made; who waits for them will say so.
    if iceberg.is_none() || gone.is_empty() {
        spread(store, iceberg, of, entry, after).await?;
    }
    Ok(gone)
}

/// Does what all of the snapshot's entries ask for and nobody has done.
pub(crate) async fn apply_all(
    store: &Arc<dyn Store>,
    iceberg: Option<&Iceberg>,
    of: &ConnectionName,
    snapshot: &Snapshot,
) -> Result<Gone> {
    // All files first: a table that the catalog has lost is made from all of them.
    let mut gone = Gone::new();
    for entry in &snapshot.unapplied {
        gone.extend(complete(store, entry).await?);
    }
    for entry in &snapshot.unapplied {
        let lacks = |pending: &Pending| gone.contains(&pending.upload.key);
        if iceberg.is_none() || !entry.uploads().iter().any(lacks) {
            spread(store, iceberg, of, entry, snapshot).await?;
        }
    }
    Ok(gone)
}

/// Makes the entry's files appear.
async fn complete(store: &Arc<dyn Store>, entry: &Entry) -> Result<Gone> {
    let gone: Gone = stream::iter(entry.uploads().to_vec())
        .map(|pending| async move {
            let completed = store.complete(&pending).await?;
            Ok::<_, Error>((completed == Completion::Gone).then_some(pending.upload.key))
        })
        .buffer_unordered(REQUESTS)
        .try_filter_map(|gone| async move { Ok(gone) })
        .try_collect()
        .await?;
    reach("lake.after_complete")?;
    Ok(gone)
}

/// Does what is left to do once they are there.
async fn spread(
    store: &Arc<dyn Store>,
    iceberg: Option<&Iceberg>,
    of: &ConnectionName,
    entry: &Entry,
    after: &Snapshot,
) -> Result<()> {
    // What nobody has seen no snapshot names, and no view.
    let (hidden, seen): (Vec<&TableChange>, Vec<&TableChange>) = entry
        .tables()
        .iter()
        .partition(|change| change.definition.is_beside());
    match iceberg {
        // Files that go stay, as older snapshots name them.
        Some(iceberg) => iceberg.apply(of, entry, after).await?,
        None => {
            remove(store, &seen).await?;
            for change in seen.iter().filter(|change| change.redefined) {
                for (key, text) in views::of(store.as_ref(), &change.definition) {
                    store.put(&key, text.into()).await?;
                }
            }
        }
    }
    remove(store, &hidden).await?;
    system::write(store.as_ref(), of, entry).await
}

/// Deletes what changes take out.
async fn remove(store: &Arc<dyn Store>, changes: &[&TableChange]) -> Result<()> {
    let removed = changes.iter().flat_map(|change| change.removed.clone());
    stream::iter(removed.collect::<Vec<_>>())
        .map(|key| async move { store.delete(&key).await })
        .buffer_unordered(REQUESTS)
        .try_collect()
        .await
}

/// The error of a commit whose files can't be brought back.
pub(crate) fn lost(of: &ConnectionName, gone: &Gone) -> Error {
    let first = gone.first().map_or("", String::as_str);
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "{} files of the last load of `{of}` were given up by the store before they were complete, \
             the first of them {first}",
            gone.len()
        ),
    )
    .fix(
        "See that the bucket's lifecycle rule leaves incomplete uploads alone for at least 7 days; \
         then move the connection's log below `_tributary/log/` away and run `--full-refresh`.",
    )
}
