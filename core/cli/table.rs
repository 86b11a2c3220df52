//! Tables of text for a terminal.

use std::fmt::Write;

/// Cells longer than this are cut.
const WIDEST: usize = 80;

/// Rows under headings.
#[derive(Debug)]
pub(crate) struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Columns that are flush right.
    numbers: Vec<usize>,
}

impl Table {
    pub(crate) fn new<H: Into<String>>(headings: impl IntoIterator<Item = H>) -> Self {
        Self {
            headings: headings.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Sets the columns that hold numbers.
    pub(crate) fn numbers(mut self, columns: impl IntoIterator<Item = usize>) -> Self {
        self.numbers = columns.into_iter().collect();
        self
    }

    pub(crate) fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows
            .push(cells.into_iter().map(|cell| tidy(&cell.into())).collect());
    }

    /// The table, each line ending in a newline, each indented by `indent` spaces.
    pub(crate) fn render(&self, indent: usize) -> String {
        let lines = || std::iter::once(&self.headings).chain(&self.rows);
        let width = |column: usize| {
            let cells = lines().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.headings.len()).map(width).collect();
        let mut text = String::new();
        for line in lines() {
            let mut shown = " ".repeat(indent);
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "" } else { "  " };
                let _ = match self.numbers.contains(&column) {
                    true => write!(shown, "{gap}{cell:>width$}"),
                    false => write!(shown, "{gap}{cell:<width$}"),
                };
            }
            text.push_str(shown.trim_end());
            text.push('\n');
        }
        text
    }
}

/// One line, not too long, without anything that moves a terminal's cursor.
fn tidy(cell: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut tidy: String = cell.chars().take(WIDEST).map(clean).collect();
    if cell.chars().nth(WIDEST).is_some() {
        tidy.pop();
        tidy.push('…');
    }
    tidy
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
