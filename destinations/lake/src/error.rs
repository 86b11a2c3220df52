//! What goes wrong here, told apart by who must act.

use arrow_schema::ArrowError;
use parquet::errors::ParquetError;
use tokio::task::spawn_blocking;
use tributary_model::{ConnectionName, Error, ErrorKind, Result};

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
