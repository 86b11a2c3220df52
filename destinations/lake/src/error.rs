//! What goes wrong here, told apart by who must act.

use std::io;
use std::path::Path;

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use tokio::task::spawn_blocking;
use tributary_model::{ConnectionName, Error, ErrorKind, Result};

/// An error of the operating system about a file below `root`.
pub(crate) fn local(cause: &io::Error, root: &Path) -> Error {
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

/// An error of Parquet's reader or writer.
pub(crate) fn parquet(doing: &str) -> impl Fn(ParquetError) -> Error + '_ {
    move |cause| match cause {
        // A store's own error, on its way through a reader.
        ParquetError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(inner) => Error::bug(format!("{doing} failed")).because(inner),
        },
        cause => Error::bug(format!("{doing} failed")).because(cause),
    }
}

/// An error of Arrow.
pub(crate) fn arrow(doing: &str) -> impl Fn(ArrowError) -> Error + '_ {
    move |cause| Error::bug(format!("{doing} failed")).because(cause)
}

/// An error of reading what this destination has written itself.
pub(crate) fn unreadable(key: &str, cause: serde_json::Error) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("{key} is not what this version writes there"),
    )
    .because(cause)
    .fix("Use the version that wrote it, or put the object back as it was.")
}

/// The error of a load whose connection someone else has taken over.
pub(crate) fn fenced(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!("another run of the connection `{of}` has taken over; this one wrote nothing"),
    )
    .fix("Let one process at a time run a connection.")
}

/// Runs `work`, which blocks, beside the asynchronous tasks.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    spawn_blocking(work)
        .await
        .map_err(|cause| Error::bug("work on the lake did not end").because(cause))?
}
