//! The status page, asked for as a browser asks and looked at in one.
//!
//! The states are values on a board: nothing has to fail for the page of a failure.

#![allow(clippy::unwrap_used)]

mod browser;
mod clicks;
mod looks;
mod rendered;
mod served;
mod states;
