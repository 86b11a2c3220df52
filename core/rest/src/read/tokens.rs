//! The walk that goes on from a cursor only the API understands.
//!
//! The token is kept word for word, also at the end, and every page is a safe point. What the walk
//! began with is sent on the very first request only.

use tributary_model::{Error, ErrorKind};

use crate::cursor::Place;
use crate::http::{Call, Failure};
use crate::json::Raw;
use crate::manifest::cursor::TokenSpec;
use crate::manifest::stream::StreamSpec;

use super::Reader;
use super::gate::Cover;
use super::member::Family;
use super::pages::{Asked, Pages, Proof};
use super::parts::Part;
use super::take::{Context, Refused};
use super::watch::Watch;

/// Pages of one walk at most. // G6
const MAX_PAGES: u32 = 10_000_000;

impl Reader<'_> {
    /// Reads everything after the token.
    pub(super) async fn tokens(
        &self,
        family: &mut Family,
        spec: &TokenSpec,
    ) -> Result<(), Failure> {
        let root = family.root().clone();
        for part in self.parts(&root).await? {
            self.token_part(family, &root, spec, &part).await?;
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
        for _ in 0..MAX_PAGES {
            let before = family
                .walk
                .parts
                .get(&part.name)
                .and_then(|at| at.token.clone());
            let mut pages = self.token_pages(root, spec, part, before.as_deref())?;
            let Asked::Page(page) = pages.ask().await? else {
                break;
            };
            let context = Context {
                each: part.each.as_ref(),
                ..Context::default()
            };
            let (token, ends, records, parents) = {
                let Family { tree, members, .. } = &mut *family;
                let watch = &mut Watch::nothing();
                let taken = self.take_page(tree, members, &page, context, watch);
                let taken = taken.map_err(|refused| match refused {
                    Refused::Failure(failure) => failure,
                    Refused::Broken(why) => Error::bug("a page that was proved broke")
                        .because(why)
                        .into(),
                })?;
                let token = taken
                    .envelope
                    .find(&spec.token)
                    .map(|raw| raw.text().into_owned());
                let find = |path: &crate::path::Path| taken.envelope.find(path).map(Raw::to_value);
                (
                    token,
                    spec.end.holds_of(&find),
                    taken.records,
                    taken.parents,
                )
            };
            let Family { tree, members, .. } = &mut *family;
            self.grow(tree, members, &parents).await?;
            let moved = token.is_some() && token != before;
            if !moved && !ends {
                return Err(stuck(root));
            }
            let at = family.walk.parts.entry(part.name.clone()).or_default();
            at.copied |= ends;
            if let Some(token) = token.filter(|_| records > 0 || !ends || before.is_none()) {
                at.token = Some(token);
            }
            self.gate.send(family, Cover::Yes).await?;
            if ends || !family.is_alive() {
                break;
            }
        }
        Ok(())
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

fn stuck(root: &StreamSpec) -> Failure {
    let error = Error::new(
        ErrorKind::Malformed,
        format!(
            "the API's cursor of `{}` does not move, and is not at its end",
            root.name
        ),
    );
    Failure::Stream(error.fix("Ask the API's support, or correct `cursor` in the manifest."))
}
