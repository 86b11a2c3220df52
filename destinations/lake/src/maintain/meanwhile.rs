//! Two writers of one log that don't fence each other: a load, and upkeep.
//!
//! Upkeep's entries have the epoch of the last opening and change no state. A load whose number was
//! taken by such an entry steps over it: it applies the entry, and goes on behind it with what it
//! has prepared. That is right as long as none of the files that the load takes out, or takes rows of,
//! was touched by the entry as well: then rows that the load moved would be there twice. Such a load
//! is given up and made again. Files that a load adds are new and touch nothing, and equality deletes
//! are about all that is older, wherever it lies.
//!
//! The other way round upkeep gives up: it looks again whether all of its files are still there.

use std::collections::BTreeSet;
use std::sync::Arc;

use tributary_model::{ConnectionName, Error, ErrorKind, Result};

use crate::apply::apply;
use crate::log::{Body, Entry, Log, Snapshot};
use crate::site::Site;

/// What stands behind the last entry that a load has seen.
pub(crate) enum Next {
    /// Nothing.
    End,
    /// Upkeep, which the load has stepped over: the keys of files that are gone, or of which it has
    /// laid down which rows are.
    Rewritten(BTreeSet<String>),
    /// Another process has opened the connection, or written in its name.
    Taken,
}

/// Looks at the next entry, and steps over it where that may be done.
pub(crate) fn next(
    site: &Site,
    log: &Log,
    of: &ConnectionName,
    epoch: u64,
    snapshot: &mut Snapshot,
) -> Result<Next> {
    let Some(entry) = site.wait(log.get(snapshot.number + 1))? else {
        return Ok(Next::End);
    };
    let Body::Rewrite(rewritten) = &entry.body else {
        return Ok(Next::Taken);
    };
    if entry.epoch != epoch {
        return Ok(Next::Taken);
    }
    let touched = rewritten.tables.iter().flat_map(|table| {
        let changed = table.changed.iter().map(|file| &file.key);
        table.removed.iter().chain(changed).cloned()
    });
    let touched = touched.collect();
    let entry = Arc::new(entry);
    step_over(site, of, &entry, snapshot)?;
    Ok(Next::Rewritten(touched))
}

/// Entries are applied in order: this one before ours.
fn step_over(
    site: &Site,
    of: &ConnectionName,
    entry: &Arc<Entry>,
    snapshot: &mut Snapshot,
) -> Result<()> {
    let iceberg = site.iceberg.as_deref();
    snapshot.replay(entry)?;
    let gone = site.wait(apply(&site.store, iceberg, of, entry, snapshot))?;
    if let Some(first) = gone.first() {
        return Err(Error::new(
            ErrorKind::Unavailable,
            format!("{first} was not there to be completed"),
        ));
    }
    snapshot
        .unapplied
        .retain(|unapplied| unapplied.number != entry.number);
    Ok(())
}

/// The error of a load that takes out what upkeep has taken out.
pub(crate) fn in_the_way() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "`tributary maintain` has rewritten files that this load changes; nothing was written",
    )
    .fix("Nothing, the load is made again.")
}
