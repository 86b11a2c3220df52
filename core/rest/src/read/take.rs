//! One page taken apart: its records into the members' sheets, and what grows out of them.

use futures::FutureExt;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use tributary_model::{Error, Op, Result};

use crate::cursor::Place;
use crate::http::{Call, Failure};
use crate::json::{Broken, Envelope, Raw, walk};
use crate::manifest::pager::Way;
use crate::manifest::stream::{Keep, Origin, StreamSpec};
use crate::path::Path;
use crate::point::Point;
use crate::record::Record;
use crate::template::Scope;

use super::Reader;
use super::member::{Member, Node, digest};
use super::pages::{Asked, Page, Pages, Then};
use super::turn::{Facts, next};
use super::watch::Watch;

/// What a page turned out to hold.
#[derive(Debug)]
pub(crate) struct Taken<'p> {
    pub(crate) envelope: Envelope<'p>,
    /// Items of the outermost list.
    pub(crate) records: usize,
    /// What names the last record, where the pager asks for it.
    pub(crate) last: Option<String>,
    /// Records that something grows out of.
    pub(crate) parents: Vec<Record>,
}

/// What is the same for all records of a walk.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Context<'a> {
    pub(crate) each: Option<&'a Value>,
    pub(crate) from: Option<&'a str>,
    pub(crate) to: Option<&'a str>,
}

