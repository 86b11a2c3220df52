//! Changes of a JSON document that the log holds instead of the document
//! (`binlog_row_value_options = PARTIAL_JSON`).
//!
//! Each is an operation, a path, and a value: replace what is there, insert what is not, remove. They
//! are applied one after the other to the document of the before image. A path that leads nowhere is
//! an error: the document would be another one than the server's.

use tributary_model::Result;

use super::json_tree::{Tree, by_key};
use super::reader::{Reader, malformed};

const REPLACE: u8 = 0;
const INSERT: u8 = 1;
const REMOVE: u8 = 2;

/// One step of a path.
#[derive(Clone, Debug, PartialEq)]
enum Leg {
    Member(Vec<u8>),
    Cell(usize),
    /// So many before the last.
    FromEnd(usize),
}

/// The document with all changes.
///
/// # Errors
/// Fails where document, changes or a path are malformed, or a change does not fit the document.
pub(crate) fn patched(document: &[u8], changes: &[u8]) -> Result<Vec<u8>> {
    let mut tree = Tree::read(document)?;
    let mut changes = Reader::new(changes);
    while !changes.is_empty() {
        let operation = changes.byte()?;
        let path = path(changes.length_encoded_bytes()?)?;
        match operation {
            REPLACE | INSERT => {
                let value = Tree::read(changes.length_encoded_bytes()?)?;
                match operation {
                    REPLACE => *find(&mut tree, &path)? = value,
                    _ => insert(&mut tree, &path, value)?,
                }
            }
            REMOVE => remove(&mut tree, &path)?,
            other => {
                return Err(malformed(format!(
                    "a change of JSON is the operation {other}"
                )));
            }
        }
    }
    Ok(tree.write())
}

fn nowhere() -> tributary_model::Error {
    malformed("a change of JSON is for a place that the document does not have")
}

fn find<'t>(tree: &'t mut Tree, path: &[Leg]) -> Result<&'t mut Tree> {
    let mut here = tree;
    for leg in path {
        here = match (here, leg) {
            (Tree::Object(members), Leg::Member(key)) => {
                let found = members.iter_mut().find(|(own, _)| own == key);
                found.map(|(_, value)| value).ok_or_else(nowhere)?
            }
            (Tree::Array(cells), leg @ (Leg::Cell(_) | Leg::FromEnd(_))) => {
                let index = place(leg, cells.len()).ok_or_else(nowhere)?;
                cells.get_mut(index).ok_or_else(nowhere)?
            }
            // What is no array is taken for one with itself as its only cell.
            (other, Leg::Cell(0) | Leg::FromEnd(0)) => other,
            _ => return Err(nowhere()),
        };
    }
    Ok(here)
}

fn place(leg: &Leg, cells: usize) -> Option<usize> {
    match leg {
        Leg::Cell(index) => Some(*index),
        Leg::FromEnd(back) => cells.checked_sub(back + 1),
        Leg::Member(_) => None,
    }
}

fn insert(tree: &mut Tree, path: &[Leg], value: Tree) -> Result<()> {
    let (last, parents) = path.split_last().ok_or_else(nowhere)?;
    match (find(tree, parents)?, last) {
        (Tree::Object(members), Leg::Member(key)) => {
            match members.binary_search_by(|(own, _)| by_key(own, key)) {
                Ok(_) => Err(nowhere()),
                Err(at) => {
                    members.insert(at, (key.clone(), value));
                    Ok(())
                }
            }
        }
        (Tree::Array(cells), leg) => {
            let index = place(leg, cells.len()).ok_or_else(nowhere)?;
            cells.insert(index.min(cells.len()), value);
            Ok(())
        }
        _ => Err(nowhere()),
    }
}

fn remove(tree: &mut Tree, path: &[Leg]) -> Result<()> {
    let (last, parents) = path.split_last().ok_or_else(nowhere)?;
    match (find(tree, parents)?, last) {
        (Tree::Object(members), Leg::Member(key)) => {
            let at = members.iter().position(|(own, _)| own == key);
            members.remove(at.ok_or_else(nowhere)?);
            Ok(())
        }
        (Tree::Array(cells), leg) => {
            let index = place(leg, cells.len()).filter(|index| *index < cells.len());
            cells.remove(index.ok_or_else(nowhere)?);
            Ok(())
        }
        _ => Err(nowhere()),
    }
}

/// Reads `$.name[3]."other name"`.
fn path(text: &[u8]) -> Result<Vec<Leg>> {
    let text = simdutf8::basic::from_utf8(text).map_err(|_| unreadable())?;
    let mut rest = text.strip_prefix('$').ok_or_else(unreadable)?.trim_start();
    let mut legs = Vec::new();
    while !rest.is_empty() {
        let leg;
        (leg, rest) = match rest.split_at(1) {
            (".", rest) => member(rest.trim_start())?,
            ("[", rest) => cell(rest)?,
            _ => return Err(unreadable()),
        };
        legs.push(leg);
        rest = rest.trim_start();
    }
    Ok(legs)
}

