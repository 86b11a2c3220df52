//! What an ALTER TABLE does to the list of columns, where all of it is understood.
//!
//! Only a server whose log does not name columns needs this: there a table's columns are kept by
//! what its statements say, see [`crate::history`].

use super::define::{self, Definition, Place};
use super::parser::Parser;

/// One change of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Edit {
    /// A column comes.
    Add {
        /// The column.
        column: Definition,
        /// Where to.
        place: Place,
        /// Whether nothing happens where there is one of that name.
        if_missing: IfMissing,
    },
    /// A column goes.
    Drop {
        /// Its name.
        name: String,
        /// Whether nothing happens where there is none.
        if_there: IfThere,
    },
    /// A column gets another name.
    Rename {
        /// The name before.
        from: String,
        /// The name afterwards.
        to: String,
    },
    /// A column is declared anew.
    Define {
        /// Its name before.
        name: String,
        /// The column.
        column: Definition,
        /// Where it goes; `None` where it stays.
        place: Option<Place>,
    },
    /// The charset of columns that name none, from now on.
    Charset(String),
    /// All texts get this charset.
    Convert(String),
}

/// `IF NOT EXISTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfMissing {
    /// It stands there.
    Only,
    /// It does not.
    Always,
}

/// `IF EXISTS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfThere {
    /// It stands there.
    Only,
    /// It does not.
    Always,
}

/// The edits of all clauses; `None` where one of them is not understood.
pub(super) fn of(rest: Parser<'_>) -> Option<Vec<Edit>> {
    let mut edits = Vec::new();
    for clause in rest.clauses() {
        if !clause.is_at_end() {
            one(clause, &mut edits)?;
        }
    }
    Some(edits)
}

fn one(mut p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    let word = p.keyword()?;
    p.advance();
    match word.as_str() {
        "ADD" => add(p, edits),
        "DROP" => drop(p, edits),
        "MODIFY" => {
            p.take("COLUMN");
            p.take_if_exists();
            let (column, place) = define::column(&mut p)?;
            let name = column.name.clone();
            edits.push(Edit::Define {
                name,
                column,
                place,
            });
            Some(())
        }
        "CHANGE" => {
            p.take("COLUMN");
            p.take_if_exists();
            let name = define::safe_name(&mut p)?;
            let (column, place) = define::column(&mut p)?;
            edits.push(Edit::Define {
                name,
                column,
                place,
            });
            Some(())
        }
        "RENAME" => rename(p, edits),
        "CONVERT" => convert(p, edits),
        // Defaults of new rows, visibility of indexes, checks.
        "ALTER" | "ALGORITHM" | "LOCK" | "FORCE" | "ENABLE" | "DISABLE" => Some(()),
        "ENGINE" | "AUTO_INCREMENT" | "COMMENT" | "ROW_FORMAT" | "DEFAULT" | "CHARACTER"
        | "CHARSET" | "COLLATE" | "KEY_BLOCK_SIZE" | "STATS_PERSISTENT" => options(&word, p, edits),
        _ => None,
    }
}

fn add(mut p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    let next = p.keyword_at(1);
    match p.keyword().as_deref() {
        Some(
            "INDEX" | "KEY" | "FULLTEXT" | "SPATIAL" | "FOREIGN" | "CHECK" | "CONSTRAINT"
            | "UNIQUE" | "PRIMARY",
        ) => return Some(()),
        Some("VECTOR") if matches!(next.as_deref(), Some("INDEX" | "KEY")) => return Some(()),
        Some("PERIOD" | "SYSTEM" | "PARTITION") => return None,
        Some(_) | None => {}
    }
    p.take("COLUMN");
    if p.take_symbol(b'(') {
        return add_list(p, edits);
    }
    let if_missing = match p.keyword().as_deref() {
        Some("IF") => IfMissing::Only,
        Some(_) | None => IfMissing::Always,
    };
    p.take_if_exists();
    let (column, place) = define::column(&mut p)?;
    edits.push(Edit::Add {
        column,
        place: place.unwrap_or(Place::Last),
        if_missing,
    });
    Some(())
}

/// `ADD COLUMN (a INT, b INT)`, behind the parenthesis.
fn add_list(p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    for mut clause in p.inside()?.clauses() {
        let (column, None) = define::column(&mut clause)? else {
            return None;
        };
        edits.push(Edit::Add {
            column,
            place: Place::Last,
            if_missing: IfMissing::Always,
        });
    }
    Some(())
}

fn drop(mut p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    match p.keyword().as_deref() {
        Some("FOREIGN" | "CHECK" | "INDEX" | "KEY" | "PRIMARY" | "CONSTRAINT") => return Some(()),
        Some("PARTITION" | "SYSTEM" | "PERIOD") => return None,
        Some(_) | None => {}
    }
    p.take("COLUMN");
    let if_there = match p.keyword().as_deref() {
        Some("IF") => IfThere::Only,
        Some(_) | None => IfThere::Always,
    };
    p.take_if_exists();
    let name = define::safe_name(&mut p)?;
    p.take_all(&["RESTRICT", "CASCADE"]);
    edits.push(Edit::Drop { name, if_there });
    p.is_at_end().then_some(())
}

fn rename(mut p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    match p.keyword().as_deref() {
        Some("COLUMN") => {}
        Some("INDEX" | "KEY") => return Some(()),
        Some(_) | None => return None,
    }
    p.advance();
    p.take_if_exists();
    let from = define::safe_name(&mut p)?;
    if !p.take("TO") {
        return None;
    }
    let to = define::safe_name(&mut p)?;
    edits.push(Edit::Rename { from, to });
    p.is_at_end().then_some(())
}

/// `CONVERT TO CHARACTER SET x [COLLATE y]`.
fn convert(mut p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    if !p.take("TO") {
        return None;
    }
    let is_named = p.take("CHARSET") || (p.take("CHARACTER") && p.take("SET"));
    if !is_named {
        return None;
    }
    let charset = define::charset_name(&mut p)?;
    edits.push(Edit::Convert(charset));
    Some(())
}

/// Options of a table stand one behind the other: any of them may be the charset.
fn options(first: &str, mut p: Parser<'_>, edits: &mut Vec<Edit>) -> Option<()> {
    let mut word = first.to_owned();
    loop {
        match word.as_str() {
            "CHARSET" => edits.push(Edit::Charset(define::charset_name(&mut p)?)),
            "CHARACTER" if p.take("SET") => {
                edits.push(Edit::Charset(define::charset_name(&mut p)?));
            }
            "COLLATE" => {
                let collation = define::charset_name(&mut p)?;
                edits.push(Edit::Charset(define::charset_of(&collation)));
            }
            _ => {}
        }
        loop {
            if p.is_at_end() {
                return Some(());
            }
            let next = p.keyword();
            p.advance();
            if let Some(next) = next {
                word = next;
                break;
            }
        }
    }
}
