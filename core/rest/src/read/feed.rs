//! The feed of changes: one pass for all streams that follow it.
//!
//! A window of the feed says which objects changed, not what they are: each is fetched as it is now,
//! once, however often it changed. So what arrives is never older than the change, and reading a
//! window twice does no harm beyond the work. The pass ends now; the mark stays behind by the lag, and
//! changes behind it are known by digest, so that one that shows up late is seen and none is taken
//! twice.

use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use tributary_model::{Error, ErrorKind, Presence, Result, matches};

use crate::cursor::Place;
use crate::http::{Call, Failure, Fetched};
use crate::json::walk;
use crate::manifest::cursor::{CursorSpec, WindowSpec};
use crate::manifest::feed::{FeedSpec, FeedUse};
use crate::manifest::request::Method;
use crate::manifest::rule::Rule;
use crate::manifest::stream::StreamSpec;
use crate::point::{self, Point};
use crate::record::Record;
use crate::template::Scope;
use crate::window::{self, Span};

use super::branch::{Branch, Change, News, bury};
use super::family::is_copied;
use super::gate::Cover;
use super::grow::{empty, give_up, last_of};
use super::member::{Member, Node};
use super::pages::{Asked, Pages, Proof, Then};
use super::taken::{Context, Put};
use super::turn::Facts;
use super::{Reader, places};

/// Objects that a window may name before it is read in halves. // G6
const MAX_CHANGES: usize = 20_000;
/// Objects that are fetched before their rows leave. // G6
const AT_ONCE: usize = 500;

/// What has become of an object.
#[derive(Debug)]
enum Fate {
    Is(Record),
    Gone,
    /// It belongs to no record of the stream.
    NotOurs,
}

