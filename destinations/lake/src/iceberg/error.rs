//! Errors of the Iceberg library, by who must act.

use ::iceberg::{Error as IcebergError, ErrorKind as IcebergKind};
use tributary_model::{Error, ErrorKind};

/// An error of reading, writing or building what Iceberg describes.
pub(crate) fn iceberg(doing: &str) -> impl Fn(IcebergError) -> Error + '_ {
    move |cause| match cause.kind() {
        IcebergKind::DataInvalid | IcebergKind::FeatureUnsupported => {
            Error::new(ErrorKind::Incompatible, format!("{doing} failed"))
                .because(cause.to_string())
                .fix(
                    "Another program has made of the table what this one can't follow; put it back \
                     to an earlier snapshot, or give the stream another table.",
                )
        }
        _ => Error::bug(format!("{doing} failed")).because(cause.to_string()),
    }
}
