//! Which tables are built beside those that readers see, and swapped in once they are complete.
//!
//! That is so where a stream is read anew over a table that is there, and where the table was kept in
//! another mode. What is true stands in the destination alone: cursors of a stream belong to the
//! table beside as long as there is one, and it goes with the swap, in the load that commits both.
//! So a run that is killed goes on with the table beside, and readers see the old rows until then.
//!
//! What a table has besides the rows of a new copy goes on in the one that takes its place, unless
//! somebody wants it to go ([`Facts::is_void`]).
//!
//! Pure: facts in, decisions out. [`crate::loading`] carries them out.

use std::collections::BTreeMap;

use tributary_model::{
    Capabilities, Deletes, Existing, Mode, Old, State, StreamName, TableColumn, TableName,
    TablePlan,
};

use crate::normalize::{derived, is_same_name, system};

/// Ends the name of a table that is built beside another.
const NEXT: &str = "__tributary_next";
/// Tables of earlier modes that may be kept beside one. // G6
const KEPT: usize = 99;

/// A table that is built beside the one of its stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Beside {
    /// The table whose place it takes.
    pub(crate) live: TableName,
    /// What becomes of that one.
    pub(crate) old: Old,
    /// The table whose columns it begins with.
    pub(crate) like: Option<TableName>,
    /// Whether it is there, or made by the load in progress.
    pub(crate) is_made: bool,
    /// Whether the source has sent all of it.
    pub(crate) is_complete: bool,
}

/// What a run needs to know of a stream to decide.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) table: &'a TableName,
    /// The mode that is asked for.
    pub(crate) mode: Mode,
    pub(crate) deletes: Deletes,
    pub(crate) existing: &'a Existing,
    /// Whether the stored state has a cursor to go on from, which is not to be forgotten.
    pub(crate) has_cursor: bool,
    /// Whether this run reads the stream from its beginning, unless one did that was cut short.
    pub(crate) begins: bool,
    /// Whether all that the table has may go.
    pub(crate) is_void: bool,
    /// Whether rows of the table beside are hidden as those from now on.
    pub(crate) is_hidden_alike: bool,
}

/// How a stream's rows are to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// Into its table.
    Direct,
    /// From the beginning: the source says when, and then a table beside may be begun.
    Again,
    /// Into the table beside that is there already.
    GoOn(Beside),
    /// From the beginning, into a table beside that is made anew.
    Anew(Beside),
}

/// The name of the table beside `table`.
pub(crate) fn next_to(table: &TableName, capabilities: &Capabilities) -> TableName {
    named(table, NEXT, capabilities)
}

/// The names under which a table may be kept once another takes its place; none where it can't be. Of
/// each column of the key it must have, so that it can go on, the names that such a column may have.
pub(crate) fn keepable(
    table: &TableName,
    (mode, key): (Mode, &[[String; 2]]),
    existing: &Existing,
    capabilities: &Capabilities,
) -> Vec<TableName> {
    let has_key = |columns: &[TableColumn]| {
        let mut key = key.iter();
        key.all(|forms| forms.iter().any(|name| has(columns, name, capabilities)))
    };
    let may_be_kept = |columns: &[TableColumn]| {
        !fits(columns, mode) || !continues(capabilities) || !has_key(columns)
    };
    match existing.get(table) {
        Some(columns) if may_be_kept(columns) => {
            kept_names(table, kept_as(columns), capabilities).collect()
        }
        Some(_) | None => Vec::new(),
    }
}

fn has(columns: &[TableColumn], name: &str, capabilities: &Capabilities) -> bool {
    let mut columns = columns.iter();
    columns.any(|column| is_same_name(&column.name, name, capabilities))
}

/// Whether the destination lets what a table has besides go on in the one that takes its place: who
/// keeps histories does.
fn continues(capabilities: &Capabilities) -> bool {
    capabilities.modes.contains(&Mode::History)
}

