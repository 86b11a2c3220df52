//! The folder that `make setup` fills and that outlives a run of the tests.

use std::fs::{self, File};
use std::path::PathBuf;

/// `TRIBUTARY_CACHE`, else `tributary` in the user's cache folder: the same rule as in
/// `scripts/setup.sh`.
pub(crate) fn dir() -> PathBuf {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    if let Some(dir) = set("TRIBUTARY_CACHE") {
        return dir.into();
    }
    let base = set("XDG_CACHE_HOME").map_or_else(
        || PathBuf::from(set("HOME").expect("HOME is set")).join(".cache"),
        PathBuf::from,
    );
    base.join("tributary")
}

/// Waits until no other process holds the lock `name`; dropping the file lets go.
pub(crate) fn lock(name: &str) -> File {
    let dir = dir();
    fs::create_dir_all(&dir).expect("the cache folder can be made");
    let file = File::create(dir.join(name)).expect("a lock file can be made in the cache folder");
    file.lock().expect("the lock file can be locked");
    file
}
