//! One window: page after page.
//!
//! Safe points. A page's place is stored only where the pager's names last, and the window stays what
//! it was when it was opened: its ends do not move, and what lies before the place has been sent. So
//! beginning again there misses nothing, whatever the order of the rows. Where names do not last but
//! rows come in ascending order, the greatest value seen takes the part of the place: everything
//! below it has been sent, and rows that share it are known by digest. Elsewhere only the end of the
//! window is safe, and rows leave uncovered until then. // G1 G2
//!
//! Rows that shift. A row that changes goes to the end of an ascending list, and each row behind it
//! moves up by one. Where pages are counted, the first row of the next page moves to the page that
//! was just read, and would be missed. One page is taken at one instant; so after each page the
//! window begins anew at the greatest value seen, and nothing can shift. Pages are counted on only
//! where rows of one value fill more than one, and behind a page that was not full; and then they are
//! read until a pass finds every row again that the pass before it found. A row that left during that
//! earlier pass was seen in it and can't be seen again; so nothing had left, nothing had shifted, and
//! nothing was missed.

use serde_json::Value;
use tributary_model::{Error, Presence, Result};

use crate::cursor::{Open, Place};
use crate::http::{Call, Failure};
use crate::manifest::pager::Way;
use crate::point::Point;
use crate::seen::Seen;
use crate::template::Scope;

use super::Reader;
use super::gate::Cover;
use super::job::Ran;
use super::member::Family;
use super::pages::{Asked, Page, Pages, Then};
use super::stretch::Stretch;
use super::taken::Refused;
use super::turn::Facts;
use super::watch::Watch;

/// A walk on a number that only grows has no end that is known beforehand: where rows come as fast as
/// they are read, it is left after so long, milliseconds. The next reading goes on. // G6
const LONG: Point = 3_600_000;
/// Bytes that wait for the end of a window before they leave uncovered. // G6
const HELD: usize = 8 << 20;

/// What came of a window.
#[derive(Debug)]
pub(super) enum Came {
    /// It has been read.
    ToEnd { again: Seen, reached: Option<Point> },
    /// The API wants a shorter one.
    TooLong(Error, Seen),
}

/// What is left of a window after a page.
#[derive(Debug)]
enum Left {
    /// Further pages.
    Pages,
    /// All of it: the API wants a shorter one.
    Narrower(Error),
    /// This, which is to be begun anew.
    Rest(Open),
    Nothing,
}