/// The mode in which a table has been kept, as its columns tell: `replace` looks like `merge`.
pub(crate) fn kept_as(columns: &[TableColumn]) -> Mode {
    let has = |name: &str| columns.iter().any(|column| column.name == name);
    // A plan's columns tell it, too: the others are the destination's own.
    if has(system::VALID_FROM) {
        Mode::History
    } else if has(system::OP) && has(system::POSITION) {
        Mode::Append
    } else {
        Mode::Merge
    }
}

/// Whether a table kept like this can go on in `mode` as it is.
pub(crate) fn fits(columns: &[TableColumn], mode: Mode) -> bool {
    match (kept_as(columns), mode) {
        // Rows that are only marked as deleted are not in a copy of the source.
        (Mode::Merge, Mode::Replace) => !columns.iter().any(|c| c.name == system::DELETED),
        (Mode::Merge, Mode::Merge)
        | (Mode::Append, Mode::Append)
        | (Mode::History, Mode::History) => true,
        _ => false,
    }
}

/// Whether the table is one of ours; another's is refused by the destination, with a reason.
pub(crate) fn is_ours(columns: &[TableColumn]) -> bool {
    columns
        .iter()
        .any(|column| column.name == system::SYNCED_AT)
}

impl Facts<'_> {
    /// Decides.
    pub(crate) fn way(&self, capabilities: &Capabilities) -> Way {
        let live = self.existing.get(self.table);
        let usual = if self.begins { Way::Again } else { Way::Direct };
        if !capabilities.swaps || live.is_some_and(|columns| !is_ours(columns)) {
            return usual;
        }
        let next = self.existing.get(&next_to(self.table, capabilities));
        let changes = live.is_some_and(|columns| !fits(columns, self.mode));
        match next {
            Some(columns)
                if self.has_cursor && self.is_hidden_alike && fits(columns, self.mode) =>
            {
                Way::GoOn(Beside {
                    is_made: true,
                    ..self.beside(capabilities)
                })
            }
            // Its cursor is gone, it was begun in another mode, which was taken back, or what it has
            // so far is in clear and is to be hidden.
            Some(_) => Way::Anew(self.beside(capabilities)),
            None if changes => Way::Anew(self.beside(capabilities)),
            None => usual,
        }
    }

    /// A table beside that is yet to be made.
    pub(crate) fn beside(&self, capabilities: &Capabilities) -> Beside {
        let live = self.existing.get(self.table);
        let old = live.map_or(Old::Gone, |columns| self.old(columns, capabilities));
        Beside {
            live: self.table.clone(),
            old,
            like: live.map(|_| self.table.clone()),
            is_made: false,
            is_complete: false,
        }
    }

    /// What becomes of the table that is there. What a copy of the source does not bring (changes that
    /// were recorded, rows that the source has deleted) goes only if it was asked for: by the mode, or
    /// by `--full-refresh`.
    fn old(&self, live: &[TableColumn], capabilities: &Capabilities) -> Old {
        let kept = kept_as(live);
        let free_name = || free_name(self.table, kept, self.existing, capabilities);
        let has_more = match (self.mode, self.deletes) {
            _ if self.is_void => false,
            (Mode::Merge, Deletes::Hard) | (Mode::Replace, _) => false,
            (Mode::Merge, Deletes::Soft | Deletes::Ignore) | (Mode::Append | Mode::History, _) => {
                true
            }
        };
        match fits(live, self.mode) {
            false => Old::Kept(free_name()),
            true if kept == Mode::History => Old::Continued,
            true if !has_more => Old::Gone,
            true if continues(capabilities) => Old::Continued,
            true => Old::Kept(free_name()),
        }
    }
}

/// A name that no table has; the destination refuses one that is taken.
fn free_name(
    table: &TableName,
    kept: Mode,
    existing: &Existing,
    capabilities: &Capabilities,
) -> TableName {
    let is_free = |name: &TableName| !existing.contains_key(name);
    let mut names = kept_names(table, kept, capabilities);
    names
        .find(is_free)
        .unwrap_or_else(|| named(table, &format!("__{}", word(kept)), capabilities))
}

