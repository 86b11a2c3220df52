//! API connectors as data: a manifest, and the engine that reads what it describes.
//!
//! A manifest says what is special about an API: where records are, how pages follow each other, what
//! its filters contain, how it says no. What must hold for every API is the engine's and can't be got
//! wrong in a manifest: windows without gaps, cursors at safe points only, changes followed from where
//! the backfill began, walks that end, requests that stay at one host, tokens kept before they are
//! used.
//!
//! Deliberately absent: any one API, and deciding whether a run is tried again.

mod api;
mod check;
mod cond;
mod cursor;
mod described;
mod discover;
mod fields;
mod http;
mod json;
mod manifest;
mod native;
mod path;
mod point;
mod problem;
mod read;
mod ready;
mod record;
mod replay;
mod seen;
mod sheet;
mod template;
mod window;
mod yaml;

pub use api::Api;
pub use cursor::Cursor;
pub use described::{Described, Settings};
pub use http::Hook;
pub use manifest::Manifest;
pub use native::{Http, Reply};
pub use problem::{At, Problem, Problems};
pub use replay::{Trial, Tried, trial};
