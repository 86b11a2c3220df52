//! Attacks on the guarantees of docs/GUARANTEES.md; the name of a test says which it attacks.

mod api;
mod consistency;
mod disk;
mod fence;
mod kills;
mod lake;
mod memory;
mod network;
mod processes;
mod reply;
mod secrets;
mod tokens;
mod values;
