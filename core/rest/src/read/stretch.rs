//! What is read as one: a stream, one of its parts, and the window that is open. Pure.

use tributary_model::{Error, ErrorKind};

use crate::cursor::{Open, Place};
use crate::http::Failure;
use crate::manifest::cursor::{Order, WindowSpec};
use crate::manifest::pager::Way;
use crate::manifest::stream::StreamSpec;
use crate::point::Point;
use crate::seen::Seen;
use crate::template::Root;
use crate::window::{self, Span};

use super::parts::Part;
use super::taken::Context;
use super::watch::{Follow, Watch};

/// What is being read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch<'a> {
    pub(super) root: &'a StreamSpec,
    pub(super) spec: Option<&'a WindowSpec>,
    pub(super) part: &'a Part,
}

impl<'a> Stretch<'a> {
    /// Whether the list is done with once it was copied, because changes come from the feed.
    pub(super) fn is_left_to_the_feed(self) -> bool {
        self.root.feed.is_some() && self.spec.is_none_or(|spec| spec.lookback == 0)
    }

    /// Whether a window can begin anew at any value.
    fn is_ascending(self) -> bool {
        self.is_in_order() && self.spec.is_some_and(|spec| spec.from.is_some())
    }

    fn is_in_order(self) -> bool {
        self.spec.is_some_and(|spec| spec.order == Order::Ascending)
    }

    /// Whether the API is told where a window ends.
    fn has_end(self) -> bool {
        let request = self.root.request.as_ref();
        self.spec.is_some_and(|spec| spec.to.is_some())
            || request.is_some_and(|request| request.uses(Root::To))
    }

    /// Whether rows that change move others to pages that were read already.
    pub(super) fn is_shifting(self) -> bool {
        let counted = matches!(self.root.pages.way, Way::Offset { .. } | Way::Page { .. });
        counted && self.is_ascending() && self.root.job.is_none()
    }

    /// Whether windows are on a number that only grows.
    pub(super) fn is_counted(self) -> bool {
        self.spec.is_some_and(|spec| !spec.format.is_time())
    }

    /// Whether rows have gone past the window's end, of which the API is not told. What follows is
    /// of a later time than this reading: a source that never rests would never let it end. // G6
    pub(super) fn is_past(self, open: &Open, watch: &Watch<'_>) -> bool {
        let in_time = self.spec.is_some_and(|spec| spec.format.is_time());
        in_time && self.is_in_order() && watch.here.is_some_and(|here| here >= open.to)
    }

    /// The same window from the greatest value seen on, where that is further than its beginning.
    pub(super) fn anchored(self, open: &Open, watch: &Watch<'_>) -> Option<Open> {
        let here = watch.here.filter(|_| self.is_ascending())?;
        (here > open.from).then(|| anew(open, here, watch.starting_at_edge()))
    }

    /// The same window behind the value that it began at, all rows of which have come.
    pub(super) fn behind(self, open: &Open, watch: &Watch<'_>) -> Open {
        let grain = self.spec.map_or(1, |spec| spec.grain());
        anew(
            open,
            open.from.saturating_add(grain),
            watch.starting_behind(),
        )
    }

    /// The same window once more.
    pub(super) fn repeated(self, open: &Open, watch: &Watch<'_>) -> Open {
        anew(open, open.from, watch.starting_over())
    }

    /// What is looked for in the window.
    pub(super) fn watch<'w>(self, open: &Open, before: &'w Seen) -> Watch<'w>
    where
        'a: 'w,
    {
        let Some(spec) = self.spec else {
            return Watch::nothing();
        };
        let pages = &self.root.pages;
        let anchors = self.is_ascending() && (!pages.is_lasting() || pages.cap.is_some());
        let ends_here = self.is_in_order() && spec.format.is_time() && !self.has_end();
        // Rows of a list that moves come once more with it.
        let follow = match anchors || ends_here || pages.once.is_some() {
            true => Follow::Yes,
            false => Follow::No,
        };
        let remembered = open.settled.saturating_sub(spec.lookback);
        Watch::window(spec, follow, before, open.seen.clone(), remembered, open.to)
    }

    /// The window's ends as the API wants them.
    pub(super) fn asked(self, open: &Open) -> Option<(String, Option<String>)> {
        let span = Span {
            from: open.from,
            to: open.to,
        };
        self.spec.map(|spec| window::ask(span, spec))
    }

    pub(super) fn context<'c>(self, asked: Option<&'c (String, Option<String>)>) -> Context<'c>
    where
        'a: 'c,
    {
        Context {
            each: self.part.each.as_ref(),
            from: asked.map(|(from, _)| from.as_str()),
            to: asked.and_then(|(_, to)| to.as_deref()),
        }
    }

    /// The API hands out no more pages, and all rows so far share one value.
    pub(super) fn crowded(self) -> Failure {
        Failure::Stream(Error::new(
            ErrorKind::Incompatible,
            format!(
                "`{}` has more records with one value of its cursor than the API hands out",
                self.root.name
            ),
        ))
    }

    /// Rows of one value never stay where they are for as long as it takes to read them.
    pub(super) fn restless(self) -> Failure {
        let what = format!(
            "records of `{}` move to other pages faster than they can be read",
            self.root.name
        );
        Failure::Stream(
            Error::new(ErrorKind::Unavailable, what)
                .fix("Ask for larger pages: `pages: {size: ..}` in the manifest."),
        )
    }
}

/// A window that begins.
pub(super) fn opened(span: Span, settled: Point, seen: Seen) -> Open {
    Open {
        from: span.from,
        to: span.to,
        place: Place::Start,
        settled,
        seen,
        again: false,
    }
}

/// A window that begins anew at `from`, after the rows in `seen`.
fn anew(open: &Open, from: Point, seen: Seen) -> Open {
    Open {
        from,
        place: Place::Start,
        seen,
        again: true,
        ..open.clone()
    }
}
