//! Google Sheets: every tab of a spreadsheet is a stream, read whole and replaced in one step.
//!
//! There is nothing to page by and nothing to filter by, and the API tells of no type: what is special
//! is finding the names of columns, the types of values, and out whether anything changed at all. How
//! Google is reached stands in `api.yaml`; the engine that reaches it is `tributary-rest`.
//!
//! Deliberately absent: everything that writes, and what people see but do not enter (colours, hidden
//! rows, the text of formulas).

mod a1;
mod address;
mod book;
mod catalog;
mod cell;
mod check;
mod config;
mod cursor;
mod discover;
mod google;
mod grid;
mod header;
mod read;
mod refusal;
mod row;
mod source;
mod spreadsheet;
mod watch;

pub use config::{Config, SheetConfig};
pub use cursor::Cursor;
pub use source::GoogleSheets;
