//! What DuckDB would take and not hold as what it is. // G5
//!
//! Its appender checks neither JSON nor the ranges of times. How rows are screened for that is in
//! [`tributary_sql::screen`].

use tributary_model::{Batch, Op, Result, TablePlan};
use tributary_sql::{Limits, json_fault};

pub(crate) use tributary_sql::Screened;

/// Microseconds of a day; DuckDB knows 24:00:00 too.
const DAY: i64 = 86_400_000_000;
/// The first instant that DuckDB can hold.
const FIRST_INSTANT: i64 = -9_223_372_022_400_000_000;

const LIMITS: Limits = Limits {
    warehouse: "DuckDB",
    times: 0..=DAY,
    dates: -i32::MAX + 1..=i32::MAX - 1,
    instants: FIRST_INSTANT..=i64::MAX - 1,
    json: json_fault,
    lengths: None,
};

/// Takes the rows out that can't be held.
pub(crate) fn screen(plan: &TablePlan, batch: Batch) -> Result<Screened> {
    tributary_sql::screen(&LIMITS, plan, batch)
}

/// Leaves out the rows that `keep` refuses.
pub(crate) fn retain(screened: &mut Screened, keep: impl Fn(Op) -> bool) -> Result<()> {
    screened.retain(keep)
}
