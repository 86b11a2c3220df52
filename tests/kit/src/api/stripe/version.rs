//! Versions of the API, and what newer ones no longer show.

use tributary_model::Row;

/// A version such as `2024-06-20` or `2025-03-31.basil`; their texts sort by age.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(String);

/// Fields that went away: from which version, of which object, which.
const REMOVED: [(&str, &str, &[&str]); 4] = [
    (
        "2025-03-31.basil",
        "subscription",
        &["current_period_start", "current_period_end"],
    ),
    (
        "2025-03-31.basil",
        "invoice",
        &["charge", "payment_intent", "paid", "paid_out_of_band"],
    ),
    ("2025-03-31.basil", "charge", &["invoice"]),
    ("2025-03-31.basil", "payment_intent", &["invoice"]),
];

impl Version {
    /// A version that is known to be one.
    ///
    /// # Panics
    /// Panics where it is none.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self::parse(text).unwrap_or_else(|| panic!("{text} is no version of the API"))
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let date = text.split('.').next()?;
        let named = text[date.len()..]
            .chars()
            .all(|c| c == '.' || c.is_ascii_lowercase());
        let dated = chrono::NaiveDate::parse_from_str(date, "%Y-%m-%d").is_ok();
        (dated && named).then(|| Self(text.to_owned()))
    }

    pub(super) fn text(&self) -> &str {
        &self.0
    }

    pub(super) fn is_before(&self, other: &str) -> bool {
        self.0.as_str() < other
    }

    /// Takes away what this version no longer shows.
    pub(super) fn trim(&self, object: &str, fields: &mut Row) {
        for (since, of, names) in REMOVED {
            if of == object && !self.is_before(since) {
                fields.retain(|name, _| !names.contains(&name.as_str()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_sort_by_age() {
        assert!(Version::new("2024-06-20").is_before("2025-03-31.basil"));
        assert!(!Version::new("2025-03-31.basil").is_before("2025-03-31.basil"));
        assert_eq!(Version::parse("latest"), None);
        assert_eq!(Version::parse("2024-06-20; x"), None);
    }
}
