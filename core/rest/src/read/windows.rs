//! The walk through a stream that the API filters by a field: window after window, page after page.
//!
//! Safe points. A page's place is stored only where the pager's names last, and the window stays what
//! it was when it was opened: its ends do not move, and what lies before the place has been sent. So
//! beginning again there misses nothing, whatever the order of the rows. Where names do not last but
//! rows come in ascending order, the greatest value seen takes the part of the place: everything
//! below it has been sent, and rows that share it are known by digest. Elsewhere only the end of the
//! window is safe, and rows leave uncovered until then. // G1 G2

use std::collections::VecDeque;

use serde_json::Value;
use tributary_model::{Error, ErrorKind, Presence};

use crate::cursor::{self, Open, Place};
use crate::http::{Call, Failure};
use crate::manifest::cursor::{Order, WindowSpec};
use crate::manifest::pager::Way;
use crate::manifest::stream::StreamSpec;
use crate::point::Point;
use crate::seen::Seen;
use crate::template::Scope;
use crate::window::{self, Span};

use super::Reader;
use super::gate::Cover;
use super::job::Ran;
use super::member::Family;
use super::pages::{Asked, Page, Pages, Proof, Then};
use super::parts::Part;
use super::take::{Context, Refused};
use super::turn::Facts;
use super::watch::{Follow, Watch};

/// Bytes that wait for the end of a window before they leave uncovered. // G6
const HELD: usize = 8 << 20;
/// A quiet stretch that is not worth a commit, milliseconds.
const QUIET: Point = 3_600_000;

/// What came of a window.
#[derive(Debug)]
enum Came {
    /// It has been read.
    ToEnd { again: Seen, reached: Option<Point> },
    /// The API wants a shorter one.
    TooLong(Error, Seen),
}

/// What is being read.
#[derive(Clone, Copy, Debug)]
struct Stretch<'a> {
    root: &'a StreamSpec,
    spec: Option<&'a WindowSpec>,
    part: &'a Part,
}

