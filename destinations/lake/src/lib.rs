//! A lake as a destination: files of Parquet in a bucket or a local folder, committed by a log.
//!
//! A load uploads files that nobody sees. Its commit is one object, the next entry of the
//! connection's log, put only if none is there: it holds the new state and names every file. What
//! follows from the entry (files appear, old ones go) can be done by any process at any time after.
//!
//! Invariant: state and files are what the log says; everything else below `_tributary` can be
//! derived from it.
//! Deliberately absent: transactions over several connections, and a catalog of our own.

mod apply;
mod bounds;
mod check;
#[cfg(test)]
mod check_tests;
mod clear;
mod config;
mod destination;
mod equality;
mod error;
mod folder;
mod iceberg;
mod kept;
mod keys;
mod layout;
mod listing;
mod load;
mod log;
mod maintain;
mod merge;
mod partition;
mod place;
mod positions;
mod query;
mod read;
mod rejected;
mod roller;
mod screen;
mod session;
mod site;
mod sorter;
mod sql;
mod stage;
mod swap;
mod system;
mod table;
mod target;
mod upload;
mod verify;
mod views;
mod writer;

pub use config::Config;
pub use destination::Lake;
pub use load::LakeLoad;