fn kept_names(
    table: &TableName,
    mode: Mode,
    capabilities: &Capabilities,
) -> impl Iterator<Item = TableName> {
    let word = word(mode);
    (1..=KEPT).map(move |number| match number {
        1 => named(table, &format!("__{word}"), capabilities),
        _ => named(table, &format!("__{word}_{number}"), capabilities),
    })
}

fn named(table: &TableName, end: &str, capabilities: &Capabilities) -> TableName {
    TableName {
        schema: table.schema.clone(),
        table: derived(&table.table, end, capabilities),
    }
}

/// A mode as it is written.
pub(crate) fn word(mode: Mode) -> &'static str {
    match mode {
        Mode::Merge => "merge",
        Mode::Append => "append",
        Mode::Replace => "replace",
        Mode::History => "history",
    }
}

impl Beside {
    /// Keeps the table that is there if it lacks a column of the key of now: its rows can't be told
    /// from the new ones, so none of them can go on among those.
    pub(crate) fn keep_without_key(
        &mut self,
        plan: &TablePlan,
        existing: &Existing,
        capabilities: &Capabilities,
    ) {
        let is_merged = self.old == Old::Continued && plan.mode == Mode::Merge;
        let live = existing.get(&self.live).filter(|_| is_merged);
        let lacks = |live: &&Vec<TableColumn>| {
            let mut key = plan.key.iter();
            key.any(|name| !has(live, name, capabilities))
        };
        let Some(live) = live.filter(lacks) else {
            return;
        };
        let kept = kept_as(live);
        self.old = Old::Kept(free_name(&self.live, kept, existing, capabilities));
    }

    /// What is said of a table that changes its mode.
    pub(crate) fn says(&self, mode: Mode) -> Option<String> {
        let Old::Kept(name) = &self.old else {
            return None;
        };
        Some(format!(
            "kept as `{}` from now on: the stream is read anew beside the table, which readers see \
             until then; as it was it stays as {name}",
            word(mode)
        ))
    }
}

impl Way {
    /// Whether the stream's cursor must not be gone on from.
    pub(crate) fn forgets(&self) -> bool {
        matches!(self, Self::Anew(_) | Self::Again)
    }
}

/// Takes cursors out of `state` that must not be gone on from, as their streams are read anew.
pub(crate) fn forget(state: &mut State, ways: &BTreeMap<StreamName, Way>) {
    if !ways.values().any(Way::forgets) {
        return;
    }
    let forgets = |name: &StreamName| ways.get(name).is_some_and(Way::forgets);
    state.streams.retain(|name, _| !forgets(name));
    // With no stream left that depends on it, a position that may be gone is not needed either.
    if state.streams.is_empty() {
        state.shared = None;
    }
}

#[cfg(test)]
mod tests {
    use tributary_model::DataType;

    use super::*;

    const RULES: Capabilities = Capabilities {
        modes: &[Mode::Merge],
        identifier_bytes: 30,
        case_insensitive: true,
        decimal_digits: 38,
        reserved: &[],
        schema: None,
        swaps: true,
    };

    fn table(name: &str) -> TableName {
        TableName {
            schema: "shop".to_owned(),
            table: name.to_owned(),
        }
    }

    fn existing(tables: &[(&str, &[&str])]) -> Existing {
        let columns = |names: &[&str]| {
            let column = |name: &&str| TableColumn {
                name: (*name).to_owned(),
                data_type: DataType::Text,
                default: None,
            };
            names
                .iter()
                .chain(&[system::SYNCED_AT])
                .map(column)
                .collect()
        };
        let tables = tables.iter();
        tables
            .map(|(name, names)| (table(name), columns(names)))
            .collect()
    }

