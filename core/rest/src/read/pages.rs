//! One request and the pages that follow from it.

use std::sync::Arc;

use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Result};

use crate::cursor::Place;
use crate::http::{Call, Client, Cut, Failure, Fetched, Pieces, Response, Unfit, before_next};
use crate::json::Raw;
use crate::manifest::pager::Way;
use crate::manifest::request::Target;
use crate::manifest::rule::Wait;
use crate::manifest::stream::{Keep, StreamSpec};

use super::roll::Roll;
use super::turn::{Facts, next};

/// Pages of one walk at most. // G6
const MAX_PAGES: u32 = 10_000_000;
/// Times that a page is asked for again that is not what it should be. // G6
const TRIES: u32 = 3;
/// Times that the least page is asked for again. // G6
const STALLS: u32 = 4;
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
    /// Pages that held a record.
    filled: u32,
    /// Whether a page held as many as were asked for.
    was_full: bool,
    is_full: bool,
    broken: u32,
    /// Times that even the least page was too much.
    stalled: u32,
    proof: Proof,
    cut: Cut,
    rest: Option<Rest>,
    before: Before,
    roll: Roll,
}

/// What is left of an answer that is handed out as several pages.
#[derive(Debug)]
struct Rest {
    pieces: Pieces,
    headers: Map<String, Value>,
}

