//! What Google is asked, and its answers put into our terms.
//!
//! Values come without formats, and formats without values: whatever only a format tells, that a
//! number is a date or a text a failure, is asked for in a second request, and only where there are
//! such values.

use std::ops::Range;

use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result};
use tributary_rest::{Http, Reply};

use crate::a1::Area;
use crate::book::{Book, FIELDS};
use crate::cell::{Cell, Format};
use crate::config::Account;
use crate::cursor::FileVersion;
use crate::refusal::{self, Asked, Refusal};
use crate::row::Row;

/// Where Drive is.
pub(crate) const DRIVE: &str = "https://www.googleapis.com";
/// What is asked about the formats of cells.
const GRID: &str = "sheets(properties(sheetId),data(startRow,startColumn,\
                    rowData(values(effectiveValue(errorValue),effectiveFormat(numberFormat)))))";

/// A spreadsheet at Google.
#[derive(Debug)]
pub(crate) struct Google {
    pub(crate) http: Http,
    pub(crate) account: Account,
    pub(crate) spreadsheet: String,
}

/// What Drive says.
#[derive(Debug)]
pub(crate) enum Drive {
    Told(File),
    /// It does not tell: then everything is read each time.
    Silent(Error),
}

/// A file.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) version: FileVersion,
    pub(crate) is_trashed: bool,
}

/// Some cells of a tab.
#[derive(Clone, Debug)]
pub(crate) struct Spot<'a> {
    pub(crate) tab: u64,
    pub(crate) title: &'a str,
    pub(crate) area: Area,
}

/// What came of asking for cells.
#[derive(Debug)]
pub(crate) enum Got<T> {
    Cells(T),
    /// The tab is not as it was.
    Moved(Error),
    /// Ask for fewer.
    TooMuch(Error),
}

impl Google {
    /// Proves who asks.
    pub(crate) async fn log_in(&self) -> Result<()> {
        let outcome = self.http.log_in().await;
        outcome.map_err(|error| refusal::login(error, &self.account))
    }

    /// The spreadsheet's tabs and names.
    pub(crate) async fn book(&self) -> Result<Book> {
        let params = [("includeGridData", "false"), ("fields", FIELDS)];
        match self.http.get(&self.path(""), &params).await? {
            Reply::Page(answer) => Book::read(&answer),
            Reply::Refused { status, body } => Err(self.refused(status, &body)),
            Reply::TooMuch(error) => Err(error),
        }
    }

    /// What Drive says of the file.
    pub(crate) async fn file(&self) -> Result<Drive> {
        let address = format!("{DRIVE}/drive/v3/files/{}", self.spreadsheet);
        let params = [
            ("fields", "id,name,mimeType,modifiedTime,version,trashed"),
            // Without it a file of a shared drive is not found.
            ("supportsAllDrives", "true"),
        ];
        Ok(match self.http.get(&address, &params).await {
            Ok(Reply::Page(answer)) => match File::read(&answer) {
                Some(file) => Drive::Told(file),
                None => Drive::Silent(Error::new(
                    ErrorKind::Malformed,
                    "Drive does not say when the spreadsheet changed",
                )),
            },
            Ok(Reply::Refused { status, body }) => {
                let refusal = Refusal::read(status, &body);
                Drive::Silent(refusal.error(Asked::File, &self.account))
            }
            Ok(Reply::TooMuch(error)) => Drive::Silent(error),
            Err(error) => match error.kind() {
                ErrorKind::Unavailable | ErrorKind::Throttled(_) => Drive::Silent(error),
                _ => return Err(error),
            },
        })
    }

