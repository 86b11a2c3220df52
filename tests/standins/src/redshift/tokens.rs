//! A statement as its words.

/// A word of a statement, as it stands there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a name without quotes, or a number.
    Word(String),
    /// A name in quotes, without them.
    Name(String),
    /// A text, with its quotes.
    Text(String),
    /// Anything else: one character, or `::`.
    Sign(String),
    /// What separates.
    Space(String),
}

impl Token {
    /// A word in capitals; empty where it is none.
    pub(super) fn word(&self) -> String {
        match self {
            Self::Word(word) => word.to_ascii_uppercase(),
            _ => String::new(),
        }
    }

    pub(super) fn is_sign(&self, sign: &str) -> bool {
        matches!(self, Self::Sign(own) if own == sign)
    }

    pub(super) fn is_space(&self) -> bool {
        matches!(self, Self::Space(_))
    }

    /// Whether it may name something.
    pub(super) fn is_name(&self) -> bool {
        matches!(self, Self::Name(_) | Self::Word(_))
    }
}

/// The words of a statement, spaces included.
pub(super) fn tokens(sql: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' => quoted(rest, '\''),
            '"' => quoted(rest, '"'),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            c if c.is_whitespace() => while_is(rest, char::is_whitespace),
            c if is_word(c) => while_is(rest, is_word),
            ':' if rest.starts_with("::") => 2,
            c => c.len_utf8(),
        };
        let (text, more) = rest.split_at(length);
        tokens.push(match first {
            '\'' => Token::Text(text.to_owned()),
            '"' => Token::Name(text[1..text.len() - 1].replace("\"\"", "\"")),
            '-' if text.len() > 1 => Token::Space(" ".to_owned()),
            c if c.is_whitespace() => Token::Space(text.to_owned()),
            c if is_word(c) => Token::Word(text.to_owned()),
            _ => Token::Sign(text.to_owned()),
        });
        rest = more;
    }
    tokens
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

fn while_is(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

/// The length of what is quoted; a text knows escapes, and either its own quote twice.
fn quoted(text: &str, quote: char) -> usize {
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && quote == '\'' {
            chars.next();
        } else if c == quote {
            match chars.peek() {
                Some((_, next)) if *next == quote => {
                    chars.next();
                }
                _ => return at + 1,
            }
        }
    }
    text.len()
}

/// The text that a literal stands for.
pub(super) fn unquoted(literal: &str) -> String {
    let inner = literal.trim_start_matches('\'');
    let inner = inner.strip_suffix('\'').unwrap_or(inner);
    let mut text = String::new();
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            '\'' => {
                text.push('\'');
                chars.next();
            }
            other => text.push(other),
        }
    }
    text
}

/// A literal of a text.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}
