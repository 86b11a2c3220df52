//! Which tables can't be compared, and why.

use tributary_model::{Deletes, Error, ErrorKind, Mode, Stream, TablePlan, View};

use crate::beside;
use crate::connection::Connection;

/// Whether rows have no key, so that equal ones are counted.
pub(super) fn is_counted(stream: &Stream) -> bool {
    stream.schema.key.is_empty()
}

/// Why a stream's table can't be compared: it holds something else than the source's rows of today.
pub(crate) fn refusal(connection: &Connection, stream: &Stream) -> Option<Error> {
    let name = &stream.name;
    let options = connection.options.of(name);
    let (what, fix) = match (options.mode, options.deletes) {
        (Mode::Append, _) => (
            format!(
                "{name} is kept with `mode: append`: its table has every change, not the rows of today"
            ),
            "Compare streams that are kept with `merge`, `replace` or `history`.",
        ),
        (Mode::History, _) if is_counted(stream) => (
            format!("{name} has no key, and in `mode: history` rows that are equal are one row"),
            "Give the table a primary key in the source, or keep it with `mode: merge`.",
        ),
        (Mode::Merge, Deletes::Ignore) if is_counted(stream) => (
            format!(
                "{name} has no key, and with `deletes: ignore` its table has rows of every age: they \
                 can't be counted"
            ),
            "Give the table a primary key in the source, or keep it with `deletes: soft`.",
        ),
        (Mode::Merge | Mode::Replace | Mode::History, _) => return None,
    };
    Some(Error::new(ErrorKind::Config, what).fix(fix))
}

/// Why it can't be compared where this destination has it.
pub(crate) fn uncounted(stream: &Stream, view: &dyn View) -> Option<Error> {
    (is_counted(stream) && !view.counts_equal_rows()).then(|| {
        Error::new(
            ErrorKind::Config,
            format!(
                "{} has no key, and this destination keeps rows that are equal as one",
                stream.name
            ),
        )
        .fix("Give the table a primary key in the source.")
    })
}

/// The table is there in another mode.
pub(super) fn kept_otherwise(plan: &TablePlan) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "the table {} was kept in another mode than `{}`",
            plan.table,
            beside::word(plan.mode)
        ),
    )
    .fix("Run `tributary sync` first: it builds the table in the new mode and keeps the old one.")
}

/// The table is gone.
pub(super) fn not_there(plan: &TablePlan) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the table {} is not in the destination", plan.table),
    )
    .fix(format!(
        "Read the stream anew: `tributary sync CONNECTION:{} --full-refresh`.",
        plan.stream
    ))
}
