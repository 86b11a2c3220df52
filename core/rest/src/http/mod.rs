//! Requests: pinned to the API's own host, within its limits, made again when that may help.

pub(crate) mod auth;
mod body;
mod call;
mod client;
mod decide;
mod limits;
mod oauth;
mod origin;
mod token;
mod wait;

pub(crate) use body::unwrap;
pub(crate) use call::{Call, missing};
pub(crate) use client::{Client, Fetched, Parts, Response};
pub(crate) use decide::Failure;
pub(crate) use limits::Limits;
pub(crate) use origin::Origin;
