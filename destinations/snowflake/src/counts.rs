//! How many equal rows a table without a key has, for the engine, which numbers them.
//!
//! The rows of a hash have ids that count from 1 on: so the id of the last row that was taken says how
//! many there are. What the load has not touched is what the table holds.

use std::collections::HashMap;

use arrow_array::cast::AsArray;
use tributary_model::{Error, ErrorKind, Result, TablePlan};
use tributary_sql::{DELETED, Dialect, Screened};

use crate::answer::Rows;
use crate::client::Scope;
use crate::files::is_delete;
use crate::layout::Types;
use crate::site::Site;

/// The column of the ids.
const ID: &str = "_tributary_id";
/// Digits of a hash.
const DIGITS: usize = 32;
/// Hashes that one load may touch: some hundred megabytes. // G6
const MOST: usize = 4_000_000;
/// Hashes that one question names.
const ASKED: usize = 5_000;

/// What is known of a table.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    touched: HashMap<u128, u64>,
    /// Whether the table holds nothing but what the load has touched.
    is_empty: bool,
    /// Whether it is not known which rows the load has removed.
    is_unsure: bool,
}

impl Counts {
    /// Of a table that is empty.
    pub(crate) fn of_nothing() -> Self {
        Self {
            is_empty: true,
            ..Self::default()
        }
    }

    /// From here on it is not known what is there.
    pub(crate) fn forget(&mut self) {
        self.is_unsure = true;
    }

    /// Notes rows that the load takes.
    pub(crate) fn note(&mut self, plan: &TablePlan, rows: &Screened) -> Result<()> {
        if plan.key != [ID] {
            return Ok(());
        }
        let place = plan.columns.iter().position(|column| column.name == ID);
        let place = place.ok_or_else(|| Error::bug("a key is no column"))?;
        let ids = rows.rows.column(place).as_string::<i32>();
        for (id, op) in ids.iter().zip(&rows.ops) {
            let Some((hash, number)) = id.and_then(parse) else {
                continue;
            };
            let count = if is_delete(*op) { number - 1 } else { number };
            self.touched.insert(hash, count);
        }
        match self.touched.len() > MOST {
            false => Ok(()),
            true => Err(Error::new(
                ErrorKind::Incompatible,
                format!("one load changes more than {MOST} rows of {}, which has no key", plan.table),
            )
            .fix("Name the columns that tell its rows apart: `key: [column]` in the stream's options.")),
        }
    }

    /// The counts of hashes; `None` where they can't be told.
    pub(crate) async fn of(
        &self,
        site: &Site,
        types: &Types,
        table: &str,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        if self.is_unsure {
            return Ok(None);
        }
        let known: Vec<Option<u64>> = hashes.iter().map(|hash| self.known(hash)).collect();
        let unknown = hashes
            .iter()
            .zip(&known)
            .filter(|(_, known)| known.is_none());
        let unknown: Vec<&String> = unknown.map(|(hash, _)| hash).collect();
        let mut stored = HashMap::new();
        for hashes in unknown.chunks(ASKED) {
            let sql = question(site, types, table, hashes);
            let rows = site
                .place
                .client
                .ask(Scope::Database, &sql, "counting equal rows")
                .await?;
            for row in &rows.rows {
                stored.insert(Rows::text(row, 0)?.to_owned(), Rows::number(row, 1)?);
            }
        }
        let counts = hashes.iter().zip(known);
        let counts = counts.map(|(hash, known)| {
            known.unwrap_or_else(|| stored.get(hash).copied().unwrap_or_default())
        });
        Ok(Some(counts.collect()))
    }

    fn known(&self, hash: &str) -> Option<u64> {
        let touched = u128::from_str_radix(hash, 16).ok();
        let touched = touched.and_then(|hash| self.touched.get(&hash).copied());
        touched.or_else(|| self.is_empty.then_some(0))
    }
}

/// The hash and number of an id.
fn parse(id: &str) -> Option<(u128, u64)> {
    let hash = u128::from_str_radix(id.get(..DIGITS)?, 16).ok()?;
    match &id[DIGITS..] {
        "" => Some((hash, 1)),
        rest => Some((
            hash,
            rest.strip_prefix('-')?
                .parse()
                .ok()
                .filter(|number| *number > 0)?,
        )),
    }
}

fn question(site: &Site, types: &Types, table: &str, hashes: &[&String]) -> String {
    let dialect = site.dialect();
    let hash = format!("SUBSTR({}, 1, {DIGITS})", dialect.quote(ID));
    let live = match types.has(dialect, DELETED) {
        true => format!(" AND {} IS DISTINCT FROM TRUE", dialect.quote(DELETED)),
        false => String::new(),
    };
    let hashes: Vec<String> = hashes.iter().map(|hash| dialect.literal(hash)).collect();
    format!(
        "SELECT {hash}, COUNT(*) FROM {table} WHERE {hash} IN ({}){live} GROUP BY 1",
        hashes.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_says_its_hash_and_number() {
        let hash = "0123456789abcdef0123456789abcdef";
        let number = 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128;
        assert_eq!(parse(hash), Some((number, 1)));
        assert_eq!(parse(&format!("{hash}-7")), Some((number, 7)));
        for odd in [
            "",
            "abc",
            &format!("{hash}7"),
            &format!("{hash}-0"),
            &format!("{hash}-x"),
        ] {
            assert_eq!(parse(odd), None, "{odd}");
        }
    }
}
