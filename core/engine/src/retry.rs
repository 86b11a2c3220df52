//! The one page that decides whether to try again.

use std::time::Duration;

use tributary_model::ErrorKind;

/// What the engine does about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start again from the last true state after this long.
    Retry(Duration),
    /// Give up and say so.
    Stop,
}

/// Attempts in a row that may fail without a commit in between. // G6
const ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What to do about the `failed`-th failure in a row (counted from 1).
pub(crate) fn action(kind: ErrorKind, failed: u32) -> Action {
    match kind {
        ErrorKind::Throttled(_) | ErrorKind::Unavailable | ErrorKind::Malformed
            if failed >= ATTEMPTS =>
        {
            Action::Stop
        }
        ErrorKind::Throttled(Some(wait)) => Action::Retry(wait),
        ErrorKind::Throttled(None) | ErrorKind::Unavailable | ErrorKind::Malformed => {
            Action::Retry(backoff(failed))
        }
        ErrorKind::Config
        | ErrorKind::Access
        | ErrorKind::Expired
        | ErrorKind::Incompatible
        | ErrorKind::Rejected
        | ErrorKind::Fenced
        | ErrorKind::Bug => Action::Stop,
    }
}

fn backoff(failed: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(1 << failed.saturating_sub(1).min(16))
        .min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_heal_by_itself_is_tried_again() {
        let half = Action::Retry(Duration::from_millis(500));
        let minute = Duration::from_secs(60);
        for (kind, failed, expected) in [
            (ErrorKind::Unavailable, 1, half),
            (
                ErrorKind::Unavailable,
                3,
                Action::Retry(Duration::from_secs(2)),
            ),
            (ErrorKind::Unavailable, 5, Action::Stop),
            (ErrorKind::Malformed, 1, half),
            (ErrorKind::Throttled(Some(minute)), 1, Action::Retry(minute)),
            (ErrorKind::Throttled(None), 1, half),
            (ErrorKind::Throttled(Some(minute)), 5, Action::Stop),
            (ErrorKind::Config, 1, Action::Stop),
            (ErrorKind::Access, 1, Action::Stop),
            (ErrorKind::Expired, 1, Action::Stop),
            (ErrorKind::Incompatible, 1, Action::Stop),
            (ErrorKind::Rejected, 1, Action::Stop),
            (ErrorKind::Fenced, 1, Action::Stop),
            (ErrorKind::Bug, 1, Action::Stop),
        ] {
            assert_eq!(action(kind, failed), expected, "{kind:?} after {failed}");
        }
    }
}