    fn way(mode: Mode, tables: &[(&str, &[&str])], has_cursor: bool) -> Way {
        let (orders, existing) = (table("orders"), existing(tables));
        let facts = Facts {
            table: &orders,
            mode,
            deletes: Deletes::Soft,
            existing: &existing,
            has_cursor,
            begins: mode == Mode::Replace,
            is_void: false,
            is_hidden_alike: true,
        };
        facts.way(&RULES)
    }

    const APPENDED: &[&str] = &[system::OP, system::POSITION];
    const HISTORY: &[&str] = &[system::VALID_FROM];
    const MARKED: &[&str] = &[system::DELETED];

    #[test]
    fn a_table_that_fits_goes_on_as_it_is() {
        assert_eq!(way(Mode::Merge, &[], true), Way::Direct);
        assert_eq!(way(Mode::Merge, &[("orders", MARKED)], true), Way::Direct);
        assert_eq!(
            way(Mode::Append, &[("orders", APPENDED)], true),
            Way::Direct
        );
        assert_eq!(
            way(Mode::History, &[("orders", HISTORY)], true),
            Way::Direct
        );
        assert_eq!(way(Mode::Merge, &[("orders", &[])], true), Way::Direct);
        assert_eq!(way(Mode::Replace, &[("orders", &[])], true), Way::Again);
    }

    #[test]
    fn another_mode_is_built_beside_and_the_old_table_kept() {
        for (mode, had, kept) in [
            (Mode::Append, MARKED, "orders__merge"),
            (Mode::Replace, MARKED, "orders__merge"),
            (Mode::Merge, APPENDED, "orders__append"),
            (Mode::History, APPENDED, "orders__append"),
            (Mode::Merge, HISTORY, "orders__history"),
        ] {
            let Way::Anew(beside) = way(mode, &[("orders", had)], true) else {
                panic!("{mode:?} over {had:?} is not built anew");
            };
            assert_eq!(beside.old, Old::Kept(table(kept)));
            assert!(beside.says(mode).is_some_and(|said| said.contains(kept)));
        }
        let taken: [(&str, &[&str]); 2] = [("orders", APPENDED), ("orders__append", APPENDED)];
        let Way::Anew(beside) = way(Mode::Merge, &taken, true) else {
            panic!("it is not built anew");
        };
        assert_eq!(beside.old, Old::Kept(table("orders__append_2")));
    }

    #[test]
    fn what_was_begun_beside_goes_on_as_long_as_its_cursor_is_there() {
        let tables: [(&str, &[&str]); 2] = [("orders", &[]), ("orders__tributary_next", &[])];
        let Way::GoOn(beside) = way(Mode::Replace, &tables, true) else {
            panic!("it begins again");
        };
        assert!(beside.is_made && beside.old == Old::Gone);
        assert!(matches!(way(Mode::Replace, &tables, false), Way::Anew(_)));
        assert!(matches!(way(Mode::Append, &tables, true), Way::Anew(_)));
    }

    /// What becomes of a table when its stream is read anew in the mode that it has.
    fn old(mode: Mode, deletes: Deletes, is_void: bool, modes: &'static [Mode]) -> Old {
        let columns = match mode {
            Mode::Append => APPENDED,
            Mode::History => HISTORY,
            Mode::Merge | Mode::Replace => &[],
        };
        let (orders, existing) = (table("orders"), existing(&[("orders", columns)]));
        let facts = Facts {
            table: &orders,
            mode,
            deletes,
            existing: &existing,
            has_cursor: false,
            begins: true,
            is_void,
            is_hidden_alike: true,
        };
        let capabilities = Capabilities { modes, ..RULES };
        facts.beside(&capabilities).old
    }

