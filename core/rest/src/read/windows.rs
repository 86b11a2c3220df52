//! The walk through a stream that the API filters by a field: window after window.
//!
//! What happens within a window, and where it can be left and gone on from, stands in
//! [`super::within`]. Here is what a finished one means: everything before its end has been sent, but
//! for what may appear late, which is read again and compared by digest.

use std::collections::VecDeque;

use crate::cursor::{self, Open};
use crate::http::Failure;
use crate::manifest::cursor::WindowSpec;
use crate::point::{self, Point};
use crate::seen::Seen;
use crate::window::{self, Span};

use super::Reader;
use super::gate::Cover;
use super::member::Family;
use super::parts::Part;
use super::stretch::{Stretch, opened};
use super::within::Came;

/// A quiet stretch that is not worth a commit, milliseconds.
const QUIET: Point = 3_600_000;

impl Reader<'_> {
    /// Reads what is new since the last time; without `spec` everything, once.
    pub(super) async fn windows(
        &self,
        family: &mut Family,
        spec: Option<&WindowSpec>,
    ) -> Result<(), Failure> {
        if spec.is_some_and(|spec| self.is_up_to_date(family, spec)) {
            return Ok(());
        }
        let root = family.root().clone();
        let parts = self.parts(&root).await?;
        if root.each.is_some() {
            let named = |name: &String| parts.iter().any(|part| part.name == *name);
            family.walk.parts.retain(|name, _| named(name));
        }
        for part in &parts {
            let root = &*root;
            match self.part(family, Stretch { root, spec, part }).await {
                Err(Failure::Slice(why)) if !part.name.is_empty() => {
                    family.forget();
                    let name = &part.name;
                    tracing::warn!(
                        stream = root.name,
                        part = name,
                        reason = why,
                        "a part is left out"
                    );
                }
                other => other?,
            }
            if !family.is_alive() {
                break;
            }
        }
        Ok(())
    }

    /// Whether windows are of whole hours or days, and none has ended since the last reading: there
    /// is no use in asking each parent.
    fn is_up_to_date(&self, family: &Family, spec: &WindowSpec) -> bool {
        let settled = point::floor(self.now - spec.lag, spec.grain());
        let is_read = |part: &cursor::Part| {
            part.copied && part.open.is_none() && part.done.is_some_and(|done| done >= settled)
        };
        let parts = &family.walk.parts;
        spec.coarse.is_some() && !parts.is_empty() && parts.values().all(is_read)
    }

    async fn part(&self, family: &mut Family, stretch: Stretch<'_>) -> Result<(), Failure> {
        let name = &stretch.part.name;
        let before = family.walk.parts.get(name).cloned();
        let known = before.clone().unwrap_or_default();
        let touched = stretch.part.touched;
        if touched.is_some() && touched == known.touched && known.open.is_none() {
            return Ok(());
        }
        let rows = family.rows();
        if let Some(open) = known.open {
            self.spans(family, stretch, open, VecDeque::new()).await?;
        }
        let known = family.walk.parts.get(name).cloned().unwrap_or_default();
        if known.copied && stretch.is_left_to_the_feed() {
            return Ok(());
        }
        let plan = self.plan(stretch, &known);
        let mut spans: VecDeque<Span> = plan.spans.into();
        if let Some(first) = spans.pop_front() {
            let open = opened(first, plan.settled, Seen::default());
            // From here on every row that will come again is noted anew.
            let seen = self.spans(family, stretch, open, spans).await?;
            let at = family.walk.parts.entry(name.clone()).or_default();
            (at.seen, at.copied, at.touched) = (seen, true, touched);
        }
        if family.rows() == rows {
            stay(family, stretch.part, before);
        }
        self.gate.send(family, Cover::Yes).await?;
        Ok(())
    }

    fn plan(&self, stretch: Stretch<'_>, known: &cursor::Part) -> window::Plan {
        match stretch.spec {
            Some(spec) => window::plan(known, spec, self.api.start, self.now),
            None => window::Plan {
                spans: vec![Span {
                    from: self.api.start.min(self.now),
                    to: self.now,
                }],
                settled: self.now,
                remembered: Point::MAX,
            },
        }
    }

    /// Reads a window and those that follow it; gives back the rows that will come again.
    async fn spans(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        first: Open,
        mut rest: VecDeque<Span>,
    ) -> Result<Seen, Failure> {
        let (settled, name) = (first.settled, &stretch.part.name);
        let mut open = first;
        loop {
            let span = Span {
                from: open.from,
                to: open.to,
            };
            let (again, reached) = match self.window(family, stretch, open).await? {
                Came::ToEnd { again, reached } => (again, reached),
                Came::TooLong(error, again) => {
                    let halves = stretch.spec.and_then(|spec| window::halves(span, spec));
                    let [first, second] = halves.ok_or(Failure::Stream(error))?;
                    rest.push_front(second);
                    open = opened(first, settled, again);
                    continue;
                }
            };
            let at = family.walk.parts.entry(name.clone()).or_default();
            let done = match (span.to, reached) {
                (Point::MAX, Some(reached)) => reached.saturating_add(1),
                (Point::MAX, None) => span.from,
                (to, _) => to.min(settled),
            };
            at.done = Some(at.done.map_or(done, |before| before.max(done)));
            let Some(next) = rest.pop_front() else {
                at.open = None;
                // Until the rest of what is new has been read, both count.
                at.seen.add_all(&again);
                self.gate.send(family, Cover::Yes).await?;
                return Ok(again);
            };
            open = opened(next, settled, again);
            at.open = Some(open.clone());
            self.gate.send(family, Cover::Yes).await?;
        }
    }
}

/// Nothing came: unless much time has passed the place stays what it was, for a commit that changes
/// nothing is not worth making.
fn stay(family: &mut Family, part: &Part, before: Option<cursor::Part>) {
    let Some(before) = before.filter(|before| before.open.is_none() && before.copied) else {
        return;
    };
    if let Some(at) = family.walk.parts.get_mut(&part.name)
        && let (Some(was), Some(is)) = (before.done, at.done)
        && is - was < QUIET
    {
        let touched = at.touched;
        *at = before;
        at.touched = touched;
    }
}
