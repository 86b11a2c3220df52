//! Counting equal rows of a table without a key.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, StringArray};
use tributary_model::{Result, TablePlan};
use tributary_sql::{DELETED, Dialect};

use super::Target;
use crate::append::{Place, append, batch_of};
use crate::describe::Inventory;
use crate::error::Explain;
use crate::layout::Site;

impl Target {
    /// How many rows have each of these hashes, those taken so far included and those marked as
    /// deleted left out.
    pub(crate) fn copies(&mut self, site: &Site, hashes: &[String]) -> Result<Vec<u64>> {
        let doing = "counting equal rows";
        self.settle(site)?;
        let asked: ArrayRef = Arc::new(hashes.iter().map(Some).collect::<StringArray>());
        let places: ArrayRef = Arc::new(Int64Array::from_iter_values(0..hashes.len() as i64));
        let asked = batch_of([("hash", asked), ("place", places)])?;
        let connection = &site.connection;
        let fold = site.dialect.quote(&self.staging.fold);
        let create = site.dialect.create_temporary(&self.staging.fold);
        site.run(&[format!("{create} (hash TEXT, place BIGINT)")], doing)?;
        append(connection, Place::Temporary(&self.staging.fold), &[asked])?;
        let count = format!(
            "SELECT f.place, count(*) FROM {} AS t JOIN {fold} AS f \
             ON t._tributary_id[1:32] = f.hash{} GROUP BY f.place",
            site.dialect.table(&self.plan.table),
            match has_marks(site, &self.plan)? {
                true => " AND t._tributary_deleted IS DISTINCT FROM TRUE",
                false => "",
            },
        );
        let mut counts = vec![0; hashes.len()];
        {
            let mut statement = connection.prepare(&count).explain(doing)?;
            let mut rows = statement.query([]).explain(doing)?;
            while let Some(row) = rows.next().explain(doing)? {
                let (place, count): (i64, i64) =
                    (row.get(0).explain(doing)?, row.get(1).explain(doing)?);
                if let Some(own) = counts.get_mut(usize::try_from(place).unwrap_or(usize::MAX)) {
                    *own = count.unsigned_abs();
                }
            }
        }
        site.run(&[format!("DROP TABLE {fold}")], doing)?;
        Ok(counts)
    }
}

/// Whether the table says of rows that they are deleted; also one that is not kept so any more.
fn has_marks(site: &Site, plan: &TablePlan) -> Result<bool> {
    let found = Inventory::of(&site.connection, &[&plan.table])?.found(&plan.table)?;
    let mut columns = found.columns.into_iter().flatten();
    Ok(columns.any(|column| column.name == DELETED))
}
