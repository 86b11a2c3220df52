//! The beginnings of statements.

use super::alter::{self, Alter};
use super::lexer::{Lexer, Token};
use super::mentions::Mentions;
use super::parser::Parser;
use super::{Context, Table};

/// What a statement does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    /// A transaction begins.
    Begin,
    /// It ends well.
    Commit,
    /// It is undone.
    Rollback,
    /// SAVEPOINT, ROLLBACK TO and RELEASE: nothing for rows in a log that has only what stayed.
    Savepoint,
    /// A step of an XA transaction.
    Xa(Xa),
    /// A table comes to be.
    CreateTable(Create),
    /// Tables go.
    DropTables(Vec<Table>),
    /// A database goes, with its tables.
    DropDatabase(String),
    /// Tables get other names, one after the other.
    RenameTables(Vec<Rename>),
    /// A table is emptied.
    Truncate(Table),
    /// A table is changed.
    AlterTable(Alter),
    /// Rows were changed by a statement, without row events: the log is not in row format.
    Dml(Mentions),
    /// Nothing that matters to tables and rows: users, views, indexes that are not unique …
    Ignorable,
    /// Not understood.
    Unknown(Mentions),
}

/// A step of an XA transaction; `xid` is its name in one spelling.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub(crate) enum Xa {
    Start { xid: String },
    End { xid: String },
    Prepare { xid: String },
    Commit { xid: String },
    Rollback { xid: String },
}

/// A CREATE TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Create {
    /// The table.
    pub(crate) table: Table,
    /// Whether a table of that name goes first (OR REPLACE).
    pub(crate) replaces: bool,
    /// Whether nothing happens where there is one already (IF NOT EXISTS).
    pub(crate) if_missing: bool,
    /// What it begins with.
    pub(crate) origin: Origin,
}

/// What a new table begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Its own declaration.
    Declared,
    /// Another table's declaration.
    Like(Table),
    /// The rows of a query, which follow as row events.
    Select,
}

/// One pair of a RENAME TABLE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rename {
    /// The name before.
    pub(crate) from: Table,
    /// The name afterwards.
    pub(crate) to: Table,
}

impl Statement {
    /// Whether the table is named, or may be meant.
    pub(crate) fn touches(&self, table: &Table) -> bool {
        match self {
            Self::Begin | Self::Commit | Self::Rollback | Self::Savepoint | Self::Xa(_) => false,
            Self::Ignorable => false,
            Self::CreateTable(create) => create.table == *table,
            Self::DropTables(tables) => tables.contains(table),
            Self::DropDatabase(database) => *database == table.database,
            Self::RenameTables(renames) => renames
                .iter()
                .any(|rename| rename.from == *table || rename.to == *table),
            Self::Truncate(truncated) => truncated == table,
            Self::AlterTable(alter) => {
                alter.table == *table
                    || alter.renamed_to.as_ref() == Some(table)
                    || alter.exchanged_with.as_ref() == Some(table)
            }
            Self::Dml(mentions) | Self::Unknown(mentions) => mentions.include(table),
        }
    }
}

/// Words that begin a statement which concerns neither tables nor rows.
const IGNORABLE: [&str; 31] = [
    "BACKUP",
    "BINLOG",
    "CACHE",
    "CHANGE",
    "CHECK",
    "CHECKSUM",
    "CLONE",
    "DEALLOCATE",
    "DESC",
    "DESCRIBE",
    "EXPLAIN",
    "FLUSH",
    "GRANT",
    "HANDLER",
    "HELP",
    "INSTALL",
    "KILL",
    "LOCK",
    "OPTIMIZE",
    "PREPARE",
    "PURGE",
    "REPAIR",
    "RESET",
    "RESTART",
    "REVOKE",
    "SHOW",
    "SHUTDOWN",
    "STOP",
    "UNINSTALL",
    "UNLOCK",
    "USE",
];

/// Words that begin a statement which changes rows, or may.
const DML: [&str; 8] = [
    "DELETE", "INSERT", "LOAD", "REPLACE", "TABLE", "UPDATE", "VALUES", "WITH",
];
/// The same: one of these is in the log only for what a function or procedure in it has changed.
const ROUTINES: [&str; 3] = ["CALL", "DO", "SELECT"];

