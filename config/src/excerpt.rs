//! The line at fault with a caret beneath it, without its secrets.
//!
//! A value is shown only where the schema knows it to be harmless: what stands under an unknown key
//! may be a password whose key was misspelt. A line that could not be read as YAML keeps only what
//! stands before its first value.

use unicode_width::UnicodeWidthChar;

use crate::marks::Span;

const HIDDEN: &str = "***";
/// Longer lines are cut.
const WIDTH: usize = 160;

/// The line of `at`, with the stretches `hidden` made unreadable.
pub(crate) fn show(text: &str, at: Span, hidden: &[Span]) -> Option<String> {
    let line = text.lines().nth(at.line.checked_sub(1)?)?;
    let characters: Vec<char> = line.chars().collect();
    let mut stretches: Vec<(usize, usize)> = hidden
        .iter()
        .filter_map(|span| on_line(*span, at.line, characters.len()))
        .chain(credentials(&characters))
        .collect();
    stretches.sort_unstable();
    let (shown, column) = mask(&characters, &stretches, at.column.saturating_sub(1));
    let width = match at.end_line == at.line {
        true => at.end_column.saturating_sub(at.column),
        false => 1,
    };
    frame(at.line, &shown, column, width)
}

/// The line of a syntax error, up to its first value.
pub(crate) fn show_broken(text: &str, at: Span) -> Option<String> {
    let line = text.lines().nth(at.line.checked_sub(1)?)?;
    let start = first_value(line);
    let end = line.chars().count();
    let hide = Span {
        line: at.line,
        column: start + 1,
        end_line: at.line,
        end_column: end + 1,
    };
    match start < end {
        true => show(text, at, &[hide]),
        false => show(text, at, &[]),
    }
}

/// Where, in characters, the first value of a line begins.
fn first_value(line: &str) -> usize {
    let indent = line
        .chars()
        .take_while(|c| matches!(c, ' ' | '\t' | '-'))
        .count();
    let rest: String = line.chars().skip(indent).collect();
    let name = rest
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.'))
        .count();
    let colon = rest.chars().nth(name) == Some(':');
    match colon {
        true => {
            indent
                + name
                + 1
                + rest
                    .chars()
                    .skip(name + 1)
                    .take_while(|c| *c == ' ')
                    .count()
        }
        false => indent,
    }
}

fn on_line(span: Span, line: usize, length: usize) -> Option<(usize, usize)> {
    if line < span.line || line > span.end_line {
        return None;
    }
    let start = if line == span.line {
        span.column - 1
    } else {
        0
    };
    let end = if line == span.end_line {
        span.end_column - 1
    } else {
        length
    };
    (start < end).then_some((start, end.min(length)))
}

/// What stands between `://` and `@`, from its colon on: a password in an address.
fn credentials(line: &[char]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for at in 0..line.len().saturating_sub(3) {
        if line[at..at + 3] != [':', '/', '/'] {
            continue;
        }
        let rest = &line[at + 3..];
        let end = rest
            .iter()
            .position(|c| c.is_whitespace())
            .unwrap_or(rest.len());
        let Some(host) = rest[..end].iter().rposition(|c| *c == '@') else {
            continue;
        };
        if let Some(colon) = rest[..host].iter().position(|c| *c == ':') {
            found.push((at + 3 + colon + 1, at + 3 + host));
        }
    }
    found
}

fn mask(line: &[char], stretches: &[(usize, usize)], column: usize) -> (String, usize) {
    let mut shown = String::new();
    let mut caret = None;
    let mut at = 0;
    for &(start, end) in stretches.iter().filter(|(start, end)| start < end) {
        if end <= at {
            continue;
        }
        let start = start.max(at);
        if column < start && caret.is_none() {
            caret = Some(shown.chars().count() + column.saturating_sub(at));
        }
        shown.extend(&line[at..start]);
        if column < end && caret.is_none() {
            caret = Some(shown.chars().count());
        }
        shown.push_str(HIDDEN);
        at = end;
    }
    let caret = caret.unwrap_or(shown.chars().count() + column.saturating_sub(at));
    shown.extend(&line[at..]);
    (shown, caret)
}

fn frame(number: usize, shown: &str, column: usize, width: usize) -> Option<String> {
    if column >= WIDTH {
        return None;
    }
    let line: String = shown.chars().take(WIDTH).collect();
    let cells = |c: char| c.width().unwrap_or(0);
    let before: String = line
        .chars()
        .take(column)
        .map(|c| match c {
            // As wide as the one above it, whatever the terminal makes of it.
            '\t' => c.to_string(),
            c => " ".repeat(cells(c)),
        })
        .collect();
    let beyond = " ".repeat(column.saturating_sub(line.chars().count()));
    let marked: usize = line.chars().skip(column).take(width).map(cells).sum();
    let gutter = " ".repeat(number.to_string().len());
    let carets = "^".repeat(marked.max(1));
    Some(format!(
        "  {number} | {}\n  {gutter} | {before}{beyond}{carets}\n",
        line.trim_end()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(column: usize, end_column: usize) -> Span {
        Span {
            line: 1,
            column,
            end_line: 1,
            end_column,
        }
    }

    #[test]
    fn hidden_values_move_the_caret_with_them() {
        let line = "a: {password: hunter2, sorce: x}";
        let shown = show(line, span(24, 29), &[span(15, 22)]);
        let expected = "  1 | a: {password: ***, sorce: x}\n    |                    ^^^^^\n";
        assert_eq!(shown.as_deref(), Some(expected));
    }

    #[test]
    fn a_password_in_an_address_is_hidden() {
        let shown = show("url: mysql://me:hunter2@db/shop", span(1, 4), &[]);
        assert!(shown.is_some_and(|shown| shown.contains("mysql://me:***@db/shop")));
    }

    #[test]
    fn the_caret_stands_beneath_wide_characters_and_tabs() {
        for (line, at, caret) in [
            ("ü: {a: b}", span(5, 6), "    |     ^"),
            ("日本: {a: b}", span(6, 7), "    |        ^"),
            ("a: 日本", span(4, 6), "    |    ^^^^"),
            ("e\u{301}: x", span(5, 6), "    |    ^"),
            ("a:\tx", span(4, 5), "    |   \t^"),
        ] {
            let shown = show(line, at, &[]).unwrap_or_default();
            assert_eq!(shown, format!("  1 | {line}\n{caret}\n"));
        }
    }

    #[test]
    fn a_broken_line_shows_no_value() {
        for line in [
            "  password: \"hunter2",
            "hunter2\"",
            "  - hunter2",
            "a: b: hunter2",
        ] {
            let shown = show_broken(line, span(3, 4));
            assert!(
                shown.is_some_and(|shown| !shown.contains("hunter2")),
                "{line}"
            );
        }
    }
}
