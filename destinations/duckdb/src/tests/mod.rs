//! On real files: what a load leaves behind, and what it does not.

#![allow(clippy::unwrap_used)]

mod evolution;
mod faults;
mod fences;
mod files;
mod fixture;
mod folding;
mod modes;
mod names;
mod sizes;
mod storage;
mod types;
mod waiting;
