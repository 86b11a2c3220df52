//! What is remembered of a table from run to run: names that do not tell where they come from, and
//! the ways in which rows of it may have columns that are hidden or left out, or were once.
//!
//! Also whether the table has anything that a new copy would not bring: see [`is_void`]. And of a table
//! that is being built beside it, how its rows are hidden: it is to have rows of one way only.
//!
//! So a column that comes later never takes an older one's name, and a table that still holds in
//! clear what is hidden from now on is said to. Copied anew, a table has rows of one way only.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use tributary_model::{ColumnRule, Mask, Remembered, Secret, StreamOptions};

use super::table::{Table, TableSetup};

/// The way of a column that has no rule.
const CLEAR: &str = "in clear";
/// The way of a column that is excluded.
const LEFT_OUT: &str = "left out";

/// Stands among the ways in place of a column, which none is called, for the rows as such.
const ROWS: &str = "";
/// The way of rows that go once the stream is read anew.
const VOID: &str = "void";
/// Begins the way of rows in a table that is being built beside.
const BESIDE: &str = "beside ";

/// Whether what a table has goes once its stream is read anew: its first copy is not complete, or the
/// user has asked for a new one.
pub(crate) fn is_void(known: &Remembered) -> bool {
    rows(known).any(|way| way == VOID)
}

/// Notes whether what a table has goes once its stream is read anew.
pub(crate) fn set_void(known: &mut Remembered, is_void: bool) {
    note(known, VOID, is_void.then(|| VOID.to_owned()));
}

/// How rows of the table that is being built beside this one are hidden, where any column of them is.
pub(crate) fn beside(known: &Remembered) -> Option<&str> {
    rows(known).find(|way| way.starts_with(BESIDE))
}

/// Notes how rows of the table that is being built beside this one are hidden.
pub(crate) fn set_beside(known: &mut Remembered, hiding: Option<String>) {
    note(known, BESIDE, hiding);
}

/// How rows are hidden from now on, to be compared; `None` where no column is.
pub(crate) fn hiding(options: &StreamOptions, salt: Option<&Secret>) -> Option<String> {
    let ways = options.columns.iter().filter_map(|(column, rule)| {
        let way = way(Some(rule), salt);
        (way != CLEAR).then(|| (column.clone(), Value::String(way)))
    });
    let ways: Map<String, Value> = ways.collect();
    (!ways.is_empty()).then(|| format!("{BESIDE}{}", Value::Object(ways)))
}

fn rows(known: &Remembered) -> impl Iterator<Item = &str> {
    let ways = known.ways.get(ROWS).into_iter().flatten();
    ways.map(String::as_str)
}

/// Puts a way of the rows as such in place of those that begin like it.
fn note(known: &mut Remembered, begin: &str, way: Option<String>) {
    let mut ways = known.ways.remove(ROWS).unwrap_or_default();
    ways.retain(|way| !way.starts_with(begin));
    ways.extend(way);
    if !ways.is_empty() {
        known.ways.insert(ROWS.to_owned(), ways);
    }
}

/// The source's column that fed a table's column in earlier runs, where that is remembered.
pub(super) fn owner(setup: &TableSetup<'_>, column: &str) -> Option<String> {
    before(setup)?.names.get(column).cloned()
}

/// What is remembered of the very table that is there.
pub(super) fn before<'a>(setup: &TableSetup<'a>) -> Option<&'a Remembered> {
    let is_it = |of: &&Remembered| of.table == setup.table.to_string();
    setup
        .remembered
        .filter(is_it)
        .filter(|_| setup.existing.is_some())
}

impl Table {
    /// Notes that only rows from now on are in the table.
    pub(crate) fn emptied(&mut self) {
        self.before = None;
    }

    /// What the next run is to know.
    pub(crate) fn remember(&self) -> Remembered {
        Remembered {
            table: self.plan.table.to_string(),
            names: self.names(),
            ways: self.ways(),
        }
    }

    /// How rows from now on are hidden: see [`hiding`].
    pub(crate) fn hiding(&self) -> Option<String> {
        hiding(&self.options, self.salt.as_ref())
    }

    /// Whether a column has been hidden in one way only, that of now.
    pub(super) fn was_always_so(&self, column: &str) -> bool {
        let now = self.way(self.options.columns.get(column));
        let known = self
            .before
            .as_ref()
            .and_then(|known| known.ways.get(column));
        known.is_some_and(|ways| *ways == [now])
    }

    /// Whether rows of the table may have a column otherwise than rows from now on, in sentences.
    pub(crate) fn mixed(&self) -> Vec<String> {
        let sentence = |(column, ways): (String, Vec<String>)| {
            let (now, earlier) = ways.split_last()?;
            let earlier = earlier.last()?;
            Some(match (words(now), words(earlier)) {
                (CLEAR, LEFT_OUT) => {
                    format!("`{column}` is read again from now on; in rows from before it is NULL")
                }
                (CLEAR, then) => format!(
                    "`{column}` is no longer hidden from now on; in rows from before it stays {then}"
                ),
                (LEFT_OUT, then) => format!(
                    "`{column}` is left out from now on; rows from before still have it {then}"
                ),
                (now, then) if now == then => format!(
                    "`{column}` is {now} in another way from now on; rows from before are as they were"
                ),
                (now, then) => format!(
                    "`{column}` is {now} from now on; rows from before still have it {then}"
                ),
            })
        };
        self.ways().into_iter().filter_map(sentence).collect()
    }