    /// Rows of each spot that hold anything.
    pub(crate) async fn cells(&self, spots: &[Spot<'_>]) -> Result<Got<Vec<Vec<Row>>>> {
        let values = match self.values(spots).await? {
            Got::Cells(values) => values,
            Got::Moved(error) => return Ok(Got::Moved(error)),
            Got::TooMuch(error) => return Ok(Got::TooMuch(error)),
        };
        let unclear: Vec<Option<Spot<'_>>> = spots
            .iter()
            .zip(&values)
            .map(|(spot, values)| values.unclear(spot))
            .collect();
        let asked: Vec<Spot<'_>> = unclear.iter().flatten().cloned().collect();
        let mut formats = match self.formats(&asked).await? {
            Got::Cells(formats) => formats.into_iter(),
            Got::Moved(error) => return Ok(Got::Moved(error)),
            Got::TooMuch(error) => return Ok(Got::TooMuch(error)),
        };
        let mut found = Vec::with_capacity(spots.len());
        for ((spot, values), unclear) in spots.iter().zip(&values).zip(&unclear) {
            let formats = match unclear {
                Some(_) => formats.next().unwrap_or_default(),
                None => Formats::default(),
            };
            found.push(values.rows(spot, &formats));
        }
        Ok(Got::Cells(found))
    }

    async fn values(&self, spots: &[Spot<'_>]) -> Result<Got<Vec<Values>>> {
        let ranges = ranges(spots);
        let mut params = params(&ranges);
        params.extend([
            ("majorDimension", "ROWS"),
            ("valueRenderOption", "UNFORMATTED_VALUE"),
            ("dateTimeRenderOption", "SERIAL_NUMBER"),
        ]);
        let answer = match self.ask("/values:batchGet", &params).await? {
            Got::Cells(answer) => answer,
            Got::Moved(error) => return Ok(Got::Moved(error)),
            Got::TooMuch(error) => return Ok(Got::TooMuch(error)),
        };
        let ranges = answer.get("valueRanges").and_then(Value::as_array);
        let values: Vec<Values> = ranges.into_iter().flatten().map(Values::read).collect();
        match values.len() == spots.len() {
            true => Ok(Got::Cells(values)),
            false => Err(Error::new(
                ErrorKind::Malformed,
                "Google answers with other ranges than it was asked for",
            )),
        }
    }

    async fn formats(&self, spots: &[Spot<'_>]) -> Result<Got<Vec<Formats>>> {
        if spots.is_empty() {
            return Ok(Got::Cells(Vec::new()));
        }
        let ranges = ranges(spots);
        let mut params = params(&ranges);
        params.extend([("includeGridData", "true"), ("fields", GRID)]);
        Ok(match self.ask("", &params).await? {
            Got::Cells(answer) => Got::Cells(Formats::read(&answer, spots)),
            Got::Moved(error) => Got::Moved(error),
            Got::TooMuch(error) => Got::TooMuch(error),
        })
    }

    async fn ask(&self, what: &str, params: &[(&str, &str)]) -> Result<Got<Value>> {
        Ok(match self.http.get(&self.path(what), params).await? {
            Reply::Page(answer) => Got::Cells(answer),
            Reply::Refused { status, body } => {
                let refusal = Refusal::read(status, &body);
                let error = refusal.error(Asked::Spreadsheet, &self.account);
                match refusal.is_moved() {
                    true => Got::Moved(error),
                    false => return Err(error),
                }
            }
            Reply::TooMuch(error) => Got::TooMuch(error),
        })
    }

    fn path(&self, what: &str) -> String {
        format!("/v4/spreadsheets/{}{what}", self.spreadsheet)
    }

    fn refused(&self, status: u16, body: &Value) -> Error {
        Refusal::read(status, body).error(Asked::Spreadsheet, &self.account)
    }
}

fn ranges(spots: &[Spot<'_>]) -> Vec<String> {
    spots
        .iter()
        .map(|spot| spot.area.text(spot.title))
        .collect()
}

fn params(ranges: &[String]) -> Vec<(&'static str, &str)> {
    ranges
        .iter()
        .map(|range| ("ranges", range.as_str()))
        .collect()
}

impl File {
    fn read(answer: &Value) -> Option<Self> {
        let modified = answer.get("modifiedTime")?.as_str()?;
        let modified = chrono::DateTime::parse_from_rfc3339(modified).ok()?;
        let version = match answer.get("version") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => String::new(),
        };
        Some(Self {
            version: FileVersion {
                modified: modified.timestamp(),
                version,
            },
            is_trashed: answer.get("trashed") == Some(&Value::Bool(true)),
        })
    }
}

/// Values of a spot, without what is empty at the ends.
#[derive(Debug)]
struct Values(Vec<Vec<Value>>);

impl Values {
    fn read(range: &Value) -> Self {
        let rows = range.get("values").and_then(Value::as_array);
        let cells = |row: &Value| row.as_array().cloned().unwrap_or_default();
        Self(rows.into_iter().flatten().map(cells).collect())
    }

    /// The part of the spot whose formats must be known.
    fn unclear<'a>(&self, spot: &Spot<'a>) -> Option<Spot<'a>> {
        let mut rows: Option<Range<usize>> = None;
        let mut columns: Option<Range<usize>> = None;
        for (row, cells) in self.0.iter().enumerate() {
            for (column, value) in cells.iter().enumerate() {
                if Cell::needs_format(value) {
                    widen(&mut rows, row);
                    widen(&mut columns, column);
                }
            }
        }
        let (rows, columns) = (rows?, columns?);
        let (top, left) = (spot.area.rows.0, spot.area.columns.0);
        Some(Spot {
            tab: spot.tab,
            title: spot.title,
            area: Area {
                rows: (top + rows.start, top + rows.end),
                columns: (left + columns.start, left + columns.end),
            },
        })
    }

    fn rows(&self, spot: &Spot<'_>, formats: &Formats) -> Vec<Row> {
        let (top, left) = (spot.area.rows.0, spot.area.columns.0);
        let mut found = Vec::with_capacity(self.0.len());
        for (row, values) in self.0.iter().enumerate() {
            let cell = |(column, value): (usize, &Value)| {
                Cell::new(value, formats.at(top + row, left + column))
            };
            let cells: Vec<Cell> = values.iter().enumerate().map(cell).collect();
            if cells.iter().any(|cell| *cell != Cell::Empty) {
                found.push(Row {
                    number: top + row + 1,
                    cells,
                });
            }
        }
        found
    }
}

fn widen(range: &mut Option<Range<usize>>, at: usize) {
    *range = Some(match range.take() {
        None => at..at + 1,
        Some(range) => range.start.min(at)..range.end.max(at + 1),
    });
}

/// How the numbers of some cells are shown.
#[derive(Debug, Default)]
struct Formats {
    top: usize,
    left: usize,
    rows: Vec<Vec<Format>>,
}

impl Formats {
    /// One for each spot, in their order.
    fn read(answer: &Value, spots: &[Spot<'_>]) -> Vec<Self> {
        let mut seen: Vec<u64> = Vec::new();
        let mut found = Vec::with_capacity(spots.len());
        for spot in spots {
            // The ranges of a tab stand beneath it, in the order in which they were asked for.
            let nth = seen.iter().filter(|tab| **tab == spot.tab).count();
            seen.push(spot.tab);
            let sheets = answer.get("sheets").and_then(Value::as_array);
            let id = |sheet: &Value| sheet.pointer("/properties/sheetId").and_then(Value::as_u64);
            let mut sheets = sheets.into_iter().flatten();
            let sheet = sheets.find(|sheet| id(sheet).unwrap_or(0) == spot.tab);
            let grid = sheet.and_then(|sheet| sheet.get("data")?.as_array()?.get(nth));
            found.push(grid.map(Self::grid).unwrap_or_default());
        }
        found
    }

    fn grid(grid: &Value) -> Self {
        let start = |name: &str| {
            let start = grid.get(name).and_then(Value::as_u64).unwrap_or(0);
            usize::try_from(start).unwrap_or(0)
        };
        let rows = grid.get("rowData").and_then(Value::as_array);
        let formats = |row: &Value| -> Vec<Format> {
            let cells = row.get("values").and_then(Value::as_array);
            cells.into_iter().flatten().map(Format::read).collect()
        };
        Self {
            top: start("startRow"),
            left: start("startColumn"),
            rows: rows.into_iter().flatten().map(formats).collect(),
        }
    }

    fn at(&self, row: usize, column: usize) -> Format {
        let inside = || {
            let row = self.rows.get(row.checked_sub(self.top)?)?;
            row.get(column.checked_sub(self.left)?)
        };
        inside().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spot() -> Spot<'static> {
        Spot {
            tab: 7,
            title: "Orders",
            area: Area {
                rows: (10, 20),
                columns: (2, 6),
            },
        }
    }

    #[test]
    fn only_what_is_unclear_is_asked_about() {
        let values =
            Values::read(&json!({"values": [["a", "b"], [], ["", 7, "#N/A"], ["x", true]]}));
        let unclear = values
            .unclear(&spot())
            .map(|spot| spot.area.text(spot.title));
        assert_eq!(unclear.as_deref(), Some("'Orders'!D13:E13"));
        assert!(Values::read(&json!({})).unclear(&spot()).is_none());
        let formats = Formats::read(
            &json!({"sheets": [{"properties": {"sheetId": 7}, "data": [{"startRow": 12,
                "startColumn": 3, "rowData": [{"values": [
                    {"effectiveFormat": {"numberFormat": {"type": "DATE"}}},
                    {"effectiveValue": {"errorValue": {"type": "N_A"}}}]}]}]}]}),
            &[spot()],
        );
        let rows = values.rows(&spot(), &formats[0]);
        let numbers: Vec<_> = rows.iter().map(|row| row.number).collect();
        assert_eq!(numbers, [11, 13, 14]);
        let failed = vec![Cell::Empty, Cell::Date(7 - 25_569), Cell::Failed];
        assert_eq!(rows[1].cells, failed);
    }

    #[test]
    fn a_file_has_a_version() {
        let file = File::read(
            &json!({"modifiedTime": "2026-01-02T03:04:05.678Z", "version": "12",
            "trashed": true}),
        );
        let file = file.expect("it is one");
        assert_eq!(
            (file.version.modified, file.is_trashed),
            (1_767_323_045, true)
        );
        assert_eq!(file.version.version, "12");
        assert!(File::read(&json!({"id": "x"})).is_none());
    }
}
