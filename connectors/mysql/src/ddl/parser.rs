//! Steps over tokens.

use super::lexer::Token;
use super::{Context, Table};

/// A place in a run of tokens.
#[derive(Clone, Copy)]
pub(super) struct Parser<'t> {
    tokens: &'t [Token<'t>],
    context: &'t Context<'t>,
}

impl<'t> Parser<'t> {
    pub(super) fn new(tokens: &'t [Token<'t>], context: &'t Context<'t>) -> Self {
        Self { tokens, context }
    }

    /// What names mean here.
    pub(super) fn context(&self) -> &'t Context<'t> {
        self.context
    }

    /// What is left.
    pub(super) fn rest(&self) -> &'t [Token<'t>] {
        self.tokens
    }

    /// Whether nothing is left but the end of the statement.
    pub(super) fn is_at_end(&self) -> bool {
        self.tokens
            .iter()
            .all(|token| *token == Token::Symbol(b';'))
    }

    /// The keyword here, in capitals.
    pub(super) fn keyword(&self) -> Option<String> {
        self.keyword_at(0)
    }

    /// The keyword some tokens ahead, in capitals.
    pub(super) fn keyword_at(&self, ahead: usize) -> Option<String> {
        match self.tokens.get(ahead)? {
            Token::Word(word) => Some(word.to_ascii_uppercase()),
            Token::Name(_) | Token::Text(_) | Token::Number(_) | Token::Symbol(_) => None,
        }
    }

    /// Goes on by one.
    pub(super) fn advance(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or_default();
    }

    /// Takes a keyword where it stands.
    pub(super) fn take(&mut self, keyword: &str) -> bool {
        let here = matches!(
            self.tokens.first(),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword)
        );
        if here {
            self.advance();
        }
        here
    }

    /// Takes any of these keywords, as many as there are.
    pub(super) fn take_all(&mut self, keywords: &[&str]) {
        while keywords.iter().any(|keyword| self.take(keyword)) {}
    }

    /// Takes a symbol where it stands.
    pub(super) fn take_symbol(&mut self, symbol: u8) -> bool {
        let here = self.tokens.first() == Some(&Token::Symbol(symbol));
        if here {
            self.advance();
        }
        here
    }

    /// Takes `IF [NOT] EXISTS` where it stands.
    pub(super) fn take_if_exists(&mut self) {
        if self.keyword().as_deref() == Some("IF")
            && matches!(self.keyword_at(1).as_deref(), Some("EXISTS" | "NOT"))
        {
            self.take_all(&["IF", "NOT", "EXISTS"]);
        }
    }

    /// Takes MariaDB's `WAIT 5` or `NOWAIT`.
    pub(super) fn take_wait(&mut self) {
        if self.take("WAIT") {
            self.advance();
        }
        self.take("NOWAIT");
    }

    /// Takes a name.
    pub(super) fn name(&mut self) -> Option<String> {
        let name = match self.tokens.first()? {
            Token::Word(word) => word.clone().into_owned(),
            Token::Name(name) => name.clone(),
            Token::Number(_) | Token::Text(_) | Token::Symbol(_) => return None,
        };
        self.advance();
        Some(name)
    }

    /// Takes the name of a table, with or without its database.
    pub(super) fn table(&mut self) -> Option<Table> {
        let first = self.name()?;
        if !self.take_symbol(b'.') {
            return Some(self.place(self.context.database.to_owned(), first));
        }
        // Behind a dot a name may consist of digits.
        let name = match self.tokens.first()? {
            Token::Number(digits) => {
                let digits = digits.clone().into_owned();
                self.advance();
                digits
            }
            Token::Word(_) | Token::Name(_) | Token::Text(_) | Token::Symbol(_) => self.name()?,
        };
        Some(self.place(first, name))
    }

    fn place(&self, database: String, name: String) -> Table {
        Table {
            database: self.as_kept(database),
            name: self.as_kept(name),
        }
    }

    /// A name as the server keeps it.
    pub(super) fn as_kept(&self, name: String) -> String {
        if self.context.ignores_case {
            name.to_lowercase()
        } else {
            name
        }
    }

    /// What is left up to the parenthesis that closes all of it.
    pub(super) fn inside(&self) -> Option<Self> {
        let end = self
            .tokens
            .iter()
            .rposition(|token| *token == Token::Symbol(b')'))?;
        let behind = Self {
            tokens: &self.tokens[end + 1..],
            ..*self
        };
        behind.is_at_end().then_some(Self {
            tokens: &self.tokens[..end],
            ..*self
        })
    }

    /// Splits what is left at commas outside parentheses.
    pub(super) fn clauses(&self) -> Vec<Self> {
        let mut depth = 0_usize;
        self.tokens
            .split(|token| {
                match token {
                    Token::Symbol(b'(') => depth += 1,
                    Token::Symbol(b')') => depth = depth.saturating_sub(1),
                    _ => {}
                }
                depth == 0 && *token == Token::Symbol(b',')
            })
            .map(|tokens| Self { tokens, ..*self })
            .collect()
    }

    /// Whether any of these keywords occurs in what is left, at any depth.
    pub(super) fn has_any(&self, keywords: &[&str]) -> bool {
        (0..self.tokens.len())
            .filter_map(|ahead| self.keyword_at(ahead))
            .any(|word| keywords.contains(&word.as_str()))
    }

    /// Whether any of these keywords occurs in what is left, outside parentheses.
    pub(super) fn has_outside(&self, keywords: &[&str]) -> bool {
        let mut depth = 0_usize;
        self.tokens.iter().any(|token| {
            match token {
                Token::Symbol(b'(') => depth += 1,
                Token::Symbol(b')') => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0
                && matches!(token, Token::Word(word)
                    if keywords.iter().any(|keyword| word.eq_ignore_ascii_case(keyword)))
        })
    }
}