    fn names(&self) -> BTreeMap<String, String> {
        let mut names = BTreeMap::new();
        for target in &self.targets {
            let Some(source) = target.source.as_ref().or(target.owner.as_ref()) else {
                continue;
            };
            let name = &target.column.name;
            let is_like = |other: &super::evolve::Target| {
                other.column.name != *name
                    && other
                        .owner
                        .as_ref()
                        .is_some_and(|owner| owner.to_lowercase() == name.to_lowercase())
            };
            // Where another could claim the name, it is remembered even if it tells.
            if name != source || self.targets.iter().any(is_like) {
                names.insert(name.clone(), source.clone());
            }
        }
        names
    }

    /// By the source's column, the ways of rows in the table, that of now as the last.
    fn ways(&self) -> BTreeMap<String, Vec<String>> {
        let known = self.before.as_ref();
        let ruled = self.options.columns.keys();
        let once = known.into_iter().flat_map(|known| known.ways.keys());
        let once = once.filter(|column| *column != ROWS);
        let mut ways = BTreeMap::new();
        for column in ruled.chain(once) {
            let now = self.way(self.options.columns.get(column));
            let mut all = match known {
                None => Vec::new(),
                Some(known) => match known.ways.get(column) {
                    Some(ways) => ways.clone(),
                    None if self.had_in_clear(column) => vec![CLEAR.to_owned()],
                    None => Vec::new(),
                },
            };
            all.retain(|way| *way != now);
            all.push(now);
            if all != [CLEAR] {
                ways.insert(column.clone(), all);
            }
        }
        ways
    }

    /// Whether the table that is there has a column for one of the source, of which nothing is known
    /// but that it had no rule.
    fn had_in_clear(&self, column: &str) -> bool {
        let rule = self.options.columns.get(column);
        let name = rule
            .and_then(|rule| rule.rename.as_deref())
            .unwrap_or(column);
        let is_its = |target: &super::evolve::Target| {
            let source = target.source.as_ref().or(target.owner.as_ref());
            source.is_some_and(|source| source == column)
        };
        let mut known = self.targets.iter().filter(|target| is_its(target));
        self.had.iter().any(|had| had == name)
            || known.any(|target| self.had.contains(&target.column.name))
    }

    fn way(&self, rule: Option<&ColumnRule>) -> String {
        way(rule, self.salt.as_ref())
    }
}

fn way(rule: Option<&ColumnRule>, salt: Option<&Secret>) -> String {
    match rule {
        Some(ColumnRule { exclude: true, .. }) => LEFT_OUT.to_owned(),
        Some(ColumnRule { hash: true, .. }) => format!("hashed {}", salt_mark(salt)),
        Some(ColumnRule {
            mask: Some(mask), ..
        }) => match mask {
            Mask::KeepLast(keep) => format!("masked keep_last {keep}"),
            Mask::KeepFirst(keep) => format!("masked keep_first {keep}"),
            Mask::Email => "masked email".to_owned(),
            Mask::Null => "masked null".to_owned(),
            Mask::Constant(_) => "masked constant".to_owned(),
        },
        Some(_) | None => CLEAR.to_owned(),
    }
}

/// Tells salts apart, and too short to try a salt on.
fn salt_mark(salt: Option<&Secret>) -> String {
    let salt = salt.map_or("", |salt| salt.expose());
    let key = blake3::derive_key("tributary: which salt", salt.as_bytes());
    format!("{:02x}{:02x}", key[0], key[1])
}

/// A way, for people.
fn words(way: &str) -> &str {
    match way.split_once(' ') {
        Some(("hashed" | "masked", _)) => &way[..6],
        _ => way,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_rows_as_such_stands_side_by_side() {
        let mut known = Remembered::default();
        assert!(!is_void(&known) && beside(&known).is_none());
        set_void(&mut known, true);
        set_beside(&mut known, Some(format!("{BESIDE}one")));
        set_beside(&mut known, Some(format!("{BESIDE}other")));
        assert!(is_void(&known));
        assert_eq!(beside(&known), Some("beside other"));
        set_void(&mut known, false);
        assert!(!is_void(&known));
        assert_eq!(beside(&known), Some("beside other"));
        set_beside(&mut known, None);
        assert_eq!(known, Remembered::default(), "nothing is left over");
    }

    /// A state of an earlier version says of rows only that they are void.
    #[test]
    fn what_earlier_versions_have_noted_is_understood() {
        let mut known = Remembered::default();
        known.ways.insert(String::new(), vec!["void".to_owned()]);
        assert!(is_void(&known) && beside(&known).is_none());
    }
}
