//! What the tests of every package share: private database servers, a shop to fill them with, a
//! comparison of source and destination, the program under test, a faulty network, scripted and
//! in-memory ends of the engine, and the conformance suites that every connector must pass.
//!
//! A test that cannot run here panics with the command that helps; nothing is ever skipped.
//!
//! Deliberately absent: any connector. The kit knows the contracts, not who keeps them.

pub mod api;
pub mod bench;
mod cache;
pub mod cells;
mod child;
pub mod compare;
pub mod conformance;
pub mod faulty;
pub mod memory;
pub mod postgres;
pub mod program;
pub mod proxy;
pub mod python;
pub mod random;
pub mod s3;
pub mod script;
pub mod server;
pub mod shop;
pub mod soak;
mod text;
