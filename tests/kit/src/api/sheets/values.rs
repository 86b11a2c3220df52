//! Cells as answers show them: values, trimmed of what is empty, and grids with formats.

use serde_json::{Map, Value, json};

use super::book::{Cell, Content, Format};
use super::range::Range;
use crate::api::clock;

/// How values are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rendering {
    pub(super) values: Values,
    pub(super) times: Times,
}

/// As people see them, or as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Formatted,
    Unformatted,
}

/// Dates as numbers, or as people see them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    Serial,
    Formatted,
}

/// A range as `values:batchGet` answers it: without what is empty at the ends.
pub(super) fn value_range(range: &Range<'_>, rendering: Rendering) -> Value {
    let mut rows: Vec<Vec<Value>> = Vec::new();
    for ((row, column), cell) in &range.sheet.cells {
        let inside = (range.rows.0..range.rows.1).contains(row)
            && (range.columns.0..range.columns.1).contains(column);
        if inside {
            let (row, column) = (row - range.rows.0, column - range.columns.0);
            if rows.len() <= row {
                rows.resize(row + 1, Vec::new());
            }
            if rows[row].len() <= column {
                rows[row].resize(column + 1, json!(""));
            }
            rows[row][column] = value(cell, rendering);
        }
    }
    let mut answer = json!({"range": range.text(), "majorDimension": "ROWS"});
    if !rows.is_empty() {
        answer["values"] = json!(rows);
    }
    answer
}

fn value(cell: &Cell, rendering: Rendering) -> Value {
    if rendering.values == Values::Formatted {
        return json!(formatted(cell));
    }
    match &cell.content {
        Content::Number(_) if is_time(cell.format) && rendering.times == Times::Formatted => {
            json!(formatted(cell))
        }
        Content::Number(number) => number_value(*number),
        Content::Text(text) => json!(text),
        Content::Bool(truth) => json!(truth),
        Content::Error(error) => json!(error),
    }
}

/// Whole numbers are written without a fraction.
pub(super) fn number_value(number: f64) -> Value {
    #[allow(clippy::cast_possible_truncation)] // it was looked at
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return json!(number as i64);
    }
    json!(number)
}

fn is_time(format: Format) -> bool {
    matches!(
        format,
        Format::Date | Format::Time | Format::DateTime | Format::Duration
    )
}

/// A cell as people in the United States see it.
fn formatted(cell: &Cell) -> String {
    let number = match &cell.content {
        Content::Number(number) => *number,
        Content::Text(text) => return text.clone(),
        Content::Bool(truth) => return truth.to_string().to_uppercase(),
        Content::Error(error) => return (*error).to_owned(),
    };
    match cell.format {
        Format::Plain => number_value(number).to_string(),
        Format::Currency => format!("${number:.2}"),
        Format::Percent => format!("{:.2}%", number * 100.0),
        Format::Date => clock::format(unix(number), "%-m/%-d/%Y"),
        Format::Time => clock::format(unix(number), "%-I:%M:%S %p"),
        Format::DateTime => clock::format(unix(number), "%-m/%-d/%Y %-H:%M:%S"),
        Format::Duration => hours(number),
    }
}

/// The unix seconds of a serial number: day 0 is 1899-12-30.
#[allow(clippy::cast_possible_truncation)] // whole seconds are meant
pub(super) fn unix(serial: f64) -> i64 {
    ((serial - 25_569.0) * 86_400.0).round() as i64
}

/// A part of days as hours, also beyond a day.
#[allow(clippy::cast_possible_truncation)] // whole seconds are meant
pub(super) fn hours(days: f64) -> String {
    let seconds = (days * 86_400.0).round() as i64;
    let (sign, seconds) = (if seconds < 0 { "-" } else { "" }, seconds.abs());
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    format!("{sign}{hours:02}:{minutes:02}:{:02}", seconds % 60)
}

/// A range as `spreadsheets.get` answers it with its grid.
pub(super) fn grid(range: &Range<'_>) -> Value {
    let last = range
        .sheet
        .cells
        .keys()
        .filter(|(row, _)| *row < range.rows.1);
    let end = last.map(|(row, _)| row + 1).max().unwrap_or(0);
    let rows: Vec<_> = (range.rows.0..end)
        .map(|row| {
            let cells = range
                .sheet
                .cells
                .range((row, range.columns.0)..(row, range.columns.1));
            let width = cells.map(|((_, column), _)| column + 1).max().unwrap_or(0);
            let cells: Vec<_> = (range.columns.0..width)
                .map(|column| match range.sheet.cells.get(&(row, column)) {
                    Some(cell) => grid_cell(cell),
                    None => json!({}),
                })
                .collect();
            if cells.is_empty() {
                json!({})
            } else {
                json!({ "values": cells })
            }
        })
        .collect();
    let mut data = Map::new();
    if range.rows.0 > 0 {
        data.insert("startRow".to_owned(), json!(range.rows.0));
    }
    if range.columns.0 > 0 {
        data.insert("startColumn".to_owned(), json!(range.columns.0));
    }
    data.insert("rowData".to_owned(), json!(rows));
    Value::Object(data)
}

fn grid_cell(cell: &Cell) -> Value {
    let value = match &cell.content {
        Content::Number(number) => json!({"numberValue": number_value(*number)}),
        Content::Text(text) => json!({ "stringValue": text }),
        Content::Bool(truth) => json!({ "boolValue": truth }),
        Content::Error(error) => json!({"errorValue": {"type": "N_A", "message": error}}),
    };
    let mut shown = json!({"userEnteredValue": value, "effectiveValue": value,
        "formattedValue": formatted(cell)});
    let (kind, pattern) = match cell.format {
        Format::Plain => return shown,
        Format::Currency => ("CURRENCY", "\"$\"#,##0.00"),
        Format::Percent => ("PERCENT", "0.00%"),
        Format::Date => ("DATE", "m/d/yyyy"),
        Format::Time => ("TIME", "h:mm:ss am/pm"),
        Format::DateTime => ("DATE_TIME", "m/d/yyyy h:mm:ss"),
        Format::Duration => ("TIME", "[h]:mm:ss"),
    };
    let format = json!({"numberFormat": {"type": kind, "pattern": pattern}});
    shown["userEnteredFormat"] = format.clone();
    shown["effectiveFormat"] = format;
    shown
}
