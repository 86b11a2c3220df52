//! MySQL and MariaDB as a source: a first copy without locks, then the change log.
//!
//! The way of a row: [`session`] and [`server`] connect and say who is there, [`discover`] lists
//! tables, [`layout`] says how their rows are cut up, [`snapshot`] copies them over a [`link`],
//! [`log`] follows what changes, [`decode`] turns both into the same columns, and [`reader`] sends them in order.

mod address;
mod ask;
mod column;
mod config;
mod cursor;
mod ddl;
mod decode;
mod default;
mod discover;
mod failure;
mod filter;
mod gtid;
mod history;
mod info;
mod layout;
mod link;
mod log;
mod names;
mod position;
mod preflight;
mod reader;
mod rejections;
mod requirements;
mod server;
mod session;
mod settings;
mod snapshot;
mod source;
mod start;
mod tables;
mod verify;

pub use config::Config;
pub use cursor::{Cursor, LogCursor, TableCursor, TablePhase};
pub use history::Declared;
pub use snapshot::{KeyValue, Segment};
pub use source::MySql;
