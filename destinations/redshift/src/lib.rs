//! Amazon Redshift as a destination: rows, state and changes of layout in one transaction.
//!
//! Rows go as Parquet files into a bucket of the user's, and from there by `COPY` into temporary
//! tables. A load is one transaction of one session: it locks the connection's lock table, claims
//! the next number of its fence row, merges, writes the state, and commits all of it at once.
//!
//! Invariants: everything is told in the simple protocol, as text; nothing inside a transaction
//! commits by itself (never `TRUNCATE`, `ALTER TABLE ... APPEND`, `ALTER COLUMN ... TYPE`).
//! Deliberately absent: any decision about names and modes (the engine's), and trying again.

mod address;
mod beside;
mod check;
mod config;
mod copy;
mod describe;
mod destination;
mod dialect;
mod error;
mod layout;
mod ledger;
mod load;
mod outbox;
mod query;
mod rejected;
mod rows;
mod screen;
mod session;
mod settings;
mod state;
mod system;
mod takeover;
mod target;
mod text;
mod tls;
mod transaction;
mod verify;

pub use config::Config;
pub use destination::Redshift;
pub use load::RedshiftLoad;
