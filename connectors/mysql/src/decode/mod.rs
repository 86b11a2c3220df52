//! From a server's bytes to Arrow columns.
//!
//! One [`cell::Cell`] for each column takes its values from either of two inputs, a row image of
//! the log or a row of the binary protocol, and both end in the same typed store: this is what
//! makes the snapshot's value and the log's value of one cell the same. Pure: no IO, no clock, no
//! state besides the rows that are being built. A malformed input is an error, never a panic, and
//! leaves the rows before it untouched.

mod address;
pub(crate) mod answer;
pub(crate) mod builder;
mod cell;
pub(crate) mod charset;
mod charset_odd;
mod charset_tables;
mod compressed;
pub(crate) mod decimal;
mod finish;
mod from_image;
mod from_protocol;
mod geojson;
mod json_diff;
mod json_tree;
mod jsonb;
mod jsonb_scalar;
pub(crate) mod key;
mod probe;
pub(crate) mod reader;
pub(crate) mod rejected;
mod store;
mod temporal;

pub(crate) use builder::RowBuilder;
pub(crate) use json_diff::patched;
pub(crate) use key::KeyEncoder;
pub(crate) use probe::{Probe, Seen};
pub(crate) use rejected::Refusal;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