/// What is known of the pages of the same answer that were handed out before.
#[derive(Debug, Default)]
struct Before {
    records: usize,
    last: Option<String>,
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
    /// The rest of the same answer: there is no place between them that could be gone on from.
    More,
    /// Nothing.
    End,
    /// The list has moved while it was read: it is to be read once more.
    Moved,
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
            filled: 0,
            was_full: false,
            is_full: false,
            broken: 0,
            stalled: 0,
            proof: Proof::Unneeded,
            cut: Cut::Never,
            rest: None,
            before: Before::default(),
            roll: Roll::default(),
        }
    }

    /// The same for who can take an answer that is large in several pages.
    pub(crate) fn in_pieces(mut self) -> Self {
        let list = self.spec.records.levels.first();
        let needs_body = |(_, keep): &(String, Keep)| matches!(keep, Keep::Body(_));
        if let Some(list) = list.filter(|_| !self.spec.keep.iter().any(needs_body)) {
            self.cut = Cut::At(list.clone());
        }
        self
    }

    /// The same with pages that are known to be whole.
    pub(crate) fn proving(mut self, proof: Proof) -> Self {
        self.proof = proof;
        self
    }

    /// The same with pages of a size that was found to work.
    pub(crate) fn sized(mut self, size: Option<u32>) -> Self {
        self.size = size.or(self.size);
        self
    }

    /// The place of the page that is asked for next.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Begins the same walk anew.
    pub(crate) fn restart(&mut self) {
        (self.rest, self.before) = (None, Before::default());
        self.place = Place::Start;
    }

    /// Asks for the page at the place, or goes on with what came of the last one.
    pub(crate) async fn ask(&mut self) -> Result<Asked, Failure> {
        if self.rest.is_some() {
            return match self.next_piece().await {
                Ok(page) => Ok(Asked::Page(page)),
                Err(why) => Err(self.lost(&why)),
            };
        }
        loop {
            let call = self.call()?;
            match self.client.send(&call, &self.spec.errors).await? {
                Fetched::Page(response) if response.status == 204 => return Ok(Asked::Nothing),
                Fetched::Page(response) => match self.unwrap(response).await {
                    Ok(page) => return Ok(Asked::Page(page)),
                    Err(Unfit::Broken(why)) => self.not_a_page(&call, why)?,
                    Err(Unfit::Refused(why)) => return Err(self.no_page(&call, &why)),
                },
                Fetched::Empty | Fetched::End => return Ok(Asked::Nothing),
                Fetched::Narrow(error) => return Ok(Asked::TooLong(error)),
                Fetched::Shrink(error) => self.shrink(error).await?,
            }
        }
    }

    /// Goes on to the page after the one with these facts.
    pub(crate) fn turn(&mut self, facts: &Facts<'_>) -> Result<Then, Failure> {
        let before = &mut self.before;
        let last = facts.last.clone().or(before.last.take());
        let records = before.records + facts.records;
        if self.rest.is_some() {
            self.before = Before { records, last };
            return Ok(Then::More);
        }
        self.before = Before::default();
        let whole = Facts {
            records,
            last,
            ..*facts
        };
        self.count += 1;
        self.filled += u32::from(whole.records > 0);
        self.is_full = whole.size.is_none_or(|size| whole.records >= size as usize);
        self.was_full |= self.is_full;
        (self.broken, self.stalled) = (0, 0);
        if self.count >= MAX_PAGES {
            return Err(Failure::Stream(Error::new(
                ErrorKind::Malformed,
                "the API's pages do not end",
            )));
        }
        match next(&self.spec.pages, &self.place, &whole).map_err(Failure::Stream)? {
            None if self.roll.came_twice() => self.begin_again(),
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

    /// Whether the last page held as many records as were asked for.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether a record may have moved from a page to the one that had been read just before.
    pub(crate) fn may_have_shifted(&self) -> bool {
        self.count > 1 && (self.filled > 1 || self.was_full)
    }

    fn begin_again(&mut self) -> Result<Then, Failure> {
        self.place = Place::Start;
        if self.roll.begin_again() {
            return Ok(Then::Moved);
        }
        let what = format!("`{}` moves faster than it can be read", self.spec.name);
        Err(Failure::Stream(Error::new(ErrorKind::Unavailable, what)))
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

    /// The answer's first page, or the only one.
    async fn unwrap(&mut self, response: Response) -> Result<Page, Unfit> {
        let pieces = Pieces::open(response.body, &self.spec.decode, self.cut.clone()).await?;
        self.rest = Some(Rest {
            pieces,
            headers: response.headers,
        });
        let page = self.next_piece().await;
        if page.is_err() {
            self.rest = None;
        }
        page
    }

    async fn next_piece(&mut self) -> Result<Page, Unfit> {
        let ended = || Unfit::Broken("the answer has no page".to_owned());
        let rest = self.rest.as_mut().ok_or_else(ended)?;
        let piece = rest.pieces.next().await?.ok_or_else(ended)?;
        if self.proof == Proof::Wanted && !piece.is_proved {
            Raw::parse(&piece.text)?;
        }
        self.roll.call(self.spec, &piece.text)?;
        let rest = self.rest.as_mut().ok_or_else(ended)?;
        let headers = match piece.is_last {
            true => self
                .rest
                .take()
                .map(|rest| rest.headers)
                .unwrap_or_default(),
            false => rest.headers.clone(),
        };
        Ok(Page {
            text: Arc::new(piece.text),
            headers,
        })
    }

    fn not_a_page(&mut self, call: &Call, why: String) -> Result<(), Failure> {
        self.broken += 1;
        if self.broken < TRIES {
            return Ok(());
        }
        Err(self.no_page(call, &why))
    }

    fn no_page(&self, call: &Call, why: &str) -> Failure {
        let error = Error::new(
            ErrorKind::Malformed,
            format!("what {} answered is not a page", call.label()),
        );
        Failure::Stream(error.because(self.client.redact(why)))
    }

    /// An answer that was whole can't be read again. Some of its rows are on their way: only beginning
    /// anew from the last cursor takes them back.
    fn lost(&self, why: &Unfit) -> Failure {
        let error = Error::new(
            ErrorKind::Unavailable,
            format!(
                "a large answer to {} can't be read again",
                self.call.label()
            ),
        );
        Failure::Source(error.because(self.client.redact(&why.to_string())))
    }

    /// Goes on with half a page. Where nothing is left to halve, the size was not what was wrong: the
    /// same page is asked for again, after a while.
    async fn shrink(&mut self, error: Error) -> Result<(), Failure> {
        match self.size {
            Some(size) if self.spec.pages.shrink && size > LEAST => {
                self.size = Some((size / 2).max(LEAST));
                tracing::debug!(size, "asking for half a page");
            }
            _ if self.stalled < STALLS => {
                self.stalled += 1;
                let wait = before_next(Wait::Growing, self.stalled, None, 0.5);
                tokio::time::sleep(wait).await;
            }
            _ => return Err(Failure::Stream(error)),
        }
        Ok(())
    }
}
