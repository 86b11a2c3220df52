//! What comes of taking a page, and what all that take pages and records say to each other.

use serde_json::Value;
use tributary_model::Error;

use crate::http::Failure;
use crate::json::{Broken, Envelope, Raw};
use crate::path::Path;
use crate::point::{Format, Point};
use crate::record::Record;

/// What a page turned out to hold.
#[derive(Debug)]
pub(crate) struct Taken<'p> {
    pub(crate) envelope: Envelope<'p>,
    /// Items of the outermost list.
    pub(crate) records: usize,
    /// What names the last record, where the pager asks for it.
    pub(crate) last: Option<String>,
    /// Records that something grows out of.
    pub(crate) parents: Vec<Record>,
}

/// What is the same for all records of a walk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context<'a> {
    pub(crate) each: Option<&'a Value>,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
}

/// Why a page could not be taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is not JSON: it may have been cut on the way.
    Broken(Broken),
    Failure(Failure),
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Taken,
    /// It is a tombstone: nothing grows out of it.
    Gone,
    LeftOut,
}

/// A place on the cursor field's axis that a record names.
pub(crate) fn point_of(raw: Raw<'_>, field: &Path, format: &Format) -> Option<Point> {
    format.read(&raw.find(field)?.to_value())
}

/// A record as the text that it is.
pub(super) fn to_text(raw: Raw<'_>) -> String {
    raw.as_str().to_owned()
}

/// An error that is the stream's.
pub(super) fn failed(error: Error) -> Refused {
    Refused::Failure(Failure::Stream(error))
}