fn unreadable() -> tributary_model::Error {
    malformed("a change of JSON has a path that can't be read")
}

fn member(text: &str) -> Result<(Leg, &str)> {
    if text.starts_with('"') {
        // A JSON string: its end is the first quote that no backslash precedes.
        let mut escaped = false;
        let end = text.char_indices().skip(1).find(|(_, character)| {
            let ends = *character == '"' && !escaped;
            escaped = *character == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or_else(unreadable)?;
        let name: String = serde_json::from_str(&text[..=end]).map_err(|_| unreadable())?;
        return Ok((Leg::Member(name.into_bytes()), &text[end + 1..]));
    }
    let end = text.find(['.', '[', ' ']).unwrap_or(text.len());
    if end == 0 {
        return Err(unreadable());
    }
    Ok((Leg::Member(text.as_bytes()[..end].to_vec()), &text[end..]))
}

fn cell(text: &str) -> Result<(Leg, &str)> {
    let (inner, rest) = text.split_once(']').ok_or_else(unreadable)?;
    let number = |text: &str| text.trim().parse().map_err(|_| unreadable());
    let leg = match inner.trim().strip_prefix("last") {
        None => Leg::Cell(number(inner)?),
        Some(back) => match back.trim().strip_prefix('-') {
            Some(back) => Leg::FromEnd(number(back)?),
            None if back.trim().is_empty() => Leg::FromEnd(0),
            None => return Err(unreadable()),
        },
    };
    Ok((leg, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::super::jsonb::write_document;
    use super::*;

    fn text(document: &[u8]) -> String {
        let mut to = Vec::new();
        write_document(document, &mut to).unwrap();
        String::from_utf8(to).unwrap()
    }

    fn int(number: i16) -> Tree {
        Tree::Scalar(5, number.to_le_bytes().to_vec())
    }

    /// {"a": 1, "bb": [1, "x"]}
    fn document() -> Vec<u8> {
        let text = Tree::Scalar(12, vec![1, b'x']);
        let list = Tree::Array(vec![int(1), text]);
        Tree::Object(vec![(b"a".to_vec(), int(1)), (b"bb".to_vec(), list)]).write()
    }

    fn change(operation: u8, path: &str, value: Option<&Tree>) -> Vec<u8> {
        let mut change = vec![operation, path.len() as u8];
        change.extend_from_slice(path.as_bytes());
        if let Some(value) = value {
            let value = value.write();
            change.push(value.len() as u8);
            change.extend(value);
        }
        change
    }

    fn after(changes: &[Vec<u8>]) -> String {
        text(&patched(&document(), &changes.concat()).unwrap())
    }

    #[test]
    fn a_tree_writes_what_it_read() {
        assert_eq!(text(&document()), r#"{"a": 1, "bb": [1, "x"]}"#);
        let again = Tree::read(&document()).unwrap();
        assert_eq!(again.write(), document());
    }

    #[test]
    fn changes_are_applied_in_order() {
        let (two, nine) = (int(2), int(9));
        assert_eq!(
            after(&[change(REPLACE, "$.a", Some(&two))]),
            r#"{"a": 2, "bb": [1, "x"]}"#
        );
        assert_eq!(after(&[change(REPLACE, "$", Some(&two))]), "2");
        assert_eq!(
            after(&[
                change(INSERT, "$.b", Some(&two)),
                change(INSERT, r#"$."c d""#, Some(&nine))
            ]),
            r#"{"a": 1, "b": 2, "bb": [1, "x"], "c d": 9}"#
        );
        assert_eq!(
            after(&[
                change(INSERT, "$.bb[1]", Some(&two)),
                change(INSERT, "$.bb[7]", Some(&nine))
            ]),
            r#"{"a": 1, "bb": [1, 2, "x", 9]}"#
        );
        assert_eq!(
            after(&[
                change(REMOVE, "$.a", None),
                change(REMOVE, "$.bb[last-1]", None)
            ]),
            r#"{"bb": ["x"]}"#
        );
        assert_eq!(
            after(&[change(REPLACE, "$.a[0]", Some(&nine))]),
            r#"{"a": 9, "bb": [1, "x"]}"#
        );
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let two = int(2);
        for wrong in [
            change(REPLACE, "$.zz", Some(&two)),
            change(INSERT, "$.a", Some(&two)),
            change(REMOVE, "$.bb[5]", None),
            change(INSERT, "$", Some(&two)),
            change(7, "$.a", None),
            change(REMOVE, "a", None),
            change(REMOVE, "$.\"a", None),
        ] {
            assert!(patched(&document(), &wrong).is_err());
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            document in proptest::collection::vec(0_u8..40, 0..80),
            changes in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let _ = patched(&document, &changes);
            let _ = patched(&[5, 1, 0], &changes);
        }

        #[test]
        fn paths_never_panic(text in "\\$[.\\[\\]a\"\\\\ 0-9last-]{0,20}") {
            let _ = path(text.as_bytes());
        }
    }
}
