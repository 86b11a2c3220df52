//! What Google says of a spreadsheet: its tabs and its named ranges.

use serde_json::Value;
use tributary_model::{Error, ErrorKind, Result};

use crate::a1::Area;

/// A spreadsheet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Book {
    pub(crate) title: String,
    pub(crate) time_zone: String,
    pub(crate) tabs: Vec<Tab>,
    pub(crate) names: Vec<Named>,
}

/// A tab.
#[derive(Clone, Debug)]
pub(crate) struct Tab {
    pub(crate) id: u64,
    pub(crate) title: String,
    /// Whether it is made of cells, and neither a chart nor a window into a database.
    pub(crate) is_grid: bool,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) frozen: usize,
}

/// A named range.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) tab: u64,
    /// What it covers; a missing bound is the end of the grid.
    pub(crate) area: Area,
}

/// What of a spreadsheet is asked for.
pub(crate) const FIELDS: &str = "spreadsheetId,properties(title,locale,timeZone),\
                                 sheets(properties),namedRanges";

impl Book {
    /// Reads Google's answer.
    pub(crate) fn read(answer: &Value) -> Result<Self> {
        let sheets = answer.get("sheets").and_then(Value::as_array);
        let tabs = sheets.into_iter().flatten().map(Tab::read);
        let tabs = tabs.collect::<Option<Vec<_>>>().ok_or_else(|| {
            Error::new(
                ErrorKind::Malformed,
                "Google describes a sheet without its id or title",
            )
        })?;
        let named = answer.get("namedRanges").and_then(Value::as_array);
        Ok(Self {
            title: text(answer, "/properties/title"),
            time_zone: text(answer, "/properties/timeZone"),
            tabs,
            names: named
                .into_iter()
                .flatten()
                .filter_map(Named::read)
                .collect(),
        })
    }

    /// A tab, by its id.
    pub(crate) fn tab(&self, id: u64) -> Option<&Tab> {
        self.tabs.iter().find(|tab| tab.id == id)
    }
}

impl Tab {
    fn read(sheet: &Value) -> Option<Self> {
        let properties = sheet.get("properties")?;
        let kind = properties.get("sheetType").and_then(Value::as_str);
        let size = |name: &str| number(properties, &format!("/gridProperties/{name}"));
        Some(Self {
            // What is 0 is left out by some of Google's APIs.
            id: properties
                .get("sheetId")
                .and_then(Value::as_u64)
                .unwrap_or(0),
            title: properties.get("title")?.as_str()?.to_owned(),
            is_grid: kind.is_none_or(|kind| kind == "GRID"),
            rows: size("rowCount"),
            columns: size("columnCount"),
            frozen: size("frozenRowCount"),
        })
    }

    /// All of it.
    pub(crate) fn area(&self) -> Area {
        Area {
            rows: (0, self.rows),
            columns: (0, self.columns),
        }
    }
}

impl Named {
    fn read(named: &Value) -> Option<Self> {
        let range = named.get("range")?;
        let bound = |name: &str| {
            let bound = range.get(name).and_then(Value::as_u64);
            bound.and_then(|bound| usize::try_from(bound).ok())
        };
        let span =
            |from: &str, to: &str| (bound(from).unwrap_or(0), bound(to).unwrap_or(usize::MAX));
        Some(Self {
            id: named.get("namedRangeId")?.as_str()?.to_owned(),
            name: named.get("name")?.as_str()?.to_owned(),
            tab: range.get("sheetId").and_then(Value::as_u64).unwrap_or(0),
            area: Area {
                rows: span("startRowIndex", "endRowIndex"),
                columns: span("startColumnIndex", "endColumnIndex"),
            },
        })
    }
}

fn text(value: &Value, path: &str) -> String {
    let text = value.pointer(path).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

fn number(value: &Value, path: &str) -> usize {
    let number = value.pointer(path).and_then(Value::as_u64);
    number
        .and_then(|number| usize::try_from(number).ok())
        .unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tabs_and_names_are_read() {
        let answer = json!({"properties": {"title": "Plans", "timeZone": "Europe/Berlin"},
            "sheets": [
                {"properties": {"sheetId": 0, "title": "Orders", "sheetType": "GRID",
                    "gridProperties": {"rowCount": 100, "columnCount": 26, "frozenRowCount": 1}}},
                {"properties": {"sheetId": 7, "title": "Chart", "sheetType": "OBJECT"}}],
            "namedRanges": [{"namedRangeId": "r", "name": "people",
                "range": {"sheetId": 0, "startRowIndex": 2, "startColumnIndex": 1, "endColumnIndex": 3}}]});
        let book = Book::read(&answer).unwrap();
        let orders = book.tab(0).unwrap();
        assert!(orders.is_grid && orders.frozen == 1 && orders.rows == 100);
        assert!(!book.tab(7).unwrap().is_grid);
        let area = book.names[0].area.within(100, 26);
        assert_eq!((area.rows, area.columns), ((2, 100), (1, 3)));
        assert!(Book::read(&json!({"sheets": [{"properties": {}}]})).is_err());
    }
}
