//! Where rows leave: one family at a time, rows and the cursors that cover them together.
//!
//! Families are read side by side. Were their messages mixed, a load would hardly ever find all its
//! rows covered, and could not commit. So a family sends its rows and its cursors in one go.

use tokio::sync::Mutex;
use tributary_model::{Output, Phase, Positions, Result, Rows, Scope, TruncateKind};

use crate::cursor::Cursor;

use super::member::{Family, Member, State};

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
        self.send_members(&mut family.members, cover).await
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
        let batches = match member.is_alive() {
            true => member.sheet.take_batches(),
            false => Ok(Vec::new()),
        };
        match batches {
            Ok(batches) if !batches.is_empty() => {
                self.begin(member).await?;
                for batch in batches {
                    self.out.rows(&member.name, Rows::Arrow(batch)).await?;
                }
            }
            Ok(_) => {}
            Err(error) => member.fail(error),
        }
        self.tell_failure(member).await
    }

    /// The first thing that is sent of a stream ever: what there is belongs to an earlier generation.
    async fn begin(&self, member: &mut Member) -> Result<()> {
        if let State::New = member.state {
            let nowhere = Positions::at(0, 0);
            self.out
                .truncate(&member.name, TruncateKind::Restart, nowhere)
                .await?;
            member.state = State::Going;
        }
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
        if let State::New = member.state {
            return self.begin(member).await;
        }
        let nowhere = Positions::at(0, 0);
        self.out
            .truncate(&member.name, TruncateKind::Change, nowhere)
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
