//! Reading tabs: each whole, and sent only if something in it is different.
//!
//! A tab comes in windows, and people may write between two of them. What Drive says of the file is
//! therefore asked before and after: a tab that changed meanwhile is read again, a few times; then what
//! was found is taken, and as the cursor holds what Drive said *before*, the next sync reads it again.
//!
//! Rows and the cursor that covers them leave together, and the rows of a tab all in one load: a table
//! is replaced in one step. // G1 G2

mod ahead;
mod take;

use std::collections::BTreeMap;
use std::time::Duration;

use tributary_model::{
    Error, ErrorKind, Output, Phase, Positions, ReadRequest, Result, Scope, State, Stream,
    StreamName, TruncateKind, Until, now,
};

use crate::a1::Area;
use crate::book::Book;
use crate::catalog::{Part, Parts};
use crate::cursor::{Cursor, FileVersion};
use crate::google::{Drive, Got, Spot};
use crate::spreadsheet::Spreadsheet;
use crate::watch;

use ahead::{Ahead, Fetched};
use take::{Earlier, Take, Target};

/// Cells of one request: what Google computes and sends without effort.
const CELLS: usize = 50_000;
/// How often a tab is read again that changes while it is read. // G6
const AGAIN: u32 = 2;
/// How often a tab may turn out not to be as it was described, in one reading. // G6
const MOVES: u32 = 5;
/// How long a reading that goes on rests between two rounds.
const ROUND: Duration = Duration::from_secs(60);

/// Reads all tabs that are asked for, once or until it is dropped.
pub(crate) async fn read(
    spreadsheet: &Spreadsheet,
    request: ReadRequest<'_, Cursor>,
    out: &Output<Cursor>,
) -> Result<()> {
    let mut state = request.state.clone();
    loop {
        let mut reader = Reader::new(spreadsheet, out, &state).await?;
        let mut moved = BTreeMap::new();
        for (place, stream) in request.streams.iter().enumerate() {
            let follow = &request.streams[place + 1..];
            if let Some(cursor) = reader.stream(&stream.name, follow, &state).await? {
                moved.insert(stream.name.clone(), cursor);
            }
        }
        if request.until == Until::Now {
            return Ok(());
        }
        state.streams.extend(moved);
        tokio::time::sleep(ROUND).await;
    }
}

/// A round.
struct Reader<'a> {
    spreadsheet: &'a Spreadsheet,
    out: &'a Output<Cursor>,
    book: Book,
    parts: Parts,
    /// What Drive said last; nothing where it does not tell.
    file: Option<FileVersion>,
    now: i64,
    ahead: Ahead,
}

/// How a walk through a tab ended.
enum Walked {
    Whole,
    /// It was not the same from beginning to end.
    Unsteady,
    /// There is no such tab any more.
    Gone,
}

impl<'a> Reader<'a> {
    async fn new(
        spreadsheet: &'a Spreadsheet,
        out: &'a Output<Cursor>,
        state: &State<Cursor>,
    ) -> Result<Self> {
        spreadsheet.google.log_in().await?;
        // Before anything else: whatever changes from here on is seen by the next sync.
        let file = spreadsheet.google.file().await?;
        let now = now().timestamp();
        let file = match file {
            Drive::Told(file) => {
                if file.is_trashed {
                    tracing::warn!("the spreadsheet is in the bin: it will be gone in some weeks");
                }
                Some(file.version)
            }
            Drive::Silent(error) => {
                tracing::warn!(%error, "every tab is read in full");
                None
            }
        };
        let book = spreadsheet.google.book().await?;
        Ok(Self {
            parts: spreadsheet.parts(&book, state),
            spreadsheet,
            out,
            book,
            file,
            now,
            ahead: Ahead::default(),
        })
    }

