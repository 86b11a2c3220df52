//! MariaDB looks for a place by GTID: from the beginning of a file on it passes over what we have.
//!
//! On a server that is another than before, domains may follow each other in another order: it passes
//! over some transactions and sends others that stand between them. A file and an offset in there
//! stand for fewer transactions than the GTIDs do. They are the same from where the log holds exactly
//! what we have: it says what it holds at the beginning of each file, and, as an event that is in no
//! file, where it has passed over the last transaction that we have of a domain.

use crate::gtid::{DomainGtid, GtidPosition, Gtids};

/// What the log holds up to where it is, while the place is looked for.
#[derive(Debug, Default)]
pub(super) struct Approach(Option<GtidPosition>);

impl Approach {
    /// Nothing is known of what the log holds.
    pub(super) fn begin() -> Self {
        Self(Some(GtidPosition::default()))
    }

    /// Whether the place is found.
    pub(super) fn is_over(&self) -> bool {
        self.0.is_none()
    }

    /// The log holds these here, and we have `ours`.
    pub(super) fn meet(&mut self, held: &[DomainGtid], ours: Option<&Gtids>) {
        let Some(log) = &mut self.0 else { return };
        held.iter().for_each(|gtid| log.set(*gtid));
        if matches!(ours, Some(Gtids::Mariadb(ours)) if log == ours) {
            self.0 = None;
        }
    }

    /// The log has been passed over to its end.
    pub(super) fn end(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<DomainGtid> {
        DomainGtid::list(text).unwrap()
    }

    /// As MariaDB 10.11 sent it: `1-1-1 0-1-12 1-1-2 0-1-13`, of which we had `0-1-13` and `1-1-1`.
    #[test]
    fn the_place_is_where_no_domain_is_behind() {
        let ours = |text: &str| Gtids::Mariadb(text.parse().unwrap());
        let mut approach = Approach::begin();
        for (held, have) in [
            ("0-1-11", "0-1-13,1-1-1"),
            ("1-1-1", "0-1-13,1-1-1"),
            ("1-1-2", "0-1-13,1-1-2"),
        ] {
            approach.meet(&list(held), Some(&ours(have)));
            assert!(!approach.is_over(), "{held}");
        }
        approach.meet(&list("1-1-2,0-1-13"), Some(&ours("0-1-13,1-1-2")));
        assert!(approach.is_over());
        let mut at_once = Approach::begin();
        at_once.meet(&list("0-1-8"), Some(&ours("0-1-8")));
        assert!(at_once.is_over());
    }
}
