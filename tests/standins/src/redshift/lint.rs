//! What Redshift does not know, or not there: a statement that holds it is refused.

use super::tokens::Token;

/// Words that stand one after the other, and why they are refused.
const UNKNOWN: &[(&str, &str)] = &[
    ("ON CONFLICT", "ON CONFLICT"),
    ("DISTINCT ON", "SELECT DISTINCT ON"),
    ("IS DISTINCT FROM", "IS DISTINCT FROM"),
    ("IS NOT DISTINCT FROM", "IS NOT DISTINCT FROM"),
    ("RETURNING", "RETURNING"),
    ("FILTER (", "FILTER"),
    ("LATERAL", "LATERAL"),
    ("FOR UPDATE", "SELECT FOR UPDATE"),
    ("UNNEST (", "unnest"),
    ("ARRAY [", "arrays"),
    (":: REGCLASS", "regclass"),
    ("CREATE INDEX", "CREATE INDEX"),
    ("CREATE UNIQUE INDEX", "CREATE INDEX"),
    ("COLUMN IF NOT EXISTS", "ADD COLUMN IF NOT EXISTS"),
    ("FROM STDIN", "COPY FROM STDIN"),
    ("TO STDOUT", "COPY TO STDOUT"),
    ("SAVEPOINT", "SAVEPOINT"),
    ("ROLLBACK TO", "SAVEPOINT"),
    ("SET DEFAULT", "ALTER COLUMN SET DEFAULT"),
    ("DROP DEFAULT", "ALTER COLUMN DROP DEFAULT"),
    ("SET NOT NULL", "ALTER COLUMN SET NOT NULL"),
    ("DROP NOT NULL", "ALTER COLUMN DROP NOT NULL"),
    ("ON COMMIT", "ON COMMIT"),
    ("NOWAIT", "NOWAIT"),
    ("LOCK_TIMEOUT", "lock_timeout"),
    ("PG_ADVISORY_LOCK", "advisory locks"),
    ("PG_ADVISORY_XACT_LOCK", "advisory locks"),
    ("PG_TRY_ADVISORY_XACT_LOCK", "advisory locks"),
    ("GENERATED", "generated columns"),
    ("DECLARE", "DECLARE"),
    ("MATERIALIZED (", "MATERIALIZED"),
];

/// Types that it lacks; `json` and the like may be names of columns, so only where a type stands.
const TYPES: [&str; 8] = [
    "BYTEA",
    "JSONB",
    "JSON",
    "UUID",
    "SERIAL",
    "BIGSERIAL",
    "XML",
    "MONEY",
];

/// Functions over rows that want a frame where they are over an order.
const AGGREGATES: [&str; 5] = ["MAX", "MIN", "SUM", "COUNT", "AVG"];

/// Why a statement is refused, if it is. `tokens` are without spaces.
pub(super) fn refusal(tokens: &[Token], in_transaction: bool) -> Option<String> {
    let words: Vec<String> = tokens.iter().map(plain).collect();
    let has = |phrase: &str| position(&words, phrase).is_some();
    let unknown = UNKNOWN.iter().find(|(phrase, _)| has(phrase));
    if let Some((_, what)) = unknown {
        return Some(format!("{what} is not supported"));
    }
    let first = words.first().map(String::as_str).unwrap_or_default();
    if in_transaction {
        let ends = match first {
            "TRUNCATE" => Some("TRUNCATE commits the transaction it is in"),
            "ALTER" if has("APPEND FROM") => Some("ALTER TABLE APPEND"),
            "ALTER" if has("ALTER COLUMN") && has("TYPE") => Some("ALTER TABLE ALTER COLUMN"),
            "VACUUM" => Some("VACUUM"),
            _ => None,
        };
        if let Some(what) = ends {
            return Some(format!("{what} cannot run inside a transaction block"));
        }
    }
    missing_type(tokens, &words)
        .or_else(|| merge_with_condition(&words))
        .or_else(|| alias_of_delete(tokens, &words))
        .or_else(|| several_actions(&words))
        .or_else(|| no_frame(&words))
}

/// The schema that a table is dropped from: it has to be there, whatever `IF EXISTS` says.
pub(super) fn dropped_from(tokens: &[Token]) -> Option<&str> {
    let words: Vec<String> = tokens.iter().map(plain).collect();
    let at = match position(&words, "DROP TABLE IF EXISTS") {
        Some(0) => 4,
        _ => return None,
    };
    let is_path = tokens.get(at + 1).is_some_and(|token| token.is_sign("."));
    match tokens.get(at).filter(|_| is_path)? {
        Token::Name(name) | Token::Word(name) => Some(name),
        Token::Text(_) | Token::Sign(_) | Token::Space(_) => None,
    }
}

/// A word or sign as it is compared; names and texts are neither.
fn plain(token: &Token) -> String {
    match token {
        Token::Word(_) => token.word(),
        Token::Sign(sign) => sign.clone(),
        Token::Name(_) => "\"".to_owned(),
        Token::Text(_) => "'".to_owned(),
        Token::Space(_) => String::new(),
    }
}

fn position(words: &[String], phrase: &str) -> Option<usize> {
    let phrase: Vec<&str> = phrase.split(' ').collect();
    words
        .windows(phrase.len())
        .position(|window| window.iter().zip(&phrase).all(|(a, b)| a == b))
}

