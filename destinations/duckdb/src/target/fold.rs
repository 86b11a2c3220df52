//! How what was taken gets into the table: staged rows by statements, a window of changes by what it
//! folds to.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray};
use arrow_select::filter::filter_record_batch;
use tributary_model::{Deletes, Error, Mode, Result};
use tributary_sql::{FIRST, LIVE, Merge, STAGED_DELETE, STAGED_SEQ, Staged};

use super::{Route, Target};
use crate::append::{Place, append, batch_of};
use crate::layout::Site;
use crate::window::{Folded, Survivors};

impl Target {
    /// Brings everything taken so far into the table.
    pub(crate) fn settle(&mut self, site: &Site) -> Result<()> {
        self.flush(site)?;
        if !self.window.is_empty() {
            return self.fold_window(site);
        }
        let Some(held) = self.staged.take() else {
            return Ok(());
        };
        let merge = Merge {
            dialect: &site.dialect,
            plan: &held.plan,
            staging: &self.staging,
            synced_at: &site.synced_at(),
        };
        let statements = match held.plan.mode {
            Mode::Append => merge.append(),
            Mode::Merge | Mode::Replace => {
                self.layout.touch();
                merge.fold(held.kind)
            }
            Mode::History => {
                self.layout.touch();
                merge.fold_history()
            }
        };
        site.run(&statements, &format!("merging into {}", self.plan.table))
    }

    /// Brings the window into the table.
    fn fold_window(&mut self, site: &Site) -> Result<()> {
        let folded = std::mem::take(&mut self.window).fold(&self.plan)?;
        let doing = format!("merging into {}", self.plan.table);
        let staged = match folded.has_deletes {
            true => Staged::Deletes,
            false => Staged::Upserts,
        };
        self.layout.touch();
        self.store_fold(site, &folded)?;
        let statements = self.merge(site, |merge| {
            let mut statements = merge.make_way(staged);
            if folded.tombstones.is_some() {
                if self.plan.deletes == Deletes::Soft {
                    statements.push(merge.insert_tombstones());
                }
                statements.push(merge.drop_staging());
            }
            statements.push(merge.drop_fold());
            statements
        });
        site.run(&statements, &doing)?;
        for survivors in folded.rows {
            self.insert(site, survivors)?;
        }
        self.flush(site)
    }

    /// Puts what becomes of each key, and the tombstones, where the statements look for them.
    fn store_fold(&self, site: &Site, folded: &Folded) -> Result<()> {
        let create = self.merge(site, |merge| merge.create_fold())?;
        site.run(&[create], "making room for keys")?;
        let is_key = |name: &&str| self.plan.key.iter().any(|key| key == name);
        let names = self.plan.columns.iter().map(|column| column.name.as_str());
        let own = names.filter(is_key).zip(folded.keys.iter().cloned());
        let (live, first): (ArrayRef, ArrayRef) = (
            Arc::new(folded.live.clone()),
            Arc::new(folded.first.clone()),
        );
        let keys = batch_of(own.chain([(LIVE, live), (FIRST, first)]))?;
        let connection = &site.connection;
        append(connection, Place::Temporary(&self.staging.fold), &[keys])?;
        let Some((rows, numbers)) = &folded.tombstones else {
            return Ok(());
        };
        let create = self.merge(site, |merge| merge.create_staging())?;
        site.run(&[create], "making room for deleted rows")?;
        let deletes = BooleanArray::from(vec![true; numbers.len()]);
        let names = self.plan.columns.iter().map(|column| column.name.as_str());
        let own = names.zip(rows.columns().iter().cloned());
        let numbers: ArrayRef = Arc::new(numbers.clone());
        let more = [(STAGED_SEQ, numbers), (STAGED_DELETE, Arc::new(deletes))];
        let rows = batch_of(own.chain(more))?;
        append(connection, Place::Temporary(&self.staging.rows), &[rows])
    }

    /// Inserts live rows; after a delete they are marked, or left out where deleted rows go.
    fn insert(&mut self, site: &Site, survivors: Survivors) -> Result<()> {
        let Survivors {
            mut rows,
            mut deleted,
        } = survivors;
        if self.plan.deletes != Deletes::Soft && deleted.true_count() > 0 {
            let keep: BooleanArray = deleted.iter().map(|gone| gone.map(|gone| !gone)).collect();
            rows = filter_record_batch(&rows, &keep)
                .map_err(|cause| Error::bug("deleted rows could not be left out").because(cause))?;
            deleted = BooleanArray::from(vec![false; rows.num_rows()]);
        }
        let more = self.system_columns(site, deleted);
        self.collect(site, rows, more)
    }

    /// Goes on in a staging table with what the window holds.
    pub(super) fn stage_window(&mut self, site: &Site) -> Result<()> {
        if self.window.is_empty() {
            return Ok(());
        }
        self.route = Route::Staged;
        for (rows, deletes) in std::mem::take(&mut self.window).into_rows() {
            self.stage(site, rows, BooleanArray::from(deletes))?;
        }
        self.flush(site)
    }
}
