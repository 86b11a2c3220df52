//! A statement of Redshift's in PostgreSQL's words.

use super::names::{Names, quoted};
use super::tokens::{Token, literal, unquoted};

/// Settings that PostgreSQL does not have.
const SETTINGS: [&str; 2] = ["QUERY_GROUP", "ENABLE_CASE_SENSITIVE_IDENTIFIER"];
/// Bytes of a name that Redshift keeps.
const LONGEST_NAME: usize = 127;

/// What a statement is carried out as.
pub(super) fn rewrite(tokens: &[Token], names: &Names) -> String {
    let words: Vec<usize> = (0..tokens.len())
        .filter(|at| !tokens[*at].is_space())
        .collect();
    let writer = Writer {
        tokens,
        words: &words,
        names,
        is_catalog: asks_catalog(tokens),
        defines: defines(tokens),
    };
    writer.write()
}

/// Whether names stand in it as texts, and come back as such.
pub(super) fn asks_catalog(tokens: &[Token]) -> bool {
    let of = ["PG_CLASS", "PG_NAMESPACE", "PG_ATTRIBUTE"];
    tokens
        .iter()
        .any(|token| of.contains(&token.word().as_str()))
}

/// Whether columns are defined in it.
fn defines(tokens: &[Token]) -> bool {
    let mut words = tokens.iter().filter(|token| !token.is_space());
    matches!(
        words.next().map(Token::word).as_deref(),
        Some("CREATE" | "ALTER")
    )
}

struct Writer<'a> {
    tokens: &'a [Token],
    /// Where the tokens are that are not spaces.
    words: &'a [usize],
    names: &'a Names,
    is_catalog: bool,
    defines: bool,
}

