//! Requests: pinned to the API's own host, within its limits, made again when that may help.

mod answered;
pub(crate) mod auth;
mod body;
mod call;
mod client;
mod decide;
mod hook;
mod limits;
mod oauth;
mod origin;
mod rate;
mod token;
mod wait;

pub(crate) use answered::Response;
pub(crate) use body::{Cut, Pieces, Unfit, text};
pub(crate) use call::{Call, Refusals, Sent, missing};
pub(crate) use client::{Client, Fetched, Parts};
pub(crate) use decide::Failure;
pub use hook::Hook;
pub(crate) use limits::Limits;
pub(crate) use origin::Origin;
pub(crate) use wait::before_next;
