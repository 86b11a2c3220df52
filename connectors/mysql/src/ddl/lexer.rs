//! A statement as tokens.
//!
//! Comments are gone, except that what a server executes inside `/*! … */` counts as text.

use std::borrow::Cow;

use super::Context;
use crate::server::Flavor;

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword, or a name without quotes.
    Word(Cow<'a, str>),
    /// A name in quotes, without them.
    Name(String),
    /// A text in quotes; what it says never matters, except in the name of an XA transaction.
    Text(Cow<'a, str>),
    /// Digits.
    Number(Cow<'a, str>),
    /// Anything else.
    Symbol(u8),
}

/// Tokens, one at a time.
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    /// How many executed comments we are in.
    executed: usize,
    context: Context<'a>,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], context: &Context<'a>) -> Self {
        Self {
            text,
            at: 0,
            executed: 0,
            context: *context,
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Goes to the next token.
    fn skip_blanks(&mut self) {
        loop {
            let before = self.at;
            while self
                .peek(0)
                .is_some_and(|byte| byte.is_ascii_whitespace() || byte == 0)
            {
                self.at += 1;
            }
            match (self.peek(0), self.peek(1)) {
                (Some(b'#'), _) => self.skip_line(),
                // Two dashes begin a comment only before a blank: `5--3` is a sum.
                (Some(b'-'), Some(b'-')) if self.peek(2).is_none_or(|byte| byte <= b' ') => {
                    self.skip_line();
                }
                (Some(b'/'), Some(b'*')) => self.comment(),
                (Some(b'*'), Some(b'/')) if self.executed > 0 => {
                    self.executed -= 1;
                    self.at += 2;
                }
                _ => {}
            }
            if self.at == before {
                return;
            }
        }
    }

    fn skip_line(&mut self) {
        let line = memchr::memchr(b'\n', self.rest());
        self.at += line.map_or(self.rest().len(), |end| end + 1);
    }

    /// At `/*`: goes behind the comment, or into it where it is executed.
    fn comment(&mut self) {
        let (mark, here) = match (self.peek(2), self.peek(3)) {
            (Some(b'!'), _) => (3, true),
            (Some(b'M'), Some(b'!')) => (4, self.context.flavor == Flavor::MariaDb),
            _ => (2, false),
        };
        let digits = self.text[self.at + mark..]
            .iter()
            .take(6)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        // Fewer than five digits are no version but part of the statement.
        let digits = if digits < 5 { 0 } else { digits };
        if here && self.executes(mark, digits) {
            self.executed += 1;
            self.at += mark + digits;
        } else {
            self.at += 2;
            self.skip_comment();
        }
    }

    fn executes(&self, mark: usize, digits: usize) -> bool {
        let from = self.at + mark;
        let version = self.text[from..from + digits]
            .iter()
            .fold(0, |number, digit| number * 10 + u32::from(digit - b'0'));
        // Since MariaDB split off, MySQL's numbers of later versions mean nothing to it.
        let of_mysql = self.context.flavor == Flavor::MariaDb
            && mark == 3
            && (50_700..=99_999).contains(&version);
        version <= self.context.version && !of_mysql
    }

    /// Behind `/*`: goes behind its end. Comments inside count, as they do for a comment that is
    /// not executed.
    fn skip_comment(&mut self) {
        let mut depth = 1;
        while depth > 0 && self.at < self.text.len() {
            match (self.peek(0), self.peek(1)) {
                (Some(b'*'), Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                }
                (Some(b'/'), Some(b'*')) if self.peek(2) == Some(b'!') => {
                    depth += 1;
                    self.at += 2;
                }
                _ => self.at += 1,
            }
        }
    }

    /// At a quote: the text inside.
    fn quoted(&mut self, quote: u8) -> Cow<'a, str> {
        let escapes = quote != b'`' && !self.context.no_backslash_escapes && !self.is_name(quote);
        self.at += 1;
        let start = self.at;
        let mut plain = true;
        while let Some(byte) = self.peek(0) {
            if byte == b'\\' && escapes {
                plain = false;
                self.at += 2;
            } else if byte != quote {
                self.at += 1;
            } else if self.peek(1) == Some(quote) {
                plain = false;
                self.at += 2;
            } else {
                break;
            }
        }
        self.at = self.at.min(self.text.len());
        let inner = String::from_utf8_lossy(&self.text[start..self.at]);
        self.at += 1;
        if plain {
            return inner;
        }
        let quote = char::from(quote).to_string();
        Cow::Owned(inner.replace(&quote.repeat(2), &quote))
    }

    fn is_name(&self, quote: u8) -> bool {
        quote == b'`' || (quote == b'"' && self.context.ansi_quotes)
    }

    fn word(&mut self) -> Token<'a> {
        let rest = self.rest();
        let length = rest
            .iter()
            .take_while(|&&byte| is_part_of_word(byte))
            .count();
        self.at += length;
        let word = String::from_utf8_lossy(&rest[..length]);
        if rest[..length].iter().all(u8::is_ascii_digit) {
            Token::Number(word)
        } else {
            Token::Word(word)
        }
    }
}

fn is_part_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

impl<'a> Iterator for Lexer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let byte = self.peek(0)?;
        Some(match byte {
            b'`' | b'"' | b'\'' => {
                let text = self.quoted(byte);
                if self.is_name(byte) {
                    Token::Name(text.into_owned())
                } else {
                    Token::Text(text)
                }
            }
            byte if is_part_of_word(byte) => self.word(),
            symbol => {
                self.at += 1;
                Token::Symbol(symbol)
            }
        })
    }
}
