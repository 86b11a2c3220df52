//! Where the parts of a document stand in its text.

use std::collections::BTreeMap;

use crate::path::Path;

/// A stretch of text; lines and columns count characters from 1, the end is exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) line: usize,
    pub(crate) column: usize,
    pub(crate) end_line: usize,
    pub(crate) end_column: usize,
}

/// The places of one entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    /// Its key, where it has one.
    pub(crate) key: Option<Span>,
    /// Its value.
    pub(crate) value: Span,
}

/// The places of everything.
#[derive(Clone, Debug, Default)]
pub(crate) struct Marks {
    pub(crate) entries: BTreeMap<Path, Mark>,
    /// Single values by place, to be hidden in excerpts unless known to be harmless.
    pub(crate) scalars: Vec<(Path, Span)>,
    /// Values that belong to no path (of a key written twice): always hidden.
    pub(crate) strays: Vec<Span>,
}

impl Marks {
    /// The place of the key at `path`, else of its value, else of the nearest thing around it.
    pub(crate) fn key(&self, path: &Path) -> Option<Span> {
        self.nearest(path)
            .map(|mark| mark.key.unwrap_or(mark.value))
    }

    /// The place of the value at `path`, else that of the nearest key around it.
    pub(crate) fn value(&self, path: &Path) -> Option<Span> {
        match self.entries.get(path) {
            Some(mark) => Some(mark.value),
            None => self.key(path),
        }
    }

    fn nearest(&self, path: &Path) -> Option<&Mark> {
        let mut at = Some(path.clone());
        while let Some(path) = at {
            if let Some(mark) = self.entries.get(&path) {
                return Some(mark);
            }
            at = path.parent();
        }
        None
    }
}
