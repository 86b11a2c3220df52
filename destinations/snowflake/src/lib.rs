//! Snowflake as a destination: files in a bucket, and one request that makes them true.
//!
//! Rows go to a bucket as Parquet while they come. The commit copies them into staging tables and then
//! sends one transaction: the claim on the connection's fence row, one MERGE for each table, the
//! cursors. It is one request of the SQL API, which counts once however often it is sent; where its
//! reply is lost for good, the fence row says what became of it.
//!
//! Invariant: a table that people read is changed by that transaction alone; before it, only columns
//! are added and types widened.
//! Deliberately absent: any decision about names and modes (the engine's), trying again, and internal
//! stages, whose encryption Snowflake keeps to its own drivers.

mod answer;
mod auth;
mod beside;
mod check;
mod client;
mod config;
mod counts;
mod describe;
mod destination;
mod dialect;
mod error;
mod fence;
mod files;
mod key;
mod layout;
mod ledger;
mod leftovers;
mod load;
mod merge;
mod parts;
mod query;
mod rejected;
mod remembered;
mod screen;
mod script;
mod settings;
mod site;
mod system;
mod tables;
mod target;
mod transaction;
mod verify;

pub use config::{Config, Identifiers};
pub use destination::Snowflake;
pub use load::SnowflakeLoad;
