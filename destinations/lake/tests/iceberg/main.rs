//! A lake of Iceberg, read by programs that are not ours.

#![allow(clippy::unwrap_used)]

mod contract;
mod divided;
mod evolved;
mod foreign;
mod loads;
mod rest;
mod server;
mod upkeep;
mod world;
