//! A place in the binary log: a file and an offset in it.
//!
//! Files are ordered by the number at the end of their names, never as text (`binlog.1000000` comes
//! after `binlog.999999`). Files of another base name, and files of another server, have no order
//! to ours at all. Deliberately absent: GTIDs (see `gtid`).

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// A file of the binary log and the offset of the next event in it, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct LogPosition {
    /// The file's name, without a folder.
    pub(crate) file: String,
    /// The offset in the file.
    pub(crate) offset: u64,
}

impl LogPosition {
    /// A place in `file`.
    pub(crate) fn new(file: impl Into<String>, offset: u64) -> Self {
        Self {
            file: file.into(),
            offset,
        }
    }

    /// The number at the end of the file's name; `None` where there is none.
    pub(crate) fn number(&self) -> Option<u64> {
        split(&self.file).map(|(_, number)| number)
    }
}

/// `binlog.000014` is `binlog` and 14.
fn split(file: &str) -> Option<(&str, u64)> {
    let (base, digits) = file.rsplit_once('.')?;
    let all_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
    (all_digits && !base.is_empty()).then_some((base, digits.parse().ok()?))
}

/// `None` where the two can't be compared: their files belong to different series.
impl PartialOrd for LogPosition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        if self.file == other.file {
            return Some(self.offset.cmp(&other.offset));
        }
        let ((base, number), (other_base, other_number)) =
            (split(&self.file)?, split(&other.file)?);
        if base != other_base {
            return None;
        }
        match number.cmp(&other_number) {
            // `binlog.14` beside `binlog.000014`: two names for what can't be one file.
            Ordering::Equal => None,
            order => Some(order),
        }
    }
}

impl fmt::Display for LogPosition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(a: (&str, u64), b: (&str, u64)) -> Option<Ordering> {
        LogPosition::new(a.0, a.1).partial_cmp(&LogPosition::new(b.0, b.1))
    }

    #[test]
    fn files_are_ordered_by_number_and_not_as_text() {
        use Ordering::{Equal, Greater, Less};
        assert_eq!(
            order(("binlog.999999", 9), ("binlog.1000000", 4)),
            Some(Less)
        );
        assert_eq!(
            order(("binlog.000002", 4), ("binlog.000001", 900)),
            Some(Greater)
        );
        assert_eq!(
            order(("binlog.000002", 4), ("binlog.000002", 4)),
            Some(Equal)
        );
        assert_eq!(order(("a.b.000002", 4), ("a.b.000010", 4)), Some(Less));
    }

    #[test]
    fn files_of_another_series_have_no_order() {
        assert_eq!(order(("binlog.000001", 4), ("mysql-bin.000002", 4)), None);
        assert_eq!(order(("binlog", 4), ("binlog.000002", 4)), None);
        assert_eq!(order(("binlog.14", 4), ("binlog.000014", 4)), None);
        assert_eq!(LogPosition::new(".000014", 4).number(), None);
        assert_eq!(LogPosition::new("binlog.+14", 4).number(), None);
    }

    #[test]
    fn it_prints_as_people_write_it() {
        let position = LogPosition::new("binlog.000014", 1234);
        assert_eq!(position.to_string(), "binlog.000014:1234");
        assert_eq!(position.number(), Some(14));
    }
}
