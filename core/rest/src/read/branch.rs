//! What a feed says of one stream and of those that grow out of it: pure, from events to changes.

use std::collections::HashMap;

use tributary_model::{Op, Result};

use crate::cursor::Mark;
use crate::json::Raw;
use crate::manifest::cursor::{Order, WindowSpec};
use crate::manifest::feed::{FeedSpec, FeedUse};
use crate::point::Point;
use crate::record::Record;
use crate::seen::Seen;

use super::grow::empty;
use super::member::{Member, Node};
use super::taken::point_of;

/// A quiet stretch that is not worth a commit, milliseconds.
const QUIET: Point = 3_600_000;

/// A stream that is driven by the feed, and those that grow out of it.
#[derive(Debug)]
pub(super) struct Branch {
    pub(super) tree: Node,
    pub(super) follows: FeedUse,
}

/// An object that changed.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) object: Record,
    pub(super) at: Point,
    pub(super) event: String,
}

/// What a window of the feed says of one branch.
#[derive(Debug, Default)]
pub(super) struct News {
    /// By the object's name; the newest of each.
    pub(super) changes: HashMap<String, Change>,
    /// Every change, by its own name.
    pub(super) seen: Vec<(Point, u64)>,
}

impl Branch {
    /// From where the feed has to be read for this branch.
    pub(super) fn begin(&self, members: &[Member]) -> Option<Point> {
        let marks = self.tree.members().into_iter();
        marks
            .filter_map(|place| self.mark_of(&members[place]).map(|mark| mark.at))
            .min()
    }

    fn mark_of<'m>(&self, member: &'m Member) -> Option<&'m Mark> {
        member.cursor.feeds.get(&self.tree.spec.name)
    }

    /// Notes what an event says, where it is about this branch and new to any of its members.
    pub(super) fn hear(
        &self,
        feed: &FeedSpec,
        window: &WindowSpec,
        event: &Record,
        members: &[Member],
        news: &mut News,
    ) {
        let raw = event.raw();
        let kind = raw.find(&feed.kind);
        if kind.is_none_or(|kind| kind.text() != self.follows.kind.as_str()) {
            return;
        }
        // An object without a name is a preview of one that may never be.
        let (Some(object), Some(id)) = (raw.find(&feed.object), raw.find(&feed.id)) else {
            return;
        };
        let at = point_of(raw, &window.field, &window.format).unwrap_or(Point::MAX);
        let digest = raw.find(&feed.event).unwrap_or(raw).digest();
        let is_new = |place: &usize| {
            let mark = self.mark_of(&members[*place]);
            mark.is_some_and(|mark| at >= mark.at && !mark.seen.contains(digest))
        };
        news.seen.push((at, digest));
        if !self.tree.members().iter().any(is_new) {
            return;
        }
        let event_type = raw
            .find(&feed.event_type)
            .map(Raw::text)
            .unwrap_or_default();
        let change = || Change {
            object: Record::inside(event.page(), object, None).alone(),
            at,
            event: event_type.to_string(),
        };
        let newer = |had: &Change| match window.order {
            Order::Descending => at > had.at,
            Order::Ascending | Order::None => at >= had.at,
        };
        match news.changes.get_mut(id.text().as_ref()) {
            None => {
                news.changes.insert(id.text().into_owned(), change());
            }
            Some(had) if newer(had) => *had = change(),
            Some(_) => {}
        }
    }

    /// Moves the marks of all members behind a window that has been brought.
    pub(super) fn mark(
        &self,
        members: &mut [Member],
        settled: Point,
        seen: &[(Point, u64)],
        is_quiet: bool,
    ) {
        for place in self.tree.members() {
            let Some(mark) = members[place].cursor.feeds.get_mut(&self.tree.spec.name) else {
                continue;
            };
            let at = settled.max(mark.at);
            if is_quiet && at - mark.at < QUIET {
                continue;
            }
            let mut behind = Seen::default();
            for (_, digest) in seen.iter().filter(|(when, _)| *when >= at) {
                behind.add(*digest);
            }
            *mark = Mark { at, seen: behind };
        }
    }
}

/// The row that says that an object is gone: its key. With it its lists go.
pub(super) fn bury(node: &Node, members: &mut [Member], change: &Change) -> Result<()> {
    empty(node, members, change.object.raw())?;
    let Some(place) = node.member else {
        return Ok(());
    };
    let raw = change.object.raw();
    let fields = node.spec.key.iter().filter_map(|name| {
        let value = raw.find(&crate::path::Path::parse(name))?;
        Some(format!(
            "{}:{}",
            serde_json::Value::from(name.as_str()),
            value.as_str()
        ))
    });
    let text = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    members[place].take(Raw::known(&text), Op::Delete, &[])
}
