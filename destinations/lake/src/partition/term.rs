//! One division, as written in the configuration and in the log.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tributary_model::{Error, ErrorKind, Result, TableColumn};

use super::transform::Transform;

/// The name of the folders that say when rows were loaded.
pub(super) const LOAD_DATE: &str = "tributary_date";

/// One division.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(crate) enum Term {
    /// By the day of the load.
    LoadDate,
    /// By a column, changed in some way.
    Column {
        /// Its name.
        name: String,
        /// The change.
        transform: Transform,
    },
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Column { name, transform } = self else {
            return f.write_str(LOAD_DATE);
        };
        match transform {
            Transform::Identity => f.write_str(name),
            Transform::Year => write!(f, "year({name})"),
            Transform::Month => write!(f, "month({name})"),
            Transform::Day => write!(f, "day({name})"),
            Transform::Hour => write!(f, "hour({name})"),
            Transform::Truncate(width) => write!(f, "truncate({width}, {name})"),
            Transform::Bucket(count) => write!(f, "bucket({count}, {name})"),
        }
    }
}

impl From<Term> for String {
    fn from(term: Term) -> Self {
        term.to_string()
    }
}

impl TryFrom<String> for Term {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl Term {
    /// The name of its folders.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::LoadDate => LOAD_DATE.to_owned(),
            Self::Column { name, transform } => transform.label(name),
        }
    }

    /// Whether a table with these columns can be divided by it.
    pub(crate) fn fits(&self, columns: &[TableColumn]) -> bool {
        match self {
            Self::LoadDate => true,
            Self::Column { name, .. } => columns.iter().any(|column| column.name == *name),
        }
    }
}

impl FromStr for Term {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let column = |name: &str, transform| Self::Column {
            name: name.trim().to_owned(),
            transform,
        };
        if text == LOAD_DATE {
            return Ok(Self::LoadDate);
        }
        let Some((function, inner)) = text.strip_suffix(')').and_then(|text| text.split_once('('))
        else {
            return match text {
                "" => Err(unmeant(text)),
                name => Ok(column(name, Transform::Identity)),
            };
        };
        let (count, name) = match inner.split_once(',') {
            Some((count, name)) => (count.trim().parse().ok().filter(|count| *count > 0), name),
            None => (None, inner),
        };
        let transform = match (function.trim(), count) {
            ("year", None) => Transform::Year,
            ("month", None) => Transform::Month,
            ("day", None) => Transform::Day,
            ("hour", None) => Transform::Hour,
            ("truncate", Some(width)) => Transform::Truncate(width),
            ("bucket", Some(count)) => Transform::Bucket(count),
            _ => return Err(unmeant(text)),
        };
        match name.trim() {
            "" => Err(unmeant(text)),
            name => Ok(column(name, transform)),
        }
    }
}

fn unmeant(text: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("tables can't be divided by `{text}`"),
    )
    .fix(
        "Write `tributary_date`, a column's name, or year, month, day or hour of a column, \
         truncate(n, column) or bucket(n, column).",
    )
}
