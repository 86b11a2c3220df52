//! A spreadsheet: sheets of cells, names for parts of them, and what Drive says of the file.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::clock::MINUTE;

/// How long Drive may keep a change to itself while people edit.
pub const DRIVE_DELAY: i64 = 3 * MINUTE;

/// What a cell holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// A number; a date is the days since 1899-12-30.
    Number(f64),
    /// A text.
    Text(String),
    /// A truth.
    Bool(bool),
    /// What a formula failed with, such as `#N/A`.
    Error(&'static str),
}

/// How numbers in a cell look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// As they are.
    #[default]
    Plain,
    /// As money.
    Currency,
    /// As a share.
    Percent,
    /// As a day.
    Date,
    /// As a time of a day.
    Time,
    /// As a day and a time.
    DateTime,
    /// As hours, also beyond a day.
    Duration,
}

/// A cell.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// What it holds.
    pub content: Content,
    /// How it looks.
    pub format: Format,
}

impl Cell {
    /// A cell that looks like what it holds.
    #[must_use]
    pub fn plain(content: Content) -> Self {
        let format = Format::Plain;
        Self { content, format }
    }

    /// A number that looks like something else.
    #[must_use]
    pub fn number(number: f64, format: Format) -> Self {
        let content = Content::Number(number);
        Self { content, format }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::plain(Content::Text(text.to_owned()))
    }
}

impl From<f64> for Cell {
    fn from(number: f64) -> Self {
        Self::plain(Content::Number(number))
    }
}

impl From<bool> for Cell {
    fn from(truth: bool) -> Self {
        Self::plain(Content::Bool(truth))
    }
}

/// What a sheet is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SheetType {
    /// Cells.
    Grid,
    /// A chart.
    Object,
    /// A window into a database.
    DataSource,
}

/// A sheet.
#[derive(Clone, Debug)]
pub struct Sheet {
    /// What stays when it is renamed.
    pub id: u64,
    /// Its name.
    pub title: String,
    /// What it is made of.
    pub kind: SheetType,
    /// Whether people see it.
    pub hidden: bool,
    /// Rows, whether or not anything is in them.
    pub rows: usize,
    /// Columns, whether or not anything is in them.
    pub columns: usize,
    /// Rows that stay in sight.
    pub frozen: usize,
    /// Cells by row and column, from 0.
    pub(super) cells: BTreeMap<(usize, usize), Cell>,
    /// Cells that look like one: rows and columns, half open.
    pub merges: Vec<Area>,
}

/// Rows and columns from 0, without the last of each; a missing bound is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Area {
    /// The first row.
    pub from_row: Option<usize>,
    /// The row after the last.
    pub to_row: Option<usize>,
    /// The first column.
    pub from_column: Option<usize>,
    /// The column after the last.
    pub to_column: Option<usize>,
}

impl Area {
    pub(super) fn document(&self, sheet: u64) -> Value {
        let mut document = json!({ "sheetId": sheet });
        for (name, bound) in [
            ("startRowIndex", self.from_row),
            ("endRowIndex", self.to_row),
            ("startColumnIndex", self.from_column),
            ("endColumnIndex", self.to_column),
        ] {
            if let Some(bound) = bound {
                document[name] = json!(bound);
            }
        }
        document
    }
}

/// A spreadsheet.
#[derive(Clone, Debug)]
pub struct Book {
    /// Its id in its address.
    pub id: String,
    /// Its name.
    pub title: String,
    /// The zone of its local times.
    pub time_zone: String,
    /// Its sheets, in the order of their tabs.
    pub sheets: Vec<Sheet>,
    /// Names of parts: name, sheet, area.
    pub names: Vec<(String, u64, Area)>,
    /// Whether the service account was let in.
    pub shared: bool,
    /// Whether it is an Office file.
    pub office: bool,
    /// Whether it is in the bin.
    pub trashed: bool,
    /// Whether it is on a shared drive.
    pub on_shared_drive: bool,
    /// What Drive shows as the last change, and its number.
    pub(super) modified: i64,
    pub(super) version: u64,
    /// A change that Drive does not show yet.
    pub(super) pending: Option<i64>,
}

impl Book {
    pub(super) fn sheet(&self, title: &str) -> Option<&Sheet> {
        self.sheets.iter().find(|sheet| sheet.title == title)
    }

    pub(super) fn sheet_mut(&mut self, title: &str) -> &mut Sheet {
        let found = self.sheets.iter_mut().find(|sheet| sheet.title == title);
        found.unwrap_or_else(|| panic!("there is no sheet {title}"))
    }

    /// Notes that someone changed it.
    pub(super) fn touch(&mut self, now: i64) {
        self.settle(now);
        self.pending = Some(now);
        self.settle(now);
    }

    /// Shows a change in Drive once its time has come.
    pub(super) fn settle(&mut self, now: i64) {
        if let Some(at) = self.pending
            && now >= self.modified + DRIVE_DELAY
        {
            self.modified = at;
            self.version += 1;
            self.pending = None;
        }
    }
}
