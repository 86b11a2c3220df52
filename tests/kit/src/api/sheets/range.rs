//! Ranges in A1 notation, with the traps of sheets that are called like cells.

use super::book::{Area, Book, Sheet};
use super::error::Failure;

/// A part of a sheet, within its bounds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Range<'a> {
    pub(super) sheet: &'a Sheet,
    pub(super) rows: (usize, usize),
    pub(super) columns: (usize, usize),
}

impl Book {
    /// What a range means here.
    pub(super) fn range(&self, text: &str) -> Result<Range<'_>, Failure> {
        let unknown = || Failure::invalid(format!("Unable to parse range: {text}"));
        let (title, cells) = split(text);
        if let Some(title) = title {
            let sheet = self.sheet(&title).ok_or_else(unknown)?;
            return within(sheet, cells, text);
        }
        let named = self.names.iter().find(|(name, _, _)| name == cells);
        if let Some((_, id, area)) = named {
            let sheet = self
                .sheets
                .iter()
                .find(|sheet| sheet.id == *id)
                .ok_or_else(unknown)?;
            return bounded(sheet, *area, text);
        }
        // A bare word that reads as a cell is one, whatever the sheets are called.
        if area(cells).is_some() {
            let first = self.sheets.first().ok_or_else(unknown)?;
            return within(first, cells, text);
        }
        let sheet = self.sheet(cells).ok_or_else(unknown)?;
        within(sheet, "", text)
    }
}

impl Range<'_> {
    /// The range as answers write it.
    pub(super) fn text(&self) -> String {
        let title = quoted(&self.sheet.title);
        let (from, to) = (self.rows.0 + 1, self.rows.1);
        let (first, last) = (letters(self.columns.0), letters(self.columns.1 - 1));
        format!("{title}!{first}{from}:{last}{to}")
    }
}

/// The sheet's name, if there is one, and the cells.
fn split(text: &str) -> (Option<String>, &str) {
    if let Some(rest) = text.strip_prefix('\'') {
        let mut title = String::new();
        let mut chars = rest.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            if c != '\'' {
                title.push(c);
            } else if chars.peek().is_some_and(|(_, next)| *next == '\'') {
                chars.next();
                title.push('\'');
            } else {
                let cells = rest[at + 1..].strip_prefix('!').unwrap_or("");
                return (Some(title), cells);
            }
        }
        return (None, text);
    }
    match text.split_once('!') {
        Some((title, cells)) => (Some(title.to_owned()), cells),
        None => (None, text),
    }
}

fn within<'a>(sheet: &'a Sheet, cells: &str, text: &str) -> Result<Range<'a>, Failure> {
    let whole = Area::default();
    let parsed = if cells.is_empty() {
        Some(whole)
    } else {
        area(cells)
    };
    let parsed =
        parsed.ok_or_else(|| Failure::invalid(format!("Unable to parse range: {text}")))?;
    bounded(sheet, parsed, text)
}

fn bounded<'a>(sheet: &'a Sheet, area: Area, text: &str) -> Result<Range<'a>, Failure> {
    let rows = (
        area.from_row.unwrap_or(0),
        area.to_row.unwrap_or(sheet.rows),
    );
    let columns = (
        area.from_column.unwrap_or(0),
        area.to_column.unwrap_or(sheet.columns),
    );
    let fits = rows.0 < rows.1.max(1)
        && rows.0 < sheet.rows
        && rows.1 <= sheet.rows
        && columns.0 < sheet.columns
        && columns.1 <= sheet.columns;
    if !fits {
        return Err(Failure::invalid(format!(
            "Range ({text}) exceeds grid limits. Max rows: {}, max columns: {}",
            sheet.rows, sheet.columns
        )));
    }
    Ok(Range {
        sheet,
        rows,
        columns,
    })
}

/// `B2:C9`, `B2`, `B:C`, `2:9`, `B2:C`.
fn area(text: &str) -> Option<Area> {
    let (first, last) = text.split_once(':').unwrap_or((text, text));
    let (first, last) = (corner(first)?, corner(last)?);
    let single = !text.contains(':');
    if single && (first.0.is_none() || first.1.is_none()) {
        return None;
    }
    Some(Area {
        from_column: first.0,
        from_row: first.1,
        to_column: last.0.map(|column| column + 1),
        to_row: last.1.map(|row| row + 1),
    })
}

/// The column and the row of a corner, from 0.
fn corner(text: &str) -> Option<(Option<usize>, Option<usize>)> {
    let split = text
        .find(|c: char| !c.is_ascii_uppercase())
        .unwrap_or(text.len());
    let (column, row) = text.split_at(split);
    if text.is_empty() || column.len() > 3 {
        return None;
    }
    let place = |column: &str| {
        let digit = |sum: usize, c: u8| sum * 26 + usize::from(c - b'A') + 1;
        column.bytes().fold(0, digit) - 1
    };
    let row = match row {
        "" => None,
        row => Some(row.parse::<usize>().ok()?.checked_sub(1)?),
    };
    Some(((!column.is_empty()).then(|| place(column)), row))
}

/// The name of a column: `A`, `Z`, `AA`.
pub(super) fn letters(column: usize) -> String {
    let tail = char::from(b'A' + u8::try_from(column % 26).unwrap_or(0));
    match column / 26 {
        0 => tail.to_string(),
        more => format!("{}{tail}", letters(more - 1)),
    }
}

fn quoted(title: &str) -> String {
    let simple = title.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if simple && area(title).is_none() {
        return title.to_owned();
    }
    format!("'{}'", title.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_and_columns_agree() {
        for (column, name) in [(0, "A"), (25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(letters(column), name);
            assert_eq!(corner(name), Some((Some(column), None)));
        }
        let expected = Area {
            from_row: Some(1),
            to_row: Some(9),
            from_column: Some(1),
            to_column: Some(3),
        };
        assert_eq!(area("B2:C9"), Some(expected));
        assert_eq!(area("B2:C").unwrap().to_row, None);
        assert_eq!(area("Orders"), None);
        assert_eq!(quoted("O'Brien"), "'O''Brien'");
        assert_eq!(
            (quoted("A1"), quoted("Orders")),
            ("'A1'".to_owned(), "Orders".to_owned())
        );
    }
}
