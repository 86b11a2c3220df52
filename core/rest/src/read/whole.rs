//! The walk through everything, for streams that can only be read whole.
//!
//! What it finds is held back until it has found all of it: then it is known whether anything is
//! different from the last time, and a walk that breaks off has sent nothing. Where there is too much
//! to hold, rows leave uncovered, and only the end covers them.
//!
//! A complete walk is the whole truth: rows that it does not find are deleted. That is said by a
//! truncation, which comes in the same load as the rows that are there.

use crate::http::{Call, Failure};
use crate::manifest::cursor::{CursorSpec, WindowSpec};
use crate::manifest::stream::{Complete, StreamSpec};
use crate::path::Path;
use crate::point::{self, DAY, Format, Point};
use crate::seen::Seen;
use crate::window::{self, Span};

use super::Reader;
use super::gate::Cover;
use super::job::Ran;
use super::member::Family;
use super::pages::{Asked, Pages, Then};
use super::parts::Part;
use super::taken::{Context, Refused};
use super::turn::Facts;
use super::watch::Watch;
use crate::cursor::Place;

/// Bytes that are held back. // G6
const HELD: usize = 32 << 20;
/// How much earlier than a day after the last one a daily walk may begin, milliseconds.
const SLACK: Point = 3_600_000;

impl Reader<'_> {
    /// Whether the family's root has to be walked through in full now.
    pub(super) fn is_whole_due(&self, family: &Family) -> bool {
        let root = family.root();
        let last = family
            .members
            .iter()
            .filter_map(|member| member.cursor.whole.as_ref());
        let last = last.map(|whole| whole.at).min();
        let everyone = family
            .members
            .iter()
            .all(|member| member.cursor.whole.is_some());
        let after = |length: Point| match last {
            Some(last) if everyone => self.now - last >= length - SLACK,
            _ => true,
        };
        match (root.complete, &root.cursor) {
            (_, Some(CursorSpec::Token(_))) => false,
            (Some(Complete::Always), _) => true,
            (Some(Complete::Daily), _) => after(DAY),
            (Some(Complete::Weekly), _) => after(7 * DAY),
            (None, None) => root.feed.is_none() && !root.is_gated(),
            (None, Some(CursorSpec::Window(_) | CursorSpec::Local { .. })) => false,
        }
    }

    /// Walks through everything.
    pub(super) async fn whole(&self, family: &mut Family) -> Result<(), Failure> {
        let root = family.root().clone();
        for member in family.alive() {
            member.begin_whole();
            // All there is of a complete walk is cleared at once.
            member.renews = root.complete.is_none();
        }
        let parts = self.parts(&root).await?;
        let (mut flows, nothing) = (false, Seen::default());
        for part in &parts {
            let mut watch = match &root.cursor {
                Some(CursorSpec::Local { field, format }) => {
                    Watch::local(field, format, None, &nothing)
                }
                _ => Watch::nothing(),
            };
            let walked = self
                .walk_part(family, &root, part, &mut flows, &mut watch)
                .await;
            if let (Ok(()), Some(CursorSpec::Local { .. })) = (&walked, &root.cursor) {
                note_local(family, part, &watch);
            }
            match walked {
                Err(Failure::Slice(why)) if !part.name.is_empty() => {
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
        }
        self.note_windows(family, &parts);
        self.settle(family, root.complete, flows).await
    }

    /// Walks through everything, and leaves out what is older than what was read before.
    pub(super) async fn local(
        &self,
        family: &mut Family,
        field: &Path,
        format: &Format,
    ) -> Result<(), Failure> {
        let root = family.root().clone();
        let parts = self.parts(&root).await?;
        for part in &parts {
            let known = family
                .walk
                .parts
                .get(&part.name)
                .cloned()
                .unwrap_or_default();
            let mut watch = Watch::local(field, format, known.done, &known.seen);
            let mut flows = false;
            self.walk_part(family, &root, part, &mut flows, &mut watch)
                .await?;
            note_local(family, part, &watch);
            self.gate.send(family, Cover::Yes).await?;
        }
        Ok(())
    }

    async fn walk_part(
        &self,
        family: &mut Family,
        root: &StreamSpec,
        part: &Part,
        flows: &mut bool,
        watch: &mut Watch<'_>,
    ) -> Result<(), Failure> {
        let asked = self.ends(root);
        let context = Context {
            each: part.each.as_ref(),
            from: asked.as_ref().map(|(_, from, _)| from.as_str()),
            to: asked.as_ref().and_then(|(_, _, to)| to.as_deref()),
        };
        let Some(mut pages) = self
            .whole_pages(root, part, context, asked.as_ref())
            .await?
        else {
            return Ok(());
        };
        while let Asked::Page(page) = pages.ask().await? {
            let (then, parents) = {
                let Family { tree, members, .. } = &mut *family;
                let taken = match self.take_page(tree, members, &page, context, watch) {
                    Ok(taken) => taken,
                    Err(Refused::Failure(failure)) => return Err(failure),
                    Err(Refused::Broken(why)) => {
                        pages.retry_broken(why.to_string())?;
                        continue;
                    }
                };
                let facts = Facts {
                    records: taken.records,
                    last: taken.last,
                    envelope: &taken.envelope,
                    headers: &page.headers,
                    size: pages.size(),
                };
                (pages.turn(&facts)?, taken.parents)
            };
            let Family { tree, members, .. } = &mut *family;
            self.grow(tree, members, &parents).await?;
            if family.waiting() > HELD {
                self.let_flow(family, root.complete, flows).await?;
            }
            if !matches!(then, Then::Next | Then::More | Then::Moved) || !family.is_alive() {
                break;
            }
        }
        Ok(())
    }

    async fn whole_pages<'p>(
        &'p self,
        root: &'p StreamSpec,
        part: &Part,
        context: Context<'_>,
        asked: Option<&(&WindowSpec, String, Option<String>)>,
    ) -> Result<Option<Pages<'p>>, Failure> {
        let Some(request) = &root.request else {
            return Err(tributary_model::Error::bug("a stream of its own has no request").into());
        };
        let job = match &root.job {
            None => None,
            Some(job) => match self.run(job, root, context).await? {
                Ran::Ready(said) => Some(said),
                Ran::Nothing => return Ok(None),
                Ran::TooLong(error) => return Err(Failure::Stream(error)),
            },
        };
        let scope = crate::template::Scope {
            job: job.as_ref(),
            ..self.scope(context)
        };
        let mut call = Call::new(&self.api.client.origin, request, &scope)?;
        if let Some(sweep) = part.sweep {
            call.add(&root.sweeps[sweep], &scope)?;
        }
        if let (Some((window, from, to)), None) = (asked, &root.job) {
            if let Some(target) = &window.from {
                call.append(target, from);
            }
            if let (Some(target), Some(to)) = (&window.to, to) {
                call.append(target, to);
            }
        }
        let pages = Pages::new(&self.api.client, root, call, Place::Start);
        Ok(Some(pages.in_pieces()))
    }

    /// The ends of the one window that holds everything, where the API filters by one.
    fn ends<'s>(&self, root: &'s StreamSpec) -> Option<(&'s WindowSpec, String, Option<String>)> {
        let Some(CursorSpec::Window(window)) = &root.cursor else {
            return None;
        };
        let span = Span {
            from: self.api.start,
            to: point::above(self.now, window.grain()),
        };
        let (from, to) = window::ask(span, window);
        Some((window, from, to))
    }

    /// There is too much to hold back.
    async fn let_flow(
        &self,
        family: &mut Family,
        complete: Option<Complete>,
        flows: &mut bool,
    ) -> Result<(), Failure> {
        if !*flows && complete.is_some() {
            for member in family.alive() {
                self.gate.clear(member).await?;
            }
        }
        *flows = true;
        Ok(self.gate.send(family, Cover::NotYet).await?)
    }

    /// A walk through everything has read all windows, too.
    fn note_windows(&self, family: &mut Family, parts: &[Part]) {
        let root = family.root().clone();
        let settled = match &root.cursor {
            Some(CursorSpec::Window(window)) => point::floor(self.now - window.lag, window.grain()),
            _ if root.feed.is_some() => self.now,
            _ => return,
        };
        for part in parts {
            let at = family.walk.parts.entry(part.name.clone()).or_default();
            at.done = Some(at.done.map_or(settled, |done| done.max(settled)));
            (at.open, at.copied, at.touched) = (None, true, part.touched);
        }
    }

    /// Sends what was found, unless it is what was there already.
    async fn settle(
        &self,
        family: &mut Family,
        complete: Option<Complete>,
        flows: bool,
    ) -> Result<(), Failure> {
        let by_the_clock = !matches!(complete, None | Some(Complete::Always));
        for member in family.alive() {
            if !flows && member.found_the_same() {
                member.forget();
                member.found = None;
                if let (true, Some(whole)) = (by_the_clock, &mut member.cursor.whole) {
                    whole.at = self.now;
                }
                continue;
            }
            if !flows && complete.is_some() {
                self.gate.clear(member).await?;
            }
            member.end_whole(self.now);
        }
        self.gate.send(family, Cover::Yes).await?;
        Ok(())
    }
}

/// Notes the newest row that a walk saw, from where on the next one looks.
fn note_local(family: &mut Family, part: &Part, watch: &Watch<'_>) {
    let at = family.walk.parts.entry(part.name.clone()).or_default();
    at.copied = true;
    if let Some(reached) = watch.reached {
        (at.done, at.seen) = (Some(reached), watch.starting_at_edge());
    }
}
