//! The verbs of Tributary: take what a source says, shape it, load it, commit it.
//!
//! [`sync`] runs a connection once. It knows sources and destinations only by their contracts.
//! Deliberately absent: any connector or warehouse by name, YAML, HTTP, the terminal.

mod again;
mod attempt;
mod beside;
mod changes;
mod connection;
mod flush;
mod forget;
mod gate;
mod ledger;
mod loading;
mod normalize;
mod observer;
mod plan;
mod report;
mod retry;
mod spans;
mod state;
mod stop;
mod sync;
mod unexpected;
mod verify;

pub use again::retry_rejected;
pub use connection::{Connection, SyncRequest};
pub use observer::{ColumnOrigin, Event, Observer, Silent};
pub use plan::{PlannedStream, SyncPlan, plan};
pub use report::{ErrorReport, Status, StreamReport, SyncReport};
pub use state::rewrite_state;
pub use sync::{sync, sync_until};
pub use verify::{
    Agreement, ColumnReport, Counts, Difference, KeyReport, StreamComparison, VerifyReport,
    VerifyRequest, verify,
};
