//! From a source's columns to a destination's: pure, no IO, nothing else touches rows.
//!
//! [`Table`] holds what is decided about one stream (names, types, rules) and shapes each batch by
//! it. A layout that differs widens the decision; it never narrows or renames.

mod evolve;
mod identity;
mod json;
mod names;
mod rules;
mod shape;
mod table;

pub(crate) use json::columns as json_columns;
pub(crate) use table::{Table, TableSetup, table_name};
