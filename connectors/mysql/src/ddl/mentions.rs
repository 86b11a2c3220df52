//! Which tables a statement that is not understood may be about.

use std::collections::BTreeSet;

use super::lexer::Token;
use super::{Context, Table};

/// Every name that could be a table's, with its database, in lower case: better one statement too
/// many than one too few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mentions {
    /// These.
    Names(BTreeSet<(String, String)>),
    /// Whatever a routine of the server does.
    Everything,
}

impl Mentions {
    pub(super) fn of<'t>(tokens: impl Iterator<Item = Token<'t>>, context: &Context<'_>) -> Self {
        let mut found = BTreeSet::new();
        let mut chain: Vec<String> = Vec::new();
        let mut behind_dot = false;
        for token in tokens {
            let name = match token {
                Token::Symbol(b'.') if !chain.is_empty() => {
                    behind_dot = true;
                    continue;
                }
                Token::Word(word) => Some(word.to_lowercase()),
                Token::Name(name) => Some(name.to_lowercase()),
                Token::Number(digits) if behind_dot => Some(digits.into_owned()),
                Token::Number(_) | Token::Text(_) | Token::Symbol(_) => None,
            };
            if !behind_dot {
                add(&mut found, &chain, context);
                chain.clear();
            }
            chain.extend(name);
            behind_dot = false;
        }
        add(&mut found, &chain, context);
        Self::Names(found)
    }

    /// Whether the statement may be about the table.
    pub(crate) fn include(&self, table: &Table) -> bool {
        let place = (table.database.to_lowercase(), table.name.to_lowercase());
        match self {
            Self::Names(names) => names.contains(&place),
            Self::Everything => true,
        }
    }
}

/// Notes `table`, `database.table` or `database.table.column`.
fn add(names: &mut BTreeSet<(String, String)>, chain: &[String], context: &Context<'_>) {
    if let [alone] = chain {
        names.insert((context.database.to_lowercase(), alone.clone()));
    }
    for pair in chain.windows(2) {
        names.insert((pair[0].clone(), pair[1].clone()));
    }
}
