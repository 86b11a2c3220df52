//! What grows out of the records of a page: lists inside them, and requests made for each of them.
//!
//! A list that belongs to a record comes anew with it: it is cleared before its rows, and those of one
//! page are cleared together.

use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use tributary_model::{Error, Result};

use crate::cursor::Place;
use crate::http::{Call, Failure};
use crate::json::{Raw, walk};
use crate::manifest::pager::Way;
use crate::manifest::stream::{Origin, StreamSpec};
use crate::path::Path;
use crate::record::Record;
use crate::template::Scope;

use super::Reader;
use super::member::{Member, Node};
use super::pages::{Asked, Page, Pages, Then};
use super::taken::{Context, Put, Refused, failed, to_text};
use super::turn::{Facts, next};

impl Reader<'_> {
    /// Takes what grows out of records: lists inside them, and requests made for each of them.
    pub(crate) async fn grow(
        &self,
        node: &Node,
        members: &mut [Member],
        parents: &[Record],
    ) -> Result<(), Failure> {
        for child in node.below() {
            if parents.is_empty() || !child.is_alive(members) {
                continue;
            }
            match self.grow_child(node, child, members, parents).await {
                Ok(()) => {}
                Err(Failure::Source(error)) => return Err(Failure::Source(error)),
                Err(Failure::Stream(error)) => give_up(child, members, error),
                Err(Failure::Skip(why) | Failure::Slice(why)) => {
                    for place in child.members() {
                        members[place].skip(&why);
                    }
                }
            }
        }
        Ok(())
    }

    async fn grow_child(
        &self,
        node: &Node,
        child: &Node,
        members: &mut [Member],
        parents: &[Record],
    ) -> Result<(), Failure> {
        let asked: Vec<_> = parents
            .iter()
            .map(|parent| self.inside(&child.spec, parent).boxed())
            .collect();
        let key = parent_key(node);
        let mut grown = stream::iter(asked).buffered(self.parallel());
        let (mut place, mut growing) = (0, Vec::new());
        while let Some(records) = grown.try_next().await? {
            let parent = &parents[place];
            place += 1;
            let Some(records) = records else {
                continue;
            };
            renew(child, members, parent.raw(), &key).map_err(Failure::Stream)?;
            let each = child.spec.each.is_some().then(|| parent.raw().to_value());
            let context = Context {
                each: each.as_ref(),
                ..Context::default()
            };
            for record in records {
                let put = self.put(child, members, &record, Some(parent.raw()), None, context);
                if put.map_err(Failure::Stream)? == Put::Taken {
                    growing.push(record);
                }
            }
        }
        seal(child, members).map_err(Failure::Stream)?;
        // Only now: requests that are under way above keep their places among those at once, and
        // nobody would wait for them while those below wait for a place.
        Box::pin(self.grow(child, members, &growing)).await
    }

    /// The records of a child that one parent has; `None` where they can't be read.
    async fn inside(
        &self,
        spec: &StreamSpec,
        parent: &Record,
    ) -> Result<Option<Vec<Record>>, Failure> {
        let found = match &spec.origin {
            Origin::Nested { path, .. } => self.nested(spec, parent, path).await,
            Origin::Own | Origin::Also { .. } => {
                let each = parent.raw().to_value();
                let scope = Scope {
                    each: Some(&each),
                    ..self.scope(Context::default())
                };
                self.all_pages(spec, &scope, Place::Start).await
            }
        };
        match found {
            Err(Failure::Slice(why)) => {
                tracing::debug!(
                    stream = spec.name,
                    reason = why,
                    "a parent's records are left out"
                );
                Ok(None)
            }
            other => other.map(Some),
        }
    }

    /// A list inside a record: what is there, and the pages that follow.
    async fn nested(
        &self,
        spec: &StreamSpec,
        parent: &Record,
        path: &Path,
    ) -> Result<Vec<Record>, Failure> {
        let Some(list) = parent.raw().find(path) else {
            return Ok(Vec::new());
        };
        let mut records = Vec::new();
        let place = {
            let envelope = walk(list.as_str(), &spec.records, &mut |scanner, _| {
                let raw = scanner.value()?;
                records.push(Record::inside(parent.page(), raw, Some(parent.raw())));
                Ok(())
            })
            .map_err(|why| {
                Failure::Stream(Error::bug("a list can't be read again").because(why))
            })?;
            let facts = Facts {
                records: records.len(),
                last: last_of(spec, records.last()),
                envelope: &envelope,
                headers: &serde_json::Map::new(),
                size: None,
            };
            match &spec.request {
                Some(_) => next(&spec.pages, &Place::Start, &facts).map_err(Failure::Stream)?,
                None => None,
            }
        };
        if let Some(place) = place {
            let row = parent.raw().to_value();
            let scope = Scope {
                row: Some(&row),
                ..self.scope(Context::default())
            };
            records.extend(self.all_pages(spec, &scope, place).await?);
        }
        Ok(records)
    }

    /// Every record from a place on, all pages of them.
    pub(crate) async fn all_pages(
        &self,
        spec: &StreamSpec,
        scope: &Scope<'_>,
        place: Place,
    ) -> Result<Vec<Record>, Failure> {
        let Some(request) = &spec.request else {
            return Ok(Vec::new());
        };
        let call = Call::new(&self.api.client.origin, request, scope)?;
        let mut pages = Pages::new(&self.api.client, spec, call, place);
        let mut all = Vec::new();
        while let Asked::Page(page) = pages.ask().await? {
            let mut found = Vec::new();
            let envelope = walk(&page.text, &spec.records, &mut |scanner, around| {
                found.push(Record::inside(&page.text, scanner.value()?, around));
                Ok(())
            });
            let envelope = match envelope {
                Ok(envelope) => envelope,
                Err(why) => {
                    pages.retry_broken(why.to_string())?;
                    continue;
                }
            };
            let facts = Facts {
                records: envelope.items,
                last: last_of(spec, found.last()),
                envelope: &envelope,
                headers: &page.headers,
                size: pages.size(),
            };
            let then = pages.turn(&facts)?;
            all.append(&mut found);
            match then {
                Then::Next => {}
                Then::Moved => all.clear(),
                Then::More | Then::End | Then::Capped => break,
            }
        }
        Ok(all)
    }
}

