//! Which streams are read together, and by which kind of walk.

use std::collections::BTreeMap;
use std::sync::Arc;

use tributary_model::{Phase, ReadRequest, Result, Stream};

use crate::cursor::{Cursor, Mark, Walk};
use crate::http::Failure;
use crate::manifest::cursor::CursorSpec;
use crate::manifest::stream::StreamSpec;
use crate::point::Point;
use crate::sheet::Sheet;

use super::member::{Family, Member, Node, State, followed, root_of};
use super::pieces::Pieces;
use super::{Reader, places};

impl Reader<'_> {
    /// The families of the selected streams.
    pub(super) fn families(&self, request: &ReadRequest<'_, Cursor>) -> Result<Vec<Family>> {
        let mut together: Vec<(Arc<StreamSpec>, Walk, Vec<Member>)> = Vec::new();
        for stream in request.streams {
            let Some(member) = self.member(stream, request)? else {
                continue;
            };
            let root = root_of(&self.api.manifest, &member.spec).clone();
            let walk = member.cursor.walk.clone();
            let fits = |(of, at, members): &&mut (Arc<StreamSpec>, Walk, Vec<Member>)| {
                // A stream that begins anew has a walk of its own beside one that begins, too.
                let same_age = members.iter().all(|other| is_new(other) == is_new(&member));
                of.name == root.name && *at == walk && same_age
            };
            match together.iter_mut().find(fits) {
                Some((_, _, members)) => members.push(member),
                None => together.push((root, walk, vec![member])),
            }
        }
        let built = together.into_iter().filter_map(|(root, walk, members)| {
            let tree = Node::build(&self.api.manifest, &root, &places(&members))?;
            Some(Family {
                tree,
                members,
                walk,
                held_since: None,
            })
        });
        Ok(built.collect())
    }

    fn member(&self, stream: &Stream, request: &ReadRequest<'_, Cursor>) -> Result<Option<Member>> {
        let Some(spec) = self.api.manifest.stream(&stream.name.name) else {
            return Ok(None);
        };
        let stored = request.state.streams.get(&stream.name);
        if let Some(cursor) = stored {
            self.check_realm(&spec.name, cursor)?;
        }
        let mut layout = self.api.layout(spec);
        layout.dropped.extend(stream.excluded.iter().cloned());
        let mut member = Member {
            name: stream.name.clone(),
            cursor: stored.cloned().unwrap_or_default(),
            sent: stored.cloned(),
            sheet: Sheet::new(&layout, self.now.unsigned_abs()),
            pieces: Pieces::default(),
            renews: true,
            state: if stored.is_some() {
                State::Going
            } else {
                State::New
            },
            found: None,
            phase: None,
            rows: 0,
            spec: spec.clone(),
        };
        member.cursor.realm.clone_from(&self.api.realm);
        self.follow_from_here(&mut member);
        Ok(Some(member))
    }

    /// Notes for each feed that the stream follows where its changes begin: where its backfill does.
    /// A feed that no longer remembers that far is of no use: then everything is read again.
    fn follow_from_here(&self, member: &mut Member) {
        let drivers = followed(&self.api.manifest, &member.spec);
        let expired = drivers
            .iter()
            .any(|driver| self.has_expired(member, driver));
        if expired {
            tracing::warn!(
                stream = %member.name,
                "the API no longer remembers the changes since the last sync; the stream is read again in full"
            );
            member.cursor.feeds = BTreeMap::new();
            member.cursor.walk = Walk::default();
            // What was deleted meanwhile is not told any more: it is what the walk does not find.
            member.state = State::Anew;
            member.cursor.over = true;
        }
        for driver in drivers {
            let at = self.now - self.lag_of(driver);
            member
                .cursor
                .feeds
                .entry(driver.name.clone())
                .or_insert_with(|| Mark {
                    at,
                    ..Mark::default()
                });
        }
    }

    fn has_expired(&self, member: &Member, driver: &StreamSpec) -> bool {
        let feed = driver
            .feed
            .as_ref()
            .and_then(|of| self.api.manifest.feeds.get(&of.of));
        let retention = feed.and_then(|feed| feed.retention);
        let mark = member.cursor.feeds.get(&driver.name);
        match (retention, mark) {
            (Some(retention), Some(mark)) => mark.at < self.now - retention,
            _ => false,
        }
    }

    /// How long a driver's feed may take to show a change.
    fn lag_of(&self, driver: &StreamSpec) -> Point {
        let feed = driver
            .feed
            .as_ref()
            .and_then(|of| self.api.manifest.feeds.get(&of.of));
        match feed.map(|feed| &feed.stream.cursor) {
            Some(Some(CursorSpec::Window(window))) => window.lag,
            _ => 0,
        }
    }

    /// Reads a family by the walk that its root asks for.
    pub(super) async fn walk(&self, family: &mut Family) -> Result<(), Failure> {
        let root = family.root().clone();
        let phase = match family.members.iter().all(is_copied) {
            true => Phase::Streaming,
            false => Phase::Snapshot,
        };
        for member in &mut family.members {
            self.gate.phase(member, phase).await?;
        }
        match &root.cursor {
            _ if self.is_whole_due(family) => self.whole(family).await?,
            Some(CursorSpec::Token(spec)) => self.tokens(family, spec).await?,
            Some(CursorSpec::Window(spec)) => self.windows(family, Some(spec)).await?,
            Some(CursorSpec::Local { field, format }) => self.local(family, field, format).await?,
            None if root.feed.is_some() || root.is_gated() => self.windows(family, None).await?,
            None => {}
        }
        for member in family.alive() {
            self.gate.phase(member, Phase::Streaming).await?;
        }
        Ok(())
    }
}

fn is_new(member: &Member) -> bool {
    matches!(member.state, State::New)
}

/// Whether everything has been sent that was there when the copy began.
pub(super) fn is_copied(member: &Member) -> bool {
    member.cursor.walk.is_copied() || member.cursor.whole.is_some()
}
