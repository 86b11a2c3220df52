//! Where the reading of a stream stands: what the destination keeps of it.
//!
//! Invariant: a cursor never says more than has been sent. `done` is moved by a finished window only;
//! a place inside a window is the name of a page that is still to come.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tributary_model::{CursorSummary, Phase};

use crate::point::{self, Point};
use crate::seen::Seen;

/// Where the reading of one stream stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cursor {
    /// Whose data it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) realm: Option<String>,
    /// Where the walk stands that brings the stream's records.
    #[serde(default, skip_serializing_if = "Walk::is_empty")]
    pub(crate) walk: Walk,
    /// Up to where changes were followed, by the stream that they are changes of.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) feeds: BTreeMap<String, Mark>,
    /// The last walk through everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) whole: Option<Whole>,
    /// Whether the walk goes over rows that the destination has already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) over: bool,
}

/// Where a walk stands, part by part; most walks have one part, without a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Walk {
    pub(crate) parts: BTreeMap<String, Part>,
}

/// One part of a walk: one parent, one sweep, or all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Part {
    /// Everything before this has been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) done: Option<Point>,
    /// Whether everything has been sent that was there when the copy began.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) copied: bool,
    /// The window that is being read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<Open>,
    /// The API's own cursor.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Rows behind `done` that were sent because they were there already.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub(crate) seen: Seen,
    /// What the parent's touched fields were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) touched: Option<u64>,
}

/// A window that is being read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Open {
    pub(crate) from: Point,
    pub(crate) to: Point,
    /// The page that comes next.
    pub(crate) place: Place,
    /// Where everything will be done up to once this window is.
    pub(crate) settled: Point,
    /// Rows of the window that must not come again.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub(crate) seen: Seen,
    /// Whether the window was begun anew after rows of it had been sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) again: bool,
}

/// The name of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Place {
    /// The first one.
    #[default]
    Start,
    /// What the API wants to be told.
    Value(String),
    /// Its address, from the path on.
    Url(String),
    /// Records to skip, or the page's number.
    Number(u64),
}

/// Up to where a feed of changes was followed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    /// Every change before this has been sent.
    pub(crate) at: Point,
    /// Changes behind it that were sent because they were there already.
    #[serde(default, skip_serializing_if = "Seen::is_empty")]
    pub(crate) seen: Seen,
}

/// A walk through everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Whole {
    /// When it began.
    pub(crate) at: Point,
    /// What it found.
    pub(crate) seen: Seen,
}

impl Walk {
    fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether everything that was there at first has been sent.
    pub(crate) fn is_copied(&self) -> bool {
        !self.parts.is_empty() && self.parts.values().all(|part| part.copied)
    }
}

impl Cursor {
    /// What it says, for people.
    #[must_use]
    pub fn summary(&self) -> CursorSummary {
        let phase = match self.walk.is_copied() || self.whole.is_some() {
            true => Phase::Streaming,
            false => Phase::Snapshot,
        };
        CursorSummary {
            phase: Some(phase),
            words: self.words(),
            stopped: None,
        }
    }

    fn words(&self) -> String {
        let time = |at: Point| point::Format::Rfc3339.write(at);
        if let Some(at) = self.feeds.values().map(|mark| mark.at).min()
            && self.walk.is_copied()
        {
            return format!("changes up to {}", time(at));
        }
        let open = self.walk.parts.values().find_map(|part| part.open.as_ref());
        if let Some(open) = open {
            return format!("copying, up to {}", time(open.to));
        }
        if let Some(done) = self.walk.parts.values().filter_map(|part| part.done).min() {
            return format!("everything up to {}", time(done));
        }
        match &self.whole {
            Some(whole) => format!("everything as of {}", time(whole.at)),
            None => "where the API's own cursor stands".to_owned(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_its_text() {
        let mut cursor = Cursor {
            realm: Some("live".to_owned()),
            ..Cursor::default()
        };
        let mut part = Part {
            done: Some(17_000),
            ..Part::default()
        };
        part.seen.add(42);
        part.open = Some(Open {
            from: 0,
            to: 20_000,
            place: Place::Value("ch_1".to_owned()),
            settled: 17_000,
            seen: Seen::default(),
            again: false,
        });
        cursor.walk.parts.insert(String::new(), part);
        let text = serde_json::to_string(&cursor).unwrap();
        assert_eq!(serde_json::from_str::<Cursor>(&text).unwrap(), cursor);
        let empty = serde_json::to_string(&Cursor::default()).unwrap();
        assert_eq!(empty, "{}");
    }
}
