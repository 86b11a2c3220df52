//! The one integration test: the built program against real servers, and the repository itself.
#![allow(clippy::unwrap_used)]

mod faults;
mod stories;
mod tidy;
mod world;
