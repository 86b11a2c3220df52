//! Values and rows that the policies for columns change or refuse: none of them silently.

use tributary_model::{Rejection, StreamName};

use crate::decode::{Refusal, RowBuilder};

/// Says how many values were not kept as they are: impossible dates, bytes that are no text.
pub(crate) fn remark(stream: &StreamName, builder: &RowBuilder) {
    let (zero_dates, invalid_text) = (builder.zero_dates(), builder.invalid_text());
    if zero_dates > 0 {
        tracing::warn!(%stream, zero_dates, "dates that no calendar has, handled as `zero_dates` says");
    }
    if invalid_text > 0 {
        tracing::warn!(%stream, invalid_text, "texts with bytes that their charset does not have");
    }
}

/// The refused rows of a stream.
pub(crate) fn rejections(stream: &StreamName, refusals: Vec<Refusal>) -> Vec<Rejection> {
    let of_stream = |refusal: Refusal| Rejection {
        stream: stream.clone(),
        value: refusal
            .row
            .get(&refusal.column)
            .and_then(|value| value.as_str())
            .map(str::to_owned),
        column: Some(refusal.column),
        reason: refusal.reason,
        row: refusal.row,
        hidden: Vec::new(),
    };
    refusals.into_iter().map(of_stream).collect()
}
