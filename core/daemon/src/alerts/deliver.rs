//! Posts what waits, until each webhook has taken it.
//!
//! An alert leaves the outbox once its webhook has said yes, so one that is killed in between posts
//! it again, under the same id: at least once. Webhooks do not wait for each other.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use tributary_config::AlertPlan;
use tributary_model::{Error, ErrorKind, Result, now};
use tributary_rest::Hook;

use super::outbox::{Outbox, Waiting};
use super::sign;

/// The shortest pause between two looks at what waits.
pub(super) const BREATH: Duration = Duration::from_millis(200);
/// Alerts that one webhook is sent in a row.
const AT_ONCE: u32 = 50;
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(900);
/// How long an alert is tried: who reads it later knows it already. // G6
const GIVE_UP: TimeDelta = TimeDelta::days(3);

/// Posts everything that is due, to each webhook in the order in which it happened. Tells when the
/// next is due.
pub(super) async fn deliver(
    hook: &Hook,
    outbox: &dyn Outbox,
    targets: &[AlertPlan],
) -> Result<Option<DateTime<Utc>>> {
    let all = targets
        .iter()
        .map(|target| deliver_to(hook, outbox, target));
    join_all(all).await.into_iter().collect::<Result<()>>()?;
    outbox.next_due().await
}

async fn deliver_to(hook: &Hook, outbox: &dyn Outbox, target: &AlertPlan) -> Result<()> {
    for waiting in outbox.due(&target.name, now(), AT_ONCE).await? {
        let Err(error) = post(hook, target, &waiting).await else {
            outbox.done(&waiting.id).await?;
            continue;
        };
        match next_try(&waiting, &error, now()) {
            Some(due_at) => {
                tracing::warn!(alert = %target.name, %error, next_try = %due_at, "an alert could not be posted");
                outbox.postpone(&waiting, due_at).await?;
            }
            None => {
                tracing::error!(alert = %target.name, %error, body = %waiting.body, "an alert is given up");
                outbox.done(&waiting.id).await?;
            }
        }
        // Those behind it would fare no better now, and keep their order.
        if !matches!(error.kind(), ErrorKind::Rejected) {
            break;
        }
    }
    Ok(())
}

async fn post(hook: &Hook, target: &AlertPlan, waiting: &Waiting) -> Result<()> {
    let signature = target
        .secret
        .as_ref()
        .map(|secret| sign::signature(secret, now(), &waiting.body));
    let mut headers = vec![("Tributary-Alert-Id", waiting.id.as_str())];
    headers.extend(signature.as_deref().map(|value| (sign::HEADER, value)));
    hook.post(&target.url, &headers, waiting.body.clone()).await
}

/// When an alert that failed is tried again; never, if it is too old or its receiver will not have
/// it.
fn next_try(waiting: &Waiting, error: &Error, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let wait = match error.kind() {
        ErrorKind::Rejected | ErrorKind::Bug => return None,
        ErrorKind::Throttled(Some(asked)) => asked.max(growing(waiting.tries)),
        // Somebody may put the address or the rights in order meanwhile.
        ErrorKind::Throttled(None)
        | ErrorKind::Config
        | ErrorKind::Access
        | ErrorKind::Unavailable
        | ErrorKind::Expired
        | ErrorKind::Malformed
        | ErrorKind::Incompatible
        | ErrorKind::Fenced => growing(waiting.tries),
    };
    let due_at = now + TimeDelta::from_std(wait).unwrap_or(GIVE_UP);
    (due_at - waiting.queued_at <= GIVE_UP).then_some(due_at)
}

fn growing(tries: u32) -> Duration {
    FIRST_WAIT
        .saturating_mul(1 << tries.min(16))
        .min(LONGEST_WAIT)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_tried_longer_and_longer_and_then_no_more() {
        let queued: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let waiting = |tries| Waiting {
            id: "a".to_owned(),
            target: "ops".to_owned(),
            body: String::new(),
            queued_at: queued,
            due_at: queued,
            tries,
        };
        let next = |tries, kind, now| {
            let due = next_try(&waiting(tries), &Error::new(kind, "no"), now);
            due.map(|due| (due - now).num_seconds())
        };
        let minute = Duration::from_secs(60);
        assert_eq!(next(0, ErrorKind::Unavailable, queued), Some(5));
        assert_eq!(next(1, ErrorKind::Access, queued), Some(10));
        assert_eq!(next(40, ErrorKind::Unavailable, queued), Some(900));
        assert_eq!(
            next(0, ErrorKind::Throttled(Some(minute)), queued),
            Some(60)
        );
        assert_eq!(next(0, ErrorKind::Rejected, queued), None);
        let late = queued + GIVE_UP - TimeDelta::seconds(100);
        assert_eq!(next(9, ErrorKind::Unavailable, late), None);
        assert_eq!(next(0, ErrorKind::Unavailable, late), Some(5));
    }
}
