//! What the table of a sheet must hold: a row for each row below the header, known by its number. The
//! header is the first row that holds anything; of frozen rows, the one that holds the most.

use serde_json::{Value, json};
use tributary_model::Row;

use super::Sheets;
use super::book::{Cell, Content, Format, Sheet};
use super::range::letters;
use super::values;
use crate::api::clock;
use crate::api::truth::Truth;

impl Sheets {
    /// What the table of a sheet must hold whose first row is its header.
    ///
    /// # Panics
    /// Panics where there is no such spreadsheet or sheet.
    #[must_use]
    pub fn truth(&self, book: &str, title: &str) -> Truth {
        let book = self
            .books
            .iter()
            .find(|other| other.id == book)
            .expect("a spreadsheet");
        let sheet = book.sheet(title).expect("a sheet");
        let top = header_row(sheet);
        let names = names(sheet, top);
        let mut truth = Truth::keyed(&["_row"]);
        for row in top + 1..sheet.used_rows() {
            let mut cells = Row::new();
            for (column, name) in &names {
                let cell = sheet.cells.get(&(row, *column));
                cells.insert(name.clone(), cell.map_or(Value::Null, typed));
            }
            let empty = cells.values().all(Value::is_null);
            cells.insert("_row".to_owned(), json!(row + 1));
            // Nobody says whether a row of nothing is a row.
            if empty {
                truth.add_perhaps(cells);
            } else {
                truth.add(cells);
            }
        }
        truth
    }
}

fn header_row(sheet: &Sheet) -> usize {
    let filled = |row: &usize| sheet.cells.range((*row, 0)..(row + 1, 0)).count();
    let frozen = (0..sheet.frozen).filter(|row| filled(row) > 0);
    let most = frozen.rev().max_by_key(filled);
    most.or_else(|| sheet.cells.keys().next().map(|(row, _)| *row))
        .unwrap_or(0)
}

/// The columns that have a name, or values: a column without either is none.
fn names(sheet: &Sheet, top: usize) -> Vec<(usize, String)> {
    let mut names: Vec<(usize, String)> = Vec::new();
    for column in 0..sheet.columns {
        let header = sheet
            .cells
            .get(&(top, column))
            .map(header)
            .unwrap_or_default();
        let used = sheet
            .cells
            .keys()
            .any(|(row, at)| *at == column && *row > top);
        let base = match header.as_str() {
            "" if used => format!("column_{}", letters(column)),
            "" => continue,
            header => header.to_owned(),
        };
        let taken = |name: &str| {
            names
                .iter()
                .any(|(_, other)| other.eq_ignore_ascii_case(name))
        };
        let numbered = (2..).map(|number| format!("{base}_{number}"));
        let mut candidates = std::iter::once(base.clone()).chain(numbered);
        let name = candidates.find(|name| !taken(name)).unwrap_or(base);
        names.push((column, name));
    }
    names
}

fn header(cell: &Cell) -> String {
    let text = match &cell.content {
        Content::Number(_) if cell.format == Format::Date => {
            typed(cell).as_str().unwrap_or_default().to_owned()
        }
        Content::Number(number) => values::number_value(*number).to_string(),
        Content::Text(text) => text.clone(),
        Content::Bool(truth) => truth.to_string(),
        Content::Error(_) => String::new(),
    };
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A cell's value with its type; what a formula failed with is no value.
fn typed(cell: &Cell) -> Value {
    match &cell.content {
        Content::Number(number) => match cell.format {
            Format::Date if number.fract() == 0.0 => {
                json!(clock::format(values::unix(*number), "%Y-%m-%d"))
            }
            Format::Date | Format::DateTime => {
                json!(clock::format(values::unix(*number), "%Y-%m-%d %H:%M:%S"))
            }
            Format::Time if (0.0..1.0).contains(number) => {
                json!(clock::format(values::unix(*number), "%H:%M:%S"))
            }
            Format::Time | Format::Duration => json!(values::hours(*number)),
            Format::Plain | Format::Currency | Format::Percent => values::number_value(*number),
        },
        // An empty text and an empty cell look alike.
        Content::Text(text) if text.is_empty() => Value::Null,
        Content::Text(text) => json!(text),
        Content::Bool(truth) => json!(truth),
        Content::Error(_) => Value::Null,
    }
}