fn missing_type(tokens: &[Token], words: &[String]) -> Option<String> {
    for (at, word) in words.iter().enumerate().skip(1) {
        let follows = tokens[at - 1].is_name() || tokens[at - 1].is_sign("::");
        if follows && TYPES.contains(&word.as_str()) {
            return Some(format!("type {} does not exist", word.to_lowercase()));
        }
        let size = || words.get(at + 2).and_then(|size| size.parse::<u32>().ok());
        let most = match word.as_str() {
            "DECIMAL" | "NUMERIC" => 38,
            "VARCHAR" => 65_535,
            "VARBYTE" => 1_024_000,
            _ => continue,
        };
        if words.get(at + 1).is_some_and(|sign| sign == "(") && size().is_some_and(|n| n > most) {
            return Some(format!("{word} must be at most {most}"));
        }
    }
    None
}

/// `WHEN MATCHED AND ...` is not known.
fn merge_with_condition(words: &[String]) -> Option<String> {
    let matched = position(words, "WHEN MATCHED AND");
    let matched = matched.or_else(|| position(words, "WHEN NOT MATCHED AND"));
    matched.map(|_| "MERGE: conditions of WHEN are not supported".to_owned())
}

/// Nothing stands between the table of a DELETE and USING or WHERE.
fn alias_of_delete(tokens: &[Token], words: &[String]) -> Option<String> {
    let mut at = position(words, "DELETE FROM")? + 3;
    while tokens.get(at).is_some_and(|token| token.is_sign(".")) {
        at += 2;
    }
    let next = words.get(at).map(String::as_str);
    match next {
        None | Some("USING" | "WHERE" | ";") => None,
        Some(other) => Some(format!(
            "syntax error at or near \"{other}\" after DELETE FROM"
        )),
    }
}

/// `ALTER TABLE` does one thing at a time.
fn several_actions(words: &[String]) -> Option<String> {
    if position(words, "ALTER TABLE") != Some(0) {
        return None;
    }
    let mut depth = 0;
    for word in words {
        match word.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            "," if depth == 0 => {
                return Some("ALTER TABLE: one action at a time".to_owned());
            }
            _ => {}
        }
    }
    None
}

/// `MAX(x) OVER (... ORDER BY ...)` without a frame.
fn no_frame(words: &[String]) -> Option<String> {
    for (at, word) in words.iter().enumerate() {
        if !AGGREGATES.contains(&word.as_str()) || words.get(at + 1).is_none_or(|w| w != "(") {
            continue;
        }
        let over = at + 1 + inside(&words[at + 1..]);
        if words.get(over).is_none_or(|w| w != "OVER") {
            continue;
        }
        let window = &words[over + 1..];
        let window = &window[..inside(window)];
        if position(window, "ORDER BY").is_some() && position(window, "ROWS").is_none() {
            return Some(
                "Aggregate window functions with an ORDER BY clause require a frame clause"
                    .to_owned(),
            );
        }
    }
    None
}

/// How many words there are from a bracket to the one that closes it.
fn inside(words: &[String]) -> usize {
    let mut depth = 0;
    for (at, word) in words.iter().enumerate() {
        match word.as_str() {
            "(" => depth += 1,
            ")" if depth == 1 => return at + 1,
            ")" => depth -= 1,
            _ => {}
        }
    }
    words.len()
}

#[cfg(test)]
mod tests {
    use super::super::tokens::tokens;
    use super::*;

    fn lint(sql: &str, in_transaction: bool) -> Option<String> {
        let tokens: Vec<Token> = tokens(sql).into_iter().filter(|t| !t.is_space()).collect();
        refusal(&tokens, in_transaction)
    }

    #[test]
    fn what_redshift_lacks_is_refused() {
        for sql in [
            "INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING",
            "SELECT a IS DISTINCT FROM b",
            "DELETE FROM s.t AS t USING f AS f WHERE t.a = f.a",
            "DELETE FROM \"s\".\"t\" t WHERE a = 1",
            "CREATE TABLE t (a BYTEA)",
            "CREATE TABLE t (a DECIMAL(39, 0))",
            "CREATE TABLE t (a VARCHAR(65536))",
            "SELECT COUNT(*) FILTER (WHERE a) FROM t",
            "SELECT MAX(a) OVER (PARTITION BY b ORDER BY c) FROM t",
            "ALTER TABLE t ADD COLUMN a INTEGER, ADD COLUMN b INTEGER",
            "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
            "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.b THEN DELETE",
            "SELECT 't'::regclass",
            "CREATE UNIQUE INDEX i ON t (a)",
        ] {
            assert!(lint(sql, false).is_some(), "{sql}");
        }
        for sql in ["TRUNCATE t", "ALTER TABLE t ALTER COLUMN a TYPE VARCHAR(9)"] {
            assert!(
                lint(sql, true).is_some() && lint(sql, false).is_none(),
                "{sql}"
            );
        }
    }

    #[test]
    fn what_it_knows_is_not() {
        for sql in [
            "DELETE FROM \"s\".\"t\" USING \"f\" AS f WHERE \"s\".\"t\".\"a\" = f.\"a\"",
            "DELETE FROM t",
            "SELECT MAX(a) OVER (PARTITION BY b) FROM t",
            "SELECT MAX(a - b) OVER (PARTITION BY b ORDER BY c ROWS UNBOUNDED PRECEDING) FROM t",
            "INSERT INTO t (\"returning\") VALUES ('ON CONFLICT \\' RETURNING')",
            "CREATE TABLE t (\"json\" SUPER, doc VARBYTE(65535), n DECIMAL(38,2))",
            "ALTER TABLE t ADD COLUMN a DECIMAL(10,2)",
        ] {
            assert_eq!(lint(sql, true), None, "{sql}");
        }
    }
}
