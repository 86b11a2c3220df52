//! What users do and what they get, one story each: the built program from the outside.

mod bad_input;
mod bad_log;
mod beginning;
mod choices;
mod lake;
mod layout;
mod state;
mod status;
mod stripe;