impl Reader<'_> {
    /// Reads one window.
    pub(super) async fn window(
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
        let mut watch = stretch.watch(&open, &before);
        let job = match self.job(stretch, &open).await? {
            None => None,
            Some(Ran::Ready(said)) => Some(said),
            Some(Ran::Nothing) => {
                let (again, reached) = (watch.again, None);
                return Ok(Came::ToEnd { again, reached });
            }
            Some(Ran::TooLong(error)) => return Ok(Came::TooLong(error, watch.again)),
        };
        loop {
            watch.begin(open.from);
            let some = self.some_pages(family, stretch, &mut open, job.as_ref(), &mut watch);
            match some.await? {
                // Pages are gone on with as long as there are any.
                Left::Nothing | Left::Pages => break,
                Left::Narrower(error) => return Ok(Came::TooLong(error, watch.again)),
                Left::Rest(anew) => {
                    open = anew;
                    self.note(family, stretch, &open).await?;
                }
            }
        }
        Ok(Came::ToEnd {
            reached: watch.reached,
            again: watch.again,
        })
    }

    /// Reads pages of a window until it ends, or has to begin anew.
    async fn some_pages(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        open: &mut Open,
        job: Option<&Value>,
        watch: &mut Watch<'_>,
    ) -> Result<Left, Failure> {
        let mut pages = self.pages(stretch, open, job)?;
        let mut is_resumed = open.place != Place::Start;
        self.promise(family, stretch, open);
        loop {
            let page = match pages.ask().await {
                Ok(Asked::Page(page)) => page,
                Ok(Asked::Nothing) => return self.after(Then::End, stretch, open, watch, &pages),
                Ok(Asked::TooLong(error)) if pages.count() == 0 => {
                    return Ok(Left::Narrower(error));
                }
                Ok(Asked::TooLong(error)) => return Err(Failure::Stream(error)),
                Err(Failure::Stream(error)) if is_resumed => {
                    // The record that named the page may be gone: the window begins anew.
                    tracing::info!(stream = stretch.root.name, %error, "a page is no longer known");
                    (open.again, is_resumed) = (true, false);
                    self.promise(family, stretch, open);
                    pages.restart();
                    continue;
                }
                Err(failure) => {
                    // The pages before it are there, whatever became of this one.
                    self.gate.send_held(family).await?;
                    return Err(failure);
                }
            };
            is_resumed = false;
            let taken = self.one(family, stretch, open, &page, watch, &mut pages);
            let then = match taken.await {
                Ok(then) => then,
                Err(Refused::Broken(why)) => {
                    pages.retry_broken(why.to_string())?;
                    continue;
                }
                Err(Refused::Failure(failure)) => return Err(failure),
            };
            if !family.is_alive() {
                return Ok(Left::Nothing);
            }
            if then == Then::More {
                // What waits is no longer of whole answers only.
                family.held_since = None;
                self.make_room(family).await?;
                continue;
            }
            match self.after(then, stretch, open, watch, &pages)? {
                Left::Pages => self.keep(family, stretch, open, watch, &pages).await?,
                other => return Ok(other),
            }
        }
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
        let asked = stretch.asked(open);
        let context = stretch.context(asked.as_ref());
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

    /// Between two pages: stores the place where it is safe, else makes room.
    async fn keep(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        open: &mut Open,
        watch: &Watch<'_>,
        pages: &Pages<'_>,
    ) -> Result<(), Failure> {
        if stretch.root.job.is_none() && stretch.root.pages.is_lasting() {
            open.place = pages.place().clone();
            open.seen = watch.again.clone();
            mark(family, stretch, open);
            return Ok(self.gate.send_soon(family).await?);
        }
        self.make_room(family).await
    }

    /// Lets rows leave that no place covers yet, where they are many.
    async fn make_room(&self, family: &mut Family) -> Result<(), Failure> {
        if family.waiting() > HELD {
            self.gate.send(family, Cover::NotYet).await?;
        }
        Ok(())
    }

    async fn note(
        &self,
        family: &mut Family,
        stretch: Stretch<'_>,
        open: &Open,
    ) -> Result<(), Failure> {
        mark(family, stretch, open);
        Ok(self.gate.send(family, Cover::Yes).await?)
    }

    fn pages<'p>(
        &'p self,
        stretch: Stretch<'p>,
        open: &Open,
        job: Option<&Value>,
    ) -> Result<Pages<'p>, Failure> {
        let Some(request) = &stretch.root.request else {
            return Err(Error::bug("a stream of its own has no request").into());
        };
        let asked = stretch.asked(open);
        let scope = Scope {
            job,
            ..self.scope(stretch.context(asked.as_ref()))
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
        let pages = Pages::new(&self.api.client, stretch.root, call, open.place.clone());
        Ok(pages.in_pieces())
    }

    /// Runs the stream's job, where it has one.
    async fn job(&self, stretch: Stretch<'_>, open: &Open) -> Result<Option<Ran>, Failure> {
        let Some(job) = &stretch.root.job else {
            return Ok(None);
        };
        let asked = stretch.asked(open);
        let context = stretch.context(asked.as_ref());
        self.run(job, stretch.root, context).await.map(Some)
    }

    /// What is left of a window once a page of it has been taken.
    fn after(
        &self,
        then: Then,
        stretch: Stretch<'_>,
        open: &Open,
        watch: &mut Watch<'_>,
        pages: &Pages<'_>,
    ) -> Result<Left, Failure> {
        let ends = then == Then::End
            || stretch.is_past(open, watch)
            || (!pages.is_full() && stretch.is_counted() && self.is_late());
        let anchored = stretch.anchored(open, watch);
        let moves = anchored.is_some() && pages.is_full();
        if stretch.is_shifting() && pages.may_have_shifted() && (ends || moves) {
            return match watch.found_the_same() {
                Some(true) if ends => Ok(Left::Nothing),
                Some(true) => Ok(Left::Rest(stretch.behind(open, watch))),
                Some(false) => Ok(Left::Rest(stretch.repeated(open, watch))),
                None => Err(stretch.restless()),
            };
        }
        if ends {
            return Ok(Left::Nothing);
        }
        let names_last = stretch.root.pages.is_lasting() || stretch.root.job.is_some();
        match (then, anchored) {
            (Then::Capped, Some(anchored)) => Ok(Left::Rest(anchored)),
            (Then::Capped, None) => Err(stretch.crowded()),
            (_, Some(anchored)) if !names_last && moves => Ok(Left::Rest(anchored)),
            _ => Ok(Left::Pages),
        }
    }

    /// Whether this reading has lasted so long that who has nearly caught up may stop.
    fn is_late(&self) -> bool {
        self.api.now() - self.now > LONG
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
        let first = once && !copied && !open.again;
        for member in &mut family.members {
            member.renews = !first || member.cursor.over;
        }
        let Some(member) = family.tree.member.map(|place| &mut family.members[place]) else {
            return;
        };
        let absent = first && !member.cursor.over;
        member.sheet.promise(match absent {
            true => Presence::Absent,
            false => Presence::Possible,
        });
    }
}

/// Marks how far the window has come.
fn mark(family: &mut Family, stretch: Stretch<'_>, open: &Open) {
    let parts = &mut family.walk.parts;
    let at = parts.entry(stretch.part.name.clone()).or_default();
    at.open = Some(open.clone());
}
