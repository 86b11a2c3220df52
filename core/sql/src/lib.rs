//! The kit for warehouses: text in, text out.
//!
//! [`evolve`] says which steps bring a table to its plan, [`Merge`] writes the statements that take
//! staged rows into it, [`restage`] lets rows that are staged already follow a newer plan, and a [`Dialect`] is what one warehouse says differently.
//!
//! Invariant: nothing here is executed and nothing is random; the same plan gives the same text.
//! Deliberately absent: sessions and drivers, and making names legal (the engine's part; here they
//! are only quoted).

mod dialect;
mod evolve;
mod merge;
mod restage;

pub use dialect::Dialect;
pub use evolve::{Definition, Found, FoundColumn, Step, evolve};
pub use merge::{
    DELETED, FIRST, LIVE, Merge, STAGED_DELETE, STAGED_SEQ, SYNCED_AT, Staged, Staging,
};
pub use restage::{Restaged, restage};

#[cfg(test)]
mod sample;
