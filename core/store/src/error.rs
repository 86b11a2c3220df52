//! What goes wrong with files of this machine, told apart by who must act.

use std::io;
use std::path::Path;

use tributary_model::{Error, ErrorKind};

/// An error of the operating system about a file below `root`.
#[must_use]
pub fn local(cause: &io::Error, root: &Path) -> Error {
    let root = root.display();
    let (kind, message, fix) = match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => (
            ErrorKind::Access,
            format!("the folder {root} can't be used"),
            format!("Give the user the right to read and write {root}."),
        ),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (
            ErrorKind::Unavailable,
            format!("the disk of {root} is full"),
            "Free space; the load was undone and is made again.".to_owned(),
        ),
        io::ErrorKind::NotADirectory => (
            ErrorKind::Config,
            format!("{root} is not a folder"),
            "Correct `url` of the destination.".to_owned(),
        ),
        io::ErrorKind::Unsupported => (
            ErrorKind::Config,
            format!("the file system of {root} has no hard links, which commits need"),
            "Put the lake on another file system, or into a bucket.".to_owned(),
        ),
        io::ErrorKind::Interrupted
        | io::ErrorKind::TimedOut
        | io::ErrorKind::ResourceBusy
        | io::ErrorKind::StaleNetworkFileHandle
        | io::ErrorKind::NotFound => (
            ErrorKind::Unavailable,
            format!("the folder {root} can't be used at the moment"),
            format!("See that {root} is mounted and that nobody else removes files in it."),
        ),
        _ => {
            return Error::bug(format!("a file below {root} can't be used"))
                .because(cause.to_string());
        }
    };
    Error::new(kind, message)
        .because(cause.to_string())
        .fix(fix)
}
