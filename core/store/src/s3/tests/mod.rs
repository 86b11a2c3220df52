#![allow(clippy::unwrap_used)]

mod credentials;
mod downloads;
mod fixture;
mod puts;
mod uploads;
