//! DuckDB as a destination: a file in which a load's rows and its state commit in one transaction.
//!
//! A [`DuckDb`] is one file. Everything of a load is one DuckDB transaction: it begins by claiming
//! the next number of the connection's fence row, and what it writes is invisible until its commit,
//! which makes rows and cursors true together. Dropping the load rolls it back.
//!
//! Invariant: a process opens a file once; all connections of it share that opening.
//! Deliberately absent: indexes on the tables (they make merges slow and types unchangeable), and
//! any decision about names and modes (the engine's).

mod append;
mod beside;
mod check;
mod config;
mod describe;
mod destination;
mod dialect;
mod error;
mod file;
mod layout;
mod ledger;
mod load;
mod query;
mod rejected;
mod remembered;
mod screen;
mod system;
mod target;
mod transaction;
mod verify;
mod window;

pub use config::Config;
pub use destination::DuckDb;
pub use load::DuckLoad;

#[cfg(test)]
mod tests;
