//! Walking a folder.

use std::fs;
use std::io::{self, ErrorKind as Io};
use std::path::Path;

use chrono::{DateTime, Utc};

use tributary_store::Entry;

/// The files below `root` whose key begins with `prefix`, sorted by key.
pub(crate) fn files(root: &Path, prefix: &str) -> io::Result<Vec<Entry>> {
    let folder = prefix.rfind('/').map_or("", |end| &prefix[..=end]);
    let mut found = Vec::new();
    walk(root, folder, prefix, &mut found)?;
    found.sort_by(|one, other| one.key.cmp(&other.key));
    Ok(found)
}

/// Removes folders that are empty, from the one `path` was in upwards.
pub(crate) fn prune(root: &Path, path: &Path) {
    for folder in path.ancestors().skip(1) {
        // One that is not empty stays, and so do all above it.
        if folder == root || fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

fn walk(root: &Path, folder: &str, prefix: &str, found: &mut Vec<Entry>) -> io::Result<()> {
    let entries = match fs::read_dir(root.join(folder)) {
        Err(cause) if cause.kind() == Io::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // A name that is not UTF-8 is none of ours.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        let key = format!("{folder}{name}");
        // A link to a folder is followed nowhere: what is in the lake is in the folder itself.
        if entry.file_type()?.is_dir() {
            let inner = format!("{key}/");
            if inner.starts_with(prefix) || prefix.starts_with(&inner) {
                walk(root, &inner, prefix, found)?;
            }
        } else if key.starts_with(prefix) {
            match entry.metadata() {
                Err(cause) if cause.kind() == Io::NotFound => {}
                metadata => {
                    let metadata = metadata?;
                    found.push(Entry {
                        key,
                        size: metadata.len(),
                        modified: DateTime::<Utc>::from(metadata.modified()?),
                    });
                }
            }
        }
    }
    Ok(())
}
