//! What a snapshot says of the load that made it.

use std::collections::HashMap;

use ::iceberg::spec::TableMetadata;
use serde::{Deserialize, Serialize};
use tributary_model::{ConnectionName, Error, ErrorKind, Result, State};

use crate::log::{Committed, Entry, Snapshot, cursors};

/// The table's property with the mark as JSON, which others' snapshots do not carry away.
const PROPERTY: &str = "tributary.state";
/// The beginning of the keys in a snapshot's summary.
const SUMMARY: &str = "tributary.";
/// The longest cursor that is written out; of a longer one a hash is. Bytes. // G6
const LONGEST_CURSOR: usize = 8 << 10;

/// The place of a table in the log of its connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) connection: String,
    pub(crate) epoch: u64,
    /// The number of the entry.
    pub(crate) entry: u64,
    pub(crate) sequence: u64,
    pub(crate) load_id: String,
    /// The cursors that are true with this snapshot.
    cursor: String,
}

impl Mark {
    pub(crate) fn new(of: &ConnectionName, entry: &Entry, committed: &Committed) -> Result<Self> {
        Ok(Self {
            connection: of.as_str().to_owned(),
            epoch: entry.epoch,
            entry: entry.number,
            sequence: committed.sequence,
            load_id: committed.load_id.clone(),
            cursor: cursor(&committed.state)?,
        })
    }

    /// Of a table that has all that the connection has.
    pub(crate) fn as_of(of: &ConnectionName, after: &Snapshot) -> Result<Self> {
        Ok(Self {
            connection: of.as_str().to_owned(),
            epoch: after.epoch,
            entry: after.number,
            sequence: after.sequence,
            load_id: after.last_load.clone().unwrap_or_default(),
            cursor: cursor(&after.state)?,
        })
    }

    /// After an entry that leaves the state as it is.
    pub(crate) fn moved(
        metadata: &TableMetadata,
        of: &ConnectionName,
        entry: &Entry,
    ) -> Result<Self> {
        let before = Self::of(metadata)?.unwrap_or_else(|| Self::none(of));
        Ok(Self {
            entry: entry.number,
            epoch: entry.epoch,
            ..before
        })
    }

    /// A table that no entry has changed yet.
    pub(crate) fn none(of: &ConnectionName) -> Self {
        Self {
            connection: of.as_str().to_owned(),
            epoch: 0,
            entry: 0,
            sequence: 0,
            load_id: String::new(),
            cursor: String::new(),
        }
    }

    /// For the table.
    pub(crate) fn properties(&self) -> HashMap<String, String> {
        let json = serde_json::to_string(self).unwrap_or_default();
        HashMap::from([(PROPERTY.to_owned(), json)])
    }

    /// For the snapshot.
    pub(crate) fn summary(&self) -> [(String, String); 6] {
        [
            ("connection", self.connection.clone()),
            ("epoch", self.epoch.to_string()),
            ("entry", self.entry.to_string()),
            ("sequence", self.sequence.to_string()),
            ("load-id", self.load_id.clone()),
            ("cursor", self.cursor.clone()),
        ]
        .map(|(key, value)| (format!("{SUMMARY}{key}"), value))
    }

    /// The mark of a table; `None` where it has none and never had.
    pub(crate) fn of(metadata: &TableMetadata) -> Result<Option<Self>> {
        let Some(text) = metadata.properties().get(PROPERTY) else {
            return Ok(Self::of_snapshots(metadata));
        };
        serde_json::from_str(text).map(Some).map_err(|cause| {
            Error::new(
                ErrorKind::Incompatible,
                format!(
                    "the property `{PROPERTY}` of the table is not what this version writes there"
                ),
            )
            .because(cause)
            .fix("Use the version that wrote it, or put the property back as it was.")
        })
    }

    /// The newest mark among the current snapshot and those it came from, of which some may be
    /// others' work.
    fn of_snapshots(metadata: &TableMetadata) -> Option<Self> {
        let mut snapshot = metadata.current_snapshot();
        while let Some(there) = snapshot {
            let get = |key: &str| {
                there
                    .summary()
                    .additional_properties
                    .get(&format!("{SUMMARY}{key}"))
                    .cloned()
            };
            let number = |key: &str| get(key)?.parse().ok();
            if let (Some(connection), Some(entry)) = (get("connection"), number("entry")) {
                return Some(Self {
                    connection,
                    entry,
                    epoch: number("epoch")?,
                    sequence: number("sequence")?,
                    load_id: get("load-id")?,
                    cursor: get("cursor")?,
                });
            }
            snapshot = metadata.snapshot_by_id(there.parent_snapshot_id()?);
        }
        None
    }
}

fn cursor(state: &State) -> Result<String> {
    let cursor = serde_json::to_string(&cursors(state))
        .map_err(|cause| Error::bug("a cursor can't be written as JSON").because(cause))?;
    Ok(match cursor.len() > LONGEST_CURSOR {
        true => format!("blake3:{}", blake3::hash(cursor.as_bytes()).to_hex()),
        false => cursor,
    })
}
