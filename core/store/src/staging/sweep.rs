//! What processes left behind that were killed.

use chrono::TimeDelta;
use tributary_model::{Result, now};

use super::room::FOLDER;
use crate::store::Store;

/// The age at which staged files are left behind: no load takes that long.
pub const LEFT_BEHIND: TimeDelta = TimeDelta::days(2);
/// Files that are looked at in one go; the next sweep finds the others.
const AT_ONCE: usize = 1000;

/// Removes staged files, and uploads of such, that are older than `age` by the store's clock. Says
/// how many there were.
///
/// # Errors
/// As the store's: the right to list or to delete may be missing.
pub async fn sweep(store: &dyn Store, age: TimeDelta) -> Result<usize> {
    let before = now() - age;
    let mut removed = 0;
    for upload in store.uploads(FOLDER).await? {
        if upload.at < before {
            store.abort(&upload.upload).await?;
            removed += 1;
        }
    }
    for file in store.list(FOLDER, None, AT_ONCE).await? {
        if file.modified < before {
            store.delete(&file.key).await?;
            removed += 1;
        }
    }
    Ok(removed)
}
