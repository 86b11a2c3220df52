//! Where everything is: the keys of all objects.
//!
//! A table's files lie below `schema/table/`, and everything of the system below `_tributary/`,
//! which readers of lakes leave out because of its first character. No key of the system ends in
//! `.parquet`.
//!
//! Invariant: a key is made of segments that hold no character with a meaning to a file system, to
//! a URL or to a pattern, so that a key is also a path and a glob of itself.

use tributary_model::{ConnectionName, TableName};
use uuid::Uuid;

/// What the keys of everything begin with that is no row of a table.
pub(crate) const SYSTEM: &str = "_tributary/";
/// Files that are being written, of stores that keep them as files.
pub(crate) const UPLOADS: &str = "_tributary/uploads/";
/// Objects on their way to their names.
pub(crate) const TEMPORARY: &str = "_tributary/tmp/";
/// Files of tables that nobody sees yet.
pub(crate) const NEXT: &str = "_tributary/next/";
/// One object for each connection.
pub(crate) const CONNECTIONS: &str = "_tributary/connections/";
/// The longest name that stays below what file systems take, each byte written as `%41`.
pub(crate) const IDENTIFIER_BYTES: usize = 80;

/// The log of a connection.
pub(crate) fn log(of: &ConnectionName) -> String {
    format!("_tributary/log/{}/", segment(of.as_str()))
}

/// One entry of it.
pub(crate) fn log_entry(of: &ConnectionName, number: u64) -> String {
    format!("{}{number:020}.json", log(of))
}

/// What entries up to some number come to.
pub(crate) fn checkpoints(of: &ConnectionName) -> String {
    format!("_tributary/checkpoints/{}/", segment(of.as_str()))
}

/// One of these.
pub(crate) fn checkpoint(of: &ConnectionName, number: u64) -> String {
    format!("{}{number:020}.json", checkpoints(of))
}

/// The note that a connection is here.
pub(crate) fn connection(of: &ConnectionName) -> String {
    format!("{CONNECTIONS}{}.json", segment(of.as_str()))
}

/// The note whose a table is.
pub(crate) fn owner(table: &TableName) -> String {
    format!(
        "_tributary/tables/{}/{}.json",
        segment(&table.schema),
        segment(&table.table)
    )
}

/// A row set of the system that belongs to one load: `loads`, `rejected`, `schema_changes`.
pub(crate) fn system(kind: &str, of: &ConnectionName, sequence: u64) -> String {
    format!(
        "_tributary/{kind}/{}/{sequence:020}.json",
        segment(of.as_str())
    )
}

/// The rows of `_tributary.state` of a connection.
pub(crate) fn state(of: &ConnectionName) -> String {
    format!("_tributary/state/{}.json", segment(of.as_str()))
}

/// SQL that makes a table known to a program that reads lakes.
pub(crate) fn view(table: &TableName, reader: &str) -> String {
    format!(
        "_tributary/views/{}/{}.{reader}.sql",
        segment(&table.schema),
        segment(&table.table)
    )
}

/// The number in the name of an entry or checkpoint.
pub(crate) fn number(key: &str) -> Option<u64> {
    let name = key.rsplit('/').next()?;
    name.strip_suffix(".json")?.parse().ok()
}

/// The folder of a table.
pub(crate) fn folder(table: &TableName) -> String {
    format!("{}/{}/", segment(&table.schema), segment(&table.table))
}

/// The folder of a table that is built beside another one.
pub(crate) fn beside(table: &TableName) -> String {
    format!("{NEXT}{}", folder(table))
}

/// A new file of a table: a name that no attempt has used before, so that no two files are ever
/// taken for one another.
pub(crate) fn data_file(folder: &str, partition: &str, sequence: u64) -> String {
    let end = match folder.starts_with(NEXT) {
        true => "rows",
        false => "parquet",
    };
    format!(
        "{folder}{partition}{sequence:020}-{}.{end}",
        Uuid::new_v4().simple()
    )
}

/// A new file of deletes, beside the data that it is about.
pub(crate) fn delete_file(folder: &str, partition: &str, sequence: u64) -> String {
    format!(
        "{folder}{partition}{sequence:020}-{}-deletes.parquet",
        Uuid::new_v4().simple()
    )
}

/// One level of a key. Programs that read lakes skip names that begin with `_` or `.`.
pub(crate) fn segment(name: &str) -> String {
    let encoded = encode(name);
    match encoded.as_bytes().first() {
        Some(first @ (b'_' | b'.')) => format!("%{first:02X}{}", &encoded[1..]),
        Some(_) => encoded,
        None => "%00".to_owned(),
    }
}

/// A text in which only letters, digits, `_`, `-` and `.` stand for themselves.
pub(crate) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') {
            encoded.push(c);
        } else {
            let mut bytes = [0; 4];
            for byte in c.encode_utf8(&mut bytes).bytes() {
                encoded.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_harmless_level_of_a_key() {
        for (name, level) in [
            ("orders", "orders"),
            ("_tributary", "%5Ftributary"),
            ("..", "%2E."),
            ("a/b", "a%2Fb"),
            ("50% [of] *", "50%25%20%5Bof%5D%20%2A"),
            ("naïve", "naïve"),
            ("", "%00"),
        ] {
            assert_eq!(segment(name), level);
        }
    }

    #[test]
    fn entries_sort_by_number() {
        let of = ConnectionName::new("shop");
        let keys = [9, 10, u64::MAX].map(|number| log_entry(&of, number));
        assert!(keys.is_sorted());
        assert_eq!(number(&keys[2]), Some(u64::MAX));
    }
}
