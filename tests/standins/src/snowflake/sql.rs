//! Statements in Snowflake's words, taken apart and told in DuckDB's.
//!
//! Only what this project writes is known; what is not known goes to DuckDB as it is, and fails there
//! where it means nothing.

/// A piece of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, number or sign.
    Plain(String),
    /// A name in quotes, quotes and all.
    Name(String),
    /// A text, as what it means.
    Text(String),
    Space,
}

impl Token {
    fn is(&self, word: &str) -> bool {
        matches!(self, Self::Plain(text) if text.eq_ignore_ascii_case(word))
    }
}

/// Takes statements apart.
pub(super) fn statements(sql: &str) -> Vec<Vec<Token>> {
    let mut all = vec![Vec::new()];
    for token in tokens(sql) {
        match token {
            Token::Plain(sign) if sign == ";" => all.push(Vec::new()),
            token => all.last_mut().expect("there is one").push(token),
        }
    }
    all.retain(|statement| statement.iter().any(|token| *token != Token::Space));
    all
}

fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        let token = match c {
            '\'' => Token::Text(text(&mut chars)),
            '"' => {
                let mut name = String::from('"');
                while let Some(c) = chars.next() {
                    name.push(c);
                    if c == '"' {
                        if chars.peek() != Some(&'"') {
                            break;
                        }
                        name.extend(chars.next());
                    }
                }
                Token::Name(name)
            }
            c if c.is_whitespace() => {
                while chars.next_if(|c| c.is_whitespace()).is_some() {}
                Token::Space
            }
            c if c.is_alphanumeric() || c == '_' => {
                let mut word = String::from(c);
                while let Some(c) = chars.next_if(|c| c.is_alphanumeric() || "_$.".contains(*c)) {
                    // A point ends a word, and is a part of a number.
                    if c == '.' && !word.starts_with(|c: char| c.is_ascii_digit()) {
                        tokens.push(Token::Plain(std::mem::take(&mut word)));
                        word.push('.');
                        break;
                    }
                    word.push(c);
                }
                Token::Plain(word)
            }
            c => Token::Plain(c.to_string()),
        };
        tokens.push(token);
    }
    tokens
}

/// The rest of a text, in which a backslash means something.
fn text(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some('0') => text.push('\0'),
                Some(other) => text.push(other),
                None => {}
            },
            '\'' if chars.next_if_eq(&'\'').is_some() => text.push('\''),
            '\'' => break,
            c => text.push(c),
        }
    }
    text
}

/// The first words of a statement, in upper case.
pub(super) fn beginning(statement: &[Token]) -> String {
    let words = statement.iter().filter_map(|token| match token {
        Token::Plain(word) => Some(word.to_ascii_uppercase()),
        Token::Name(_) | Token::Text(_) => Some(String::new()),
        Token::Space => None,
    });
    words.take(3).collect::<Vec<_>>().join(" ")
}

/// A statement as it was written, more or less: for those that are carried out here.
pub(super) fn written(statement: &[Token]) -> String {
    let escaped = statement.iter().map(|token| match token {
        Token::Text(text) => Token::Text(text.replace('\\', "\\\\")),
        other => other.clone(),
    });
    let escaped: Vec<Token> = escaped.collect();
    render(escaped.iter(), str::to_owned)
}

/// How texts are compared in tables that do not say it themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Collation {
    Binary,
    CaseInsensitive,
}

/// The same in DuckDB's words.
pub(super) fn translated(statement: &[Token], collation: Collation) -> String {
    let (tokens, is_told) = without_collation(statement);
    if is_told || collation == Collation::Binary || !beginning(statement).starts_with("CREATE ") {
        return in_words(&tokens, "VARCHAR");
    }
    in_words(&tokens, "VARCHAR COLLATE NOCASE")
}

/// `DEFAULT_DDL_COLLATION = ''` goes; whether it was there.
fn without_collation(statement: &[Token]) -> (Vec<Token>, bool) {
    let end = statement
        .iter()
        .position(|token| token.is("DEFAULT_DDL_COLLATION"));
    match end {
        Some(end) => (statement[..end].to_vec(), true),
        None => (statement.to_vec(), false),
    }
}

fn in_words(statement: &[Token], text: &str) -> String {
    let tokens = without_time_travel(statement);
    let tokens = without_precision(&tokens);
    render(tokens.iter(), |word| {
        let known = match word.to_ascii_uppercase().as_str() {
            "VARCHAR" => text,
            "NUMBER" => "DECIMAL",
            "VARIANT" => "JSON",
            "FLOAT" => "DOUBLE",
            "BINARY" => "BLOB",
            "TIMESTAMP_NTZ" => "TIMESTAMP",
            "TIMESTAMP_TZ" => "TIMESTAMPTZ",
            "TRANSIENT" => "",
            "INFORMATION_SCHEMA" => "standin",
            "DATE_PART" => "part_of",
            "EPOCH_MICROSECOND" => "'epoch_us'",
            _ => word,
        };
        known.to_owned()
    })
}