    #[test]
    fn what_a_copy_does_not_bring_goes_only_if_somebody_wants_it_to() {
        let most: &'static [Mode] = &[Mode::Merge];
        let all: &'static [Mode] = &[Mode::Merge, Mode::History];
        for (mode, deletes, expected) in [
            (Mode::Merge, Deletes::Soft, Old::Continued),
            (Mode::Merge, Deletes::Ignore, Old::Continued),
            (Mode::Append, Deletes::Hard, Old::Continued),
            (Mode::Merge, Deletes::Hard, Old::Gone),
            (Mode::Replace, Deletes::Soft, Old::Gone),
        ] {
            assert_eq!(old(mode, deletes, false, all), expected, "{mode:?}");
            assert_eq!(old(mode, deletes, true, all), Old::Gone, "{mode:?}");
            let elsewhere = match expected {
                Old::Continued if mode == Mode::Append => Old::Kept(table("orders__append")),
                Old::Continued => Old::Kept(table("orders__merge")),
                gone => gone,
            };
            assert_eq!(old(mode, deletes, false, most), elsewhere, "{mode:?}");
        }
        // A history goes on whatever happens.
        assert_eq!(old(Mode::History, Deletes::Soft, true, all), Old::Continued);
    }

    #[test]
    fn what_was_begun_beside_is_begun_again_where_it_is_hidden_otherwise() {
        let (orders, existing) = (
            table("orders"),
            existing(&[("orders", &[]), ("orders__tributary_next", &[])]),
        );
        let facts = Facts {
            table: &orders,
            mode: Mode::Merge,
            deletes: Deletes::Hard,
            existing: &existing,
            has_cursor: true,
            begins: false,
            is_void: false,
            is_hidden_alike: true,
        };
        assert!(matches!(facts.way(&RULES), Way::GoOn(_)));
        let other = Facts {
            is_hidden_alike: false,
            ..facts
        };
        assert!(matches!(other.way(&RULES), Way::Anew(_)));
    }

    #[test]
    fn a_table_without_the_key_of_now_is_kept() {
        let all = Capabilities {
            modes: &[Mode::Merge, Mode::History],
            ..RULES
        };
        let orders = table("orders");
        for (columns, key, kept) in [
            (["ID", "code"], "id", false),
            (["id", "code"], "code", false),
            (["id", "code"], "number", true),
            (["id", "code"], "_tributary_id", true),
        ] {
            let existing = existing(&[("orders", &columns)]);
            let plan = TablePlan {
                stream: StreamName::plain("orders"),
                table: orders.clone(),
                mode: Mode::Merge,
                deletes: Deletes::Soft,
                columns: Vec::new(),
                key: vec![key.to_owned()],
            };
            let begun = || Beside {
                live: orders.clone(),
                old: Old::Continued,
                like: None,
                is_made: true,
                is_complete: true,
            };
            let mut beside = begun();
            beside.keep_without_key(&plan, &existing, &all);
            let expected = match kept {
                true => Old::Kept(table("orders__merge")),
                false => Old::Continued,
            };
            assert_eq!(beside.old, expected, "{columns:?} {key}");
            let names = [[key.to_owned(), format!("{key}_0")]];
            let names = keepable(&orders, (Mode::Merge, &names), &existing, &all);
            assert_eq!(!names.is_empty(), kept, "{columns:?} {key}");
            // What goes, and what is a history, is not told row by row.
            for (old, mode) in [
                (Old::Gone, Mode::Merge),
                (Old::Continued, Mode::History),
                (Old::Continued, Mode::Append),
            ] {
                let mut beside = Beside {
                    old: old.clone(),
                    ..begun()
                };
                let plan = TablePlan {
                    mode,
                    ..plan.clone()
                };
                beside.keep_without_key(&plan, &existing, &all);
                assert_eq!(beside.old, old);
            }
        }
    }

    #[test]
    fn names_beside_fit_and_stay_apart() {
        let (one, other) = (
            table(&"x".repeat(30)),
            table(&format!("{}y", "x".repeat(29))),
        );
        let next = next_to(&one, &RULES);
        assert!(next.table.len() <= 30, "{next}");
        assert_ne!(next, next_to(&other, &RULES));
    }
}
