//! One page taken apart: its records into the members' sheets.

use tributary_model::{Error, Op, Result};

use crate::http::Failure;
use crate::json::{Broken, Envelope, Raw, walk};
use crate::manifest::pager::Way;
use crate::manifest::stream::{Keep, StreamSpec};
use crate::path::Path;
use crate::record::Record;
use crate::template::Scope;

use super::Reader;
use super::grow::{empty, renew_beside, seal};
use super::member::{Member, Node, digest};
use super::pages::Page;
use super::taken::{Context, Put, Refused, Taken, failed, to_text};
use super::watch::Watch;

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
            renew_beside(node, child, members, page)?;
            self.take_beside(child, members, page, context, watch)?;
            seal(child, members).map_err(failed)?;
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
        // Those of a list that comes anew are needed again, though they came before.
        let comes_again = watch.overlaps() && node.spec.belongs_to.is_empty();
        for record in &found {
            let (around, raw) = (record.around(), record.raw());
            if comes_again {
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
        match put {
            Put::Taken if self.node.below().next().is_some() => self.parents.push(record),
            Put::Gone => empty(self.node, self.members, record.raw())?,
            Put::Taken | Put::LeftOut => {}
        }
        Ok(())
    }
}
