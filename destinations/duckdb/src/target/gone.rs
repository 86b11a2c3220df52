//! Rows that are gone by something else than their own delete: lists that come anew, a table that is
//! emptied, a history that is compared with a new copy.

use arrow_array::RecordBatch;
use tributary_model::{Deletes, Mode, Result, TableName, TruncateKind};

use super::{Route, Target};
use crate::append::{Place, append};
use crate::layout::Site;

impl Target {
    /// Rows that agree with one of `of` are gone at this point of the order.
    pub(crate) fn clear(&mut self, site: &Site, of: RecordBatch) -> Result<()> {
        if self.plan.mode == Mode::Append || self.plan.deletes == Deletes::Ignore {
            return Ok(());
        }
        self.settle(site)?;
        self.layout.touch();
        let schema = of.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let create = self.merge(site, |merge| merge.create_clear(&names))?;
        site.run(&[create], "making room for what is gone")?;
        append(
            &site.connection,
            Place::Temporary(&self.staging.fold),
            &[of],
        )?;
        if self.plan.mode == Mode::History {
            let seq = self.next_seq(site)?;
            let statements = self.merge(site, |merge| merge.clear_history(&names, seq));
            return site.run(
                &statements,
                &format!("clearing rows of {}", self.plan.table),
            );
        }
        let statements = self.merge(site, |merge| merge.clear(&names));
        site.run(
            &statements,
            &format!("clearing rows of {}", self.plan.table),
        )
    }

    /// Empties the table at this point of the order.
    pub(crate) fn truncate(&mut self, site: &Site, kind: TruncateKind) -> Result<()> {
        match (kind, self.plan.mode, self.plan.deletes) {
            // A history of changes keeps what was there; the change itself came as a row.
            (TruncateKind::Change | TruncateKind::Anew, Mode::Append, _)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Ignore) => {
                return Ok(());
            }
            (TruncateKind::Change | TruncateKind::Anew, Mode::History, _) => {
                return self.close(site, None);
            }
            (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Soft) => self.settle(site)?,
            (TruncateKind::Restart, ..)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Hard) => {
                self.abandon(site)?;
            }
        }
        self.layout.touch();
        let statements = self.merge(site, |merge| merge.truncate(kind));
        site.run(&statements, &format!("emptying {}", self.plan.table))
    }

    /// Ends every current version of a history at this point of the order.
    pub(crate) fn close(&mut self, site: &Site, at: Option<i64>) -> Result<()> {
        self.settle(site)?;
        self.layout.touch();
        let statements = self.merge(site, |merge| merge.close(at));
        site.run(
            &statements,
            &format!("ending versions in {}", self.plan.table),
        )
    }

    /// Goes on with what was built beside, another history, so that it can be dropped.
    pub(crate) fn continue_with(&mut self, site: &Site, beside: &TableName) -> Result<()> {
        self.settle(site)?;
        self.route = Route::Staged;
        self.next_seq(site)?;
        let stage = self.merge(site, |merge| merge.stage_continuation(beside))?;
        site.run(
            &[stage],
            &format!("comparing {} with {beside}", self.plan.table),
        )?;
        self.settle(site)
    }
}
