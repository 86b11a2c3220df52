//! A filter as SQL.

use super::literal::Literal;
use super::{Check, Comparison, Condition};
use crate::names::{quote, quote_text};

/// The condition, in parentheses where it needs them.
pub(super) fn condition(condition: &Condition) -> String {
    let joined = |parts: &[Condition], word: &str| {
        let parts: Vec<String> = parts.iter().map(self::condition).collect();
        format!("({})", parts.join(word))
    };
    match condition {
        Condition::All(parts) => joined(parts, " AND "),
        Condition::Any(parts) => joined(parts, " OR "),
        Condition::Not(inner) => format!("(NOT {})", self::condition(inner)),
        Condition::Test(test) => format!("({})", check(&quote(&test.column), &test.check)),
    }
}

/// One question about `subject`.
pub(super) fn check(subject: &str, check: &Check) -> String {
    match check {
        Check::Compare(comparison, literal) => {
            format!("{subject} {} {}", comparison.sql(), constant(literal))
        }
        Check::Like { pattern, escape } => {
            let escape = escape
                .as_ref()
                .map(|text| format!(" ESCAPE {}", quote_text(text)));
            format!(
                "{subject} LIKE {}{}",
                quote_text(pattern),
                escape.unwrap_or_default()
            )
        }
        // `IS NULL` of a NOT NULL date finds 0000-00-00.
        Check::IsNull => format!("{subject} <=> NULL"),
        Check::IsTrue => format!("{subject} <> 0"),
    }
}

fn constant(literal: &Literal) -> String {
    match literal {
        Literal::Number(number) => number.to_string(),
        Literal::Double(number) => format!("{number:e}"),
        Literal::Text(text) => quote_text(text),
        Literal::Null => "NULL".to_owned(),
    }
}

impl Comparison {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::Unequal => "<>",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::Greater => ">",
            Self::AtLeast => ">=",
        }
    }
}
