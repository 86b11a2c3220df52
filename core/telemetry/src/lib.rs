//! What others may know of runs: traces for an OpenTelemetry collector, and what came from where for
//! a service that speaks OpenLineage.
//!
//! Invariant: never in the way of data. Whoever runs a connection hands something over and goes on;
//! what can't be delivered is given up after a while, with one warning, and waits in bounded queues
//! until then. No secret and no row is sent: names, types, counts and error messages are.
//!
//! Deliberately absent: metrics, which are asked for at the daemon, and logs.

mod http;
mod lineage;
mod traces;

pub use lineage::{Lineage, Processing, Subject, Tracked};
pub use traces::{Spans, Traces, spans};