    /// The reading before, where it was of the same tab by the same options.
    fn known<'s>(
        &self,
        name: &StreamName,
        part: &Part,
        state: &'s State<Cursor>,
    ) -> Option<&'s Cursor> {
        let options = self.spreadsheet.options(name, part);
        state.streams.get(name).filter(|cursor| {
            cursor.spreadsheet == self.spreadsheet.google.spreadsheet
                && cursor.part == part.id
                && cursor.options == options
                && !cursor.is_gone
        })
    }

    /// Whether a tab has to be read.
    fn is_due(&self, known: Option<&Cursor>) -> bool {
        match (known, &self.file) {
            (Some(cursor), Some(file)) => !watch::is_unchanged(cursor, file, self.now),
            _ => true,
        }
    }

    /// Fetches a tab that has to be read, with others that have to be read after it.
    async fn fetch(&mut self, part: &Part, follow: &[Stream], state: &State<Cursor>) -> Result<()> {
        let mut ahead = std::mem::take(&mut self.ahead);
        let due = follow.iter().filter_map(|stream| {
            let part = self.parts.there.get(&stream.name)?;
            self.is_due(self.known(&stream.name, part, state))
                .then_some(part)
        });
        let now = now().timestamp();
        let fetched = ahead.fetch(&self.spreadsheet.google, part, due, now).await;
        self.ahead = ahead;
        fetched
    }

    /// Reads a stream, which others `follow`; its new cursor, where it has one.
    async fn stream(
        &mut self,
        name: &StreamName,
        follow: &[Stream],
        state: &State<Cursor>,
    ) -> Result<Option<Cursor>> {
        let before = state.streams.get(name);
        let Some(part) = self.parts.there.get(name).cloned() else {
            return self.missing(name, before).await;
        };
        let options = self.spreadsheet.options(name, &part);
        let known = self.known(name, &part, state);
        if !self.is_due(known) {
            self.out.phase(name, Phase::Streaming).await?;
            return Ok(None);
        }
        self.out.phase(name, Phase::Snapshot).await?;
        self.fetch(&part, follow, state).await?;
        let target = Target {
            stream: name.clone(),
            place: self.spreadsheet.settings.place(&name.name, &part.name),
            key: self.spreadsheet.settings.key(&name.name, &part.name),
            options,
            is_first: before.is_none(),
            known: known.cloned(),
            generation: before.map_or(0, |cursor| cursor.generation) + 1,
            numbers: before
                .map(|cursor| cursor.numbers.clone())
                .unwrap_or_default(),
            columns: before
                .map(|cursor| cursor.columns.clone())
                .unwrap_or_default(),
        };
        let cursor = self.tab(target, part, before).await?;
        self.out.phase(name, Phase::Streaming).await?;
        Ok(cursor)
    }

    /// Reads a tab until it stands still, or as often as it may be.
    async fn tab(
        &mut self,
        target: Target,
        mut part: Part,
        before: Option<&Cursor>,
    ) -> Result<Option<Cursor>> {
        let name = target.stream.clone();
        let (mut tried, mut earlier) = (0, Earlier::Nothing);
        loop {
            let (file, fetched) = (self.file.clone(), self.ahead.take(&part));
            let read_at = fetched
                .as_ref()
                .map_or_else(|| now().timestamp(), |it| it.read_at);
            let mut take = Take::new(&target, &part, self.out, earlier);
            let walked = match fetched {
                Some(Fetched { rows, .. }) => {
                    take.rows(rows).await?;
                    Walked::Whole
                }
                None => self.walk(&mut take, &mut part).await?,
            };
            tried += 1;
            let steady = match walked {
                Walked::Gone => return self.missing(&name, before).await,
                Walked::Unsteady => false,
                Walked::Whole => !self.has_changed().await?,
            };
            if !steady && tried <= AGAIN {
                if take.has_begun {
                    earlier = Earlier::Sent;
                }
                tracing::debug!(stream = %name, "it changed while it was read");
                continue;
            }
            let mut cursor = take.finish().await?;
            cursor
                .spreadsheet
                .clone_from(&self.spreadsheet.google.spreadsheet);
            cursor.part.clone_from(&part.id);
            cursor.read_at = read_at;
            cursor.file = file.filter(|_| steady);
            let is_same = target.known.as_ref().is_some_and(|known| {
                known.generation == cursor.generation
                    && !watch::is_worth_storing(known, &cursor, self.now)
            });
            if is_same {
                return Ok(None);
            }
            self.out.checkpoint(Scope::Stream(name), &cursor).await?;
            return Ok(Some(cursor));
        }
    }

    /// Reads all windows of a tab.
    async fn walk(&mut self, take: &mut Take<'_>, part: &mut Part) -> Result<Walked> {
        let (mut at, mut width) = (part.area.rows.0, part.area.width().max(1));
        let (mut cells, mut moves, mut walked) = (CELLS, 0, Walked::Whole);
        while !part.area.is_empty() && at < part.area.rows.1 {
            let rows = (cells / width).max(1);
            let spot = Spot {
                tab: part.tab,
                title: &part.title,
                area: Area {
                    rows: (at, part.area.rows.1.min(at.saturating_add(rows))),
                    columns: part.area.columns,
                },
            };
            match self
                .spreadsheet
                .google
                .cells(std::slice::from_ref(&spot))
                .await?
            {
                Got::Cells(found) => {
                    at = spot.area.rows.1;
                    let found = found.into_iter().flatten().collect();
                    width = take.rows(found).await?.max(1);
                }
                Got::TooMuch(error) if rows == 1 => return Err(error),
                Got::TooMuch(_) => cells = (rows / 2).max(1) * width,
                Got::Moved(error) if moves >= MOVES => {
                    let what = "a tab keeps changing its size while it is read";
                    return Err(Error::new(ErrorKind::Unavailable, what).because(error.what()));
                }
                Got::Moved(_) => {
                    moves += 1;
                    walked = Walked::Unsteady;
                    match self.look_again(part).await? {
                        Some(now) => *part = now,
                        None => return Ok(Walked::Gone),
                    }
                }
            }
        }
        Ok(walked)
    }

    /// The tab as it is now.
    async fn look_again(&mut self, part: &Part) -> Result<Option<Part>> {
        self.book = self.spreadsheet.google.book().await?;
        Ok(self.spreadsheet.part(&self.book, &part.id))
    }

    /// Whether Drive tells of a change since it was asked last.
    async fn has_changed(&mut self) -> Result<bool> {
        let Some(before) = &self.file else {
            return Ok(false);
        };
        Ok(match self.spreadsheet.google.file().await? {
            Drive::Told(file) if file.version == *before => false,
            Drive::Told(file) => {
                self.file = Some(file.version);
                self.ahead.forget();
                true
            }
            Drive::Silent(_) => false,
        })
    }

    /// The tab of a stream is not there: what was in it has gone with it.
    async fn missing(&self, name: &StreamName, before: Option<&Cursor>) -> Result<Option<Cursor>> {
        let Some(before) = before.filter(|cursor| !cursor.is_gone) else {
            let error = Error::new(
                ErrorKind::Incompatible,
                format!("the spreadsheet has no tab {name}"),
            )
            .fix("Restore the tab, or take the stream out of `select`.");
            self.out.failed(name, error).await?;
            return Ok(None);
        };
        tracing::warn!(
            stream = %name,
            rows = before.rows,
            "the tab has gone from the spreadsheet, and its rows with it"
        );
        let cursor = Cursor {
            generation: before.generation + 1,
            contents: String::new(),
            rows: 0,
            file: None,
            read_at: self.now,
            is_gone: true,
            ..before.clone()
        };
        let positions = Positions::at(cursor.generation, 0);
        self.out
            .truncate(name, TruncateKind::Change, positions)
            .await?;
        self.out
            .checkpoint(Scope::Stream(name.clone()), &cursor)
            .await?;
        Ok(Some(cursor))
    }
}
