//! What is remembered of a tab once it has been read.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_model::{Column, CursorSummary, Phase};

use crate::grid::Number;

/// How far a stream has been read: which tab it is, and what was in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The spreadsheet.
    pub(crate) spreadsheet: String,
    /// What stays when it is renamed: `sheet:` and its id, `range:` and its.
    pub(crate) part: String,
    /// Counts the readings that brought something.
    pub(crate) generation: u64,
    /// A fingerprint of the options by which it was read.
    pub(crate) options: String,
    /// A fingerprint of what it held.
    pub(crate) contents: String,
    /// How many rows it held.
    pub(crate) rows: u64,
    /// The columns that were sent, so that the table has the same types without them.
    pub(crate) columns: Vec<Column>,
    /// The types of its numbers, by column.
    pub(crate) numbers: BTreeMap<String, Number>,
    /// What Drive said of the file before it was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<FileVersion>,
    /// When reading it began, seconds since 1970.
    pub(crate) read_at: i64,
    /// Whether it has gone from the spreadsheet, and its rows with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) is_gone: bool,
}

/// What Drive says of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileVersion {
    /// The last change that Drive tells of, seconds since 1970.
    pub(crate) modified: i64,
    /// A number that grows with each change.
    pub(crate) version: String,
}

impl Cursor {
    /// What it says, for people.
    #[must_use]
    pub fn summary(&self) -> CursorSummary {
        let at = chrono::DateTime::from_timestamp(self.read_at, 0);
        let at = at.map(|at| at.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        CursorSummary {
            phase: Some(Phase::Streaming),
            words: match self.is_gone {
                true => "the tab has gone".to_owned(),
                false => format!("{} rows as of {}", self.rows, at.unwrap_or_default()),
            },
            stopped: None,
        }
    }
}
