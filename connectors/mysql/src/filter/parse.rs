//! From words to a condition.

use tributary_model::{Error, Result};

use super::lexer::Token;
use super::literal::Literal;
use super::{Check, Comparison, Condition, Test, refused};

/// What can be said.
pub(super) const LANGUAGE: &str = "A filter compares columns with constants: = <> < <= > >=, BETWEEN, IN, \
     LIKE, IS NULL, joined by AND, OR, NOT and parentheses.";

/// Conditions within one another at most: nobody writes more, and the stack is finite.
const DEEPEST: usize = 64;

/// Reads all words as one condition.
///
/// # Errors
/// Fails on what is not of the language.
pub(super) fn condition(tokens: &[Token]) -> Result<Condition> {
    if tokens.is_empty() {
        return Err(refused(
            "is empty",
            "Write a condition, or take `where` out.",
        ));
    }
    let mut parser = Parser {
        tokens,
        at: 0,
        depth: 0,
    };
    let condition = parser.any()?;
    match parser.peek() {
        None => Ok(condition),
        Some(token) => Err(unexpected(token)),
    }
}

struct Parser<'t> {
    tokens: &'t [Token],
    at: usize,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&Token> {
        self.at += 1;
        self.tokens.get(self.at - 1)
    }

    fn word(&mut self, keyword: &str) -> bool {
        let is =
            matches!(self.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        self.at += usize::from(is);
        is
    }

    fn symbol(&mut self, symbol: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(is);
        is
    }

    fn any(&mut self) -> Result<Condition> {
        let mut parts = vec![self.all()?];
        while self.word("OR") || self.symbol("||") {
            parts.push(self.all()?);
        }
        Ok(joined(parts, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition> {
        let mut parts = vec![self.not()?];
        while self.word("AND") || self.symbol("&&") {
            parts.push(self.not()?);
        }
        Ok(joined(parts, Condition::All))
    }

    fn not(&mut self) -> Result<Condition> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(refused("is nested too deep", "Write it flatter."));
        }
        let condition = match self.word("NOT") {
            true => Condition::Not(Box::new(self.not()?)),
            false => self.predicate()?,
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn predicate(&mut self) -> Result<Condition> {
        if self.symbol("(") {
            let inner = self.any()?;
            return match self.symbol(")") {
                true => Ok(inner),
                false => Err(self.missing("a closing parenthesis")),
            };
        }
        if let Some(literal) = self.literal()? {
            let Some(comparison) = self.comparison() else {
                return Err(self.missing("a comparison"));
            };
            let column = self.column()?;
            let check = Check::Compare(comparison.flipped(), literal);
            return Ok(Condition::Test(Test { column, check }));
        }
        let column = self.column()?;
        self.about(column)
    }

    /// What is said about a column.
    fn about(&mut self, column: String) -> Result<Condition> {
        let test = |check| {
            Condition::Test(Test {
                column: column.clone(),
                check,
            })
        };
        if self.symbol("<=>") {
            // Never NULL: equal, and there.
            let equal = match self.required()? {
                Literal::Null => return Ok(test(Check::IsNull)),
                literal => test(Check::Compare(Comparison::Equal, literal)),
            };
            let there = Condition::Not(Box::new(test(Check::IsNull)));
            return Ok(Condition::All(vec![there, equal]));
        }
        if let Some(comparison) = self.comparison() {
            return Ok(test(Check::Compare(comparison, self.constant()?)));
        }
        if self.word("IS") {
            let not = self.word("NOT");
            return match self.word("NULL") {
                true => Ok(negated(test(Check::IsNull), not)),
                false => Err(self.missing("NULL behind IS")),
            };
        }
        let not = self.word("NOT");
        let said = if self.word("BETWEEN") {
            let from = self.constant()?;
            if !self.word("AND") {
                return Err(self.missing("AND between the two bounds"));
            }
            let to = self.constant()?;
            Condition::All(vec![
                test(Check::Compare(Comparison::AtLeast, from)),
                test(Check::Compare(Comparison::AtMost, to)),
            ])
        } else if self.word("IN") {
            let equal = |literal| test(Check::Compare(Comparison::Equal, literal));
            joined(
                self.list()?.into_iter().map(equal).collect(),
                Condition::Any,
            )
        } else if self.word("LIKE") {
            test(self.like()?)
        } else if not {
            return Err(self.missing("BETWEEN, IN or LIKE behind NOT"));
        } else {
            self.refuse_function(&column)?;
            test(Check::IsTrue)
        };
        Ok(negated(said, not))
    }

    fn list(&mut self) -> Result<Vec<Literal>> {
        if !self.symbol("(") {
            return Err(self.missing("a list in parentheses behind IN"));
        }
        let mut list = vec![self.constant()?];
        while self.symbol(",") {
            list.push(self.constant()?);
        }
        match self.symbol(")") {
            true => Ok(list),
            false => Err(self.missing("the end of the list")),
        }
    }

    fn like(&mut self) -> Result<Check> {
        let Literal::Text(pattern) = self.constant()? else {
            return Err(refused(
                "has LIKE without a text",
                "Write the pattern in quotes.",
            ));
        };
        let escape = match self.word("ESCAPE") {
            false => None,
            true => match self.constant()? {
                Literal::Text(text) if text.chars().count() == 1 => Some(text),
                _ => {
                    let fix = "Write one character in quotes behind ESCAPE.";
                    return Err(refused("has an ESCAPE that is not one character", fix));
                }
            },
        };
        Ok(Check::Like { pattern, escape })
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let comparison = match self.peek()? {
            Token::Symbol("=") => Comparison::Equal,
            Token::Symbol("<>" | "!=") => Comparison::Unequal,
            Token::Symbol("<") => Comparison::Less,
            Token::Symbol("<=") => Comparison::AtMost,
            Token::Symbol(">") => Comparison::Greater,
            Token::Symbol(">=") => Comparison::AtLeast,
            _ => return None,
        };
        self.at += 1;
        Some(comparison)
    }

    /// A constant that is not NULL.
    fn constant(&mut self) -> Result<Literal> {
        match self.required()? {
            Literal::Null => Err(refused(
                "compares with NULL, which is never true",
                "Write IS NULL or IS NOT NULL.",
            )),
            literal => Ok(literal),
        }
    }

    fn required(&mut self) -> Result<Literal> {
        if let Some(literal) = self.literal()? {
            return Ok(literal);
        }
        match self.peek() {
            Some(Token::Word(name) | Token::Name(name)) => Err(refused(
                format!("has `{name}` where only a constant can stand"),
                format!("{LANGUAGE} Not with other columns or functions."),
            )),
            _ => Err(self.missing("a constant")),
        }
    }

    fn literal(&mut self) -> Result<Option<Literal>> {
        let negative = self.symbol("-");
        let signed = negative || self.symbol("+");
        let literal = match self.peek() {
            Some(Token::Number(text)) => Literal::number(negative, text)?,
            _ if signed => return Err(self.missing("a number behind the sign")),
            Some(Token::Text(text)) => Literal::Text(text.clone()),
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("NULL") => Literal::Null,
            Some(Token::Word(word)) if is_date(word) => match self.tokens.get(self.at + 1) {
                Some(Token::Text(text)) => {
                    self.at += 1;
                    Literal::Text(text.clone())
                }
                _ => return Ok(None),
            },
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("TRUE") => {
                Literal::number(false, "1")?
            }
            Some(Token::Word(word)) if word.eq_ignore_ascii_case("FALSE") => {
                Literal::number(false, "0")?
            }
            _ => return Ok(None),
        };
        self.at += 1;
        Ok(Some(literal))
    }

    fn column(&mut self) -> Result<String> {
        match self.next() {
            Some(Token::Word(name)) if !is_keyword(name) => {
                let name = name.clone();
                self.refuse_function(&name)?;
                Ok(name)
            }
            Some(Token::Name(name)) => Ok(name.clone()),
            Some(token) => Err(unexpected(token)),
            None => Err(self.missing("a column")),
        }
    }

    fn refuse_function(&self, name: &str) -> Result<()> {
        match self.peek() {
            Some(Token::Symbol("(")) => Err(refused(
                format!("has the function `{name}(…)`, which can't be asked of a row of the log"),
                LANGUAGE,
            )),
            _ => Ok(()),
        }
    }

    fn missing(&self, what: &str) -> Error {
        match self.peek() {
            Some(token) => refused(format!("lacks {what} before {}", shown(token)), LANGUAGE),
            None => refused(format!("ends where {what} should stand"), LANGUAGE),
        }
    }
}

/// What may stand before a date, and changes nothing.
fn is_date(word: &str) -> bool {
    word.eq_ignore_ascii_case("DATE") || word.eq_ignore_ascii_case("TIMESTAMP")
}

/// Words that are no columns unless they stand in backticks.
fn is_keyword(word: &str) -> bool {
    const KEYWORDS: [&str; 20] = [
        "AND", "OR", "NOT", "XOR", "IN", "IS", "LIKE", "BETWEEN", "NULL", "TRUE", "FALSE",
        "ESCAPE", "REGEXP", "RLIKE", "SELECT", "CASE", "EXISTS", "DIV", "MOD", "INTERVAL",
    ];
    KEYWORDS
        .iter()
        .any(|keyword| word.eq_ignore_ascii_case(keyword))
}

fn joined(mut parts: Vec<Condition>, join: fn(Vec<Condition>) -> Condition) -> Condition {
    match parts.len() {
        1 => parts.remove(0),
        _ => join(parts),
    }
}

fn negated(condition: Condition, not: bool) -> Condition {
    match not {
        true => Condition::Not(Box::new(condition)),
        false => condition,
    }
}

impl Comparison {
    /// The same with its sides exchanged.
    fn flipped(self) -> Self {
        match self {
            Self::Equal | Self::Unequal => self,
            Self::Less => Self::Greater,
            Self::AtMost => Self::AtLeast,
            Self::Greater => Self::Less,
            Self::AtLeast => Self::AtMost,
        }
    }
}

fn unexpected(token: &Token) -> Error {
    refused(format!("can't have {} there", shown(token)), LANGUAGE)
}

fn shown(token: &Token) -> String {
    match token {
        Token::Word(text) | Token::Name(text) | Token::Number(text) => format!("`{text}`"),
        Token::Text(text) => format!("'{text}'"),
        Token::Symbol(text) => format!("`{text}`"),
    }
}
