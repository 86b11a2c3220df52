//! Which streams a spreadsheet has, and under which names.
//!
//! A tab is known by its id: once it has been read it keeps its stream's name, and so its table,
//! however it is called later. Names of tabs that have gone are free again.

use std::collections::{BTreeMap, BTreeSet};

use tributary_model::{State, StreamName};

use crate::a1::Area;
use crate::book::{Book, Tab};
use crate::cursor::Cursor;

/// A tab or a named range: what becomes a stream.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    /// What stays when it is renamed.
    pub(crate) id: String,
    /// What it is called now.
    pub(crate) name: String,
    /// The tab that it is of.
    pub(crate) tab: u64,
    /// The tab's title.
    pub(crate) title: String,
    /// What of the tab it covers.
    pub(crate) area: Area,
    pub(crate) frozen: usize,
}

/// The streams of a spreadsheet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parts {
    /// Those that are there, by the names of their streams.
    pub(crate) there: BTreeMap<StreamName, Part>,
    /// Streams whose tab has gone since they were read.
    pub(crate) gone: Vec<StreamName>,
}

/// Whether named ranges are streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    Left,
    Read,
}

impl Names {
    fn include(self, part: &Part) -> bool {
        self == Self::Read || part.id.starts_with("sheet:")
    }
}

impl Parts {
    /// The streams of `book`, by the names that they have in `state`.
    pub(crate) fn of(book: &Book, names: Names, spreadsheet: &str, state: &State<Cursor>) -> Self {
        let all = parts(book);
        let exists: BTreeSet<String> = all.iter().map(|part| part.id.clone()).collect();
        let parts = all.into_iter().filter(|part| names.include(part));
        let ours = |cursor: &Cursor| cursor.spreadsheet == spreadsheet;
        let known: Vec<(&StreamName, &Cursor)> = state
            .streams
            .iter()
            .filter(|(_, cursor)| ours(cursor))
            .collect();
        let mut there = BTreeMap::new();
        let mut taken = BTreeSet::new();
        let mut new = Vec::new();
        for part in parts {
            let kept = known.iter().find(|(_, cursor)| cursor.part == part.id);
            match kept {
                Some((name, _)) => {
                    taken.insert(name.to_string().to_lowercase());
                    there.insert((*name).clone(), part);
                }
                None => new.push(part),
            }
        }
        for part in new {
            there.insert(free_name(&part, &mut taken), part);
        }
        let is_gone = |(name, cursor): &&(&StreamName, &Cursor)| {
            !cursor.is_gone && !exists.contains(&cursor.part) && !there.contains_key(*name)
        };
        let gone = known.iter().filter(is_gone);
        Self {
            gone: gone.map(|(name, _)| (*name).clone()).collect(),
            there,
        }
    }
}

/// Tabs that hold cells, in the order of the tabs, then named ranges.
fn parts(book: &Book) -> Vec<Part> {
    let part = |id: String, name: &str, tab: &Tab, area: Area| Part {
        id,
        name: name.to_owned(),
        tab: tab.id,
        title: tab.title.clone(),
        area: area.within(tab.rows, tab.columns),
        frozen: tab.frozen,
    };
    let grids = book.tabs.iter().filter(|tab| tab.is_grid && tab.rows > 0);
    let tabs = grids.map(|tab| part(format!("sheet:{}", tab.id), &tab.title, tab, tab.area()));
    let named = book.names.iter().filter_map(|named| {
        let tab = book.tab(named.tab).filter(|tab| tab.is_grid)?;
        Some(part(
            format!("range:{}", named.id),
            &named.name,
            tab,
            named.area,
        ))
    });
    tabs.chain(named).collect()
}

/// A name for a stream that is new. A dot would end a namespace, so there is none.
fn free_name(part: &Part, taken: &mut BTreeSet<String>) -> StreamName {
    let plain = part.name.trim().replace('.', "_");
    let base = match plain.is_empty() {
        true => part.id.replace(':', "_"),
        false => plain,
    };
    let numbered = (2..).map(|number| format!("{base}_{number}"));
    let mut candidates = std::iter::once(base.clone()).chain(numbered);
    let free = candidates.find(|name| taken.insert(name.to_lowercase()));
    StreamName::plain(free.unwrap_or(base))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::Named;

    fn tab(id: u64, title: &str) -> Tab {
        Tab {
            id,
            title: title.to_owned(),
            is_grid: true,
            rows: 10,
            columns: 5,
            frozen: 0,
        }
    }

    fn book(tabs: &[(u64, &str)]) -> Book {
        Book {
            tabs: tabs.iter().map(|(id, title)| tab(*id, title)).collect(),
            ..Book::default()
        }
    }

    fn state(cursors: &[(&str, u64)]) -> State<Cursor> {
        let cursor = |id: &u64| Cursor {
            spreadsheet: "1".to_owned(),
            part: format!("sheet:{id}"),
            ..Cursor::default()
        };
        State {
            streams: cursors
                .iter()
                .map(|(name, id)| (StreamName::plain(*name), cursor(id)))
                .collect(),
            ..State::default()
        }
    }

    /// Streams with the titles of their tabs, then those that have gone.
    fn shown(book: &Book, state: &State<Cursor>) -> (Vec<String>, Vec<String>) {
        let parts = Parts::of(book, Names::Read, "1", state);
        let there = parts.there.iter();
        (
            there
                .map(|(name, part)| format!("{name}={}", part.name))
                .collect(),
            parts.gone.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn a_renamed_tab_keeps_its_stream_and_a_new_one_gets_another() {
        let book = book(&[(0, "Archive"), (7, "Orders")]);
        let (there, gone) = shown(&book, &state(&[("Orders", 0)]));
        assert_eq!(there, ["Orders=Archive", "Orders_2=Orders"]);
        assert!(gone.is_empty());
    }

    #[test]
    fn the_name_of_a_tab_that_has_gone_is_free() {
        let (there, gone) = shown(
            &book(&[(7, "Orders")]),
            &state(&[("Orders", 0), ("Old", 3)]),
        );
        assert_eq!(there, ["Orders=Orders"]);
        assert_eq!(gone, ["Old"]);
    }

    #[test]
    fn names_never_collide_and_have_no_dots() {
        let book = book(&[(0, "v1.2"), (1, " V1_2 "), (2, "x")]);
        let (there, _) = shown(&book, &State::default());
        assert_eq!(there, ["V1_2_2= V1_2 ", "v1_2=v1.2", "x=x"]);
    }

    #[test]
    fn charts_and_empty_grids_are_no_streams_and_another_spreadsheet_has_its_own() {
        let mut book = book(&[(0, "Orders"), (1, "Chart"), (2, "Nothing")]);
        book.tabs[1].is_grid = false;
        book.tabs[2].rows = 0;
        book.names.push(Named {
            id: "r".to_owned(),
            name: "part".to_owned(),
            tab: 0,
            area: Area {
                rows: (2, usize::MAX),
                columns: (1, 3),
            },
        });
        let mut other = state(&[("Old", 0)]);
        for cursor in other.streams.values_mut() {
            cursor.spreadsheet = "2".to_owned();
        }
        let (there, gone) = shown(&book, &other);
        assert_eq!(there, ["Orders=Orders", "part=part"]);
        assert!(gone.is_empty());
    }
}
