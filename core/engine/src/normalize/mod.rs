//! From a source's columns to a destination's: pure, no IO, nothing else touches rows.
//!
//! [`Table`] holds what is decided about one stream (names, types, rules) and shapes each batch by
//! it. A layout that differs widens the decision; it never narrows or renames.

mod evolve;
mod exact;
mod identity;
mod json;
mod names;
mod refuse;
mod rejected;
mod remember;
mod rules;
mod shape;
pub(crate) mod system;
mod table;

pub(crate) use json::columns as json_columns;
pub(crate) use names::{derived, forms as name_forms, same as is_same_name};
pub(crate) use rejected::Shaped;
pub(crate) use remember::{beside, hiding, is_void, set_beside, set_void};
pub(crate) use shape::value as cast_value;
pub(crate) use table::{ID, Table, TableSetup, table_name};
