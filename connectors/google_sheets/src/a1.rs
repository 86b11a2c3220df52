//! Ranges in A1 notation.
//!
//! A title is always quoted: without quotes `A1`, `R1C1` or `Sheet/1` would be read as something else.

/// Rows and columns from 0, half open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Area {
    pub(crate) rows: (usize, usize),
    pub(crate) columns: (usize, usize),
}

impl Area {
    /// The columns that it has.
    pub(crate) fn width(&self) -> usize {
        self.columns.1.saturating_sub(self.columns.0)
    }

    /// Whether nothing is in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.width() == 0 || self.rows.0 >= self.rows.1
    }

    /// What of it lies within a grid.
    pub(crate) fn within(&self, rows: usize, columns: usize) -> Self {
        Self {
            rows: (self.rows.0.min(rows), self.rows.1.min(rows)),
            columns: (self.columns.0.min(columns), self.columns.1.min(columns)),
        }
    }

    /// As Google reads it; it must not be empty.
    pub(crate) fn text(&self, title: &str) -> String {
        let title = title.replace('\'', "''");
        let (first, last) = (letters(self.columns.0), letters(self.columns.1 - 1));
        format!("'{title}'!{first}{}:{last}{}", self.rows.0 + 1, self.rows.1)
    }
}

/// The name of a column: `A`, `Z`, `AA`.
pub(crate) fn letters(column: usize) -> String {
    let tail = char::from(b'A' + u8::try_from(column % 26).unwrap_or(0));
    match column / 26 {
        0 => tail.to_string(),
        more => format!("{}{tail}", letters(more - 1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_quoted_and_columns_have_letters() {
        let area = Area {
            rows: (1, 20),
            columns: (0, 28),
        };
        for (title, text) in [
            ("Orders", "'Orders'!A2:AB20"),
            ("A1", "'A1'!A2:AB20"),
            ("O'Brien's / 1", "'O''Brien''s / 1'!A2:AB20"),
        ] {
            assert_eq!(area.text(title), text);
        }
        for (column, name) in [(25, "Z"), (26, "AA"), (701, "ZZ"), (702, "AAA")] {
            assert_eq!(letters(column), name);
        }
    }

    #[test]
    fn a_grid_cuts_what_lies_outside() {
        let area = Area {
            rows: (5, usize::MAX),
            columns: (0, usize::MAX),
        };
        let cut = area.within(10, 3);
        assert_eq!((cut.rows, cut.columns), ((5, 10), (0, 3)));
        assert!(area.within(5, 3).is_empty() && !cut.is_empty());
    }
}
