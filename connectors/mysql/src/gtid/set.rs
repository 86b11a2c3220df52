//! MySQL's GTID sets: `uuid:1-5:7,uuid:1-3:tag:1-2` (tags since 8.3).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use mysql_common::packets::{GnoInterval, Sid, Tag};
use serde::{Deserialize, Serialize};
use tributary_model::{Error, Result};

use super::interval::{Interval, Intervals};
use super::unreadable;

/// The largest number a transaction can have.
const MAX_NUMBER: u64 = i64::MAX as u64 - 1;

/// Who numbers: a server's UUID, and the tag under which it does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Source {
    /// The server's UUID.
    pub(crate) uuid: [u8; 16],
    /// The tag; `None` for what is not tagged.
    pub(crate) tag: Option<String>,
}

/// A set of transactions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct GtidSet(pub(super) BTreeMap<Source, Intervals>);

impl GtidSet {
    /// Adds one transaction. Numbers begin at 1; 0 stands for none and adds nothing.
    pub(crate) fn add(&mut self, source: &Source, number: u64) {
        if (1..=MAX_NUMBER).contains(&number) {
            self.insert(source, number, number);
        }
    }

    /// The form in which a dump is asked for: one block for each UUID and tag.
    pub(crate) fn to_sids(&self) -> Vec<Sid<'static>> {
        self.0
            .iter()
            .map(|(source, numbers)| {
                let intervals = numbers
                    .as_slice()
                    .iter()
                    .map(|part| GnoInterval::new(part.start, part.end))
                    .collect();
                let sid = Sid::new(source.uuid).with_intervals(intervals);
                // Reading the set has checked the tag by the same rule.
                match source.tag.clone().map(Tag::new) {
                    Some(Ok(tag)) => sid.with_tag(tag),
                    Some(Err(_)) | None => sid,
                }
            })
            .collect()
    }

    pub(super) fn insert(&mut self, source: &Source, first: u64, last: u64) {
        let new = Interval {
            start: first,
            end: last + 1,
        };
        match self.0.get_mut(source) {
            Some(numbers) => numbers.add(new),
            None => self.0.entry(source.clone()).or_default().add(new),
        }
    }
}

impl fmt::Display for GtidSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last_uuid = None;
        for (source, numbers) in &self.0 {
            if last_uuid != Some(source.uuid) {
                if last_uuid.is_some() {
                    f.write_str(",")?;
                }
                write_uuid(f, source.uuid)?;
                last_uuid = Some(source.uuid);
            }
            if let Some(tag) = &source.tag {
                write!(f, ":{tag}")?;
            }
            for part in numbers.as_slice() {
                write!(f, ":{}", part.start)?;
                if part.end > part.start + 1 {
                    write!(f, "-{}", part.end - 1)?;
                }
            }
        }
        Ok(())
    }
}

fn write_uuid(f: &mut fmt::Formatter<'_>, uuid: [u8; 16]) -> fmt::Result {
    for (index, byte) in uuid.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            f.write_str("-")?;
        }
        write!(f, "{byte:02x}")?;
    }
    Ok(())
}

impl FromStr for GtidSet {
    type Err = Error;

    /// Reads what the server prints: parts may be separated by line breaks and blanks.
    fn from_str(text: &str) -> Result<Self> {
        let mut set = Self::default();
        for part in text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
        {
            read_part(&mut set, part).ok_or_else(|| unreadable("GTID set", part))?;
        }
        Ok(set)
    }
}

/// `uuid:1-5:7:tag:1-2`: intervals without a tag come first, each tag is followed by its own.
fn read_part(set: &mut GtidSet, part: &str) -> Option<()> {
    let mut pieces = part.split(':').map(str::trim);
    let uuid = read_uuid(pieces.next()?)?;
    let mut source = Source { uuid, tag: None };
    let mut numbers_missing = true;
    for piece in pieces {
        if piece.starts_with(|c: char| c.is_ascii_digit()) {
            let (first, last) = read_interval(piece)?;
            set.insert(&source, first, last);
            numbers_missing = false;
        } else {
            if numbers_missing && source.tag.is_some() {
                return None;
            }
            let tag = piece.to_ascii_lowercase();
            Tag::new(tag.as_str()).ok()?;
            source.tag = Some(tag);
            numbers_missing = true;
        }
    }
    (!numbers_missing).then_some(())
}

fn read_interval(piece: &str) -> Option<(u64, u64)> {
    let read = |text: &str| text.trim().parse::<u64>().ok();
    let (first, last) = match piece.split_once('-') {
        Some((first, last)) => (read(first)?, read(last)?),
        None => (read(piece)?, read(piece)?),
    };
    (1 <= first && first <= last && last <= MAX_NUMBER).then_some((first, last))
}

fn read_uuid(text: &str) -> Option<[u8; 16]> {
    let digits: String = text.chars().filter(|&c| c != '-').collect();
    if digits.len() != 32 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut uuid = [0; 16];
    for (index, byte) in uuid.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).ok()?;
    }
    Some(uuid)
}

impl From<GtidSet> for String {
    fn from(set: GtidSet) -> Self {
        set.to_string()
    }
}

impl TryFrom<String> for GtidSet {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
