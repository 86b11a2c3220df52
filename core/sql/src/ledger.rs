//! What a load's record says, whatever the warehouse.

use std::collections::BTreeMap;

use tributary_model::{StreamCount, StreamName};

/// The counts of a load, corrected by the rows that it took and then rejected itself.
#[must_use]
pub fn corrected(
    streams: &BTreeMap<StreamName, StreamCount>,
    rejected: &BTreeMap<StreamName, u64>,
) -> BTreeMap<StreamName, StreamCount> {
    let mut streams = streams.clone();
    for (stream, rows) in rejected {
        let count = streams.entry(stream.clone()).or_default();
        count.rows_written = count.rows_written.saturating_sub(*rows);
        count.rows_rejected += rows;
    }
    streams
}
