//! The clauses of ALTER TABLE: each is one row of what `clause` matches.

use super::Table;
use super::edit::{self, Edit};
use super::parser::Parser;

/// What happens to a table besides row events. Every flag means *may*.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// Columns come, go, or change name or type: the next table map will differ.
    pub(crate) layout: bool,
    /// Values of existing rows change, since a column gets another type or character set.
    pub(crate) converts: bool,
    /// Rows come or go: a partition is emptied, dropped or exchanged.
    pub(crate) moves_rows: bool,
    /// The primary key or a unique index changes.
    pub(crate) key: bool,
}

impl Changes {
    /// Whether there is anything to do.
    pub(crate) fn any(self) -> bool {
        self != Self::default()
    }
}

/// An ALTER TABLE, or CREATE and DROP INDEX, which are the same by another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Alter {
    /// The table, by its name before.
    pub(crate) table: Table,
    /// Its name afterwards, where it changes.
    pub(crate) renamed_to: Option<Table>,
    /// What happens to it.
    pub(crate) changes: Changes,
    /// Columns that change their name: from, to.
    pub(crate) renamed_columns: Vec<(String, String)>,
    /// A table that rows are moved to or from.
    pub(crate) exchanged_with: Option<Table>,
    /// What becomes of the list of columns; `None` where that is not understood.
    pub(crate) edits: Option<Vec<Edit>>,
}

impl Alter {
    pub(super) fn of(table: Table) -> Self {
        Self {
            table,
            renamed_to: None,
            changes: Changes::default(),
            renamed_columns: Vec::new(),
            exchanged_with: None,
            edits: Some(Vec::new()),
        }
    }
}

/// Everything that follows the name of the table.
pub(super) fn clauses(table: Table, rest: Parser<'_>) -> Alter {
    let mut alter = Alter::of(table);
    alter.edits = edit::of(rest);
    let mut kind = Clause::Harmless;
    for clause in rest.clauses() {
        // `ORDER BY a, b` and `DROP PARTITION p, q` go on behind the comma.
        let continues = matches!(kind, Clause::List) && !begins(&clause);
        if !continues && !clause.is_at_end() {
            kind = one(clause, &mut alter);
        }
    }
    alter
}

/// Whether what follows a comma can be read as the next clause.
enum Clause {
    Harmless,
    /// Its own list may go on behind the comma.
    List,
}

/// Words that begin a clause: after a list they end it.
const BEGINNINGS: [&str; 14] = [
    "ADD",
    "ALTER",
    "CHANGE",
    "CONVERT",
    "DISCARD",
    "DROP",
    "ENGINE",
    "FORCE",
    "IMPORT",
    "MODIFY",
    "ORDER",
    "RENAME",
    "ALGORITHM",
    "LOCK",
];

fn begins(clause: &Parser<'_>) -> bool {
    clause
        .keyword()
        .is_some_and(|word| BEGINNINGS.contains(&word.as_str()))
}

fn one(mut clause: Parser<'_>, alter: &mut Alter) -> Clause {
    let Some(word) = clause.keyword() else {
        return worst(alter);
    };
    clause.advance();
    match word.as_str() {
        "ADD" => add(clause, alter),
        "DROP" => return drop(clause, alter),
        "CHANGE" => change(clause, alter),
        "MODIFY" => define(clause, alter),
        "RENAME" => rename(clause, alter),
        "CONVERT" => convert(clause, alter),
        "EXCHANGE" => exchange(clause, alter),
        "TRUNCATE" => {
            alter.changes.moves_rows = true;
            return Clause::List;
        }
        "DISCARD" | "IMPORT" => {
            alter.changes.moves_rows = true;
            return Clause::List;
        }
        "ORDER" | "REORGANIZE" | "COALESCE" | "REBUILD" | "OPTIMIZE" | "ANALYZE" | "CHECK"
        | "REPAIR" => return Clause::List,
        // Defaults of new rows, visibility of indexes, checks.
        "ALTER" => {}
        word if is_option(word) || clause.take_symbol(b'=') => {}
        _ => return worst(alter),
    }
    Clause::Harmless
}

/// What is not understood may do anything but move rows.
fn worst(alter: &mut Alter) -> Clause {
    alter.changes.layout = true;
    alter.changes.converts = true;
    alter.changes.key = true;
    Clause::Harmless
}

/// Words that begin an option of the table, none of which changes a value.
fn is_option(word: &str) -> bool {
    const OPTIONS: [&str; 49] = [
        "ALGORITHM",
        "AUTOEXTEND_SIZE",
        "AUTO_INCREMENT",
        "AVG_ROW_LENGTH",
        "CHARACTER",
        "CHARSET",
        "CHECKSUM",
        "COLLATE",
        "COMMENT",
        "COMPRESSION",
        "CONNECTION",
        "DATA",
        "DEFAULT",
        "DELAY_KEY_WRITE",
        "DISABLE",
        "ENABLE",
        "ENCRYPTED",
        "ENCRYPTION",
        "ENCRYPTION_KEY_ID",
        "ENGINE",
        "ENGINE_ATTRIBUTE",
        "FORCE",
        "INDEX",
        "INSERT_METHOD",
        "KEY_BLOCK_SIZE",
        "LOCK",
        "MAX_ROWS",
        "MIN_ROWS",
        "NOWAIT",
        "PACK_KEYS",
        "PAGE_CHECKSUM",
        "PAGE_COMPRESSED",
        "PAGE_COMPRESSION_LEVEL",
        "PARTITION",
        "PASSWORD",
        "REMOVE",
        "ROW_FORMAT",
        "SECONDARY_ENGINE",
        "SECONDARY_LOAD",
        "SECONDARY_UNLOAD",
        "STATS_AUTO_RECALC",
        "STATS_PERSISTENT",
        "STATS_SAMPLE_PAGES",
        "STORAGE",
        "TABLESPACE",
        "TRANSACTIONAL",
        "UNION",
        "WITH",
        "WITHOUT",
    ];
    OPTIONS.contains(&word)
}

