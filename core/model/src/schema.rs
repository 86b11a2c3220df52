//! What a stream looks like.

use serde::{Deserialize, Serialize};

use crate::{DataType, StreamName};

/// One column of a stream, under the source's own name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// The source's name.
    pub name: String,
    /// The smallest type that holds every value the source can have here.
    pub data_type: DataType,
    /// Whether the source allows NULL.
    pub nullable: bool,
    /// What rows hold here that were written before the column existed, as text that casts to
    /// `data_type`; `None` means NULL. A new column of the destination starts with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// The columns and the key of a stream at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StreamSchema {
    /// The columns, in the source's order.
    pub columns: Vec<Column>,
    /// The names of the key's columns, in key order; empty where there is no key.
    pub key: Vec<String>,
}

impl StreamSchema {
    /// The place of a column by name.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// A stream as discovered, or as selected to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// Its name.
    pub name: StreamName,
    /// Its columns and key as of now.
    pub schema: StreamSchema,
    /// How many rows the source thinks it holds; for progress only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_rows: Option<u64>,
    /// A row filter in the source's own language, from the configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Columns that the source should not read at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
    /// Columns that say how far the stream has been read: hidden, they would say nothing any more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cursor: Vec<String>,
    /// Whether records may bring columns that are not known before they are read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_open: bool,
    /// What reading it takes, such as the name of a permission; for people only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needs: Option<String>,
}
