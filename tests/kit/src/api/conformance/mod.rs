//! What every API connector must survive, whichever API it reads: being cut at any request, rows
//! that move while it pages, tokens that expire, storms of refusals.
//!
//! [`Reading`] holds a connector to it through the contract of sources; [`Runs`] holds the whole
//! program to it. Both compare with the simulator's truth: complete, and nothing twice.

mod contents;
mod reading;
mod runs;
mod subject;
mod warehouse;

pub use reading::Reading;
pub use runs::Runs;
pub use subject::{Api, connected, simulated};
pub use warehouse::differences;

#[cfg(test)]
mod tests;
