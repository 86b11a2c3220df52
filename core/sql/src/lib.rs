//! The kit for warehouses: text in, text out.
//!
//! [`evolve`] says which steps bring a table to its plan, [`Merge`] writes the statements that take
//! staged rows into it, [`carry_over`] keeps what one that is built anew does not bring, [`restage`]
//! lets rows that are staged already follow a newer plan, [`screen`] finds the rows that a warehouse
//! would not hold as what they are, and a [`Dialect`] is what one warehouse says differently.
//!
//! Invariant: nothing here is executed and nothing is random; the same plan gives the same text.
//! Deliberately absent: sessions and drivers, and making names legal (the engine's part; here they
//! are only quoted).

mod carry;
pub mod cell;
mod copies;
mod dialect;
mod evolve;
mod history;
mod ledger;
mod long_rows;
mod merge;
mod restage;
mod rows;
mod screen;
mod waiting;

pub use carry::carry_over;
pub use cell::{cell, row};
pub use dialect::{Dialect, Upsert};
pub use evolve::{Definition, Found, FoundColumn, Step, evolve};
pub use history::{IS_CURRENT, VALID_FROM, VALID_TO};
pub use ledger::corrected;
pub use merge::{
    DELETED, FIRST, LIVE, Merge, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, Staged, Staging,
};
pub use restage::{Restaged, restage};
pub use rows::select_rows;
pub use screen::{
    Lengths, Limits, Screened, escaped_units, json_fault, json_numbers, screen, screen_rows,
};
pub use waiting::{Cleared, Line, MOST_WAITING, Rejected, Waiting, Within};

#[cfg(test)]
mod sample;
