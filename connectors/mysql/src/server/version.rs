//! Versions as servers print them: `8.4.3`, `10.11.19-MariaDB-log`, `5.5.5-10.6.1-MariaDB`.

use std::fmt;

use super::Flavor;

/// A version; of MySQL and MariaDB in one order each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Version {
    pub(crate) major: u16,
    pub(crate) minor: u16,
    pub(crate) patch: u16,
}

impl Version {
    pub(crate) const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self {
            major,
            minor,
            patch,
        }
    }

    /// Reads the first three numbers.
    pub(super) fn read(text: &str) -> Option<Self> {
        // MariaDB calls itself 5.5.5 for the sake of old replicas, the real version behind it.
        let text = match text.strip_prefix("5.5.5-") {
            Some(real) if real.contains("MariaDB") => real,
            Some(_) | None => text,
        };
        let mut numbers = text
            .split(|c: char| !c.is_ascii_digit())
            .map(|digits| digits.parse().ok());
        Some(Self {
            major: numbers.next()??,
            minor: numbers.next()??,
            patch: numbers.next().flatten().unwrap_or(0),
        })
    }

    /// As executable comments count: `80034`, `101119`.
    pub(crate) fn number(self) -> u32 {
        u32::from(self.major) * 10_000 + u32::from(self.minor) * 100 + u32::from(self.patch)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

pub(super) fn flavor(text: &str) -> Flavor {
    if text.to_ascii_lowercase().contains("mariadb") {
        Flavor::MariaDb
    } else {
        Flavor::MySql
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered_as_numbers() {
        let read = |text| Version::read(text);
        assert_eq!(read("8.4.3"), Some(Version::new(8, 4, 3)));
        assert_eq!(read("9.7.4-2"), Some(Version::new(9, 7, 4)));
        assert_eq!(read("10.11.19-MariaDB-log"), Some(Version::new(10, 11, 19)));
        assert_eq!(read("5.5.5-10.6.1-MariaDB"), Some(Version::new(10, 6, 1)));
        assert_eq!(read("8.0"), Some(Version::new(8, 0, 0)));
        assert_eq!(read("unknown"), None);
        assert!(read("10.11.2") > read("10.6.20"));
        assert_eq!(Version::new(10, 11, 19).number(), 101_119);
        assert_eq!(Version::new(8, 0, 34).number(), 80_034);
    }

    #[test]
    fn mariadb_is_told_by_its_name() {
        assert_eq!(flavor("10.11.19-MariaDB-0+deb12u1-log"), Flavor::MariaDb);
        assert_eq!(flavor("8.0.36-28"), Flavor::MySql);
    }
}
