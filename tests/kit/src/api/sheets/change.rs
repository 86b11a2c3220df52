//! What people do to a spreadsheet.

use std::collections::BTreeMap;

use super::Sheets;
use super::book::{Area, Book, Cell, Sheet, SheetType};

impl Sheets {
    /// Makes a spreadsheet without sheets; returns its id.
    pub fn create_book(&mut self, title: &str, now: i64) -> String {
        let id = format!("1{:043}", self.books.len() + 1);
        let book = Book {
            id: id.clone(),
            title: title.to_owned(),
            time_zone: "Europe/Berlin".to_owned(),
            sheets: Vec::new(),
            names: Vec::new(),
            shared: true,
            office: false,
            trashed: false,
            on_shared_drive: false,
            modified: now,
            version: 1,
            pending: None,
        };
        self.books.push(book);
        id
    }

    /// The spreadsheet, where there is one.
    ///
    /// # Panics
    /// Panics where there is none.
    pub fn only_book(&mut self) -> &mut Book {
        self.books.first_mut().expect("a spreadsheet")
    }

    /// A spreadsheet, to be changed without anybody's notice.
    ///
    /// # Panics
    /// Panics where there is none of this id.
    pub fn book(&mut self, id: &str) -> &mut Book {
        let found = self.books.iter_mut().find(|book| book.id == id);
        found.unwrap_or_else(|| panic!("there is no spreadsheet {id}"))
    }
}

impl Book {
    /// Adds a sheet with rows and columns to spare; returns its id.
    pub fn add_sheet(&mut self, title: &str, rows: &[Vec<Cell>], now: i64) -> u64 {
        let id = self
            .sheets
            .iter()
            .map(|sheet| sheet.id)
            .max()
            .map_or(0, |id| id + 7);
        let width = rows.iter().map(Vec::len).max().unwrap_or(0);
        let mut sheet = Sheet {
            id,
            title: title.to_owned(),
            kind: SheetType::Grid,
            hidden: false,
            rows: (rows.len() + 10).max(20),
            columns: (width + 3).max(10),
            frozen: 0,
            cells: BTreeMap::new(),
            merges: Vec::new(),
        };
        for (row, cells) in rows.iter().enumerate() {
            for (column, cell) in cells.iter().enumerate() {
                sheet.put(row, column, cell.clone());
            }
        }
        self.sheets.push(sheet);
        self.touch(now);
        id
    }

    /// Removes a sheet.
    pub fn remove_sheet(&mut self, title: &str, now: i64) {
        self.sheets.retain(|sheet| sheet.title != title);
        self.touch(now);
    }

    /// Renames a sheet.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn rename_sheet(&mut self, title: &str, new: &str, now: i64) {
        new.clone_into(&mut self.sheet_mut(title).title);
        self.touch(now);
    }

    /// Names a part of a sheet.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn name_area(&mut self, name: &str, title: &str, area: Area, now: i64) {
        let id = self.sheet_mut(title).id;
        self.names.push((name.to_owned(), id, area));
        self.touch(now);
    }

    /// Writes a cell; rows and columns count from 0.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn set(&mut self, title: &str, at: (usize, usize), cell: impl Into<Cell>, now: i64) {
        self.sheet_mut(title).put(at.0, at.1, cell.into());
        self.touch(now);
    }

    /// Empties a cell.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn clear(&mut self, title: &str, at: (usize, usize), now: i64) {
        self.sheet_mut(title).cells.remove(&at);
        self.touch(now);
    }

    /// A formula gets another value, which is nobody's change.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn recalculate(&mut self, title: &str, at: (usize, usize), cell: impl Into<Cell>) {
        self.sheet_mut(title).put(at.0, at.1, cell.into());
    }

    /// Adds a row below the last that holds anything.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn append(&mut self, title: &str, cells: &[Cell], now: i64) {
        let sheet = self.sheet_mut(title);
        let row = sheet.used_rows();
        for (column, cell) in cells.iter().enumerate() {
            sheet.put(row, column, cell.clone());
        }
        self.touch(now);
    }

    /// Takes a row out; those below move up, and the grid shrinks.
    ///
    /// # Panics
    /// Panics where there is no such sheet.
    pub fn delete_row(&mut self, title: &str, row: usize, now: i64) {
        let sheet = self.sheet_mut(title);
        let cells = std::mem::take(&mut sheet.cells);
        sheet.cells = cells
            .into_iter()
            .filter(|((at, _), _)| *at != row)
            .map(|((at, column), cell)| ((if at > row { at - 1 } else { at }, column), cell))
            .collect();
        sheet.rows -= 1;
        self.touch(now);
    }
}

impl Sheet {
    fn put(&mut self, row: usize, column: usize, cell: Cell) {
        self.rows = self.rows.max(row + 1);
        self.columns = self.columns.max(column + 1);
        self.cells.insert((row, column), cell);
    }

    /// Rows up to the last that holds anything.
    pub(super) fn used_rows(&self) -> usize {
        self.cells.keys().map(|(row, _)| row + 1).max().unwrap_or(0)
    }
}
