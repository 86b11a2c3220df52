//! Attacks on the guarantees of docs/GUARANTEES.md; the name of a test says which it attacks.

mod api;
mod consistency;
mod disk;
mod fence;
mod kills;
mod lake;
mod memory;
mod network;
mod postgres;
mod processes;
mod redshift;
mod reply;
mod secrets;
mod swaps;
mod tokens;
mod values;
mod values_odd;
mod verify;
