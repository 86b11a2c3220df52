//! The whole way from text to plan, with stand-ins for the connectors.
#![allow(clippy::unwrap_used)]

mod alerts;
mod examples;
mod kinds;
mod mistakes;
mod outline;
mod plans;
mod secrets;