pub(super) fn classify(text: &[u8], context: &Context<'_>) -> Statement {
    let mut lexer = Lexer::new(text, context);
    match lexer.next() {
        None | Some(Token::Symbol(b';')) => return Statement::Ignorable,
        Some(Token::Word(word)) => {
            let word = word.to_ascii_uppercase();
            if ROUTINES.contains(&word.as_str()) {
                return Statement::Dml(Mentions::Everything);
            }
            if DML.contains(&word.as_str()) {
                // Without keeping its tokens: such a statement may hold any number of rows.
                return Statement::Dml(Mentions::of(lexer, context));
            }
            if word == "ANALYZE" {
                return analyze(lexer, context);
            }
            if IGNORABLE.contains(&word.as_str()) {
                return Statement::Ignorable;
            }
        }
        Some(Token::Name(_) | Token::Text(_) | Token::Number(_) | Token::Symbol(_)) => {}
    }
    let tokens: Vec<Token<'_>> = Lexer::new(text, context).collect();
    parse(Parser::new(&tokens, context))
        .unwrap_or_else(|| Statement::Unknown(Mentions::of(tokens.iter().cloned(), context)))
}

/// MariaDB's `ANALYZE UPDATE …` runs what it measures.
fn analyze(mut lexer: Lexer<'_>, context: &Context<'_>) -> Statement {
    match lexer.next() {
        Some(Token::Word(word)) if DML.contains(&word.to_ascii_uppercase().as_str()) => {
            match word.to_ascii_uppercase().as_str() {
                // `ANALYZE TABLE t` gathers statistics.
                "TABLE" => Statement::Ignorable,
                _ => Statement::Dml(Mentions::of(lexer, context)),
            }
        }
        _ => Statement::Ignorable,
    }
}

/// `None` where the statement is not understood.
fn parse(mut p: Parser<'_>) -> Option<Statement> {
    let word = p.keyword()?;
    p.advance();
    match word.as_str() {
        "BEGIN" => Some(Statement::Begin),
        "COMMIT" => Some(Statement::Commit),
        "START" => Some(if p.take("TRANSACTION") {
            Statement::Begin
        } else {
            Statement::Ignorable
        }),
        "ROLLBACK" => {
            p.take("WORK");
            Some(if p.take("TO") {
                Statement::Savepoint
            } else {
                Statement::Rollback
            })
        }
        "SAVEPOINT" | "RELEASE" => Some(Statement::Savepoint),
        "XA" => xa(p),
        "SET" => set(p),
        "CREATE" => create(p),
        "ALTER" => alter_(p),
        "DROP" => drop(p),
        "RENAME" => rename(p),
        "TRUNCATE" => {
            p.take("TABLE");
            p.table().map(Statement::Truncate)
        }
        _ => None,
    }
}

fn xa(mut p: Parser<'_>) -> Option<Statement> {
    let step = p.keyword()?;
    p.advance();
    let xid = xid(p.rest());
    Some(Statement::Xa(match step.as_str() {
        "START" | "BEGIN" => Xa::Start { xid },
        "END" => Xa::End { xid },
        "PREPARE" => Xa::Prepare { xid },
        "COMMIT" => Xa::Commit { xid },
        "ROLLBACK" => Xa::Rollback { xid },
        _ => return None,
    }))
}

