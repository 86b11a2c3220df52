//! A manifest tried out on recorded exchanges, from files.

use std::path::Path;

use tributary_model::{Error, ErrorKind, Result};
use tributary_rest::{Manifest, Trial};

use crate::config::shown;

/// Reads the streams of a manifest from the exchanges in a folder, in the order of its files' names.
/// Contacts nothing.
///
/// # Errors
/// [`ErrorKind::Config`] where the manifest or a fixture has mistakes or can't be read; all of them.
pub async fn rehearse(manifest: &Path, fixtures: &Path) -> Result<Trial> {
    let text = read(manifest)?;
    let parsed = Manifest::parse(&shown(manifest), &text)?;
    let mut files = Vec::new();
    for path in sorted(fixtures)? {
        files.push((shown(&path), read(&path)?));
    }
    if files.is_empty() {
        let what = format!("there is no fixture in {}", fixtures.display());
        return Err(Error::new(ErrorKind::Config, what)
            .fix("Put recorded exchanges there, as files that end in .yaml, .yml or .json."));
    }
    tributary_rest::trial(parsed, &files).await
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|why| {
        let what = format!("{} can't be read", path.display());
        Error::new(ErrorKind::Config, what).because(why)
    })
}

fn sorted(folder: &Path) -> Result<Vec<std::path::PathBuf>> {
    let unreadable = |why: std::io::Error| {
        let what = format!("the fixtures in {} can't be read", folder.display());
        Error::new(ErrorKind::Config, what)
            .because(why)
            .fix("Name the folder that holds them with `--fixtures`.")
    };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path.extension().and_then(std::ffi::OsStr::to_str);
        if matches!(ending, Some("yaml" | "yml" | "json")) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
