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
}

impl<C> Default for State<C> {
    fn default() -> Self {
        Self {
            epoch: 0,
            shared: None,
            streams: BTreeMap::new(),
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
        })
    }
}
