//! Google Sheets, and as much of Drive as tells when a file changed.
//!
//! What the real one does and this one does too: values end with the last cell that holds anything;
//! a date is a number unless its format is asked for; a sheet called like a cell must be quoted; a
//! range beyond the grid is an error; Drive tells of changes minutes later, and not at all of what
//! formulas compute; a token is given against a signed assertion, which is verified here.
//! Deliberately absent: everything that writes.

mod book;
mod change;
mod drive;
mod error;
mod mask;
mod range;
mod token;
mod truth;
mod values;

use std::time::Duration;

use serde_json::{Value, json};

pub use self::book::{Area, Book, Cell, Content, DRIVE_DELAY, Format, Sheet, SheetType};
use self::error::Failure;
use self::mask::Mask;
use self::token::Tokens;
use self::values::{Rendering, Times, Values};
use super::exchange::{Reply, Request};
use super::limits::{Limit, Refusal};
use super::simulator::Vendor;

/// A user's spreadsheets, and the service account that may read some of them.
#[derive(Clone, Debug)]
pub struct Sheets {
    books: Vec<Book>,
    tokens: Tokens,
    /// Whether the project may use the Sheets API.
    pub sheets_enabled: bool,
    /// Whether the project may use the Drive API.
    pub drive_enabled: bool,
    /// Requests for more cells than this time out.
    pub slow_above: Option<usize>,
}

impl Sheets {
    /// Nothing yet.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            books: Vec::new(),
            tokens: Tokens::new(seed),
            sheets_enabled: true,
            drive_enabled: true,
            slow_above: None,
        }
    }

    /// The service account's key file.
    #[must_use]
    pub fn key_file(&self) -> Value {
        self.tokens.key_file()
    }

    /// The address that a sheet must be shared with.
    #[must_use]
    pub fn client_email(&self) -> &str {
        &self.tokens.client_email
    }

    /// A user's OAuth client: its id, its secret, and the refresh token.
    #[must_use]
    pub fn oauth(&self) -> (String, String, String) {
        let Tokens {
            client_id,
            client_secret,
            refresh,
            ..
        } = &self.tokens;
        (client_id.clone(), client_secret.clone(), refresh.clone())
    }

    /// Takes the service account's key and the user's consent away.
    pub fn revoke(&mut self) {
        self.tokens.key_works = false;
        self.tokens.refresh.push_str("-revoked");
        self.tokens.expire();
    }

    /// Sixty reads a minute for one user. A test may give a shorter minute.
    #[must_use]
    pub fn limits(minute: Duration) -> Vec<Limit> {
        vec![Limit::rate("ReadRequestsPerMinutePerUser", 60, minute).on("/v4/*")]
    }

    fn route(&mut self, request: &Request, now: i64) -> Result<Value, Failure> {
        let segments = request.segments();
        match segments[..] {
            ["drive", "v3", "files"] => self.files(request, now),
            ["drive", "v3", "files", id] => self.file(id, request, now),
            ["v4", "spreadsheets", id] => {
                let book = self.readable(id, request, now)?;
                get(book, request)
            }
            ["v4", "spreadsheets", id, "values:batchGet"] => {
                let ranges: Vec<_> = request.params("ranges").collect();
                self.values(id, &ranges, request, now)
            }
            ["v4", "spreadsheets", id, "values", range] => {
                let mut answer = self.values(id, &[range], request, now)?;
                Ok(answer["valueRanges"][0].take())
            }
            _ => Err(Failure::not_found()),
        }
    }

    /// The spreadsheet, if the caller may read it.
    fn readable(&self, id: &str, request: &Request, now: i64) -> Result<&Book, Failure> {
        let scopes = self
            .tokens
            .scopes(request, now)
            .ok_or_else(Failure::unauthenticated)?;
        if !scopes.contains("auth/spreadsheets") && !scopes.contains("auth/drive") {
            return Err(Failure::no_scope());
        }
        if !self.sheets_enabled {
            return Err(Failure::disabled(
                "Google Sheets API",
                "sheets.googleapis.com",
            ));
        }
        let book = self
            .books
            .iter()
            .find(|book| book.id == id)
            .ok_or_else(Failure::not_found)?;
        match book {
            Book { shared: false, .. } => Err(Failure::forbidden()),
            Book { office: true, .. } => Err(Failure::office()),
            book => Ok(book),
        }
    }

    fn values(
        &self,
        id: &str,
        ranges: &[&str],
        request: &Request,
        now: i64,
    ) -> Result<Value, Failure> {
        let book = self.readable(id, request, now)?;
        let rendering = rendering(request)?;
        let mut answers = Vec::new();
        let mut cells = 0;
        for text in ranges {
            let range = book.range(text)?;
            cells += (range.rows.1 - range.rows.0) * (range.columns.1 - range.columns.0);
            answers.push(values::value_range(&range, rendering));
        }
        if self.slow_above.is_some_and(|limit| cells > limit) {
            return Err(Failure::planned(504));
        }
        let mut answer = json!({"spreadsheetId": id, "valueRanges": answers});
        if let Some(text) = request.param("fields") {
            mask(text)?.apply(&mut answer);
        }
        Ok(answer)
    }
}

