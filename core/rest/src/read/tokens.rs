//! The walk that goes on from a cursor only the API understands.
//!
//! The token is kept word for word, also at the end, and every page is a safe point. What the walk
//! began with is sent on the very first request only, and once more where the API no longer knows
//! its own token.
//!
//! Where a token is the time of the last record, what it leads to begins with the records of that
//! time. They are known by digest, so that none comes twice; and a token that leads to itself with a
//! full page hides what follows, which is an error and never the end.

use tributary_model::{Error, ErrorKind};

use crate::cursor::{self, Place};
use crate::http::{Call, Failure};
use crate::json::Raw;
use crate::manifest::cursor::TokenSpec;
use crate::manifest::stream::StreamSpec;

use super::Reader;
use super::gate::Cover;
use super::member::Family;
use super::pages::{Asked, Page, Pages, Proof};
use super::parts::Part;
use super::taken::{Context, Refused};
use super::watch::Watch;

/// Pages of one walk at most. // G6
const MAX_PAGES: u32 = 10_000_000;
/// Pages after which one twice as large is asked for again.
const CALM: u32 = 20;

/// What a page said.
#[derive(Debug)]
struct Said {
    token: Option<String>,
    /// Whether everything has been read.
    ends: bool,
    records: usize,
}

/// The size that pages were found to work with.
#[derive(Debug, Default)]
struct Size {
    least: Option<u32>,
    calm: u32,
}

impl Size {
    /// Notes that a page of this size came.
    fn note(&mut self, worked: Option<u32>, wanted: Option<u32>) {
        self.calm = if worked == self.least {
            self.calm + 1
        } else {
            0
        };
        self.least = worked;
        if let (true, Some(size), Some(wanted)) = (self.calm >= CALM, worked, wanted) {
            (self.least, self.calm) = (Some(size.saturating_mul(2).min(wanted)), 0);
        }
    }
}

