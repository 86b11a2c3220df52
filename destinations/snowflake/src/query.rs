//! Questions that a user asks of the database.

use tributary_model::{Answer, Error, ErrorKind, Result};

use crate::answer::cell;
use crate::client::{Client, Scope};

/// What a statement begins with that only reads.
const READING: [&str; 6] = ["SELECT", "WITH", "SHOW", "DESCRIBE", "DESC", "EXPLAIN"];

/// Words that run a procedure, which may change anything.
const CALLING: [&str; 2] = ["CALL", "PROCEDURE"];

/// Answers `sql`, one statement that must not change anything. Snowflake refuses a second one in the
/// same request. What begins so changes a table only where it goes on to another statement (`->>`) or
/// calls a procedure, which is refused here.
pub(crate) async fn answer(client: &Client, sql: &str) -> Result<Answer> {
    if sql.trim().is_empty() {
        return Err(Error::new(ErrorKind::Config, "the query is empty"));
    }
    let statement = sql.trim().trim_end_matches([';', ' ', '\n']);
    if let Some(why) = fault(statement) {
        return Err(refused(sql)
            .because(why)
            .fix("Queries only read; change the database with Snowflake's own tools."));
    }
    let done = client
        .submit(Scope::Database, &[statement.to_owned()])
        .await;
    let done = done.map_err(|failure| match failure.code {
        None => failure.error.context("asking"),
        Some(_) => {
            let why = failure.error.why().unwrap_or_else(|| failure.error.what());
            refused(sql).because(why).fix(
                "Correct the SQL; `SELECT * FROM INFORMATION_SCHEMA.TABLES` lists what there is.",
            )
        }
    })?;
    let rows = client.rows(done).await?;
    let columns = &rows.columns;
    let row = |cells: &Vec<Option<String>>| {
        let cells = columns.iter().zip(cells);
        cells
            .map(|(column, text)| {
                text.as_deref()
                    .map_or(serde_json::Value::Null, |text| cell(column, text))
            })
            .collect()
    };
    Ok(Answer {
        columns: columns.iter().map(|column| column.name.clone()).collect(),
        rows: rows.rows.iter().map(row).collect(),
    })
}

fn refused(sql: &str) -> Error {
    Error::new(ErrorKind::Config, format!("the query failed: {sql}"))
}

/// Why a statement may do more than read, if it may.
fn fault(sql: &str) -> Option<&'static str> {
    let code = code(sql);
    let mut words = code
        .split(|c: char| !is_of_word(c))
        .filter(|word| !word.is_empty());
    let begins = code.trim_start_matches([' ', '(']);
    let reads = words.next().is_some_and(|word| {
        begins.starts_with(word) && READING.contains(&word.to_ascii_uppercase().as_str())
    });
    if !reads {
        return Some("it does not begin with SELECT, WITH, SHOW, DESCRIBE or EXPLAIN");
    }
    if code.contains("->>") {
        return Some("`->>` goes on to another statement");
    }
    let calls = |word: &str| CALLING.iter().any(|other| word.eq_ignore_ascii_case(other));
    words.any(calls).then_some("it calls a procedure")
}

fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

/// A statement without its texts, names in quotes and comments: a space stands for each.
fn code(sql: &str) -> String {
    let mut code = String::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let part = match first {
            '\'' => quoted(rest, '\'', Backslash::Escapes),
            '"' => quoted(rest, '"', Backslash::Plain),
            '-' | '/' if rest.starts_with("--") || rest.starts_with("//") => {
                rest.find('\n').unwrap_or(rest.len())
            }
            '/' if rest.starts_with("/*") => through(rest, "*/"),
            '$' if rest.starts_with("$$") => through(rest, "$$"),
            c if c.is_whitespace() => c.len_utf8(),
            c => {
                // A word as a whole: the dollars in it begin no text.
                let is_name = c.is_alphabetic() || c == '_';
                let end = match is_name {
                    true => rest.find(|c| !is_of_word(c)).unwrap_or(rest.len()),
                    false => c.len_utf8(),
                };
                code.push_str(&rest[..end]);
                rest = &rest[end..];
                continue;
            }
        };
        code.push(' ');
        rest = &rest[part..];
    }
    code
}

/// Where what begins with two characters ends, with `end`.
fn through(text: &str, end: &str) -> usize {
    text[2..]
        .find(end)
        .map_or(text.len(), |at| 2 + at + end.len())
}

/// What a backslash means between quotes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Backslash {
    Escapes,
    Plain,
}

/// Where what begins with a quote ends. A quote that is doubled begins another at once, which is the same.
fn quoted(text: &str, quote: char, backslash: Backslash) -> usize {
    let mut chars = text.char_indices().skip(1);
    while let Some((at, c)) = chars.next() {
        if c == quote {
            return at + c.len_utf8();
        }
        if c == '\\' && backslash == Backslash::Escapes {
            chars.next();
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_reading_is_asked() {
        for good in [
            "select 1",
            "-- a\n/* b */ ( SELECT 1)",
            "WITH a AS (SELECT 1) SELECT * FROM a",
            "show tables",
            "SELECT a->b, a - > > b FROM t -- ->> CALL",
            "SELECT '->> CALL p()', \"procedure\", $$ CALL ->> $$, recall, a$$b /* ->> */ FROM t",
            r"SELECT 'it''s \' ->> CALL'",
        ] {
            assert_eq!(fault(good), None, "{good}");
        }
        for bad in [
            "DELETE FROM t",
            "/* SELECT */ DROP TABLE t",
            "call p()",
            "",
            "-- SELECT",
            "SELECTED",
            "'' SELECTED",
            "@SELECT",
            "SELECT 1 ->> DELETE FROM t",
            "SELECT ''->>DELETE FROM t",
            r"SELECT '\\' ->> DELETE FROM t",
            r#"SELECT "\" ->> DELETE FROM t"#,
            "SELECT a$$b ->> DELETE FROM t -- $$",
            "SELECT 1 /* ' */ ->> DELETE FROM t /* ' */",
            "WITH p AS PROCEDURE () RETURNS INT AS $$BEGIN END$$ CALL p()",
            "with p as (select 1) call p()",
        ] {
            assert!(fault(bad).is_some(), "{bad}");
        }
    }
}