impl Reader<'_> {
    /// Takes the records of a page, and of what stands beside them.
    pub(crate) fn take_page<'p>(
        &self,
        node: &Node,
        members: &mut [Member],
        page: &'p Page,
        context: Context<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<Taken<'p>, Refused> {
        let spec = &*node.spec;
        let last = match &spec.pages.way {
            Way::Last { of, .. } => Some(of),
            _ => None,
        };
        let mut taking = Taking {
            reader: self,
            node,
            members,
            context,
            page,
            watch: &mut *watch,
            last: None,
            parents: Vec::new(),
            trouble: None,
        };
        let envelope = match taking.goes_straight() {
            true => taking.straight(last),
            false => taking.after_the_body(last),
        };
        if let Some(error) = taking.trouble {
            return Err(Refused::Failure(Failure::Stream(error)));
        }
        let (last, parents) = (taking.last, taking.parents);
        let envelope = envelope.map_err(Refused::Broken)?;
        for child in node.beside() {
            self.take_beside(child, members, page, context, watch)?;
        }
        Ok(Taken {
            records: envelope.items,
            envelope,
            last,
            parents,
        })
    }

    /// Takes a second output of the same bytes.
    fn take_beside(
        &self,
        node: &Node,
        members: &mut [Member],
        page: &Page,
        context: Context<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<(), Refused> {
        let mut found = Vec::new();
        let mut find = |records| {
            walk(&page.text, records, &mut |scanner, around| {
                found.push(Record::inside(&page.text, scanner.value()?, around));
                Ok(())
            })
        };
        let envelope = find(&node.spec.records).map_err(Refused::Broken)?;
        for records in &node.spec.elsewhere {
            find(records).map_err(Refused::Broken)?;
        }
        let failed = |error| Refused::Failure(Failure::Stream(error));
        for record in &found {
            let (around, raw) = (record.around(), record.raw());
            if watch.overlaps() {
                let kept = self.kept(&node.spec, around, Some(&envelope), raw, context);
                let mut more = kept.map_err(failed)?;
                more.push((node.spec.name.clone(), String::new()));
                if !watch.lets_pass(raw, |raw| digest(raw, &more)) {
                    continue;
                }
            }
            self.put(node, members, record, None, Some(&envelope), context)
                .map_err(failed)?;
        }
        Ok(())
    }

    /// Puts one record into its stream, unless the stream leaves it out.
    pub(crate) fn put(
        &self,
        node: &Node,
        members: &mut [Member],
        record: &Record,
        parent: Option<Raw<'_>>,
        envelope: Option<&Envelope<'_>>,
        context: Context<'_>,
    ) -> Result<Put> {
        let spec = &*node.spec;
        let raw = record.raw();
        let find = |path: &Path| raw.find(path).map(Raw::to_value);
        if spec
            .filter
            .as_ref()
            .is_some_and(|filter| !filter.holds_of(&find))
        {
            return Ok(Put::LeftOut);
        }
        let deleted = spec
            .delete
            .as_ref()
            .is_some_and(|delete| delete.holds_of(&find));
        let op = if deleted { Op::Delete } else { Op::Read };
        if let Some(member) = node.member.map(|place| &mut members[place])
            && member.is_alive()
        {
            let around = record.around().or(parent);
            let more = self.kept(spec, around, envelope, raw, context)?;
            member.take(raw, op, &more)?;
        }
        Ok(if deleted { Put::Gone } else { Put::Taken })
    }

    /// The columns that are taken from around a record, as JSON texts.
    fn kept(
        &self,
        spec: &StreamSpec,
        around: Option<Raw<'_>>,
        envelope: Option<&Envelope<'_>>,
        record: Raw<'_>,
        context: Context<'_>,
    ) -> Result<Vec<(String, String)>> {
        let mut kept = Vec::new();
        for (name, keep) in &spec.keep {
            let text = match keep {
                Keep::Around(path) => around.and_then(|raw| raw.find(path)).map(to_text),
                Keep::Body(path) => envelope.and_then(|body| body.find(path)).map(to_text),
                Keep::Gaps(template) => {
                    let row = record.to_value();
                    let scope = Scope {
                        row: Some(&row),
                        ..self.scope(context)
                    };
                    let value = template.value(&scope).map_err(crate::http::missing)?;
                    value.map(|value| value.to_string())
                }
            };
            kept.extend(text.map(|text| (name.clone(), text)));
        }
        Ok(kept)
    }

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
            renew(child, members, parent.raw(), key.as_ref()).map_err(Failure::Stream)?;
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

/// The field by which lists name the record that they belong to.
fn parent_key(node: &Node) -> Option<Path> {
    node.spec.key.first().map(|name| Path::parse(name))
}

/// Says that the list that a record has is what follows.
fn renew(child: &Node, members: &mut [Member], parent: Raw<'_>, key: Option<&Path>) -> Result<()> {
    let name = key.and_then(|key| parent.find(key));
    match (child.member, name) {
        (Some(place), Some(name)) => members[place].renew(name.as_str()),
        _ => Ok(()),
    }
}

fn seal(child: &Node, members: &mut [Member]) -> Result<()> {
    child.member.map_or(Ok(()), |place| members[place].seal())
}

/// Nothing of the lists of a record is left that is gone itself.
pub(crate) fn empty(node: &Node, members: &mut [Member], parent: Raw<'_>) -> Result<()> {
    let key = parent_key(node);
    for child in node.below() {
        renew(child, members, parent, key.as_ref())?;
        seal(child, members)?;
    }
    Ok(())
}

/// Why a page could not be taken.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It is not JSON: it may have been cut on the way.
    Broken(Broken),
    Failure(Failure),
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Put {
    Taken,
    /// It is a tombstone: nothing grows out of it.
    Gone,
    LeftOut,
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

fn to_text(raw: Raw<'_>) -> String {
    raw.as_str().to_owned()
}

/// Whether records go into the sheet as they come, without being looked at.
fn is_plain(node: &Node) -> bool {
    let spec = &node.spec;
    let looked_at = spec.filter.is_some() || spec.delete.is_some() || !spec.keep.is_empty();
    !looked_at && node.below().next().is_none()
}

/// A page that is being taken.
struct Taking<'r, 'a, 'p, 'w> {
    reader: &'r Reader<'a>,
    node: &'r Node,
    members: &'r mut [Member],
    context: Context<'r>,
    page: &'p Page,
    watch: &'r mut Watch<'w>,
    last: Option<String>,
    parents: Vec<Record>,
    trouble: Option<Error>,
}

impl<'p> Taking<'_, '_, 'p, '_> {
    /// Whether the page's bytes can go into the columns in one pass: nobody looks at a record but to
    /// see that it lies far enough back, and what was taken of a page can be taken back.
    fn goes_straight(&self) -> bool {
        let member = self.node.member.map(|place| &self.members[place]);
        is_plain(self.node)
            && (self.watch.is_blind() || self.watch.is_quiet())
            && member.is_some_and(|member| member.is_alive() && member.found.is_none())
    }

    fn straight(&mut self, last: Option<&Path>) -> Result<Envelope<'p>, Broken> {
        let Some(member) = self.node.member.map(|place| &mut self.members[place]) else {
            return self.after_the_body(last);
        };
        let (rows, text, watch) = (member.rows, &self.page.text, &*self.watch);
        let (mut record, mut is_noted) = (0..0, false);
        member.sheet.mark();
        let walked = walk(text, &self.node.spec.records, &mut |scanner, _| {
            scanner.peek();
            let start = scanner.place();
            member.rows += 1;
            member.sheet.read(scanner, Op::Read, &[])?;
            record = start..scanner.place();
            is_noted = !watch.is_blind() && !watch.lies_before(Raw::known(&text[record.clone()]));
            match is_noted {
                true => Err(Broken(start)),
                false => Ok(()),
            }
        });
        if walked.is_err() {
            member.sheet.back_to_mark();
            member.rows = rows;
        }
        if is_noted {
            return self.after_the_body(last);
        }
        let named = |path| Raw::known(&text[record.clone()]).find(path);
        if let (Some(path), false) = (last, record.is_empty()) {
            self.last = named(path).map(|found| found.text().into_owned());
        }
        walked
    }

    /// Takes the records once the page is known to be whole, and everything around them.
    fn after_the_body(&mut self, last: Option<&Path>) -> Result<Envelope<'p>, Broken> {
        let mut found = Vec::new();
        let page = self.page;
        let envelope = walk(
            &page.text,
            &self.node.spec.records,
            &mut |scanner, around| {
                found.push(Record::inside(&page.text, scanner.value()?, around));
                Ok(())
            },
        )?;
        let named = |record: &Record| record.raw().find(last?).map(|raw| raw.text().into_owned());
        self.last = found.last().and_then(named);
        for record in found {
            if let Err(error) = self.look(record, &envelope) {
                self.trouble = Some(error);
                break;
            }
        }
        Ok(envelope)
    }

    /// Decides whether a record is taken, and remembers it where it will come again.
    fn look(&mut self, record: Record, envelope: &Envelope<'_>) -> Result<()> {
        if !self.watch.is_blind() {
            // Records may differ by what is around them alone: two readers open a mail in one second.
            let (spec, raw) = (&*self.node.spec, record.raw());
            let more =
                self.reader
                    .kept(spec, record.around(), Some(envelope), raw, self.context)?;
            if !self.watch.lets_pass(raw, |raw| digest(raw, &more)) {
                return Ok(());
            }
        }
        let put = self.reader.put(
            self.node,
            self.members,
            &record,
            None,
            Some(envelope),
            self.context,
        )?;
        if put == Put::Taken && self.node.below().next().is_some() {
            self.parents.push(record);
        }
        Ok(())
    }
}

/// A place on the cursor field's axis that a record names.
pub(crate) fn point_of(raw: Raw<'_>, field: &Path, format: &crate::point::Format) -> Option<Point> {
    format.read(&raw.find(field)?.to_value())
}
