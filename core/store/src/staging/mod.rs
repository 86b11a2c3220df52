//! Rows on their way into a warehouse, as Parquet files of a bucket.
//!
//! A [`Room`] is one attempt of one load: its files have names that no other attempt has, so that
//! an attempt that was given up can't put anything into a later one. Rows stream up in parts while
//! they come; what is in memory is one row group and three parts of each open file. // G6
//!
//! Invariants: a file is visible only once all its rows are in it. What a room has made is removed
//! when it is cleared or dropped; what a killed process leaves is removed by [`sweep`], by age.
//! Deliberately absent: statements of a warehouse, and what the columns mean.

mod file;
mod room;
mod sweep;
#[cfg(test)]
mod tests;
mod upload;

pub use room::{Compression, Room, Stage, StagedFile};
pub use sweep::{LEFT_BEHIND, sweep};
