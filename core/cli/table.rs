//! Tables of text for a terminal.

use std::fmt::Write;
use std::time::Duration;

use unicode_width::UnicodeWidthStr;

/// Longer cells are cut, unless the table is whole.
const WIDEST: usize = 80;

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns that are flush right.
    numbers: Vec<usize>,
    widest: usize,
}

impl Table {
    pub(crate) fn new<H: Into<String>>(headings: impl IntoIterator<Item = H>) -> Self {
        Self {
            headings: headings.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
            numbers: Vec::new(),
            widest: WIDEST,
        }
    }

    /// Cuts nothing.
    pub(crate) fn whole(mut self) -> Self {
        self.widest = usize::MAX;
        self
    }

    /// Sets the columns that hold numbers.
    pub(crate) fn numbers(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.numbers = columns.into_iter().collect();
        self
    }

    pub(crate) fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        let cells = cells.into_iter().map(Into::into);
        self.rows
            .push(cells.map(|cell: String| tidy(&cell, self.widest)).collect());
    }

    /// The table, each line ending in a newline, each indented by `indent` spaces.
    pub(crate) fn render(&self, indent: usize) -> String {
        let lines = || std::iter::once(&self.headings).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.width()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let mut text = String::new();
        for line in lines() {
            let mut shown = " ".repeat(indent);
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let space = " ".repeat(width - cell.width());
                let _ = match self.numbers.contains(&column) {
                    true => write!(shown, "{gap}{space}{cell}"),
                    false => write!(shown, "{gap}{cell}{space}"),
                };
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }
}

/// One line, not too long, without anything that moves a terminal's cursor.
fn tidy(cell: &str, widest: usize) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    cut(cell, widest).chars().map(clean).collect()
}

/// At most so many characters, the last an ellipsis where there were more.
pub(crate) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        None => text.to_owned(),
        Some(_) => text.chars().take(most - 1).chain(['…']).collect(),
    }
}

/// A length of time in its two largest units: `3d 4h`, `5m 12s`, `0s`.
pub(crate) fn span(length: Duration) -> String {
    let mut rest = length.as_secs();
    let mut parts = Vec::new();
    for (unit, seconds) in [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)] {
        if rest >= seconds {
            parts.push(format!("{}{unit}", rest / seconds));
            rest %= seconds;
        } else if !parts.is_empty() {
            break;
        }
    }
    parts.truncate(2);
    match parts.is_empty() {
        true => "0s".to_owned(),
        false => parts.join(" "),
    }
}

/// 1234567 as `1,234,567`.
pub(crate) fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 row`, `2 rows`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(["stream", "rows"]).numbers([1]);
        table.row(["shop.orders", "1,200"]);
        table.row(["a\nb", "7"]);
        assert_eq!(
            table.render(1),
            " stream        rows\n shop.orders  1,200\n a b              7\n"
        );
    }

    #[test]
    fn wide_characters_line_up_and_long_cells_are_cut() {
        let mut table = Table::new(["name", "n"]);
        table.row(["日本", "1"]);
        table.row(["x".repeat(90).as_str(), "2"]);
        let text = table.render(0);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], format!("日本{}1", " ".repeat(78)));
        assert_eq!(lines[2], format!("{}…  2", "x".repeat(79)));
        let mut whole = Table::new(["name"]).whole();
        whole.row(["x".repeat(90)]);
        assert!(whole.render(0).contains(&"x".repeat(90)));
    }

    #[test]
    fn lengths_of_time_have_two_units() {
        for (seconds, text) in [
            (0, "0s"),
            (59, "59s"),
            (312, "5m 12s"),
            (3_600, "1h"),
            (3_605, "1h"),
            (273_600, "3d 4h"),
        ] {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(thousands(number), text);
        }
    }
}
