//! A lake of Iceberg, read by programs that are not ours.

#![allow(clippy::unwrap_used)]

mod contract;
mod deletes;
mod divided;
mod equality;
mod evolved;
mod foreign;
mod loads;
mod postgres;
mod rest;
mod server;
mod upkeep;
mod world;
