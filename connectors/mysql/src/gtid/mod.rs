//! Global transaction identifiers: which transactions have been seen.
//!
//! MySQL keeps a *set* (intervals of each server's numbers, [`GtidSet`]), MariaDB a *position* (the
//! last number of each domain, [`GtidPosition`]). Both print as the server prints them and are
//! stored as that text. Deliberately absent: when a transaction counts as seen. That is at its
//! commit, never at its GTID event, and the log's reader knows it.

mod interval;
mod position;
mod set;

use std::fmt;

use serde::{Deserialize, Serialize};

pub(crate) use position::{DomainGtid, GtidPosition};
pub(crate) use set::{GtidSet, Source};

/// The transactions a server has, or that have been read from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gtids {
    /// As MySQL counts.
    Mysql(GtidSet),
    /// As MariaDB counts.
    Mariadb(GtidPosition),
}

impl fmt::Display for Gtids {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mysql(set) => set.fmt(f),
            Self::Mariadb(position) => position.fmt(f),
        }
    }
}

/// A text that is not what a server prints: the text around the fault.
fn unreadable(what: &str, text: &str) -> tributary_model::Error {
    let shown: String = text.chars().take(80).collect();
    tributary_model::Error::new(
        tributary_model::ErrorKind::Malformed,
        format!("`{shown}` is not a {what}"),
    )
}
