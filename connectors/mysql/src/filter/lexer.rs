//! The words of a filter.

use tributary_model::Result;

use super::refused;

/// A word.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// A keyword or a name.
    Word(String),
    /// A name in backticks.
    Name(String),
    /// A text in quotes, without them.
    Text(String),
    /// A number without a sign.
    Number(String),
    /// Anything else that means something.
    Symbol(&'static str),
}

/// Longer ones first: they begin like shorter ones.
const SYMBOLS: [&str; 16] = [
    "<=>", "<>", "<=", ">=", "!=", "&&", "||", "==", "=", "<", ">", "(", ")", ",", "-", "+",
];

/// Cuts a text into words.
///
/// # Errors
/// Fails on what no word begins with, and where a quote does not end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, behind) = match first {
            '\'' | '"' => quoted(rest, first).map(|(text, rest)| (Token::Text(text), rest))?,
            '`' => quoted(rest, first).map(|(name, rest)| (Token::Name(name), rest))?,
            '0'..='9' | '.' => number(rest)?,
            _ if is_of_name(first) => name(rest),
            _ => symbol(rest)?,
        };
        tokens.push(token);
        rest = behind.trim_start();
    }
    Ok(tokens)
}

fn is_of_name(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '_' | '$') || !character.is_ascii()
}

fn name(text: &str) -> (Token, &str) {
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    (Token::Word(text[..end].to_owned()), &text[end..])
}

fn number(text: &str) -> Result<(Token, &str)> {
    let is_digit = |c: &char| c.is_ascii_digit();
    let digits = |text: &str| text.chars().take_while(is_digit).count();
    let mut end = digits(text);
    if text[end..].starts_with('.') {
        end += 1 + digits(&text[end + 1..]);
    }
    let mantissa = end;
    if text[end..].starts_with(['e', 'E']) {
        let sign = usize::from(text[end + 1..].starts_with(['+', '-']));
        let exponent = digits(&text[end + 1 + sign..]);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    let follows = text[end..].chars().next();
    if mantissa == 1 && text.starts_with('.') || follows.is_some_and(|c| is_of_name(c) || c == '.')
    {
        let word: String = text
            .chars()
            .take_while(|c| is_of_name(*c) || *c == '.')
            .collect();
        return Err(refused(
            format!("has `{word}`, which is neither a number nor a name"),
            "Write numbers like 5, 1.25 or 1e6, and such a name in backticks.",
        ));
    }
    Ok((Token::Number(text[..end].to_owned()), &text[end..]))
}

/// What stands between two `quote`s, with the escapes that the server knows by default.
fn quoted(text: &str, quote: char) -> Result<(String, &str)> {
    let mut inner = String::new();
    let mut characters = text.char_indices().skip(1).peekable();
    while let Some((at, character)) = characters.next() {
        if character == quote {
            if characters.next_if(|(_, next)| *next == quote).is_none() {
                return Ok((inner, &text[at + character.len_utf8()..]));
            }
            inner.push(quote);
        } else if character == '\\' && quote != '`' {
            let escaped = characters.next().map_or('\\', |(_, next)| next);
            match escaped {
                // These two keep their backslash: they are for LIKE.
                '%' | '_' => inner.extend(['\\', escaped]),
                other => inner.push(unescaped(other)),
            }
        } else {
            inner.push(character);
        }
    }
    Err(refused(
        format!("has a {quote} that does not end"),
        "Close the quote; a quote within a text is written twice.",
    ))
}

fn unescaped(character: char) -> char {
    match character {
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        '0' => '\0',
        'b' => '\u{8}',
        'Z' => '\u{1a}',
        other => other,
    }
}

fn symbol(text: &str) -> Result<(Token, &str)> {
    let is_comment = text.starts_with("--") || text.starts_with("/*") || text.starts_with('#');
    let found = SYMBOLS.iter().find(|symbol| text.starts_with(**symbol));
    match found {
        Some(symbol) if !is_comment => Ok((Token::Symbol(symbol), &text[symbol.len()..])),
        _ if is_comment => Err(refused(
            "has a comment",
            "Put comments behind a # of the YAML file.",
        )),
        _ => {
            let first: String = text.chars().take(1).collect();
            Err(refused(
                format!("has `{first}`, which means nothing there"),
                super::parse::LANGUAGE,
            ))
        }
    }
}
