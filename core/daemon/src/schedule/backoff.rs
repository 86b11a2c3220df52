//! How long a connection that failed is left alone.
//!
//! The engine has tried several times already when a run fails. What may heal by itself is tried
//! again ever more seldom; what needs a person is hardly tried at all, so that no account is locked
//! by wrong passwords and no log fills up.

use std::time::Duration;

use tributary_model::ErrorKind;

use super::spread;

const FIRST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(30 * 60);
/// Someone may have helped on the other side, where nobody tells us.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);
/// The share of a wait by which connections that fail together are drawn apart.
const APART: f64 = 0.2;

/// What it takes to end a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heals {
    /// Time; the other side may have said how much.
    ByItself(Option<Duration>),
    /// Somebody who changes something.
    ByPerson,
}

/// What it takes to end a failure of a kind.
pub(crate) fn heals(kind: ErrorKind) -> Heals {
    match kind {
        ErrorKind::Throttled(wait) => Heals::ByItself(wait),
        ErrorKind::Unavailable | ErrorKind::Malformed | ErrorKind::Fenced => Heals::ByItself(None),
        ErrorKind::Config
        | ErrorKind::Access
        | ErrorKind::Expired
        | ErrorKind::Incompatible
        | ErrorKind::Rejected
        | ErrorKind::Bug => Heals::ByPerson,
    }
}

/// How long to wait after the `in_a_row`-th failure, counted from 1.
pub(crate) fn wait(of: &str, heals: Heals, in_a_row: u32) -> Duration {
    let asked = match heals {
        Heals::ByPerson => return LOOK_AGAIN,
        Heals::ByItself(asked) => asked.unwrap_or_default(),
    };
    let doubled = FIRST.saturating_mul(1 << in_a_row.saturating_sub(1).min(16));
    let base = doubled.min(LONGEST).max(asked);
    base + base.mul_f64(APART * spread(of, i64::from(in_a_row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_a_limit() {
        let alone = Heals::ByItself(None);
        for (in_a_row, at_least) in [
            (1, 5),
            (2, 10),
            (4, 40),
            (9, 1280),
            (10, 1800),
            (4000, 1800),
        ] {
            let waited = wait("shop", alone, in_a_row).as_secs_f64();
            let least = f64::from(at_least);
            assert!(
                (least..=least * 1.2).contains(&waited),
                "{in_a_row}: {waited}"
            );
        }
        assert_ne!(wait("a", alone, 3), wait("b", alone, 3));
    }

    #[test]
    fn whoever_asks_to_be_left_alone_is() {
        let asked = Heals::ByItself(Some(Duration::from_secs(600)));
        assert!(wait("shop", asked, 1) >= Duration::from_secs(600));
        assert_eq!(wait("shop", Heals::ByPerson, 1), LOOK_AGAIN);
    }

    #[test]
    fn only_what_time_heals_is_tried_again_soon() {
        for kind in [
            ErrorKind::Unavailable,
            ErrorKind::Malformed,
            ErrorKind::Fenced,
        ] {
            assert_eq!(heals(kind), Heals::ByItself(None), "{kind:?}");
        }
        for kind in [
            ErrorKind::Config,
            ErrorKind::Access,
            ErrorKind::Expired,
            ErrorKind::Incompatible,
            ErrorKind::Rejected,
            ErrorKind::Bug,
        ] {
            assert_eq!(heals(kind), Heals::ByPerson, "{kind:?}");
        }
    }
}
