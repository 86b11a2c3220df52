//! Equal rows that wait, of tables without a key.
//!
//! There an equal row is no newer version but one more row: as many wait as were rejected, and a delete
//! takes one of them away. They are numbered as those in the table are: `<hash>`, `<hash>-2`,
//! `<hash>-3`; so each line has a key of its own. What comes takes the number behind the last, what
//! goes takes the last away.
//!
//! Whether a delete means a row that waits or one of the table, its identity tells. The engine names
//! one of the table's, and `<hash>-0` where the table has none. Until the load ends it takes those that
//! the destination has rejected for rows of the table: a delete of one of these ([`Copies::own`])
//! means one that waits. So of rows in the table and rows that wait together, each delete takes one.

use std::collections::{HashMap, HashSet};

use tributary_model::{Deletes, Mode, TablePlan};

/// The column that such rows are told apart by.
const ID: &str = "_tributary_id";

/// A row's hash, and which of several equal ones it is.
pub(crate) type Id = (u128, u32);

/// The rows of one table that wait.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    lines: HashMap<u128, Lines>,
    /// Those that the destination has rejected in this load, as the engine named them.
    own: HashSet<Id>,
}

/// Equal rows that wait.
#[derive(Debug, Default)]
struct Lines {
    last: u32,
    count: u32,
}

/// Whether equal rows of a table are counted: as the engine has it.
pub(crate) fn counts(plan: &TablePlan) -> bool {
    matches!(plan.mode, Mode::Merge | Mode::Replace)
        && plan.deletes != Deletes::Ignore
        && plan.key == [ID]
}

/// Reads an identity.
pub(crate) fn parse(id: &str) -> Option<Id> {
    let (hash, copy) = match id.split_once('-') {
        Some((hash, copy)) => (hash, copy.parse().ok()?),
        None => (id, 1),
    };
    let hash = (hash.len() == 32).then(|| u128::from_str_radix(hash, 16).ok());
    Some((hash.flatten()?, copy))
}

/// The identity in a line's key, where it may be one.
pub(crate) fn of_key(key: &str) -> Option<Id> {
    parse(key.strip_prefix("[\"")?.strip_suffix("\"]")?)
}

/// The key of a line.
pub(crate) fn key((hash, copy): Id) -> String {
    match copy {
        1 => format!("[\"{hash:032x}\"]"),
        copy => format!("[\"{hash:032x}-{copy}\"]"),
    }
}

impl Copies {
    /// A line waits when the load begins.
    pub(crate) fn note(&mut self, (hash, copy): Id) {
        let lines = self.lines.entry(hash).or_default();
        lines.last = lines.last.max(copy);
        lines.count += 1;
    }

    /// How many rows wait that are equal to this one.
    pub(crate) fn count(&self, (hash, _): Id) -> u32 {
        self.lines.get(&hash).map_or(0, |lines| lines.count)
    }

    /// One more waits; the number of its line.
    pub(crate) fn add(&mut self, (hash, _): Id) -> Id {
        let lines = self.lines.entry(hash).or_default();
        lines.last = lines.last.saturating_add(1);
        lines.count = lines.count.saturating_add(1);
        (hash, lines.last)
    }

    /// The destination has rejected this one.
    pub(crate) fn rejected(&mut self, id: Id) {
        self.own.insert(id);
    }

    /// The table has this one now.
    pub(crate) fn loaded(&mut self, id: Id) {
        self.own.remove(&id);
    }

    /// Whether a delete means a row that waits.
    pub(crate) fn is_meant(&mut self, id: Id) -> bool {
        id.1 == 0 || self.own.remove(&id)
    }

    /// One waits no more; the number of its line.
    pub(crate) fn remove(&mut self, (hash, _): Id) -> Option<Id> {
        let lines = self.lines.get_mut(&hash)?;
        let gone = (hash, lines.last);
        lines.last = lines.last.saturating_sub(1);
        lines.count = lines.count.saturating_sub(1);
        if lines.count == 0 {
            self.lines.remove(&hash);
        }
        Some(gone)
    }
}
