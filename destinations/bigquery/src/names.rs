//! How names are spelled in BigQuery, which takes fewer characters than most.
//!
//! A character that a name can't have is written `_x`, its number in upper hexadecimal, `_`. An
//! underscore that would read as the beginning of such an escape is escaped itself. So the spelling of
//! a name is the only one that reads back as it: two names never meet, and [`column_name`] tells the
//! name of a column that is there.

/// The most characters of a column's spelling.
pub(crate) const COLUMN_CHARACTERS: usize = 300;

/// Beginnings of names that BigQuery keeps for itself, whatever their case.
const RESERVED: [&str; 9] = [
    "_TABLE_",
    "_FILE_",
    "_PARTITION",
    "_ROW_TIMESTAMP",
    "__ROOT__",
    "_COLIDENTIFIER",
    "_CHANGE_SEQUENCE_NUMBER",
    "_CHANGE_TYPE",
    "_CHANGE_TIMESTAMP",
];

/// The spelling of a dataset: ASCII letters, digits and underscores.
#[must_use]
pub fn dataset_id(schema: &str) -> String {
    escape(schema, |c| c.is_ascii_alphanumeric() || c == '_')
}

/// The spelling of a table: letters and digits of any script, spaces, dashes and underscores.
#[must_use]
pub fn table_id(table: &str) -> String {
    escape(table, is_common)
}

/// The spelling of a column.
#[must_use]
pub fn column_id(column: &str) -> String {
    let spelled = escape(column, is_common);
    let is_reserved = |start: &str| {
        let head = spelled.get(..start.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(start))
    };
    match RESERVED.iter().any(|start| is_reserved(start)) {
        true => format!("_x5F_{}", &spelled[1..]),
        false => spelled,
    }
}

/// The name of a column that is spelled like this.
#[must_use]
pub fn column_name(spelled: &str) -> String {
    let mut name = String::with_capacity(spelled.len());
    let mut rest = spelled;
    while let Some(first) = rest.chars().next() {
        let (taken, c) = escaped(rest).unwrap_or((first.len_utf8(), first));
        name.push(c);
        rest = &rest[taken..];
    }
    name
}

/// A short name for a long one.
pub(crate) fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn is_common(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | ' ')
}

fn escape(name: &str, is_legal: impl Fn(char) -> bool) -> String {
    let mut spelled = String::with_capacity(name.len());
    for (at, c) in name.char_indices() {
        if is_legal(c) && !(c == '_' && begins_escape(&name[at..], &is_legal)) {
            spelled.push(c);
        } else {
            spelled.push_str(&format!("_x{:X}_", u32::from(c)));
        }
    }
    spelled
}

/// Whether what follows would, once it is spelled, read as an escape: the next escape begins with an
/// underscore, too.
fn begins_escape(text: &str, is_legal: impl Fn(char) -> bool) -> bool {
    let Some((_, rest)) = digits(text) else {
        return false;
    };
    rest.chars()
        .next()
        .is_some_and(|c| c == '_' || !is_legal(c))
}

/// The escape at the beginning of `text`: its length, and what it stands for.
fn escaped(text: &str) -> Option<(usize, char)> {
    let (hex, rest) = digits(text)?;
    let c = char::from_u32(u32::from_str_radix(hex, 16).ok()?)?;
    rest.starts_with('_').then_some((2 + hex.len() + 1, c))
}

/// The digits behind `_x`, and what follows them.
fn digits(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("_x")?;
    let is_digit = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    let end = rest.find(|c| !is_digit(c)).unwrap_or(rest.len());
    (1..=6).contains(&end).then(|| rest.split_at(end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_bigquery_refuses_is_spelled_otherwise() {
        for (name, spelled) in [
            ("naïve name", "naïve name"),
            ("dot.ted", "dot_x2E_ted"),
            ("a`b", "a_x60_b"),
            ("_partition_date", "_x5F_partition_date"),
            ("_tributary_id", "_tributary_id"),
            ("a_x2E_b", "a_x5F_x2E_b"),
        ] {
            assert_eq!(column_id(name), spelled);
        }
        assert_eq!(dataset_id("my-shop"), "my_x2D_shop");
        assert_eq!(table_id("my-shop.x"), "my-shop_x2E_x");
    }

    proptest! {
        #[test]
        fn every_column_reads_back(name in "[_x2EF.`A日a]{0,12}|\\PC{0,8}") {
            let spelled = column_id(&name);
            prop_assert_eq!(column_name(&spelled), name);
            prop_assert!(spelled.chars().all(is_common));
        }
    }
}
