//! Google BigQuery as a destination: rows are staged by the Storage Write API, and one script takes
//! them and the state into tables, in one transaction.
//!
//! A load stages its rows in tables of its own. Its commit is one query job, whose id is chosen here: a
//! script that claims the next number of the connection's fence row, merges, and stores the cursors.
//! Where its answer is lost, the job is found again by its id, and the fence row says how it ended.
//!
//! Invariant: tables that people read change in that script and nowhere else, except for columns that
//! are added or widened before it. Dropping a load leaves staged rows, which expire.
//! Deliberately absent: any decision about names and modes (the engine's), and trying a load again.

mod api;
mod auth;
mod beside;
mod check;
mod client;
mod config;
mod destination;
mod dialect;
mod error;
mod ipc;
mod job;
mod layout;
mod ledger;
mod load;
mod merge;
mod names;
mod proto;
mod query;
mod rejected;
mod screen;
mod script;
mod settings;
mod stage;
mod system;
mod tables;
mod target;
mod transaction;
mod verify;
mod write;

pub use config::{Config, Granularity, PartitionConfig, TableConfig};
pub use destination::BigQuery;
pub use load::BigQueryLoad;
pub use names::{column_id, column_name, dataset_id, table_id};
