//! What users do and what they get, one story each: the built program from the outside.

mod bad_input;
mod bad_log;
mod beginning;
mod choices;
mod daemon;
mod day;
mod export;
mod google_sheets;
mod lake;
mod layout;
mod mailchimp;
mod rest;
mod state;
mod status;
mod stripe;
mod telling;
mod zendesk;