fn render<'t>(tokens: impl Iterator<Item = &'t Token>, word: impl Fn(&str) -> String) -> String {
    let mut sql = String::new();
    for token in tokens {
        match token {
            Token::Plain(text) => sql.push_str(&word(text)),
            Token::Name(name) => sql.push_str(name),
            Token::Text(text) => sql.push_str(&format!("'{}'", text.replace('\'', "''"))),
            Token::Space => sql.push(' '),
        }
    }
    sql.trim().to_owned()
}

/// `AT (TIMESTAMP => ...)` behind a name goes.
fn without_time_travel(statement: &[Token]) -> Vec<Token> {
    let mut left = Vec::new();
    let mut rest = statement;
    while let Some((token, after)) = rest.split_first() {
        let next = after.iter().find(|token| **token != Token::Space);
        if !(token.is("AT") && next.is_some_and(|token| token.is("("))) {
            left.push(token.clone());
            rest = after;
            continue;
        }
        let mut depth = 0;
        let end = after.iter().position(|token| {
            depth += i32::from(token.is("(")) - i32::from(token.is(")"));
            token.is(")") && depth == 0
        });
        rest = &after[end.map_or(after.len(), |end| end + 1)..];
    }
    left
}

/// Whether a text is cast to a day, a time of day or an instant: how it is read is up to the account.
pub(super) fn reads_a_moment(statement: &[Token]) -> bool {
    let tokens: Vec<&Token> = statement.iter().filter(|t| **t != Token::Space).collect();
    let kinds = ["DATE", "TIME", "TIMESTAMP_NTZ", "TIMESTAMP_TZ"];
    tokens.windows(5).any(|part| {
        let is_cast = part[0].is("CAST") && part[1].is("(") && part[3].is("AS");
        is_cast && matches!(part[2], Token::Text(_)) && kinds.iter().any(|kind| part[4].is(kind))
    })
}

/// `(6)` and the like behind the types of times goes.
fn without_precision(statement: &[Token]) -> Vec<Token> {
    let mut left: Vec<Token> = Vec::new();
    let mut skip = 0;
    for (place, token) in statement.iter().enumerate() {
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let is_time = ["TIME", "TIMESTAMP_NTZ", "TIMESTAMP_TZ"]
            .iter()
            .any(|name| token.is(name));
        if is_time && statement.get(place + 1).is_some_and(|token| token.is("(")) {
            skip = 3;
        }
        left.push(token.clone());
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sql: &str) -> Vec<String> {
        statements(sql)
            .iter()
            .map(|statement| translated(statement, Collation::CaseInsensitive))
            .collect()
    }

    #[test]
    fn words_are_told_and_texts_and_names_are_left_alone() {
        assert_eq!(
            told(
                "CREATE TRANSIENT TABLE \"NUMBER\" (\"A;\"\"\" NUMBER(5,0), B TIMESTAMP_TZ(6));\nSELECT 'it''s; \\\\ VARIANT'"
            ),
            [
                "CREATE  TABLE \"NUMBER\" (\"A;\"\"\" DECIMAL(5,0), B TIMESTAMPTZ)",
                "SELECT 'it''s; \\ VARIANT'",
            ]
        );
        assert_eq!(
            told("SELECT * FROM t AT (TIMESTAMP => TO_TIMESTAMP_TZ('x', 'f')) WHERE a"),
            ["SELECT * FROM t  WHERE a"]
        );
        let reads = |sql: &str| reads_a_moment(&statements(sql)[0]);
        assert!(reads("SELECT CAST( '1' AS TIMESTAMP_TZ(6))") && !reads("SELECT CAST(a AS DATE)"));
        assert_eq!(
            told("SELECT 1.5, X.Y FROM INFORMATION_SCHEMA.TABLES"),
            ["SELECT 1.5, X.Y FROM standin.TABLES"]
        );
        assert_eq!(
            told(
                "CREATE TABLE t (A VARCHAR); CREATE TABLE t (A VARCHAR) DEFAULT_DDL_COLLATION = ''"
            ),
            [
                "CREATE TABLE t (A VARCHAR COLLATE NOCASE)",
                "CREATE TABLE t (A VARCHAR)"
            ]
        );
    }
}
