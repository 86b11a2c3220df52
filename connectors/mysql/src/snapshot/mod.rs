//! The first copy of a table, without locks, beside its change log.
//!
//! # Why it is right
//!
//! One reader follows the log; `M` is the transaction boundary it has reached. Some copiers read
//! pieces of tables ([`Segment`]s, in key order), each through a read view of its own. For a piece
//! `c` of a table:
//!
//! 1. At a boundary `A`, once the server is calm enough, the reader registers `c` and from then on
//!    records `K`: every key (before and after image) of that table in the log after `A`. Should `K`
//!    become too large, `c` is registered anew further on: nothing has to be true of an `A` that was
//!    given up. // G6
//! 2. **Fence** ([`fence`]): the copier opens its view only when every transaction up to `A` can be
//!    seen. This is not automatic: a server writes a transaction to its log *before* other sessions
//!    can see it. A copy that takes the log's end for its low mark loses the rows in between.
//! 3. With the view open the copier asks where the log ends: `H`.
//! 4. When `M` has reached `H` the copier may send rows. Each row is dropped if its key is in `K`
//!    at that moment, else it goes out as of `M`.
//!
//! Let `V` be the transactions that the view shows. By the fence all of `T ≤ A` are in `V`. What
//! `V` shows was in the log before step 3 asked, so `V ⊆ {T ≤ H}`. Conflicting transactions stand in
//! the log in the order in which they took effect. Take a key `k` at the moment `M ≥ H` when its
//! row would go out.
//!
//! * `k ∉ K`: no transaction in `(A, M]` touched `k`. All in `V` that did are `≤ A`, and all of those
//!   are in `V`. What the view shows of `k` is its state at `A`, which is its state at `M`. If the
//!   view shows no row, there is none at `M`.
//! * `k ∈ K`: the reader has sent the whole row (or its delete) of the last transaction `≤ M` that
//!   touched `k`. That is its state at `M`; the copy's row is not needed.
//!
//! So at `M` the destination holds the state at `M` for every key the copier has passed, and from
//! there on the log keeps it so. ∎ It needs full row images, one server between `A` and `H`, and no
//! change of the table's layout meanwhile (then the copy starts over).
//!
//! Rows leave in key order, so the part of a piece that has left is a finished piece itself: after
//! each batch the cursor moves to the batch's last key, and a copy that is killed goes on there.
//! Before such a cursor the log's own cursor is sent, for the rows are true as of `M` and not
//! earlier. // G1 G2
//!
//! Changes of a table whose copy has not begun are left out: every view of it will show them.
//!
//! A table without a usable key is copied in one piece ([`Piece::Whole`]). `K` can't name its
//! rows, so its view counts only if no change of the table lies in `(A, H]` (else it is opened
//! again), and the reader stands still at `M = H` until the last row has left.

mod copier;
mod fence;
mod pace;
mod query;
mod segment;
mod split;
mod view;

pub(crate) use copier::{Batch, Copied, Copier, Job, JobId, Low, Piece};
pub(crate) use fence::{Fence, View, stalled};
pub(crate) use pace::Pace;
pub(crate) use query::{Locking, Query, all_rows, next_rows};
pub(crate) use segment::{KeyStyle, key_styles};
pub use segment::{KeyValue, Segment};
pub(crate) use split::segments;
pub(crate) use view::{Arriving, Shape};
