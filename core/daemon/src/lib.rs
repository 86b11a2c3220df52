//! The daemon: every connection of a configuration on its schedule, for months, unattended.
//!
//! How the parts fit:
//!
//! * [`view`] has the nouns: what is known of a connection, as values that serialize.
//! * [`Board`] holds one [`ConnectionView`] for each connection. Whoever shows something reads it
//!   there: a read clones an `Arc` and never waits for a run.
//! * [`Bus`] tells that something happened, after the board says so. Whoever must react subscribes:
//!   server-sent events and alerts. A slow subscriber loses notices (`Lagged`) and looks at the
//!   board again; it never holds up a run.
//! * `schedule` decides, purely, when a connection runs. `keeper` is the task of one connection that
//!   does what was decided, by the same path of the engine as `tributary sync`.
//! * `http` composes the routers: each part (`health`, `metrics`, `api`, `page`) has a function
//!   `routes() -> Router<App>`, merged in `http/mod.rs`. [`App`] is what handlers are given.
//!   Routers that change something are wrapped by `http::guard`, which asks for the token.
//! * `store` is the control store: runs, pauses, tokens that replace each other, alerts to be sent.
//!
//! Invariant: nothing here is needed for correctness of data. The cursors are in the destinations;
//! the control store can be deleted without losing or repeating a row. // G1
//!
//! Deliberately absent: the environment, signals, connectors by name. They are given ([`Ends`]) by
//! whoever starts it.

mod alerts;
mod board;
mod bus;
mod daemon;
mod drift;
mod ends;
mod fleet;
mod http;
mod keeper;
mod look;
mod metrics;
mod objectives;
pub mod page;
mod recorder;
mod run;
mod schedule;
mod service;
mod shared;
mod store;
#[cfg(test)]
mod testing;
pub mod view;

pub use board::{Board, Configuration};
pub use bus::{Bus, Notice};
pub use daemon::{Setup, run};
pub use ends::{Ends, Job, Stamp, Watcher};
pub use http::App;
pub use service::Supervisor;
pub use store::{Place, Store, StoreVault};
pub use view::ConnectionView;