impl Writer<'_> {
    fn write(&self) -> String {
        let mut text = String::new();
        let mut next = 0;
        let mut at = 0;
        while at < self.tokens.len() {
            if self.tokens[at].is_space() {
                text.push_str(&self.plain(at));
                at += 1;
                continue;
            }
            let place = next;
            let taken = self.special(place, &mut text);
            if taken == 0 {
                text.push_str(&self.plain(at));
                next += 1;
                at += 1;
            } else {
                next += taken;
                at = self.words.get(next).copied().unwrap_or(self.tokens.len());
                text.push(' ');
            }
        }
        text
    }

    /// The token that is the `place`-th word.
    fn word(&self, place: usize) -> Option<&Token> {
        self.words.get(place).map(|at| &self.tokens[*at])
    }

    fn is(&self, place: usize, word: &str) -> bool {
        self.word(place)
            .is_some_and(|token| token.word() == word || token.is_sign(word))
    }

    fn plain(&self, at: usize) -> String {
        match &self.tokens[at] {
            Token::Word(text) | Token::Sign(text) | Token::Space(text) => text.clone(),
            Token::Name(name) => quoted(&self.names.inside(name)),
            Token::Text(text) => {
                let told = unquoted(text);
                let is_name = self.is_catalog && (64..=LONGEST_NAME).contains(&told.len());
                match is_name {
                    true => literal(&self.names.inside(&told)),
                    false => text.clone(),
                }
            }
        }
    }

    /// Writes what is said otherwise; how many words that was.
    fn special(&self, place: usize, text: &mut String) -> usize {
        let word = self.word(place).map(Token::word).unwrap_or_default();
        match word.as_str() {
            "VARCHAR" if self.defines && self.is(place + 1, "(") => self.limited(place, text),
            "VARBYTE" if self.is(place + 1, "(") => {
                text.push_str("varbyte");
                4
            }
            "DATEDIFF" | "DATEADD" if self.is(place + 1, "(") => {
                let part = self.word(place + 2).map(Token::word).unwrap_or_default();
                text.push_str(&format!("{word}({}", literal(&part.to_lowercase())));
                3
            }
            "LIKE" if self.defines && self.is(place.wrapping_sub(1), "(") => {
                let name = self.path(place + 1);
                let path: String = self.words[place + 1..place + 1 + name]
                    .iter()
                    .map(|at| self.plain(*at))
                    .collect();
                text.push_str(&format!("LIKE {path} INCLUDING CONSTRAINTS"));
                1 + name
            }
            "SET" if place == 0 => match self.word(1).map(Token::word) {
                Some(name) if SETTINGS.contains(&name.as_str()) => {
                    text.push_str(&format!("SET redshift.{}", name.to_lowercase()));
                    2
                }
                _ => 0,
            },
            _ => 0,
        }
    }

    /// How many words a name with its schema is.
    fn path(&self, place: usize) -> usize {
        if self.is(place + 1, ".") { 3 } else { 1 }
    }

    /// `VARCHAR(n)` of a column: so many bytes, where PostgreSQL counts characters.
    fn limited(&self, place: usize, text: &mut String) -> usize {
        let Some(Token::Word(size)) = self.word(place + 2) else {
            return 0;
        };
        let changes = self.is(place.wrapping_sub(1), "TYPE");
        let column = if changes { place - 2 } else { place - 1 };
        let begins = |sign: &str| self.is(column.wrapping_sub(1), sign);
        let is_column = begins("(") || begins(",") || begins("COLUMN");
        let Some(name) = self
            .word(column)
            .filter(|token| token.is_name() && is_column)
        else {
            return 0;
        };
        let name = match name {
            Token::Name(name) | Token::Word(name) => self.names.inside(name),
            _ => return 0,
        };
        let (limit, name) = (
            quoted(&self.names.inside(&format!("vb_{name}"))),
            quoted(&name),
        );
        let check = format!("CONSTRAINT {limit} CHECK (octet_length({name}) <= {size})");
        text.push_str(&match changes {
            true => format!("VARCHAR({size}), DROP CONSTRAINT IF EXISTS {limit}, ADD {check}"),
            false => format!("VARCHAR({size}) {check}"),
        });
        4
    }
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn said(sql: &str) -> String {
        let names = Names::default();
        let text = rewrite(&tokens(sql), &names);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn texts_are_limited_by_their_bytes() {
        assert_eq!(
            said("CREATE TABLE \"S\".\"T\" (\"Id\" BIGINT, \"N\" VARCHAR(9))"),
            "CREATE TABLE \"s\".\"t\" (\"id\" BIGINT, \"n\" VARCHAR(9) CONSTRAINT \"vb_n\" CHECK (octet_length(\"n\") <= 9) )"
        );
        assert_eq!(
            said("ALTER TABLE t ALTER COLUMN \"n\" TYPE VARCHAR(20)"),
            "ALTER TABLE t ALTER COLUMN \"n\" TYPE VARCHAR(20), DROP CONSTRAINT IF EXISTS \"vb_n\", ADD CONSTRAINT \"vb_n\" CHECK (octet_length(\"n\") <= 20)"
        );
        assert_eq!(
            said("SELECT CAST(a AS VARCHAR(9))"),
            "SELECT CAST(a AS VARCHAR(9))"
        );
    }

    #[test]
    fn what_is_called_otherwise_is_said_otherwise() {
        assert_eq!(
            said("SELECT DATEDIFF(microsecond, a, b)"),
            "SELECT DATEDIFF('microsecond' , a, b)"
        );
        assert_eq!(
            said("CREATE TABLE t (b VARBYTE(9))"),
            "CREATE TABLE t (b varbyte )"
        );
        assert_eq!(
            said("SET query_group TO 'a'"),
            "SET redshift.query_group TO 'a'"
        );
        assert_eq!(
            said("CREATE TABLE a (LIKE \"S\".\"b\")"),
            "CREATE TABLE a (LIKE \"s\".\"b\" INCLUDING CONSTRAINTS )"
        );
        let long = "L".repeat(127);
        let inside = said(&format!(
            "SELECT \"{long}\" FROM pg_class WHERE relname = '{}'",
            long.to_lowercase()
        ));
        assert!(
            !inside.contains(&"l".repeat(64)) && inside.matches('~').count() == 2,
            "{inside}"
        );
    }
}
