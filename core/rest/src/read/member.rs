//! A stream that is being read, and the tree of streams whose records come out of one walk.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::Instant;
use tributary_model::{Error, Op, Phase, Result, StreamName};

use crate::cursor::{Cursor, Walk, Whole};
use crate::json::Raw;
use crate::manifest::Manifest;
use crate::manifest::stream::{Origin, StreamSpec};
use crate::seen::Seen;
use crate::sheet::Sheet;

use super::pieces::{Piece, Pieces};

/// A selected stream.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) name: StreamName,
    pub(crate) spec: Arc<StreamSpec>,
    /// As it will be once everything taken so far has been sent.
    pub(crate) cursor: Cursor,
    /// As it was sent last, or came in.
    pub(crate) sent: Option<Cursor>,
    pub(crate) sheet: Sheet,
    pub(crate) pieces: Pieces,
    /// Whether lists that come may be there already.
    pub(crate) renews: bool,
    pub(crate) state: State,
    /// What a walk through everything has found so far.
    pub(crate) found: Option<Seen>,
    pub(crate) phase: Option<Phase>,
    /// Rows taken in this run.
    pub(crate) rows: u64,
}

/// How a stream is doing.
#[derive(Debug)]
pub(crate) enum State {
    /// Nothing of it has been sent ever: what the destination holds is of an earlier generation.
    New,
    /// It is read again in full: of what the destination holds only what comes is still there.
    Anew,
    Going,
    /// It has failed, and the engine is not told yet.
    Failing(Error),
    /// It takes no further part.
    Over,
}

impl Member {
    pub(crate) fn is_alive(&self) -> bool {
        matches!(self.state, State::New | State::Anew | State::Going)
    }

    /// Gives it up.
    pub(crate) fn fail(&mut self, error: Error) {
        if self.is_alive() {
            self.forget();
            self.state = State::Failing(error);
        }
    }

    /// Leaves it out of this run.
    pub(crate) fn skip(&mut self, why: &str) {
        if self.is_alive() {
            tracing::warn!(stream = %self.name, reason = why, "the stream is left out");
            self.forget();
            self.state = State::Over;
        }
    }

    /// Forgets what was taken and not sent.
    pub(crate) fn forget(&mut self) {
        self.pieces.clear();
        self.sheet.clear();
    }

    /// The list of the record that `names` name, as JSON texts, comes anew: its rows follow.
    pub(crate) fn renew(&mut self, names: Vec<String>) -> Result<()> {
        match self.is_alive() && self.renews && !self.spec.belongs_to.is_empty() {
            true => self.pieces.renew(&mut self.sheet, names),
            false => Ok(()),
        }
    }

    /// Ends a page of lists.
    pub(crate) fn seal(&mut self) -> Result<()> {
        self.pieces.seal(&mut self.sheet, &self.spec.belongs_to)
    }

    /// Everything that waits, in order.
    pub(crate) fn take_pieces(&mut self) -> Result<Vec<Piece>> {
        self.pieces.take(&mut self.sheet, &self.spec.belongs_to)
    }

    fn waiting(&self) -> usize {
        self.pieces.waiting() + self.sheet.waiting()
    }

    /// Takes a record; `more` are columns from around it.
    pub(crate) fn take(&mut self, raw: Raw<'_>, op: Op, more: &[(String, String)]) -> Result<()> {
        if let Some(found) = &mut self.found {
            found.add(digest(raw, more));
        }
        self.rows += 1;
        self.sheet.take(raw, op, more)
    }

    /// Begins a walk through everything.
    pub(crate) fn begin_whole(&mut self) {
        self.found = Some(Seen::default());
    }

    /// Whether a walk through everything found what the last one did.
    pub(crate) fn found_the_same(&self) -> bool {
        match (&self.found, &self.cursor.whole) {
            (Some(found), Some(whole)) => found.is_same(&whole.seen),
            _ => false,
        }
    }

    /// Ends a walk through everything that began at `at`.
    pub(crate) fn end_whole(&mut self, at: i64) {
        if let Some(seen) = self.found.take() {
            self.cursor.whole = Some(Whole { at, seen });
        }
    }
}

