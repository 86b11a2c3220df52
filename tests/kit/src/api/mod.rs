//! Vendors' APIs, played on the loopback: what API connectors are tested against.
//!
//! Each simulator is a model with the vendor's traps behind the vendor's own paths. A test changes
//! the model, plans faults, moves the clock, lets the connector or the whole program read, and
//! compares with the model's truth. Deliberately absent: leniency. What the vendor refuses is
//! refused here, and a parameter that it does not know is an error.

#[cfg(test)]
mod client;
pub mod clock;
pub mod conformance;
pub mod exchange;
pub mod faults;
pub mod limits;
pub mod mailchimp;
mod path;
pub mod recorder;
mod server;
pub mod sheets;
mod shelf;
pub mod simulator;
pub mod stripe;
mod template;
pub mod truth;
pub mod zendesk;