fn add(mut clause: Parser<'_>, alter: &mut Alter) {
    let next = clause.keyword_at(1);
    match clause.keyword().as_deref() {
        Some("INDEX" | "KEY" | "FULLTEXT" | "SPATIAL" | "FOREIGN" | "CHECK" | "PARTITION") => {}
        Some("VECTOR") if matches!(next.as_deref(), Some("INDEX" | "KEY")) => {}
        Some("UNIQUE" | "PRIMARY") => alter.changes.key = true,
        Some("CONSTRAINT") => alter.changes.key |= clause.has_outside(&["PRIMARY", "UNIQUE"]),
        Some("PERIOD") if next.as_deref() == Some("FOR") => alter.changes.layout = true,
        Some("SYSTEM") if next.as_deref() == Some("VERSIONING") => {
            worst(alter);
        }
        Some(_) | None => {
            clause.take("COLUMN");
            alter.changes.layout = true;
            alter.changes.key |= defines_key(&clause);
        }
    }
}

/// `id INT PRIMARY KEY`, `id INT KEY`, `code CHAR(3) UNIQUE`, `id SERIAL`.
fn defines_key(clause: &Parser<'_>) -> bool {
    clause.has_any(&["PRIMARY", "UNIQUE", "KEY", "SERIAL"])
}

fn drop(clause: Parser<'_>, alter: &mut Alter) -> Clause {
    let next = clause.keyword_at(1);
    match clause.keyword().as_deref() {
        Some("FOREIGN" | "CHECK") => {}
        Some("INDEX" | "KEY" | "PRIMARY" | "CONSTRAINT") => alter.changes.key = true,
        Some("PARTITION") => {
            alter.changes.moves_rows = true;
            return Clause::List;
        }
        Some("PERIOD") if next.as_deref() == Some("FOR") => {}
        Some("SYSTEM") if next.as_deref() == Some("VERSIONING") => {
            worst(alter);
        }
        Some(_) | None => alter.changes.layout = true,
    }
    Clause::Harmless
}

/// `CHANGE [COLUMN] old new definition`.
fn change(mut clause: Parser<'_>, alter: &mut Alter) {
    clause.take("COLUMN");
    clause.take_if_exists();
    if let (Some(old), Some(new)) = (clause.name(), clause.name())
        && old != new
    {
        alter.renamed_columns.push((old, new));
    }
    define(clause, alter);
}

/// A column is declared anew.
fn define(clause: Parser<'_>, alter: &mut Alter) {
    alter.changes.layout = true;
    alter.changes.converts = true;
    alter.changes.key |= defines_key(&clause);
}

fn rename(mut clause: Parser<'_>, alter: &mut Alter) {
    match clause.keyword().as_deref() {
        Some("COLUMN") => {
            clause.advance();
            clause.take_if_exists();
            alter.changes.layout = true;
            let old = clause.name();
            clause.take("TO");
            if let (Some(old), Some(new)) = (old, clause.name()) {
                alter.renamed_columns.push((old, new));
            }
        }
        Some("INDEX" | "KEY") => alter.changes.key = true,
        Some(_) | None => {
            if !clause.take("TO") && !clause.take("AS") {
                clause.take_symbol(b'=');
            }
            match clause.table() {
                Some(table) => alter.renamed_to = Some(table),
                None => {
                    worst(alter);
                }
            }
        }
    }
}

/// `CONVERT TO CHARACTER SET`, and MariaDB's `CONVERT PARTITION p TO TABLE t` and back.
fn convert(mut clause: Parser<'_>, alter: &mut Alter) {
    match clause.keyword().as_deref() {
        Some("PARTITION") => {
            clause.advance();
            clause.name();
            clause.take_all(&["TO", "TABLE"]);
            alter.changes.moves_rows = true;
            alter.exchanged_with = clause.table();
        }
        Some("TABLE") => {
            clause.advance();
            alter.changes.moves_rows = true;
            alter.exchanged_with = clause.table();
        }
        Some(_) | None => {
            alter.changes.layout = true;
            alter.changes.converts = true;
        }
    }
}

/// `EXCHANGE PARTITION p WITH TABLE t`.
fn exchange(mut clause: Parser<'_>, alter: &mut Alter) {
    clause.take("PARTITION");
    clause.name();
    clause.take_all(&["WITH", "TABLE"]);
    alter.changes.moves_rows = true;
    alter.exchanged_with = clause.table();
}
