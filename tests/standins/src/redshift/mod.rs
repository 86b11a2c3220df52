//! A stand-in for Amazon Redshift: its wire, its words and its limits in front of a real PostgreSQL.
//!
//! A client speaks the simple protocol to it. Each statement is [read](tokens), [held](lint) to what
//! Redshift knows, [said again](rewrite) in PostgreSQL's words and carried out in a session of a
//! private server; `COPY` of Parquet files reads them from an S3 server and loads them in that
//! session, so transactions are real ones. Texts are limited by their bytes, names are folded to lower
//! case, and things go wrong [on purpose](faults).
//!
//! What it can't show: error 1023 by itself (PostgreSQL finds no such cycles at the level it runs at),
//! what a query costs, and whatever Redshift's documentation does not say.

mod copy;
mod faults;
mod lint;
mod names;
mod rewrite;
mod server;
mod session;
mod setup;
mod tokens;
mod wire;

pub use faults::{Fault, Rule};
pub use server::{ROLE, RedshiftServer};