impl Reader<'_> {
    /// Follows a feed from where its followers stand.
    pub(super) async fn feed(&self, feed: &FeedSpec, members: &mut [Member]) -> Result<()> {
        let branches = self.branches(feed, members);
        if branches.is_empty() {
            return Ok(());
        }
        for branch in &branches {
            for place in branch.tree.members() {
                members[place].sheet.promise(Presence::Possible);
                members[place].renews = true;
            }
        }
        match self.follow(feed, &branches, members).await {
            Ok(()) => {}
            Err(Failure::Source(error)) => return Err(error),
            Err(Failure::Stream(error)) => {
                let mut said = Some(error);
                for branch in &branches {
                    let error = said.take().unwrap_or_else(|| unfollowed(feed));
                    give_up(&branch.tree, members, self.explain_feed(error, feed));
                }
            }
            Err(Failure::Skip(why) | Failure::Slice(why)) => {
                for place in branches.iter().flat_map(|branch| branch.tree.members()) {
                    members[place].skip(&why);
                }
            }
        }
        for member in members.iter_mut() {
            self.gate.tell_failure(member).await?;
        }
        Ok(())
    }

    fn explain_feed(&self, error: Error, feed: &FeedSpec) -> Error {
        match (error.kind(), &feed.stream.needs) {
            (ErrorKind::Access, Some(needs)) => error.fix(format!(
                "Give the credential the permission `{needs}`: changes are read from there."
            )),
            _ => error,
        }
    }

    fn branches(&self, feed: &FeedSpec, members: &[Member]) -> Vec<Branch> {
        let mut branches = Vec::new();
        for spec in self.api.manifest.streams.values() {
            let Some(follows) = spec.feed.as_ref().filter(|of| of.of == feed.stream.name) else {
                continue;
            };
            let mut wanted = places(members);
            wanted.retain(|_, place| {
                let member = &members[*place];
                let marked = member.cursor.feeds.contains_key(&spec.name);
                member.is_alive() && is_copied(member) && marked
            });
            if let Some(tree) = Node::build(&self.api.manifest, spec, &wanted) {
                let follows = follows.clone();
                branches.push(Branch { tree, follows });
            }
        }
        branches
    }

    async fn follow(
        &self,
        feed: &FeedSpec,
        branches: &[Branch],
        members: &mut [Member],
    ) -> Result<(), Failure> {
        let Some(CursorSpec::Window(window)) = &feed.stream.cursor else {
            return Err(Error::bug("a feed has no window").into());
        };
        let grain = window.grain();
        let begin = branches
            .iter()
            .filter_map(|branch| branch.begin(members))
            .min();
        let from = point::floor(begin.unwrap_or(self.now), grain);
        let to = point::above(self.now, grain);
        let mut spans = window::split(Span { from, to }, window.window);
        spans.reverse();
        while let Some(span) = spans.pop() {
            let Some(news) = self.gather(feed, window, span, branches, members).await? else {
                match window::halves(span, window) {
                    Some([first, second]) => spans.extend([second, first]),
                    None => return Err(Failure::Stream(crowded(feed))),
                }
                continue;
            };
            let settled = span.to.min(point::floor(self.now - window.lag, grain));
            for (branch, news) in branches.iter().zip(news) {
                self.apply(branch, news, settled, members).await?;
            }
            self.gate.send_members(members, Cover::Yes).await?;
        }
        Ok(())
    }

    /// What changed in a window; `None` where that is too much at once.
    async fn gather(
        &self,
        feed: &FeedSpec,
        window: &WindowSpec,
        span: Span,
        branches: &[Branch],
        members: &[Member],
    ) -> Result<Option<Vec<News>>, Failure> {
        let mut news: Vec<News> = branches.iter().map(|_| News::default()).collect();
        let mut pages = self.feed_pages(feed, window, span)?;
        loop {
            let page = match pages.ask().await? {
                Asked::Page(page) => page,
                Asked::Nothing => break,
                Asked::TooLong(_) => return Ok(None),
            };
            let mut found = Vec::new();
            let envelope = walk(&page.text, &feed.stream.records, &mut |scanner, around| {
                found.push(Record::inside(&page.text, scanner.value()?, around));
                Ok(())
            });
            let envelope =
                envelope.map_err(|why| Error::bug("a page that was proved broke").because(why))?;
            for event in &found {
                for (branch, news) in branches.iter().zip(&mut news) {
                    branch.hear(feed, window, event, members, news);
                }
            }
            let facts = Facts {
                records: found.len(),
                last: last_of(&feed.stream, found.last()),
                envelope: &envelope,
                headers: &page.headers,
                size: pages.size(),
            };
            if pages.turn(&facts)? != Then::Next {
                break;
            }
            if news.iter().map(|news| news.changes.len()).sum::<usize>() > MAX_CHANGES
                && window::halves(span, window).is_some()
            {
                return Ok(None);
            }
        }
        Ok(Some(news))
    }

    fn feed_pages<'p>(
        &'p self,
        feed: &'p FeedSpec,
        window: &WindowSpec,
        span: Span,
    ) -> Result<Pages<'p>, Failure> {
        let Some(request) = &feed.stream.request else {
            return Err(Error::bug("a feed has no request").into());
        };
        let (from, to) = window::ask(span, window);
        let scope = self.scope(Context {
            each: None,
            from: Some(&from),
            to: to.as_deref(),
        });
        let mut call = Call::new(&self.api.client.origin, request, &scope)?;
        if let Some(target) = &window.from {
            call.append(target, &from);
        }
        if let (Some(target), Some(to)) = (&window.to, &to) {
            call.append(target, to);
        }
        let pages = Pages::new(&self.api.client, &feed.stream, call, Place::Start);
        Ok(pages.proving(Proof::Wanted))
    }

    /// Brings what changed to the streams of a branch.
    async fn apply(
        &self,
        branch: &Branch,
        news: News,
        settled: Point,
        members: &mut [Member],
    ) -> Result<(), Failure> {
        if !branch.tree.is_alive(members) {
            return Ok(());
        }
        let is_quiet = news.changes.is_empty();
        let mut changes: Vec<Change> = news.changes.into_values().collect();
        changes.sort_by_key(|change| change.at);
        let came = self.bring(branch, &changes, members).await;
        match came {
            Ok(()) => branch.mark(members, settled, &news.seen, is_quiet),
            Err(Failure::Source(error)) => return Err(Failure::Source(error)),
            Err(Failure::Stream(error)) => {
                let error = self.explain(error, &branch.tree.spec.name);
                give_up(&branch.tree, members, error);
            }
            Err(Failure::Skip(why) | Failure::Slice(why)) => {
                for place in branch.tree.members() {
                    members[place].skip(&why);
                }
            }
        }
        Ok(())
    }

    async fn bring(
        &self,
        branch: &Branch,
        changes: &[Change],
        members: &mut [Member],
    ) -> Result<(), Failure> {
        let spec = &branch.tree.spec;
        for some in changes.chunks(AT_ONCE) {
            let asked: Vec<_> = some
                .iter()
                .map(|change| self.fate(spec, &branch.follows, change).boxed())
                .collect();
            let mut fates = stream::iter(asked).buffered(self.parallel());
            let mut parents = Vec::new();
            let mut place = 0;
            while let Some(fate) = fates.try_next().await? {
                let change = &some[place];
                place += 1;
                match fate {
                    Fate::NotOurs => {}
                    Fate::Gone => bury(&branch.tree, members, change).map_err(Failure::Stream)?,
                    Fate::Is(record) => {
                        let put = self.put(
                            &branch.tree,
                            members,
                            &record,
                            None,
                            None,
                            Context::default(),
                        );
                        match put.map_err(Failure::Stream)? {
                            Put::Taken => parents.push(record),
                            Put::Gone => empty(&branch.tree, members, record.raw())
                                .map_err(Failure::Stream)?,
                            Put::LeftOut => {}
                        }
                    }
                }
            }
            drop(fates);
            self.grow(&branch.tree, members, &parents).await?;
            if changes.len() > AT_ONCE {
                self.gate.send_members(members, Cover::NotYet).await?;
            }
        }
        Ok(())
    }

    /// Looks up what has become of an object.
    async fn fate(
        &self,
        spec: &StreamSpec,
        follows: &FeedUse,
        change: &Change,
    ) -> Result<Fate, Failure> {
        if follows
            .deletes
            .iter()
            .any(|pattern| matches(pattern, &change.event))
        {
            return Ok(Fate::Gone);
        }
        let Some(refetch) = &follows.refetch else {
            return Ok(Fate::Is(change.object.clone()));
        };
        let row = change.object.raw().to_value();
        let scope = Scope {
            row: Some(&row),
            ..self.scope(Context::default())
        };
        let Ok(Some(path)) = refetch.render_path(&scope) else {
            return Ok(Fate::NotOurs);
        };
        let call = Call::to(&self.api.client.origin, Method::Get, &path)?;
        let mut rules = spec.errors.clone();
        rules.push(Rule::gone());
        match self.api.client.send(&call, &rules).await {
            Ok(Fetched::Page(response)) => {
                read_object(response.body.to_bytes()?.into()).map(Fate::Is)
            }
            Ok(Fetched::Empty | Fetched::End) => Ok(Fate::Gone),
            Ok(Fetched::Shrink(error) | Fetched::Narrow(error)) => Err(Failure::Stream(error)),
            Err(Failure::Slice(_)) => Ok(Fate::NotOurs),
            Err(Failure::Stream(error)) if error.kind() == ErrorKind::Access => {
                // Lists may be read where single records may not: then the feed's own copy will do.
                tracing::debug!(stream = spec.name, %error, "a change is taken from the feed");
                Ok(Fate::Is(change.object.clone()))
            }
            Err(failure) => Err(failure),
        }
    }
}

fn read_object(body: Vec<u8>) -> Result<Record, Failure> {
    let broken = |why: String| {
        let error = Error::new(ErrorKind::Malformed, "a changed record could not be read");
        Failure::Stream(error.because(why))
    };
    let text = crate::http::text(body).map_err(|why| broken(why.to_string()))?;
    Record::whole(text).map_err(|why| broken(why.to_string()))
}

fn unfollowed(feed: &FeedSpec) -> Error {
    Error::new(
        ErrorKind::Access,
        format!("changes can't be read from `{}`", feed.stream.name),
    )
}

fn crowded(feed: &FeedSpec) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "`{}` names more changes of one moment than can be held",
            feed.stream.name
        ),
    )
}