/// The fields by which lists name the record that they belong to.
fn parent_key(node: &Node) -> Vec<Path> {
    node.spec.key.iter().map(|name| Path::parse(name)).collect()
}

/// Says that the list that a record has is what follows.
fn renew(child: &Node, members: &mut [Member], parent: Raw<'_>, key: &[Path]) -> Result<()> {
    let names = key.iter().map(|field| parent.find(field).map(to_text));
    match (child.member, names.collect::<Option<Vec<_>>>()) {
        (Some(place), Some(names)) => members[place].renew(names),
        _ => Ok(()),
    }
}

/// The same of lists that stand beside the records of a page.
pub(super) fn renew_beside(
    node: &Node,
    child: &Node,
    members: &mut [Member],
    page: &Page,
) -> Result<(), Refused> {
    if child.spec.belongs_to.is_empty() {
        return Ok(());
    }
    let (key, mut owners) = (parent_key(node), Vec::new());
    walk(&page.text, &node.spec.records, &mut |scanner, _| {
        owners.push(scanner.value()?);
        Ok(())
    })
    .map_err(Refused::Broken)?;
    for owner in owners {
        renew(child, members, owner, &key).map_err(failed)?;
    }
    Ok(())
}

pub(super) fn seal(child: &Node, members: &mut [Member]) -> Result<()> {
    child.member.map_or(Ok(()), |place| members[place].seal())
}

/// Nothing of the lists of a record is left that is gone itself.
pub(crate) fn empty(node: &Node, members: &mut [Member], parent: Raw<'_>) -> Result<()> {
    let key = parent_key(node);
    for child in node.below() {
        renew(child, members, parent, &key)?;
        seal(child, members)?;
    }
    Ok(())
}

/// Gives up everyone in a tree for the same reason.
pub(crate) fn give_up(node: &Node, members: &mut [Member], error: Error) {
    let mut first = Some(error);
    for place in node.members() {
        let error = first.take().unwrap_or_else(|| {
            Error::new(
                tributary_model::ErrorKind::Unavailable,
                "the stream that its records come from can't be read",
            )
        });
        members[place].fail(error);
    }
}

/// What names the last record of a page, where the pager asks for it.
pub(crate) fn last_of(spec: &StreamSpec, record: Option<&Record>) -> Option<String> {
    match &spec.pages.way {
        Way::Last { of, .. } => Some(record?.raw().find(of)?.text().into_owned()),
        _ => None,
    }
}
