//! The system tables of a new server, made once for each version and copied for each server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::Flavor;
use crate::cache;

/// Raised when `Flavor::initialize` changes.
const LAYOUT: u32 = 1;

/// Copies the template of `flavor` to `datadir`, which must not exist yet.
pub(super) fn copy(flavor: Flavor, datadir: &Path) {
    let status = Command::new("cp")
        .args(["-a", "--sparse=always"])
        .args([&template(flavor), datadir])
        .status()
        .expect("`cp` can run");
    assert!(
        status.success(),
        "copying the template to {} failed",
        datadir.display()
    );
    // The server's identity, which two servers must not share; it makes a new one.
    let _ = fs::remove_file(datadir.join("auto.cnf"));
}

fn template(flavor: Flavor) -> PathBuf {
    let key = format!("{}-{}-{LAYOUT}", flavor.name(), flavor.version());
    let dir = cache::dir().join("templates").join(&key);
    if dir.exists() {
        return dir;
    }
    let _lock = cache::lock("templates.lock");
    if dir.exists() {
        return dir;
    }
    // Under a name of its own until it is complete, so that nobody takes half of it for done.
    let partial = dir.with_file_name(format!("{key}.partial"));
    let _ = fs::remove_dir_all(&partial);
    fs::create_dir_all(&partial).expect("a folder can be made in the cache");
    flavor.initialize(&partial);
    fs::rename(&partial, &dir).expect("a folder of the cache can be renamed");
    dir
}
