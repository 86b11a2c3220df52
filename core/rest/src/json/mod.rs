//! JSON text, read in one pass and without building values.
//!
//! A million records a minute pass here: a record's fields go from the page's bytes straight into
//! columns, and what is nested stays the text that it is. Invariant: every value that is handed out
//! is valid JSON; what is not is a mistake of the page, never of a row.

mod envelope;
mod raw;
mod scan;
mod text;

pub(crate) use envelope::{Envelope, walk};
pub(crate) use raw::{Kind, Raw};
pub(crate) use scan::{Broken, Scanner};

#[cfg(test)]
mod tests;