impl Reader<'_> {
    /// Reads everything after the token.
    pub(super) async fn tokens(
        &self,
        family: &mut Family,
        spec: &TokenSpec,
    ) -> Result<(), Failure> {
        let root = family.root().clone();
        for part in self.parts(&root).await? {
            match self.token_part(family, &root, spec, &part).await {
                Err(Failure::Slice(why)) if !part.name.is_empty() => {
                    let (stream, part) = (&root.name, &part.name);
                    tracing::warn!(stream, part, reason = why, "a part is left out");
                }
                other => other?,
            }
        }
        Ok(())
    }

    async fn token_part(
        &self,
        family: &mut Family,
        root: &StreamSpec,
        spec: &TokenSpec,
        part: &Part,
    ) -> Result<(), Failure> {
        let mut size = Size::default();
        let wanted = root.pages.size.as_ref().map(|(_, size)| *size);
        for _ in 0..MAX_PAGES {
            let at = family.walk.parts.get(&part.name);
            let before = at.cloned().unwrap_or_default();
            let pages = self.token_pages(root, spec, part, before.token.as_deref())?;
            let mut pages = pages.sized(size.least);
            let page = match pages.ask().await {
                Ok(Asked::Page(page)) => page,
                Ok(_) => break,
                Err(Failure::Stream(error)) if is_lost(&before, &error) => {
                    tracing::warn!(stream = root.name, %error, "the API no longer knows its cursor; \
                        everything is read again, over the rows that are there");
                    let at = family.walk.parts.entry(part.name.clone()).or_default();
                    at.token = None;
                    continue;
                }
                Err(failure) => return Err(failure),
            };
            size.note(pages.size(), wanted);
            let said = self
                .token_page(family, spec, part, &page, &before, pages.size())
                .await?;
            self.gate.send(family, Cover::Yes).await?;
            if said.ends || !family.is_alive() {
                break;
            }
        }
        Ok(())
    }

    /// Takes a page, and moves the token.
    async fn token_page(
        &self,
        family: &mut Family,
        spec: &TokenSpec,
        part: &Part,
        page: &Page,
        before: &cursor::Part,
        size: Option<u32>,
    ) -> Result<Said, Failure> {
        let rows = family.rows();
        let mut watch = match spec.overlaps {
            true => Watch::overlap(&before.seen),
            false => Watch::nothing(),
        };
        let mut said = self
            .take_token_page(family, spec, part, page, &mut watch)
            .await?;
        let moved = said.token.is_some() && said.token != before.token;
        if !moved && !said.ends {
            let is_short = size.is_some_and(|size| said.records < size as usize);
            if !(spec.stays && is_short) {
                return Err(stuck(family.root(), spec));
            }
            said.ends = true;
        }
        if spec.overlaps && before.copied && !moved && family.rows() == rows {
            // The same records once more: there is nothing to keep.
            return Ok(said);
        }
        let at = family.walk.parts.entry(part.name.clone()).or_default();
        at.copied |= said.ends;
        let tells = said.records > 0 || !said.ends || before.token.is_none();
        if let Some(token) = said.token.clone().filter(|_| tells) {
            (at.token, at.seen) = (Some(token), watch.again);
        }
        Ok(said)
    }

    async fn take_token_page(
        &self,
        family: &mut Family,
        spec: &TokenSpec,
        part: &Part,
        page: &Page,
        watch: &mut Watch<'_>,
    ) -> Result<Said, Failure> {
        let context = Context {
            each: part.each.as_ref(),
            ..Context::default()
        };
        let Family { tree, members, .. } = family;
        let (said, parents) = {
            let taken = self.take_page(tree, members, page, context, watch);
            let taken = taken.map_err(|refused| match refused {
                Refused::Failure(failure) => failure,
                Refused::Broken(why) => Error::bug("a page that was proved broke")
                    .because(why)
                    .into(),
            })?;
            let find = |path: &crate::path::Path| taken.envelope.find(path).map(Raw::to_value);
            let said = Said {
                token: taken
                    .envelope
                    .find(&spec.token)
                    .map(|raw| raw.text().into_owned()),
                ends: spec.end.holds_of(&find),
                records: taken.records,
            };
            (said, taken.parents)
        };
        self.grow(tree, members, &parents).await?;
        Ok(said)
    }

    fn token_pages<'p>(
        &'p self,
        root: &'p StreamSpec,
        spec: &TokenSpec,
        part: &Part,
        token: Option<&str>,
    ) -> Result<Pages<'p>, Failure> {
        let Some(request) = &root.request else {
            return Err(Error::bug("a stream of its own has no request").into());
        };
        let scope = self.scope(Context {
            each: part.each.as_ref(),
            ..Context::default()
        });
        let mut call = Call::new(&self.api.client.origin, request, &scope)?;
        if let Some(sweep) = part.sweep {
            call.add(&root.sweeps[sweep], &scope)?;
        }
        match token {
            Some(token) => call.set(&spec.to, token),
            None => call.add(&spec.first, &scope)?,
        }
        let pages = Pages::new(&self.api.client, root, call, Place::Start);
        Ok(pages.proving(Proof::Wanted))
    }
}

/// Whether the API refuses a request because it does not know the token in it.
fn is_lost(before: &cursor::Part, error: &Error) -> bool {
    before.token.is_some() && error.kind() == ErrorKind::Incompatible
}

fn stuck(root: &StreamSpec, spec: &TokenSpec) -> Failure {
    let name = &root.name;
    if spec.overlaps {
        let error = Error::new(
            ErrorKind::Incompatible,
            format!("`{name}` has more records of one time than the API hands out at once"),
        );
        return Failure::Stream(
            error
                .because("the API's place does not move, and it says that there is more")
                .fix("Ask the API's support: it shows nothing of what comes after that time."),
        );
    }
    let error = Error::new(
        ErrorKind::Malformed,
        format!("the API's cursor of `{name}` does not move, and is not at its end"),
    );
    Failure::Stream(error.fix("Ask the API's support, or correct `cursor` in the manifest."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_that_works_is_kept_and_grows_again() {
        let mut size = Size::default();
        size.note(Some(125), Some(1000));
        assert_eq!(size.least, Some(125));
        for _ in 0..CALM {
            size.note(Some(125), Some(1000));
        }
        assert_eq!(size.least, Some(250));
        let mut whole = Size::default();
        for _ in 0..100 {
            whole.note(Some(1000), Some(1000));
        }
        assert_eq!(whole.least, Some(1000));
    }
}
