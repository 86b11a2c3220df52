//! Rows that a column's policy refuses, as the engine takes them.

use tributary_model::{Rejection, StreamName};

use crate::decode::Refusal;

/// The refused rows of a stream.
pub(crate) fn rejections(stream: &StreamName, refusals: Vec<Refusal>) -> Vec<Rejection> {
    let of_stream = |refusal: Refusal| Rejection {
        stream: stream.clone(),
        column: Some(refusal.column),
        reason: refusal.reason,
        row: refusal.row,
    };
    refusals.into_iter().map(of_stream).collect()
}
