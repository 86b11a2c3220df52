//! Where rows leave: one family at a time, rows and the cursors that cover them together.
//!
//! Families are read side by side. Were their messages mixed, a load would hardly ever find all its
//! rows covered, and could not commit. So a family sends its rows and its cursors in one go.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use tributary_model::{Output, Phase, Positions, Result, Rows, Scope, TruncateKind};

use crate::cursor::Cursor;

use super::member::{Family, Member, State};
use super::pieces::Piece;

/// Bytes of rows that are worth sending.
const WORTH: usize = 4 << 20;
/// How long rows are held back for that.
const LATEST: Duration = Duration::from_secs(1);

/// Whether rows leave with their cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// The walk's place covers everything that was taken.
    Yes,
    /// More rows must come before a cursor can cover them.
    NotYet,
}

/// The way out.
#[derive(Debug)]
pub(crate) struct Gate<'a> {
    out: &'a Output<Cursor>,
    turn: Mutex<()>,
}

impl<'a> Gate<'a> {
    pub(crate) fn new(out: &'a Output<Cursor>) -> Self {
        Self {
            out,
            turn: Mutex::default(),
        }
    }

    /// Sends what a family has taken; with the walk's place, where that covers it.
    pub(crate) async fn send(&self, family: &mut Family, cover: Cover) -> Result<()> {
        for member in &mut family.members {
            if member.is_alive() {
                member.cursor.walk = family.walk.clone();
            }
        }
        if cover == Cover::Yes {
            family.held_since = None;
        }
        self.send_members(&mut family.members, cover).await
    }

    /// Sends what the walk's place covers once it is worth it: a batch of a few rows has the price of
    /// one of many, in every part that it passes.
    pub(crate) async fn send_soon(&self, family: &mut Family) -> Result<()> {
        let since = *family.held_since.get_or_insert_with(Instant::now);
        match family.waiting() >= WORTH || since.elapsed() >= LATEST {
            true => self.send(family, Cover::Yes).await,
            false => Ok(()),
        }
    }

    /// Sends what was held back that way, where something was.
    pub(crate) async fn send_held(&self, family: &mut Family) -> Result<()> {
        match family.held_since {
            Some(_) => self.send(family, Cover::Yes).await,
            None => Ok(()),
        }
    }

    /// The same for members whose cursors are up to date.
    pub(crate) async fn send_members(&self, members: &mut [Member], cover: Cover) -> Result<()> {
        let _turn = self.turn.lock().await;
        for member in members.iter_mut() {
            self.send_rows(member).await?;
        }
        if cover == Cover::Yes {
            for member in members.iter_mut().filter(|member| member.is_alive()) {
                self.send_cursor(member).await?;
            }
        }
        Ok(())
    }

    async fn send_rows(&self, member: &mut Member) -> Result<()> {
        let pieces = match member.is_alive() {
            true => member.take_pieces(),
            false => Ok(Vec::new()),
        };
        match pieces {
            Ok(pieces) if !pieces.is_empty() => {
                self.begin(member).await?;
                for piece in pieces {
                    match piece {
                        Piece::Rows(rows) => self.out.rows(&member.name, Rows::Arrow(rows)).await?,
                        Piece::Clear(of) => self.out.clear(&member.name, of).await?,
                    }
                }
            }
            Ok(_) => {}
            Err(error) => member.fail(error),
        }
        self.tell_failure(member).await
    }

    /// The first thing that is sent of a stream ever, or of a walk that takes the place of all there
    /// is: what came before belongs to an earlier generation, or is gone unless it comes again.
    async fn begin(&self, member: &mut Member) -> Result<()> {
        let kind = match member.state {
            State::New => TruncateKind::Restart,
            State::Anew => TruncateKind::Anew,
            State::Going | State::Failing(_) | State::Over => return Ok(()),
        };
        let nowhere = Positions::at(0, 0);
        self.out.truncate(&member.name, kind, nowhere).await?;
        member.state = State::Going;
        Ok(())
    }

    async fn send_cursor(&self, member: &mut Member) -> Result<()> {
        if member.sent.as_ref() == Some(&member.cursor) {
            return Ok(());
        }
        self.begin(member).await?;
        let scope = Scope::Stream(member.name.clone());
        self.out.checkpoint(scope, &member.cursor).await?;
        member.sent = Some(member.cursor.clone());
        Ok(())
    }

    /// Says that every row so far is gone, as a change: those that come after it are what there is.
    pub(crate) async fn clear(&self, member: &mut Member) -> Result<()> {
        if matches!(member.state, State::New | State::Anew) {
            return self.begin(member).await;
        }
        // Whoever keeps versions compares: a row that comes again must not end by this. What comes is
        // complete once the phase is said again, behind it.
        member.phase = None;
        let nowhere = Positions::at(0, 0);
        self.out
            .truncate(&member.name, TruncateKind::Anew, nowhere)
            .await
    }

    /// Says what a stream is going through, once.
    pub(crate) async fn phase(&self, member: &mut Member, phase: Phase) -> Result<()> {
        if member.phase != Some(phase) {
            member.phase = Some(phase);
            self.out.phase(&member.name, phase).await?;
        }
        Ok(())
    }

    /// Tells the engine of a stream that was given up.
    pub(crate) async fn tell_failure(&self, member: &mut Member) -> Result<()> {
        if let State::Failing(_) = member.state
            && let State::Failing(error) = std::mem::replace(&mut member.state, State::Over)
        {
            self.out.failed(&member.name, error).await?;
        }
        Ok(())
    }
}
