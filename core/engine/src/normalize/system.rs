//! The columns that tables have besides those of their streams.

pub(crate) use super::table::{OP, POSITION};

/// From when a version is valid: the engine's to fill, where the source knows it.
pub(crate) const VALID_FROM: &str = "_tributary_valid_from";
/// Whether a row is marked as deleted.
pub(crate) const DELETED: &str = "_tributary_deleted";
/// Which every table of ours has.
pub(crate) const SYNCED_AT: &str = "_tributary_synced_at";
