//! PostgreSQL as a destination: rows, state and changes of layout in one transaction.
//!
//! A load is one transaction of one session. It begins by claiming the next number of the
//! connection's fence row; rows arrive by binary `COPY`, straight into the table where they can't
//! meet others of their key and into a temporary table where they can; its commit makes rows and
//! cursors true together. Dropping the load ends the session, and the server undoes everything.
//!
//! Invariant: a table that people read is not changed before its load commits: what takes its lock
//! away from readers happens last.
//! Deliberately absent: any decision about names and modes (the engine's), and trying again.

mod beside;
mod check;
mod config;
mod copy;
mod describe;
mod destination;
mod dialect;
mod encode;
mod error;
mod index;
mod layout;
mod ledger;
mod load;
mod numeric;
mod query;
mod rejected;
mod remembered;
mod rows;
mod screen;
mod session;
mod settings;
mod system;
mod takeover;
mod target;
mod transaction;
mod verify;

pub use config::Config;
pub use destination::Postgres;
pub use load::PostgresLoad;
