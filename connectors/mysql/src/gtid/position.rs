//! MariaDB's GTID positions: `0-1-100,1-2-7`, the last transaction of each domain.
//!
//! Within a domain the sequence numbers grow (`gtid_strict_mode` makes the server insist), so the
//! last one stands for all before it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tributary_model::{Error, Result};

use super::unreadable;

/// One transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct DomainGtid {
    /// The replication domain.
    pub(crate) domain: u32,
    /// The server that wrote it first.
    pub(crate) server: u32,
    /// Its number in the domain.
    pub(crate) sequence: u64,
}

impl fmt::Display for DomainGtid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.domain, self.server, self.sequence)
    }
}

impl DomainGtid {
    /// Reads a list of them, of whatever domains.
    ///
    /// # Errors
    /// Fails on what a server does not print.
    pub(crate) fn list(text: &str) -> Result<Vec<Self>> {
        parts(text)
            .map(|part| read(part).ok_or_else(|| unreadable("GTID of MariaDB", part)))
            .collect()
    }

    /// Whether a log whose last transaction of this server and domain is `self` has `other`.
    pub(crate) fn covers(&self, other: Self) -> bool {
        (self.domain, self.server) == (other.domain, other.server)
            && self.sequence >= other.sequence
    }
}

/// The last transaction of each domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) struct GtidPosition(pub(super) BTreeMap<u32, DomainGtid>);

impl GtidPosition {
    /// Moves a domain to `gtid`, wherever it was: servers whose strict mode is off may go back.
    pub(crate) fn set(&mut self, gtid: DomainGtid) {
        self.0.insert(gtid.domain, gtid);
    }

    /// The last transaction of a domain.
    pub(crate) fn last(&self, domain: u32) -> Option<DomainGtid> {
        self.0.get(&domain).copied()
    }

    /// The last transactions, domain by domain.
    pub(crate) fn iter(&self) -> impl Iterator<Item = DomainGtid> {
        self.0.values().copied()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether `gtid` is not behind the last one of its domain.
    pub(crate) fn reaches(&self, gtid: DomainGtid) -> bool {
        self.last(gtid.domain)
            .is_some_and(|last| last.sequence >= gtid.sequence)
    }

    pub(super) fn raise(&mut self, gtid: DomainGtid) {
        let further = |have: DomainGtid| gtid.sequence > have.sequence;
        if self.last(gtid.domain).is_none_or(further) {
            self.set(gtid);
        }
    }
}

impl fmt::Display for GtidPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, gtid) in self.0.values().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            gtid.fmt(f)?;
        }
        Ok(())
    }
}

impl FromStr for GtidPosition {
    type Err = Error;

    /// Reads a position, or `gtid_binlog_state`, which lists a domain once for each server: then
    /// the highest number of the domain counts.
    fn from_str(text: &str) -> Result<Self> {
        let mut position = Self::default();
        for gtid in DomainGtid::list(text)? {
            position.raise(gtid);
        }
        Ok(position)
    }
}

fn parts(text: &str) -> impl Iterator<Item = &str> {
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

fn read(part: &str) -> Option<DomainGtid> {
    let mut pieces = part.split('-');
    let gtid = DomainGtid {
        domain: pieces.next()?.parse().ok()?,
        server: pieces.next()?.parse().ok()?,
        sequence: pieces.next()?.parse().ok()?,
    };
    pieces.next().is_none().then_some(gtid)
}

impl From<GtidPosition> for String {
    fn from(position: GtidPosition) -> Self {
        position.to_string()
    }
}

impl TryFrom<String> for GtidPosition {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn position(text: &str) -> GtidPosition {
        text.parse().unwrap()
    }

    #[test]
    fn it_reads_positions_and_states() {
        assert_eq!(position("1-2-7, 0-1-100").to_string(), "0-1-100,1-2-7");
        assert_eq!(position("0-1-5,0-2-9,0-3-7").to_string(), "0-2-9");
        assert_eq!(position("").to_string(), "");
        for text in ["0-1", "0-1-2-3", "a-1-2", "0-1--2", "4294967296-1-1"] {
            assert!(text.parse::<GtidPosition>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_log_has_what_its_servers_wrote_last_and_before() {
        let state = DomainGtid::list("0-1-5,\n0-2-9,1-1-3").unwrap();
        let has = |text: &str| {
            position(text)
                .iter()
                .all(|gtid| state.iter().any(|of| of.covers(gtid)))
        };
        assert!(has("0-1-5,1-1-2") && has("0-2-7"));
        assert!(!has("0-1-6") && !has("0-3-1") && !has("2-1-1"));
        let ours = position("0-2-9");
        assert!(ours.reaches(state[0]) && ours.reaches(state[1]) && !ours.reaches(state[2]));
    }

    fn positions() -> impl Strategy<Value = GtidPosition> {
        proptest::collection::vec((0u32..4, 1u32..4, 0u64..20), 0..6).prop_map(|all| {
            let mut position = GtidPosition::default();
            for (domain, server, sequence) in all {
                position.set(DomainGtid {
                    domain,
                    server,
                    sequence,
                });
            }
            position
        })
    }

    proptest! {
        #[test]
        fn print_and_read_are_inverse(built in positions()) {
            prop_assert_eq!(position(&built.to_string()), built);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[0-9,\\- a]{0,40}") {
            let _ = text.parse::<GtidPosition>();
        }
    }
}
