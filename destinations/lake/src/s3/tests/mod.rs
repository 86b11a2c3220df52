#![allow(clippy::unwrap_used)]

mod check;
mod credentials;
mod downloads;
mod fixture;
mod puts;
mod uploads;
