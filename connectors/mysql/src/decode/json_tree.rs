//! A binary JSON document as a tree that can be changed, and back.

use std::cmp::Ordering;

use tributary_model::Result;

use super::jsonb::{
    Container, DEPTH, DOUBLE, INT16, INT32, INT64, LARGE_ARRAY, LARGE_OBJECT, LITERAL, OPAQUE,
    SMALL_ARRAY, SMALL_OBJECT, STRING, UINT16, UINT32, UINT64,
};
use super::reader::{Reader, malformed};

/// A value of a document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    /// Members in the server's order: the shorter key first, then by bytes.
    Object(Vec<(Vec<u8>, Tree)>),
    Array(Vec<Tree>),
    /// Anything else: its type, and its bytes as they stand outside of an entry.
    Scalar(u8, Vec<u8>),
}

/// How the server orders keys.
pub(super) fn by_key(left: &[u8], right: &[u8]) -> Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

impl Tree {
    /// Reads a document; an empty one is JSON's null.
    ///
    /// # Errors
    /// Fails on anything that is no document.
    pub(super) fn read(document: &[u8]) -> Result<Self> {
        match document.split_first() {
            None => Ok(Self::Scalar(LITERAL, vec![0])),
            Some((kind, bytes)) => {
                let mut left = document.len();
                Self::value(*kind, bytes, &mut left, 0)
            }
        }
    }

    /// `left` bounds what one document can hold, however its pointers lie. // G6
    fn value(kind: u8, bytes: &[u8], left: &mut usize, depth: u32) -> Result<Self> {
        let spent = || malformed("a JSON document uses its own parts more than once");
        *left = left.checked_sub(1).ok_or_else(spent)?;
        if depth > DEPTH {
            return Err(malformed("a JSON document is nested more than 100 deep"));
        }
        let Some(of) = Container::of(kind, bytes) else {
            let scalar = scalar(kind, bytes)?;
            *left = left.checked_sub(scalar.len() - 1).ok_or_else(spent)?;
            return Ok(Self::Scalar(kind, scalar.to_vec()));
        };
        let count = of.number(0)?;
        let mut values = Vec::new();
        let mut keys = Vec::new();
        for index in 0..count {
            if of.object {
                let key = of.key(index)?;
                *left = left.checked_sub(key.len()).ok_or_else(spent)?;
                keys.push(key.to_vec());
            }
            let (kind, bytes) = of.value(count, index)?;
            values.push(Self::value(kind, bytes, left, depth + 1)?);
        }
        Ok(match of.object {
            true => Self::Object(keys.into_iter().zip(values).collect()),
            false => Self::Array(values),
        })
    }

    /// The document.
    pub(super) fn write(&self) -> Vec<u8> {
        let mut document = vec![self.kind()];
        self.write_value(&mut document);
        document
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Object(_) => LARGE_OBJECT,
            Self::Array(_) => LARGE_ARRAY,
            Self::Scalar(kind, _) => *kind,
        }
    }

    fn write_value(&self, to: &mut Vec<u8>) {
        match self {
            Self::Scalar(_, bytes) => to.extend_from_slice(bytes),
            Self::Object(members) => {
                let values = members.iter().map(|(_, value)| value);
                let keys: Vec<&[u8]> = members.iter().map(|(key, _)| key.as_slice()).collect();
                container(&keys, values.collect(), to);
            }
            Self::Array(values) => container(&[], values.iter().collect(), to),
        }
    }
}

/// Writes a large container: counts and places have four bytes.
fn container(keys: &[&[u8]], values: Vec<&Tree>, to: &mut Vec<u8>) {
    let start = to.len();
    let number = |to: &mut Vec<u8>, at: usize, number: usize| {
        to[at..at + 4].copy_from_slice(&(number as u32).to_le_bytes());
    };
    let key_entries = start + 8;
    let value_entries = key_entries + 6 * keys.len();
    to.resize(value_entries + 5 * values.len(), 0);
    number(to, start, values.len());
    for (index, key) in keys.iter().enumerate() {
        let entry = key_entries + 6 * index;
        let at = to.len() - start;
        number(to, entry, at);
        to[entry + 4..entry + 6].copy_from_slice(&(key.len() as u16).to_le_bytes());
        to.extend_from_slice(key);
    }
    for (index, value) in values.into_iter().enumerate() {
        let entry = value_entries + 5 * index;
        to[entry] = value.kind();
        match value {
            Tree::Scalar(LITERAL | INT16 | UINT16 | INT32 | UINT32, bytes) => {
                to[entry + 1..entry + 1 + bytes.len()].copy_from_slice(bytes);
            }
            _ => {
                let at = to.len() - start;
                number(to, entry + 1, at);
                value.write_value(to);
            }
        }
    }
    let size = to.len() - start;
    number(to, start + 4, size);
}

/// The bytes of a value that is no container.
fn scalar(kind: u8, bytes: &[u8]) -> Result<&[u8]> {
    let mut rest = Reader::new(bytes);
    match kind {
        LITERAL => rest.take(1),
        INT16 | UINT16 => rest.take(2),
        INT32 | UINT32 => rest.take(4),
        INT64 | UINT64 | DOUBLE => rest.take(8),
        STRING | OPAQUE => {
            if kind == OPAQUE {
                rest.take(1)?;
            }
            let length = length(&mut rest)?;
            rest.take(length)?;
            Reader::new(bytes).take(bytes.len() - rest.rest().len())
        }
        SMALL_OBJECT | LARGE_OBJECT | SMALL_ARRAY | LARGE_ARRAY => {
            Err(malformed("a JSON container was read as a scalar"))
        }
        other => Err(malformed(format!("a JSON value has the type {other}"))),
    }
}

/// A length in seven bits a byte, the lowest first, the last without its top bit.
fn length(reader: &mut Reader<'_>) -> Result<usize> {
    let mut length = 0_usize;
    for shift in (0..35).step_by(7) {
        let byte = reader.byte()?;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(length);
        }
    }
    Err(malformed("the length of a JSON string does not end"))
}
