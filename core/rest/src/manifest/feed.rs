//! Feeds of changes, and how streams follow them.

use crate::fields::{Fields, duration, text, texts, wrong};
use crate::path::Path;
use crate::problem::Log;
use crate::template::Template;
use crate::yaml::{Node, Yaml};

use super::cursor::CursorSpec;
use super::request::template;
use super::stream::{Origin, StreamSpec};

/// How a stream follows a feed of changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedUse {
    /// The feed's name; where there is only one it need not be said.
    pub(crate) of: String,
    /// Which objects of the feed are records of this stream.
    pub(crate) kind: String,
    /// How a changed record is fetched; without it the feed's own copy is taken.
    pub(crate) refetch: Option<Template>,
    /// Types of events that mean that the object is gone.
    pub(crate) deletes: Vec<String>,
}

/// A feed of changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedSpec {
    pub(crate) stream: StreamSpec,
    pub(crate) object: Path,
    pub(crate) kind: Path,
    pub(crate) id: Path,
    pub(crate) event: Path,
    pub(crate) event_type: Path,
    /// How long the feed remembers, milliseconds.
    pub(crate) retention: Option<i64>,
}

impl FeedUse {
    pub(super) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "`feed`", log)?;
        let of = fields.take("of").and_then(|node| text(node, log));
        let kind = fields.need("kind", log).and_then(|node| text(node, log));
        let refetch = fields
            .take("refetch")
            .filter(|node| node.text() != Some("none"));
        let refetch = refetch.and_then(|node| template(node, log));
        let deletes = fields
            .take("deletes")
            .map_or_else(Vec::new, |node| texts(node, log));
        fields.close(log);
        Some(Self {
            of: of.unwrap_or_default(),
            kind: kind?,
            refetch,
            deletes,
        })
    }
}

impl FeedSpec {
    pub(crate) fn read(name: &str, node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a feed", log)?;
        let mut path = |key| {
            let found = fields.need(key, log).and_then(|node| text(node, log));
            Path::parse(&found.unwrap_or_default())
        };
        let (object, kind, id) = (path("object"), path("kind"), path("id"));
        let (event, event_type) = (path("event"), path("type"));
        let retention = fields
            .take("retention")
            .and_then(|node| duration(node, log));
        let mut inner = Vec::new();
        let stream = StreamSpec::take(name, &mut fields, Origin::Own, log, &mut inner)?;
        let at = fields.at;
        fields.close(log);
        if !matches!(stream.cursor, Some(CursorSpec::Window(_))) || !inner.is_empty() {
            let node = Node {
                at,
                value: Yaml::Null,
            };
            return wrong(
                &node,
                "a feed with a `cursor` on a field, and nothing inside it",
                log,
            );
        }
        Some(Self {
            stream,
            object,
            kind,
            id,
            event,
            event_type,
            retention,
        })
    }
}
