//! What a user chose for a connection: filled in and checked, no longer as written.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ConnectionName, DataType, Deletes, Mode, Secret, StreamName, TableName};

/// Which streams of a source a connection reads: shell-like patterns, `!` takes away, later ones
/// win. An empty list selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection(pub Vec<String>);

impl Selection {
    /// Whether `stream` is selected.
    #[must_use]
    pub fn contains(&self, stream: &StreamName) -> bool {
        let name = stream.to_string();
        let begins_by_taking = self.0.first().is_none_or(|first| first.starts_with('!'));
        self.0.iter().fold(begins_by_taking, |selected, pattern| {
            match pattern.strip_prefix('!') {
                Some(pattern) => selected && !matches(pattern, &name),
                None => selected || matches(pattern, &name),
            }
        })
    }
}

/// Whether `name` fits `pattern`, in which `*` is any run of characters and `?` any one.
#[must_use]
pub fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut star) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(&c) if c == '?' || c == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                // Let the last star take one character more.
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// What happens when a stream's layout changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SchemaChanges {
    /// New columns appear, types widen.
    #[default]
    Follow,
    /// The stream fails.
    Freeze,
    /// New columns are left out.
    IgnoreNew,
}

/// How a column's values are hidden, keeping its name and NULLs.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mask {
    /// All but the last characters become `*`.
    KeepLast(usize),
    /// All but the first characters become `*`.
    KeepFirst(usize),
    /// An address keeps its first character and its domain; anything else becomes `*` throughout.
    Email,
    /// Every value becomes NULL.
    Null,
    /// Every value becomes this text.
    Constant(String),
}

/// How many rows of a stream may be rejected before it is stopped.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum RejectLimit {
    /// So many in a run; in one that follows a log for ever, in a load.
    Rows(u64),
    /// This share of the rows that were read, looked at once a hundred were.
    Share(f64),
    /// Any number.
    Unlimited,
}

impl RejectLimit {
    /// Rows that have to be read before a share of them says something.
    const SAMPLE: u64 = 100;

    /// Whether `rejected` rows out of `read` are too many.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a share needs no more than 52 bits
    pub fn is_passed(self, read: u64, rejected: u64) -> bool {
        match self {
            Self::Rows(most) => rejected > most,
            Self::Share(share) => read >= Self::SAMPLE && rejected as f64 > share * read as f64,
            Self::Unlimited => false,
        }
    }
}

impl Default for RejectLimit {
    fn default() -> Self {
        Self::Rows(1000)
    }
}

impl std::fmt::Display for RejectLimit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Rows(rows) => write!(f, "{rows}"),
            Self::Share(share) => write!(f, "{}%", share * 100.0),
            Self::Unlimited => f.write_str("unlimited"),
        }
    }
}

/// What happens to one column on its way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnRule {
    /// Not read where the source can leave it out, never stored.
    pub exclude: bool,
    /// Replaced by its HMAC-SHA-256 as hexadecimal text.
    pub hash: bool,
    /// Partly hidden.
    pub mask: Option<Mask>,
    /// The column's name in the destination.
    pub rename: Option<String>,
    /// The column's type in the destination.
    pub data_type: Option<DataType>,
}

/// The choices for one stream.
#[derive(Clone, Debug, Default)]
pub struct StreamOptions {
    /// How the table is kept.
    pub mode: Mode,
    /// What deletes do.
    pub deletes: Deletes,
    /// Rules for single columns, by the source's name.
    pub columns: BTreeMap<String, ColumnRule>,
    /// A row filter in the source's language.
    pub filter: Option<String>,
    /// What happens when the layout changes.
    pub schema_changes: SchemaChanges,
    /// The table, where the user named one.
    pub table: Option<TableName>,
    /// How many rows may be rejected.
    pub max_rejected: RejectLimit,
}

/// When the rows that have arrived are committed: whichever comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushPolicy {
    /// This many rows.
    pub rows: u64,
    /// This many bytes in memory.
    pub bytes: u64,
    /// This long after the first row of the load.
    pub age: std::time::Duration,
}

impl Default for FlushPolicy {
    fn default() -> Self {
        Self {
            rows: 1_000_000,
            bytes: 256 << 20,
            age: std::time::Duration::from_secs(10),
        }
    }
}

/// Everything the engine needs to know of a connection besides its two ends.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// Its name.
    pub name: ConnectionName,
    /// Which streams.
    pub select: Selection,
    /// Choices for streams that have none of their own.
    pub defaults: StreamOptions,
    /// Choices for single streams, `defaults` already filled in.
    pub streams: BTreeMap<StreamName, StreamOptions>,
    /// When to commit.
    pub flush: FlushPolicy,
    /// The most bytes of rows in flight between source and destination.
    pub memory: usize,
    /// The key of `hash`.
    pub salt: Option<Secret>,
}

impl ConnectionOptions {
    /// The choices for `stream`.
    #[must_use]
    pub fn of(&self, stream: &StreamName) -> &StreamOptions {
        self.streams.get(stream).unwrap_or(&self.defaults)
    }

    /// Whether a column of any stream is to be hashed.
    #[must_use]
    pub fn hashes(&self) -> bool {
        let mut choices = self.streams.values().chain([&self.defaults]);
        choices.any(|of| of.columns.values().any(|rule| rule.hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_takes_and_gives_in_order() {
        let select = |patterns: &[&str], name: &str| {
            Selection(patterns.iter().map(|&p| p.to_owned()).collect())
                .contains(&name.to_owned().into())
        };
        assert!(select(&[], "shop.orders"));
        assert!(select(&["shop.*"], "shop.orders"));
        assert!(!select(&["shop.*", "!shop.sess*"], "shop.sessions"));
        assert!(select(&["!shop.sessions"], "shop.orders"));
        assert!(select(
            &["shop.*", "!shop.o*", "shop.orders"],
            "shop.orders"
        ));
        assert!(!select(&["shop.order"], "shop.orders"));
        assert!(select(&["*.ord?rs"], "shop.orders"));
    }
}
