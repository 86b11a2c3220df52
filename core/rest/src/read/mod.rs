//! Reading: which streams go together, in which order, and what becomes of their failures.
//!
//! Streams whose records come out of one walk are a family. Families are read side by side; then the
//! feeds of changes are followed, one pass for all streams. A stream's backfill ends before its
//! changes are followed, and its changes are followed from where its backfill *began*: what changed
//! meanwhile comes once more, and nothing is missed.

mod branch;
mod family;
mod feed;
mod gate;
mod grow;
mod job;
mod member;
mod pages;
mod parts;
mod pieces;
mod roll;
mod stretch;
mod take;
mod taken;
mod tokens;
mod turn;
mod watch;
mod whole;
mod windows;
mod within;

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tributary_model::{Error, ErrorKind, Output, ReadRequest, Result, StreamName};

use crate::cursor::Cursor;
use crate::http::Failure;
use crate::point::Point;
use crate::ready::Ready;
use crate::template::Scope;

use gate::Gate;
use grow::give_up;
use member::{Family, Member};
use taken::Context;

pub(crate) use pages::{Asked, Pages};

/// Families that are read at the same time.
const SIDE_BY_SIDE: usize = 4;

/// One reading.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    pub(crate) api: &'a Ready,
    gate: Gate<'a>,
    /// When it began, milliseconds.
    now: Point,
    /// What the login's answer said.
    token: Option<Value>,
    /// Rows of streams that others are read for, listed once.
    parents: parts::Parents,
}

impl<'a> Reader<'a> {
    /// Begins a reading.
    pub(crate) async fn new(api: &'a Ready, out: &'a Output<Cursor>) -> Result<Self> {
        let token = api.client.token().await?;
        Ok(Self {
            api,
            gate: Gate::new(out),
            now: api.now(),
            token: token.map(|token| token.answer.clone()),
            parents: parts::Parents::default(),
        })
    }

    /// Reads everything after the request's state.
    pub(crate) async fn read(
        &self,
        request: &ReadRequest<'_, Cursor>,
    ) -> Result<Vec<(StreamName, Cursor)>> {
        let families = self.families(request)?;
        let reading: Vec<_> = families
            .into_iter()
            .map(|family| self.family(family).boxed())
            .collect();
        let families: Vec<Family> = stream::iter(reading)
            .buffer_unordered(SIDE_BY_SIDE)
            .try_collect()
            .await?;
        let mut members: Vec<Member> = families
            .into_iter()
            .flat_map(|family| family.members)
            .collect();
        for feed in self.api.manifest.feeds.values() {
            self.feed(feed, &mut members).await?;
        }
        let sent = members
            .into_iter()
            .filter_map(|member| Some((member.name, member.sent?)));
        Ok(sent.collect())
    }

    /// Reads one family; its failures stay its own.
    async fn family(&self, mut family: Family) -> Result<Family> {
        let walked = self.walk(&mut family).await;
        let Family { tree, members, .. } = &mut family;
        match walked {
            Ok(()) => {}
            Err(Failure::Source(error)) => return Err(error),
            Err(Failure::Stream(error)) => {
                let error = self.explain(error, &tree.spec.name);
                give_up(tree, members, error);
            }
            Err(Failure::Skip(why) | Failure::Slice(why)) => {
                members.iter_mut().for_each(|member| member.skip(&why));
            }
        }
        for member in members.iter_mut() {
            self.gate.tell_failure(member).await?;
        }
        Ok(family)
    }

    /// Adds what helps where a permission is missing.
    fn explain(&self, error: Error, stream: &str) -> Error {
        let spec = self.api.manifest.stream(stream);
        let needs = spec.and_then(|spec| spec.needs.as_deref());
        match (error.kind(), needs) {
            (ErrorKind::Access, Some(needs)) => error.fix(format!(
                "Give the credential the permission `{needs}`, or leave the stream out: \
                 `select: [\"!{stream}\"]`."
            )),
            (ErrorKind::Access, None) => error.fix(format!(
                "Give the credential the right to read it, or leave the stream out: \
                 `select: [\"!{stream}\"]`."
            )),
            _ => error,
        }
    }

    /// The values that gaps can take.
    fn scope<'s>(&'s self, context: Context<'s>) -> Scope<'s> {
        Scope {
            config: Some(&self.api.config),
            token: self.token.as_ref(),
            each: context.each,
            from: context.from,
            to: context.to,
            ..Scope::default()
        }
    }

    /// Requests of one walk that may be made at the same time.
    fn parallel(&self) -> usize {
        self.api.client.limits.parallel()
    }

    /// Refuses cursors that belong to another account.
    fn check_realm(&self, name: &str, cursor: &Cursor) -> Result<()> {
        match (&cursor.realm, &self.api.realm) {
            (Some(had), Some(is)) if had != is => Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "what was read of {name} so far is of `{had}`, and this credential is of `{is}`"
                ),
            )
            .fix(
                "Use a credential of the same account and mode, or begin anew with \
                 `tributary sync CONNECTION --full-refresh`.",
            )),
            _ => Ok(()),
        }
    }
}

/// Names and places of members, for trees.
fn places(members: &[Member]) -> BTreeMap<&str, usize> {
    let named = members.iter().enumerate();
    named
        .map(|(place, member)| (member.spec.name.as_str(), place))
        .collect()
}
