//! One request and the pages that follow from it.

use std::sync::Arc;

use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Result};

use crate::cursor::Place;
use crate::http::{Call, Client, Failure, Fetched, Response};
use crate::json::Raw;
use crate::manifest::pager::Way;
use crate::manifest::request::Target;
use crate::manifest::stream::StreamSpec;

use super::turn::{Facts, next};

/// Pages of one walk at most. // G6
const MAX_PAGES: u32 = 10_000_000;
/// Times that a page is asked for again that is not what it should be. // G6
const TRIES: u32 = 3;
/// The least size that a page is shrunk to.
const LEAST: u32 = 1;

/// A walk from page to page.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    client: &'a Client,
    spec: &'a StreamSpec,
    call: Call,
    place: Place,
    size: Option<u32>,
    count: u32,
    broken: u32,
    proof: Proof,
}

/// Whether a page is read through before it is handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Proof {
    /// What was taken of a page that breaks off can't be taken back.
    Wanted,
    Unneeded,
}

/// What came of asking for a page.
#[derive(Debug)]
pub(crate) enum Asked {
    Page(Page),
    /// There is no page, and none follows.
    Nothing,
    /// The window is too long for the API.
    TooLong(Error),
}

/// A page as text.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) text: Arc<String>,
    pub(crate) headers: Map<String, Value>,
}

/// What follows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// Another one.
    Next,
    /// Nothing.
    End,
    /// The API names no further page of this walk: it must begin anew from the last value seen.
    Capped,
}

impl<'a> Pages<'a> {
    /// The walk that begins with `call`, at `place`.
    pub(crate) fn new(client: &'a Client, spec: &'a StreamSpec, call: Call, place: Place) -> Self {
        let size = spec.pages.size.as_ref().map(|(_, size)| *size);
        Self {
            client,
            spec,
            call,
            place,
            size,
            count: 0,
            broken: 0,
            proof: Proof::Unneeded,
        }
    }

    /// The same with pages that are known to be whole.
    pub(crate) fn proving(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// The place of the page that is asked for next.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Begins the same walk anew.
    pub(crate) fn restart(&mut self) {
        self.place = Place::Start;
    }

    /// Asks for the page at the place.
    pub(crate) async fn ask(&mut self) -> Result<Asked, Failure> {
        loop {
            let call = self.call()?;
            match self.client.send(&call, &self.spec.errors).await? {
                Fetched::Page(response) if response.status == 204 => return Ok(Asked::Nothing),
                Fetched::Page(response) => match self.unwrap(response) {
                    Ok(page) => return Ok(Asked::Page(page)),
                    Err(why) => self.not_a_page(&call, why)?,
                },
                Fetched::Empty | Fetched::End => return Ok(Asked::Nothing),
                Fetched::Narrow(error) => return Ok(Asked::TooLong(error)),
                Fetched::Shrink(error) => self.shrink(error)?,
            }
        }
    }

    /// Goes on to the page after the one with these facts.
    pub(crate) fn turn(&mut self, facts: &Facts<'_>) -> Result<Then, Failure> {
        self.count += 1;
        self.broken = 0;
        if self.count >= MAX_PAGES {
            return Err(Failure::Stream(Error::new(
                ErrorKind::Malformed,
                "the API's pages do not end",
            )));
        }
        match next(&self.spec.pages, &self.place, facts).map_err(Failure::Stream)? {
            None => Ok(Then::End),
            Some(place) => {
                self.place = place;
                match self.spec.pages.cap {
                    Some(cap) if self.count >= cap => Ok(Then::Capped),
                    _ => Ok(Then::Next),
                }
            }
        }
    }

    /// How many pages were read.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The size of the pages that are asked for.
    pub(crate) fn size(&self) -> Option<u32> {
        self.size
    }

    /// A page could be read as text, and not as what it should be: it may have been cut on the way.
    pub(crate) fn retry_broken(&mut self, why: String) -> Result<(), Failure> {
        let call = self.call.clone();
        self.not_a_page(&call, why)
    }

    fn call(&self) -> Result<Call> {
        let mut call = self.call.clone();
        if let (Some((target, _)), Some(size)) = (&self.spec.pages.size, self.size) {
            call.set(target, &size.to_string());
        }
        match (&self.place, self.target()) {
            (Place::Start, _) => self.set_first(&mut call),
            (Place::Value(value), Some(target)) => call.set(&target, value),
            (Place::Number(number), Some(target)) => call.set(&target, &number.to_string()),
            (Place::Url(url), _) => call.go_to(&self.client.origin, url)?,
            (Place::Value(_) | Place::Number(_), None) => {
                return Err(Error::bug(
                    "a page has a place, and its pager no way to say it",
                ));
            }
        }
        Ok(call)
    }

    fn set_first(&self, call: &mut Call) {
        match &self.spec.pages.way {
            Way::Page { to, first } => call.set(to, &first.to_string()),
            Way::Offset { to } => call.set(to, "0"),
            _ => {}
        }
    }

    fn target(&self) -> Option<Target> {
        match &self.spec.pages.way {
            Way::None => None,
            Way::Next { take, .. } | Way::Link { take } => take.clone().map(Target::Param),
            Way::Cursor { to, .. }
            | Way::Header { to, .. }
            | Way::Last { to, .. }
            | Way::Offset { to }
            | Way::Page { to, .. } => Some(to.clone()),
        }
    }

    fn unwrap(&self, response: Response) -> Result<Page, String> {
        let text = crate::http::unwrap(response.body.into(), &self.spec.decode)?;
        if self.proof == Proof::Wanted {
            Raw::parse(&text).map_err(|why| why.to_string())?;
        }
        Ok(Page {
            text: Arc::new(text),
            headers: response.headers,
        })
    }

    fn not_a_page(&mut self, call: &Call, why: String) -> Result<(), Failure> {
        self.broken += 1;
        if self.broken < TRIES {
            return Ok(());
        }
        let error = Error::new(
            ErrorKind::Malformed,
            format!("what {} answered is not a page", call.label()),
        );
        Err(Failure::Stream(error.because(self.client.redact(&why))))
    }

    fn shrink(&mut self, error: Error) -> Result<(), Failure> {
        match self.size {
            Some(size) if self.spec.pages.shrink && size > LEAST => {
                self.size = Some((size / 2).max(LEAST));
                tracing::debug!(size, "asking for half a page");
                Ok(())
            }
            _ => Err(Failure::Stream(error)),
        }
    }
}
