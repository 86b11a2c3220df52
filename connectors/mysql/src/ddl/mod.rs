//! What a statement in the log does to tables and their rows.
//!
//! Row events tell what happens to rows, and table maps what tables look like. Statements tell the
//! rest: what empties, renames or rewrites a table without any event. A *classifier*, not a parser:
//! it knows the beginnings of statements and of the clauses of ALTER TABLE, and takes everything
//! else for the worst it could be. Pure; no text makes it panic.
//!
//! Deliberately absent: defaults of columns, which `information_schema` knows better. Their types are
//! read for servers only whose table maps do not name columns ([`edit`]).

mod alter;
mod define;
mod edit;
mod lexer;
mod mentions;
mod parser;
mod statement;

use crate::server::Flavor;

pub(crate) use define::{Definition, Place, charset_of};
pub(crate) use edit::{Edit, IfMissing, IfThere};
pub(crate) use statement::Statement;

/// What a statement's meaning depends on besides its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The database that names without one are in.
    pub(crate) database: &'a str,
    /// Which comments are executed.
    pub(crate) flavor: Flavor,
    /// The server's version as comments count it: 80034, 101119.
    pub(crate) version: u32,
    /// Whether `"x"` is a name (SQL mode ANSI_QUOTES), not a text.
    pub(crate) ansi_quotes: bool,
    /// Whether a backslash is a character like any other (SQL mode NO_BACKSLASH_ESCAPES).
    pub(crate) no_backslash_escapes: bool,
    /// Whether the server keeps names of tables in lower case.
    pub(crate) ignores_case: bool,
}

/// A table, with its database.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Table {
    /// Its database.
    pub(crate) database: String,
    /// Its name.
    pub(crate) name: String,
}

/// Says what a statement does. The text is taken as UTF-8; what is not is replaced, which can only
/// matter within quotes.
pub(crate) fn classify(text: &[u8], context: &Context<'_>) -> Statement {
    // Nearly all statements of a log in row format are one of these.
    match text {
        b"BEGIN" => Statement::Begin,
        b"COMMIT" => Statement::Commit,
        _ => statement::classify(text, context),
    }
}

#[cfg(test)]
mod tests;