impl Reader<'_> {
    /// Reads what is new since the last time; without `spec` everything, once.
    pub(super) async fn windows(
        &self,
        family: &mut Family,
        spec: Option<&WindowSpec>,
    ) -> Result<(), Failure> {
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
        if known.copied && is_left_to_the_feed(stretch) {
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

    /// Reads one window.
    async fn window(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        mut open: Open,
    ) -> Result<Came, Failure> {
        if open.from >= open.to && stretch.spec.is_some() {
            return Ok(Came::ToEnd {
                again: open.seen,
                reached: None,
            });
        }
        let before = family.walk.parts.get(&stretch.part.name);
        let before = before.map(|part| part.seen.clone()).unwrap_or_default();
        let mut watch = watch(stretch, &open, &before);
        let job = match self.job(stretch, &open).await? {
            None => None,
            Some(Ran::Ready(said)) => Some(said),
            Some(Ran::Nothing) => {
                let reached = None;
                return Ok(Came::ToEnd {
                    again: watch.again,
                    reached,
                });
            }
            Some(Ran::TooLong(error)) => return Ok(Came::TooLong(error, watch.again)),
        };
        let mut pages = self.pages(stretch, &open, job.as_ref(), &watch)?;
        let mut is_resumed = open.place != Place::Start;
        self.promise(family, stretch, &open);
        loop {
            let page = match pages.ask().await {
                Ok(Asked::Page(page)) => page,
                Ok(Asked::Nothing) => break,
                Ok(Asked::TooLong(error)) if pages.count() == 0 => {
                    return Ok(Came::TooLong(error, watch.again));
                }
                Ok(Asked::TooLong(error)) => return Err(Failure::Stream(error)),
                Err(Failure::Stream(error)) if is_resumed => {
                    // The record that named the page may be gone: the window begins anew.
                    tracing::info!(stream = stretch.root.name, %error, "a page is no longer known");
                    (open.again, is_resumed) = (true, false);
                    self.promise(family, stretch, &open);
                    pages.restart();
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            is_resumed = false;
            let then = match self
                .one(family, stretch, &open, &page, &mut watch, &mut pages)
                .await
            {
                Ok(then) => then,
                Err(Refused::Broken(why)) => {
                    // Nothing was waiting but rows of this page: see `Proof`.
                    family.forget();
                    pages.retry_broken(why.to_string())?;
                    continue;
                }
                Err(Refused::Failure(failure)) => return Err(failure),
            };
            match then {
                Then::End => break,
                _ if !family.is_alive() => break,
                Then::Next => {
                    let anew = self
                        .rest(family, stretch, &mut open, &watch, &pages)
                        .await?;
                    if let Some(anew) = anew {
                        open = anew;
                        watch.anchor();
                        self.note(family, stretch, &open).await?;
                        pages = self.pages(stretch, &open, job.as_ref(), &watch)?;
                    }
                }
                Then::Capped => {
                    open = anchored(stretch, &open, &watch).ok_or_else(|| crowded(stretch))?;
                    watch.anchor();
                    self.note(family, stretch, &open).await?;
                    pages = self.pages(stretch, &open, job.as_ref(), &watch)?;
                }
            }
        }
        Ok(Came::ToEnd {
            reached: watch.reached,
            again: watch.again,
        })
    }

    /// Takes one page, and turns to the next.
    async fn one(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        open: &Open,
        page: &Page,
        watch: &mut Watch<'_>,
        pages: &mut Pages<'_>,
    ) -> Result<Then, Refused> {
        let asked = asked(stretch, open);
        let context = context(stretch, asked.as_ref());
        let (then, parents) = {
            let Family { tree, members, .. } = family;
            let taken = self.take_page(tree, members, page, context, watch)?;
            let facts = Facts {
                records: taken.records,
                last: taken.last,
                envelope: &taken.envelope,
                headers: &page.headers,
                size: pages.size(),
            };
            (pages.turn(&facts).map_err(Refused::Failure)?, taken.parents)
        };
        let Family { tree, members, .. } = family;
        self.grow(tree, members, &parents)
            .await
            .map_err(Refused::Failure)?;
        Ok(then)
    }

    /// After a page: stores the place where it is safe, else makes room. Gives back the window as it
    /// is to be begun anew, where the names of its pages do not hold: rows that change meanwhile move
    /// others to other pages, but never below the greatest value seen.
    async fn rest(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        open: &mut Open,
        watch: &Watch<'_>,
        pages: &Pages<'_>,
    ) -> Result<Option<Open>, Failure> {
        if stretch.root.job.is_none() {
            if stretch.root.pages.is_lasting() {
                open.place = pages.place().clone();
                open.seen = watch.again.clone();
                self.note(family, stretch, open).await?;
                return Ok(None);
            }
            if let Some(anchored) = anchored(stretch, open, watch) {
                return Ok(Some(anchored));
            }
        }
        if family.waiting() > HELD {
            self.gate.send(family, Cover::NotYet).await?;
        }
        Ok(None)
    }

    async fn note(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        open: &Open,
    ) -> Result<(), Failure> {
        let at = family
            .walk
            .parts
            .entry(stretch.part.name.clone())
            .or_default();
        at.open = Some(open.clone());
        Ok(self.gate.send(family, Cover::Yes).await?)
    }

    fn pages<'p>(
        &'p self,
        stretch: Stretch<'p>,
        open: &Open,
        job: Option<&Value>,
        watch: &Watch<'_>,
    ) -> Result<Pages<'p>, Failure> {
        let Some(request) = &stretch.root.request else {
            return Err(Error::bug("a stream of its own has no request").into());
        };
        let asked = asked(stretch, open);
        let scope = Scope {
            job,
            ..self.scope(context(stretch, asked.as_ref()))
        };
        let mut call = Call::new(&self.api.client.origin, request, &scope)?;
        if let Some(sweep) = stretch.part.sweep {
            call.add(&stretch.root.sweeps[sweep], &scope)?;
        }
        if let (Some(spec), Some((from, to)), None) = (stretch.spec, &asked, &stretch.root.job) {
            if let Some(target) = &spec.from {
                call.append(target, from);
            }
            if let (Some(target), Some(to)) = (&spec.to, to) {
                call.append(target, to);
            }
        }
        let lasts = stretch.root.pages.is_lasting() && stretch.root.job.is_none();
        let proof = match lasts && watch.is_blind() {
            true => Proof::Unneeded,
            false => Proof::Wanted,
        };
        let pages = Pages::new(&self.api.client, stretch.root, call, open.place.clone());
        Ok(pages.proving(proof))
    }

    /// Runs the stream's job, where it has one.
    async fn job(&self, stretch: Stretch<'_>, open: &Open) -> Result<Option<Ran>, Failure> {
        let Some(job) = &stretch.root.job else {
            return Ok(None);
        };
        let asked = asked(stretch, open);
        let context = context(stretch, asked.as_ref());
        self.run(job, stretch.root, context).await.map(Some)
    }

    /// What the rows of a window promise of the destination: in a first copy by a time that never
    /// changes, through names of records, each key comes once.
    fn promise(&self, family: &mut Family, stretch: Stretch<'_>, open: &Open) {
        let copied = family
            .walk
            .parts
            .get(&stretch.part.name)
            .is_some_and(|part| part.copied);
        let once = stretch.root.feed.is_some()
            && matches!(stretch.root.pages.way, Way::Last { .. })
            && stretch.spec.is_some_and(|spec| spec.to.is_some())
            && stretch.part.name.is_empty();
        let Some(member) = family.tree.member.map(|place| &mut family.members[place]) else {
            return;
        };
        let absent = once && !copied && !open.again && !member.cursor.over;
        member.sheet.promise(match absent {
            true => Presence::Absent,
            false => Presence::Possible,
        });
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

/// Whether the list is done with once it was copied, because changes come from the feed.
fn is_left_to_the_feed(stretch: Stretch<'_>) -> bool {
    stretch.root.feed.is_some() && stretch.spec.is_none_or(|spec| spec.lookback == 0)
}

fn is_ascending(stretch: Stretch<'_>) -> bool {
    stretch
        .spec
        .is_some_and(|spec| spec.order == Order::Ascending && spec.from.is_some())
}

fn opened(span: Span, settled: Point, seen: Seen) -> Open {
    Open {
        from: span.from,
        to: span.to,
        place: Place::Start,
        settled,
        seen,
        again: false,
    }
}

/// The same window from the greatest value seen on, where that is further than its beginning.
fn anchored(stretch: Stretch<'_>, open: &Open, watch: &Watch<'_>) -> Option<Open> {
    let reached = watch.reached.filter(|_| is_ascending(stretch))?;
    (reached > open.from).then(|| Open {
        from: reached,
        place: Place::Start,
        seen: watch.starting_at_edge(),
        ..open.clone()
    })
}

/// The API hands out no more pages, and all rows so far share one value.
fn crowded(stretch: Stretch<'_>) -> Failure {
    Failure::Stream(Error::new(
        ErrorKind::Incompatible,
        format!(
            "`{}` has more records with one value of its cursor than the API hands out",
            stretch.root.name
        ),
    ))
}

fn watch<'w>(stretch: Stretch<'w>, open: &Open, before: &'w Seen) -> Watch<'w> {
    let Some(spec) = stretch.spec else {
        return Watch::nothing();
    };
    let pages = &stretch.root.pages;
    let follows = is_ascending(stretch) && (!pages.is_lasting() || pages.cap.is_some());
    let follow = if follows { Follow::Yes } else { Follow::No };
    let remembered = open.settled.saturating_sub(spec.lookback);
    Watch::window(spec, follow, before, open.seen.clone(), remembered, open.to)
}

/// The window's ends as the API wants them.
fn asked(stretch: Stretch<'_>, open: &Open) -> Option<(String, Option<String>)> {
    let span = Span {
        from: open.from,
        to: open.to,
    };
    stretch.spec.map(|spec| window::ask(span, spec))
}

fn context<'c>(stretch: Stretch<'c>, asked: Option<&'c (String, Option<String>)>) -> Context<'c> {
    Context {
        each: stretch.part.each.as_ref(),
        from: asked.map(|(from, _)| from.as_str()),
        to: asked.and_then(|(_, to)| to.as_deref()),
    }
}
