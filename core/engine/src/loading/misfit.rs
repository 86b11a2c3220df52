//! Tables that the destination can't bring to what a stream needs: somebody has changed them by hand,
//! or put a view in their place.
//!
//! Such a stream fails alone. The load in progress is void by then, so reading begins again from the
//! last one without the stream, as after one that failed with rows that no cursor covers. // G2
//!
//! Deliberately absent: a run in which no stream would be left, which fails as a whole while its cursors
//! stay as they are; and constraints that somebody has added, where a destination puts rows of many
//! tables in at once: the error is then that of the load, or of whose turn it was.

use tributary_model::{AnyLoad, Change, Error, ErrorKind, LoadPlan, Result, StreamName};

use super::{Loading, new_load_id};
use crate::ledger::Ledger;

/// A stream whose table does not fit, and why; where that is not known, why the attempt failed.
pub(crate) type Misfit = (StreamName, Option<Error>);

impl Loading<'_> {
    /// Begins a load; where that fails for some of its tables, finds out which.
    pub(super) async fn begin(&mut self, plan: &LoadPlan) -> Result<Box<dyn AnyLoad>> {
        let destination = self.connection.destination.clone();
        let error = match destination.begin(plan, &self.fence).await {
            Ok(load) => return Ok(load),
            Err(error) => error,
        };
        if may_be_of_a_table(&error) {
            for table in &plan.tables {
                let alone = LoadPlan {
                    load_id: new_load_id(&self.fence),
                    tables: vec![table.clone()],
                    ..plan.clone()
                };
                if let Err(own) = destination.begin(&alone, &self.fence).await {
                    self.misfits.push((table.stream.clone(), Some(own)));
                }
            }
        }
        Err(error)
    }

    /// Gives the load in progress a change of one stream; begins a load where there is none.
    pub(super) async fn write(&mut self, stream: &StreamName, change: Change) -> Result<()> {
        let written = self.open().await?.load.write(change).await;
        if written.as_ref().is_err_and(may_be_of_a_table) {
            self.misfits.push((stream.clone(), None));
        }
        written
    }

    /// Leaves streams whose tables do not fit out of the attempts to come, where others are left.
    pub(crate) fn leave_out_misfits(&mut self, error: &Error, ledger: &mut Ledger) {
        let misfits = std::mem::take(&mut self.misfits);
        let is_left = |stream: &&StreamName| !misfits.iter().any(|(misfit, _)| misfit == *stream);
        if !self.tables.keys().any(|stream| is_left(&stream)) {
            return;
        }
        for (stream, own) in &misfits {
            self.fail(stream, own.as_ref().unwrap_or(error), ledger);
            ledger.leave_out(stream);
        }
    }
}

fn may_be_of_a_table(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Incompatible | ErrorKind::Rejected)
}
