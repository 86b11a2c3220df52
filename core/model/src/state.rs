//! How far everything of a connection has been read.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{Checkpoint, Error, ErrorKind, Result, Scope, StreamName};

/// All the cursors of a connection: one shared cursor (of a log), one for each stream, or both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State<C = Value> {
    /// Which opening of the connection wrote this; higher epochs fence lower ones off.
    pub epoch: u64,
    /// The cursor that covers all streams, such as a position in a change log.
    pub shared: Option<C>,
    /// The cursors of single streams.
    pub streams: BTreeMap<StreamName, C>,
    /// What is remembered of the streams' tables, for the engine alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tables: BTreeMap<StreamName, Remembered>,
}

/// What is remembered of a stream's table from run to run, because the table itself does not tell.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Which table.
    pub table: String,
    /// The source's column behind a column of the table, where the name alone does not say so.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// Of the source's columns that are hidden or left out, or were once: every way in which rows of
    /// the table may have them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ways: BTreeMap<String, Vec<String>>,
}

impl<C> Default for State<C> {
    fn default() -> Self {
        Self {
            epoch: 0,
            shared: None,
            streams: BTreeMap::new(),
            tables: BTreeMap::new(),
        }
    }
}

impl<C: Clone> State<C> {
    /// Moves one cursor to where `checkpoint` says.
    pub fn advance(&mut self, checkpoint: Checkpoint<C>) {
        match checkpoint.scope {
            Scope::Shared => self.shared = Some(checkpoint.cursor),
            Scope::Stream(stream) => {
                self.streams.insert(stream, checkpoint.cursor);
            }
        }
    }
}

impl<C: Serialize> State<C> {
    /// The cursors as JSON.
    ///
    /// # Errors
    /// Fails where a cursor can't be written as JSON.
    pub fn untyped(&self) -> Result<State> {
        let write = |cursor: &C| {
            serde_json::to_value(cursor)
                .map_err(|cause| Error::bug("a cursor can't be written as JSON").because(cause))
        };
        let streams = self.streams.iter();
        let streams = streams.map(|(name, cursor)| Ok((name.clone(), write(cursor)?)));
        Ok(State {
            epoch: self.epoch,
            shared: self.shared.as_ref().map(write).transpose()?,
            streams: streams.collect::<Result<_>>()?,
            tables: self.tables.clone(),
        })
    }
}

impl State<Value> {
    /// Reads the cursors as the connector's own type.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] where a cursor is not of that type: written by another version.
    pub fn typed<C: DeserializeOwned>(&self) -> Result<State<C>> {
        let read = |of: &str, value: &Value| {
            serde_json::from_value(value.clone()).map_err(|cause| {
                Error::new(
                    ErrorKind::Incompatible,
                    format!("the stored cursor of {of} can't be read by this version: {cause}"),
                )
                .fix("Use the version that wrote it, or start again with `tributary state reset`.")
            })
        };
        let shared = self
            .shared
            .as_ref()
            .map(|value| read("the change log", value))
            .transpose()?;
        let mut streams = BTreeMap::new();
        for (name, value) in &self.streams {
            streams.insert(name.clone(), read(&name.to_string(), value)?);
        }
        Ok(State {
            epoch: self.epoch,
            shared,
            streams,
            tables: self.tables.clone(),
        })
    }
}