/// A number that differs wherever the row does.
pub(crate) fn digest(raw: Raw<'_>, more: &[(String, String)]) -> u64 {
    more.iter().fold(raw.digest(), |digest, (name, text)| {
        let both = format!("{digest:x}{name}{text}");
        Raw::known(&both).digest()
    })
}

/// A stream in a tree; those below it get their records out of its own.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) spec: Arc<StreamSpec>,
    /// Its place among the members, where it is selected.
    pub(crate) member: Option<usize>,
    pub(crate) children: Vec<Self>,
}

impl Node {
    /// The tree of `spec` down to the members that `wanted` names; `None` where there is none.
    pub(crate) fn build(
        manifest: &Manifest,
        spec: &Arc<StreamSpec>,
        wanted: &BTreeMap<&str, usize>,
    ) -> Option<Self> {
        let children = manifest
            .streams
            .values()
            .filter(|child| child.driver() == Some(&spec.name));
        let children: Vec<Self> = children
            .filter_map(|child| Self::build(manifest, child, wanted))
            .collect();
        let member = wanted.get(spec.name.as_str()).copied();
        (member.is_some() || !children.is_empty()).then(|| Self {
            spec: spec.clone(),
            member,
            children,
        })
    }

    /// The places of all members in the tree.
    pub(crate) fn members(&self) -> Vec<usize> {
        let mut found: Vec<usize> = self.member.into_iter().collect();
        found.extend(self.children.iter().flat_map(Self::members));
        found
    }

    /// Whether anyone in the tree still takes part.
    pub(crate) fn is_alive(&self, members: &[Member]) -> bool {
        self.members()
            .iter()
            .any(|place| members[*place].is_alive())
    }

    /// Children whose records come out of this one's records, one by one.
    pub(crate) fn below(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(|child| !child.is_also())
    }

    /// Children whose records come out of this one's pages.
    pub(crate) fn beside(&self) -> impl Iterator<Item = &Self> {
        self.children.iter().filter(|child| child.is_also())
    }

    fn is_also(&self) -> bool {
        matches!(self.spec.origin, Origin::Also { .. })
    }
}

/// Streams that are read by one walk, because they stand at the same place.
#[derive(Debug)]
pub(crate) struct Family {
    pub(crate) tree: Node,
    pub(crate) members: Vec<Member>,
    pub(crate) walk: Walk,
    /// Since when rows wait that the walk's place covers.
    pub(crate) held_since: Option<Instant>,
}

impl Family {
    /// The stream that is walked through.
    pub(crate) fn root(&self) -> &Arc<StreamSpec> {
        &self.tree.spec
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.members.iter().any(Member::is_alive)
    }

    /// Members that still take part.
    pub(crate) fn alive(&mut self) -> impl Iterator<Item = &mut Member> {
        self.members.iter_mut().filter(|member| member.is_alive())
    }

    /// The rows that are waiting, in bytes.
    pub(crate) fn waiting(&self) -> usize {
        self.members.iter().map(Member::waiting).sum()
    }

    /// The rows taken in this run.
    pub(crate) fn rows(&self) -> u64 {
        self.members.iter().map(|member| member.rows).sum()
    }

    /// Forgets what was taken and not sent.
    pub(crate) fn forget(&mut self) {
        for member in self.alive() {
            member.forget();
            if member.found.is_some() {
                member.begin_whole();
            }
        }
    }
}

/// The stream whose walk brings the records of `spec`, all the way up.
pub(crate) fn root_of<'m>(
    manifest: &'m Manifest,
    spec: &'m Arc<StreamSpec>,
) -> &'m Arc<StreamSpec> {
    let mut root = spec;
    while let Some(above) = root.driver().and_then(|name| manifest.stream(name)) {
        root = above;
    }
    root
}

/// The streams from the root down to `spec` that follow a feed.
pub(crate) fn followed<'m>(
    manifest: &'m Manifest,
    spec: &'m Arc<StreamSpec>,
) -> Vec<&'m Arc<StreamSpec>> {
    let mut found = Vec::new();
    let mut at = Some(spec);
    while let Some(spec) = at {
        if spec.feed.is_some() {
            found.push(spec);
        }
        at = spec.driver().and_then(|name| manifest.stream(name));
    }
    found
}