/// The server writes `X'6162',X'',1`; options such as ONE PHASE stand behind.
fn xid(tokens: &[Token<'_>]) -> String {
    let mut out = String::new();
    for token in tokens {
        match token {
            Token::Word(word) if word.eq_ignore_ascii_case("x") => out.push('X'),
            Token::Text(text) => {
                out.push('\'');
                out.push_str(text);
                out.push('\'');
            }
            Token::Number(digits) => out.push_str(digits),
            Token::Symbol(b',') => out.push(','),
            Token::Word(_) | Token::Name(_) | Token::Symbol(_) => break,
        }
    }
    out
}

/// MariaDB's `SET STATEMENT variable=value FOR statement` is that statement.
fn set(mut p: Parser<'_>) -> Option<Statement> {
    if !p.take("STATEMENT") {
        return Some(Statement::Ignorable);
    }
    while !p.rest().is_empty() && !p.take("FOR") {
        p.advance();
    }
    let word = p.keyword()?;
    if DML.contains(&word.as_str()) {
        return Some(Statement::Dml(Mentions::of(
            p.rest().iter().cloned(),
            p.context(),
        )));
    }
    if IGNORABLE.contains(&word.as_str()) {
        return Some(Statement::Ignorable);
    }
    parse(p)
}

fn create(mut p: Parser<'_>) -> Option<Statement> {
    let replaces = p.take("OR") && p.take("REPLACE");
    if p.take("TEMPORARY") {
        return Some(Statement::Ignorable);
    }
    match p.keyword().as_deref() {
        Some("TABLE") => create_table(p, replaces),
        Some("UNIQUE") => index(p),
        Some(_) => Some(Statement::Ignorable),
        None => None,
    }
}

fn create_table(mut p: Parser<'_>, replaces: bool) -> Option<Statement> {
    p.advance();
    let if_missing = p.keyword().as_deref() == Some("IF");
    p.take_if_exists();
    let table = p.table()?;
    let origin = origin(p)?;
    Some(Statement::CreateTable(Create {
        table,
        replaces,
        if_missing,
        origin,
    }))
}

fn origin(mut p: Parser<'_>) -> Option<Origin> {
    // No declaration of a column holds a query: where there is one, it is the table's.
    let query = p.has_any(&["SELECT"]) || p.has_outside(&["TABLE", "VALUES", "START"]);
    if query {
        return Some(Origin::Select);
    }
    p.take_symbol(b'(');
    if p.take("LIKE") {
        return p.table().map(Origin::Like);
    }
    Some(Origin::Declared)
}

/// `CREATE UNIQUE INDEX i ON t (…)`, `DROP INDEX i ON t`.
fn index(mut p: Parser<'_>) -> Option<Statement> {
    while !p.rest().is_empty() && !p.take("ON") {
        p.advance();
    }
    let mut alter = Alter::of(p.table()?);
    alter.changes.key = true;
    Some(Statement::AlterTable(alter))
}

fn alter_(mut p: Parser<'_>) -> Option<Statement> {
    p.take_all(&["ONLINE", "OFFLINE", "IGNORE"]);
    match p.keyword().as_deref() {
        Some("TABLE") => p.advance(),
        Some(_) => return Some(Statement::Ignorable),
        None => return None,
    }
    p.take_if_exists();
    let table = p.table()?;
    p.take_wait();
    Some(Statement::AlterTable(alter::clauses(table, p)))
}

fn drop(mut p: Parser<'_>) -> Option<Statement> {
    match p.keyword()?.as_str() {
        "TEMPORARY" => Some(Statement::Ignorable),
        "TABLE" | "TABLES" => {
            p.advance();
            p.take_if_exists();
            drop_tables(p)
        }
        "DATABASE" | "SCHEMA" => {
            p.advance();
            p.take_if_exists();
            let name = p.name()?;
            Some(Statement::DropDatabase(p.as_kept(name)))
        }
        "INDEX" => index(p),
        _ => Some(Statement::Ignorable),
    }
}

fn drop_tables(mut p: Parser<'_>) -> Option<Statement> {
    let mut tables = Vec::new();
    loop {
        tables.push(p.table()?);
        if !p.take_symbol(b',') {
            break;
        }
    }
    p.take_wait();
    p.take_all(&["RESTRICT", "CASCADE"]);
    p.is_at_end().then_some(Statement::DropTables(tables))
}

fn rename(mut p: Parser<'_>) -> Option<Statement> {
    if !p.take("TABLE") && !p.take("TABLES") {
        return Some(Statement::Ignorable);
    }
    p.take_if_exists();
    let mut renames = Vec::new();
    loop {
        let from = p.table()?;
        p.take_wait();
        if !p.take("TO") {
            return None;
        }
        let to = p.table()?;
        renames.push(Rename { from, to });
        if !p.take_symbol(b',') {
            break;
        }
    }
    p.is_at_end().then_some(Statement::RenameTables(renames))
}
