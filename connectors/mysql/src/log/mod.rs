//! The change log: its events.

mod approach;
pub(crate) mod birth;
pub(crate) mod event;
mod metadata;
pub(crate) mod rows;
pub(crate) mod stream;
pub(crate) mod table_map;
