//! What Drive says of files: late, and nothing of formulas.

use serde_json::{Value, json};

use super::Sheets;
use super::book::Book;
use super::error::Failure;
use super::mask::Mask;
use crate::api::clock::rfc3339;
use crate::api::exchange::Request;

const SPREADSHEET: &str = "application/vnd.google-apps.spreadsheet";
const OFFICE: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

impl Sheets {
    /// One file.
    pub(super) fn file(&mut self, id: &str, request: &Request, now: i64) -> Result<Value, Failure> {
        self.check_drive(request, now)?;
        let all_drives = request.param("supportsAllDrives") == Some("true");
        let book = self.books.iter_mut().find(|book| book.id == id);
        let book = book.filter(|book| book.shared && (all_drives || !book.on_shared_drive));
        let book = book.ok_or_else(Failure::not_found)?;
        book.settle(now);
        let mut shown = file(book);
        mask_of(request)?.apply(&mut shown);
        Ok(shown)
    }

    /// Files, a page at a time.
    pub(super) fn files(&mut self, request: &Request, now: i64) -> Result<Value, Failure> {
        self.check_drive(request, now)?;
        let start: usize = request
            .param("pageToken")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let size: usize = request
            .param("pageSize")
            .and_then(|text| text.parse().ok())
            .unwrap_or(100);
        self.books.iter_mut().for_each(|book| book.settle(now));
        let seen: Vec<_> = self
            .books
            .iter()
            .filter(|book| book.shared && !book.trashed)
            .collect();
        let page: Vec<_> = seen
            .iter()
            .skip(start)
            .take(size)
            .map(|book| file(book))
            .collect();
        let end = start + page.len();
        let mut answer = json!({"kind": "drive#fileList", "files": page});
        if end < seen.len() {
            answer["nextPageToken"] = json!(end.to_string());
        }
        mask_of(request)?.apply(&mut answer);
        Ok(answer)
    }

    fn check_drive(&self, request: &Request, now: i64) -> Result<(), Failure> {
        let scopes = self
            .tokens
            .scopes(request, now)
            .ok_or_else(Failure::unauthenticated)?;
        if !scopes.contains("auth/drive") {
            return Err(Failure::no_scope());
        }
        match self.drive_enabled {
            true => Ok(()),
            false => Err(Failure::disabled(
                "Google Drive API",
                "drive.googleapis.com",
            )),
        }
    }
}

/// Without a mask Drive says little.
fn mask_of(request: &Request) -> Result<Mask, Failure> {
    let text = request
        .param("fields")
        .unwrap_or("kind,id,name,mimeType,files,nextPageToken");
    Mask::parse(text).ok_or_else(|| Failure::invalid(format!("Invalid field selection {text}")))
}

fn file(book: &Book) -> Value {
    json!({
        "kind": "drive#file",
        "id": book.id,
        "name": book.title,
        "mimeType": if book.office { OFFICE } else { SPREADSHEET },
        "modifiedTime": rfc3339(book.modified),
        "version": book.version.to_string(),
        "trashed": book.trashed,
    })
}
