//! Which row names the columns, and the names: never two alike, the same at every reading.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::a1::letters;
use crate::cell::Cell;
use crate::row::{ROW, Row};

/// Where the header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first row that holds anything; of rows that are frozen, the one that holds the most.
    Found,
    /// This row, from 1.
    Row(usize),
    /// Nowhere: columns are called by their letters.
    Nowhere,
}

/// Looks for the header among the rows as they come.
#[derive(Debug)]
pub(crate) struct Finder {
    place: Place,
    /// Frozen rows, as a number of rows from the top of the sheet.
    frozen: usize,
    /// Frozen rows that hold something.
    seen: Vec<Row>,
}

/// What was found.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) header: Header,
    /// Rows below the header that were looked at on the way.
    pub(crate) rows: Vec<Row>,
}

impl Finder {
    pub(crate) fn new(place: Place, frozen: usize) -> Self {
        Self {
            place,
            frozen,
            seen: Vec::new(),
        }
    }

    /// The header that needs no row.
    pub(crate) fn at_once(&self) -> Option<Header> {
        (self.place == Place::Nowhere).then(|| Header::new(&[]))
    }

    /// Takes the next row; tells the header once it is known.
    pub(crate) fn push(&mut self, row: Row) -> Option<Found> {
        match self.place {
            Place::Row(number) if row.number < number => None,
            // A configured row without a cell does not come: then there are no names.
            Place::Row(number) if row.number > number => Some(Found {
                header: Header::new(&[]),
                rows: vec![row],
            }),
            Place::Row(_) | Place::Nowhere => Some(Found {
                header: Header::new(&row.cells),
                rows: Vec::new(),
            }),
            Place::Found if row.number <= self.frozen => {
                self.seen.push(row);
                None
            }
            Place::Found => match self.finish() {
                Some(mut found) => {
                    found.rows.push(row);
                    Some(found)
                }
                None => Some(Found {
                    header: Header::new(&row.cells),
                    rows: Vec::new(),
                }),
            },
        }
    }

    /// There are no more rows. A title above the header holds fewer cells than the header does.
    pub(crate) fn finish(&mut self) -> Option<Found> {
        let mut rows = std::mem::take(&mut self.seen);
        let filled = |row: &Row| {
            row.cells
                .iter()
                .filter(|cell| **cell != Cell::Empty)
                .count()
        };
        let most = rows.iter().map(filled).max()?;
        let at = rows.iter().position(|row| filled(row) == most)?;
        let below = rows.split_off(at + 1);
        Some(Found {
            header: Header::new(&rows.pop()?.cells),
            rows: below,
        })
    }
}

/// The names of columns.
#[derive(Debug)]
pub(crate) struct Header {
    names: BTreeMap<usize, Arc<str>>,
    taken: BTreeSet<String>,
}

impl Header {
    /// Names by the cells of a row; the second of a name gets `_2`, the third `_3`.
    pub(crate) fn new(cells: &[Cell]) -> Self {
        let mut header = Self {
            names: BTreeMap::new(),
            taken: BTreeSet::from([ROW.to_owned()]),
        };
        for (column, cell) in cells.iter().enumerate() {
            let name = cell.as_name();
            if !name.is_empty() {
                header.add(column, &name);
            }
        }
        header
    }

    fn add(&mut self, column: usize, base: &str) -> Arc<str> {
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let mut candidates = std::iter::once(base.to_owned()).chain(numbered);
        let free = candidates.find(|name| self.taken.insert(name.to_lowercase()));
        let name: Arc<str> = free.unwrap_or_default().into();
        self.names.insert(column, name.clone());
        name
    }

    /// The name of a column that holds something; `offset` is where the columns begin in the sheet.
    pub(crate) fn name(&mut self, column: usize, offset: usize) -> Arc<str> {
        match self.names.get(&column) {
            Some(name) => name.clone(),
            None => self.add(column, &format!("column_{}", letters(column + offset))),
        }
    }

    /// The names that the header gives, in the order of the columns.
    pub(crate) fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        self.names.values()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn row(number: usize, cells: &[&str]) -> Row {
        let cell = |text: &&str| match text.is_empty() {
            true => Cell::Empty,
            false => Cell::Text((*text).to_owned()),
        };
        Row {
            number,
            cells: cells.iter().map(cell).collect(),
        }
    }

    fn names(header: &Header) -> Vec<String> {
        header.names().map(ToString::to_string).collect()
    }

    #[test]
    fn names_are_never_two_alike() {
        let cells = row(1, &["id", "", "ID", "id", "_row", "a\n b"]).cells;
        let mut header = Header::new(&cells);
        assert_eq!(names(&header), ["id", "ID_2", "id_3", "_row_2", "a b"]);
        assert_eq!(&*header.name(1, 0), "column_B");
        assert_eq!(&*header.name(1, 0), "column_B");
        assert_eq!(&*header.name(26, 1), "column_AB");
    }

    #[test]
    fn the_header_is_the_first_row_that_holds_anything() {
        let mut finder = Finder::new(Place::Found, 0);
        let found = finder.push(row(3, &["a", "b"])).unwrap();
        assert_eq!(names(&found.header), ["a", "b"]);
        assert!(found.rows.is_empty());
    }

    #[test]
    fn a_title_in_frozen_rows_is_not_the_header() {
        let mut finder = Finder::new(Place::Found, 3);
        assert!(finder.push(row(1, &["Report"])).is_none());
        assert!(finder.push(row(2, &["a", "b"])).is_none());
        assert!(finder.push(row(3, &["kg", "cm"])).is_none());
        let found = finder.push(row(4, &["1", "2"])).unwrap();
        assert_eq!(names(&found.header), ["a", "b"]);
        let numbers: Vec<_> = found.rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [3, 4]);
    }

    #[test]
    fn a_configured_row_is_taken_and_may_be_empty() {
        let mut finder = Finder::new(Place::Row(2), 0);
        assert!(finder.push(row(1, &["Report"])).is_none());
        assert_eq!(names(&finder.push(row(2, &["a"])).unwrap().header), ["a"]);
        let mut finder = Finder::new(Place::Row(2), 0);
        let found = finder.push(row(3, &["x"])).unwrap();
        assert_eq!((names(&found.header).len(), found.rows.len()), (0, 1));
        assert!(Finder::new(Place::Nowhere, 0).at_once().is_some());
    }
}