fn rendering(request: &Request) -> Result<Rendering, Failure> {
    let unknown =
        |name: &str, text: &str| Failure::invalid(format!("Invalid value at '{name}' ({text})"));
    if let Some(major) = request
        .param("majorDimension")
        .filter(|major| *major != "ROWS")
    {
        return Err(unknown("majorDimension", major));
    }
    let values = match request.param("valueRenderOption") {
        None | Some("FORMATTED_VALUE") => Values::Formatted,
        Some("UNFORMATTED_VALUE" | "FORMULA") => Values::Unformatted,
        Some(other) => return Err(unknown("value_render_option", other)),
    };
    let times = match request.param("dateTimeRenderOption") {
        None | Some("SERIAL_NUMBER") => Times::Serial,
        Some("FORMATTED_STRING") => Times::Formatted,
        Some(other) => return Err(unknown("date_time_render_option", other)),
    };
    Ok(Rendering { values, times })
}

fn mask(text: &str) -> Result<Mask, Failure> {
    Mask::parse(text).ok_or_else(|| {
        Failure::invalid(format!(
            "Request contains an invalid argument: fields={text}"
        ))
    })
}

/// The spreadsheet's properties, and its cells where they are asked for.
fn get(book: &Book, request: &Request) -> Result<Value, Failure> {
    let mask = request.param("fields").map(mask).transpose()?;
    let with_grid = match &mask {
        Some(mask) => mask.wants(&["sheets", "data"]),
        None => request.param("includeGridData") == Some("true"),
    };
    let ranges: Vec<_> = request
        .params("ranges")
        .map(|text| book.range(text))
        .collect::<Result<_, _>>()?;
    let mut sheets = Vec::new();
    for (index, sheet) in book.sheets.iter().enumerate() {
        let mut shown = properties(sheet, index);
        let wanted: Vec<_> = ranges
            .iter()
            .filter(|range| range.sheet.id == sheet.id)
            .collect();
        if !ranges.is_empty() && wanted.is_empty() {
            continue;
        }
        if with_grid && sheet.kind == SheetType::Grid {
            let whole = [book.range(&format!("'{}'", sheet.title.replace('\'', "''")))?];
            let wanted = if wanted.is_empty() {
                whole.iter().collect()
            } else {
                wanted
            };
            shown["data"] = wanted.into_iter().map(values::grid).collect();
        }
        sheets.push(shown);
    }
    let names = book.names.iter().enumerate().map(|(index, (name, sheet, area))| {
        json!({"namedRangeId": index.to_string(), "name": name, "range": area.document(*sheet)})
    });
    let mut answer = json!({
        "spreadsheetId": book.id,
        "properties": {"title": book.title, "locale": "en_US", "autoRecalc": "ON_CHANGE",
            "timeZone": book.time_zone},
        "sheets": sheets,
        "namedRanges": names.collect::<Vec<_>>(),
        "spreadsheetUrl": format!("https://docs.google.com/spreadsheets/d/{}/edit", book.id),
    });
    if let Some(mask) = mask {
        mask.apply(&mut answer);
    }
    Ok(answer)
}

fn properties(sheet: &Sheet, index: usize) -> Value {
    let kind = match sheet.kind {
        SheetType::Grid => "GRID",
        SheetType::Object => "OBJECT",
        SheetType::DataSource => "DATA_SOURCE",
    };
    let mut properties = json!({"sheetId": sheet.id, "title": sheet.title, "index": index,
        "sheetType": kind});
    if sheet.kind != SheetType::Object {
        let mut grid = json!({"rowCount": sheet.rows, "columnCount": sheet.columns});
        if sheet.frozen > 0 {
            grid["frozenRowCount"] = json!(sheet.frozen);
        }
        properties["gridProperties"] = grid;
    }
    if sheet.hidden {
        properties["hidden"] = json!(true);
    }
    let mut shown = json!({ "properties": properties });
    if !sheet.merges.is_empty() {
        shown["merges"] = sheet
            .merges
            .iter()
            .map(|area| area.document(sheet.id))
            .collect();
    }
    shown
}

impl Vendor for Sheets {
    fn answer(&mut self, request: &Request, now: i64) -> Reply {
        if request.path == "/token" && request.method == "POST" {
            return self.tokens.token(request, now);
        }
        match self.route(request, now) {
            Ok(body) => Reply::json(200, &body),
            Err(failure) => failure.reply(),
        }
    }

    fn failure(&self, status: u16) -> Reply {
        Failure::planned(status).reply()
    }

    /// Nothing says how long to wait.
    fn throttled(&self, _refusal: Refusal) -> Reply {
        Failure::exhausted().reply()
    }

    /// One service account is one user, whatever its token of the hour.
    fn credential(&self, _request: &Request) -> String {
        self.tokens.client_email.clone()
    }

    fn expire_tokens(&mut self) {
        self.tokens.expire();
    }
}

#[cfg(test)]
mod tests;
