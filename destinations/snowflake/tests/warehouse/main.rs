//! Snowflake as a destination, by a stand-in that speaks its API.
#![allow(clippy::unwrap_used)]

mod conformance;
mod faults;
mod layouts;
mod preflight;
mod settings;
mod statements;
mod table;
mod world;
