//! What BigQuery's errors mean, by their reasons and statuses.
//!
//! Invariant: what is not known here is a bug, never something to try again.

use serde_json::Value;
use tributary_model::{Error, ErrorKind};

/// What a reason means.
struct Known {
    reasons: &'static [&'static str],
    kind: ErrorKind,
    what: &'static str,
    fix: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        reasons: &["rateLimitExceeded", "jobRateLimitExceeded", "quotaExceeded"],
        kind: ErrorKind::Throttled(None),
        what: "BigQuery asks to be asked less often",
        fix: "Give the connection a longer schedule, such as `schedule: 10m`: a table takes 1,500 changes a day.",
    },
    Known {
        reasons: &["accessDenied", "forbidden", "insufficientPermissions"],
        kind: ErrorKind::Access,
        what: "a permission is missing",
        fix: "Give the service account the roles `BigQuery Data Editor` and `BigQuery Job User`; `tributary check` says which permission is missing.",
    },
    Known {
        reasons: &["authError", "required"],
        kind: ErrorKind::Access,
        what: "BigQuery does not take the credentials",
        fix: "Create a new key for the service account and set `credentials_file`.",
    },
    Known {
        reasons: &[
            "billingNotEnabled",
            "accessNotConfigured",
            "SERVICE_DISABLED",
        ],
        kind: ErrorKind::Access,
        what: "BigQuery is not open to this project",
        fix: "Enable the BigQuery API and billing in the project; the sandbox has no DML.",
    },
    Known {
        reasons: &["billingTierLimitExceeded", "bytesBilledLimitExceeded"],
        kind: ErrorKind::Config,
        what: "the job would be billed for more than `maximum_bytes_billed`",
        fix: "Raise `maximum_bytes_billed`, or partition and cluster the table so that a load reads less of it.",
    },
    Known {
        reasons: &["notFound"],
        kind: ErrorKind::Incompatible,
        what: "something is not there that was there before",
        fix: "Look whether the project, the dataset and `location` are right; the load was not made and will be made again by the next sync.",
    },
    Known {
        reasons: &[
            "backendError",
            "internalError",
            "jobBackendError",
            "jobInternalError",
            "timeout",
            "stopped",
            "tableUnavailable",
            "resourceInUse",
        ],
        kind: ErrorKind::Unavailable,
        what: "BigQuery could not do it now",
        fix: "Nothing needs to be done: the load is made again.",
    },
    Known {
        reasons: &["resourcesExceeded", "responseTooLarge"],
        kind: ErrorKind::Rejected,
        what: "a load needs more than BigQuery gives to one job",
        fix: "Make loads smaller with `flush` in the connection's settings, or reserve slots.",
    },
];

/// What BigQuery says where it refuses a job because another changed the same table.
const CONFLICTS: [&str; 3] = [
    "concurrent update",
    "Could not serialize access",
    "aborted due to",
];

/// What BigQuery says where a statement changes more than 4,000 partitions.
const PARTITIONS: [&str; 2] = ["Too many partitions", "too many partitions"];

/// The error of a reason, with BigQuery's words.
pub(crate) fn of_reason(reason: &str, message: &str) -> Error {
    if CONFLICTS.iter().any(|words| message.contains(words)) {
        return Error::new(
            ErrorKind::Unavailable,
            "another job changed the same table at the same time",
        )
        .because(message.to_owned())
        .fix("Nothing needs to be done: the load is made again.");
    }
    if PARTITIONS.iter().any(|words| message.contains(words)) {
        return Error::new(
            ErrorKind::Incompatible,
            "a load changes more partitions than BigQuery lets one statement change",
        )
        .because(message.to_owned())
        .fix("Make the table anew with `granularity: month` in `partition_by`.");
    }
    let known = KNOWN.iter().find(|known| known.reasons.contains(&reason));
    let because = format!("{reason}: {message}");
    match known {
        Some(known) => Error::new(known.kind, known.what)
            .because(because)
            .fix(known.fix),
        None => Error::bug("BigQuery refused a statement").because(because),
    }
}

/// The error of an answer.
pub(crate) fn of_answer(status: u16, body: &[u8]) -> Error {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = &body["error"];
    let message = error["message"].as_str().unwrap_or("no reason was given");
    let reason = error["errors"][0]["reason"].as_str();
    let reason = reason.filter(|reason| KNOWN.iter().any(|known| known.reasons.contains(reason)));
    let reason = reason.unwrap_or(match status {
        401 => "authError",
        403 => "accessDenied",
        404 => "notFound",
        408 | 429 => "rateLimitExceeded",
        500..=599 => "backendError",
        _ => error["errors"][0]["reason"].as_str().unwrap_or("unknown"),
    });
    of_reason(reason, message)
}

/// What failed before there was an answer: nobody knows whether it was done.
pub(crate) fn unreachable(place: &str, cause: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("{place} does not answer"))
        .because(cause.to_owned())
        .fix("Look at the network and at `api_endpoint` and `storage_endpoint`; the load was not committed or will be found again.")
}

/// What a status of gRPC means.
pub(crate) fn of_status(status: &tonic::Status) -> Error {
    use tonic::Code;
    let message = status.message();
    let reason = match status.code() {
        Code::PermissionDenied => "accessDenied",
        Code::Unauthenticated => "authError",
        Code::NotFound => "notFound",
        Code::ResourceExhausted => "rateLimitExceeded",
        Code::Unavailable
        | Code::Aborted
        | Code::Internal
        | Code::Cancelled
        | Code::DeadlineExceeded
        | Code::Unknown => "backendError",
        Code::Ok
        | Code::InvalidArgument
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::OutOfRange
        | Code::Unimplemented
        | Code::DataLoss => "unknown",
    };
    of_reason(reason, &format!("{:?}: {message}", status.code()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_known_by_its_reason_first() {
        let of = |status: u16, reason: &str| {
            let body = json!({"error": {"message": "m", "errors": [{"reason": reason}]}});
            of_answer(status, body.to_string().as_bytes()).kind()
        };
        assert_eq!(of(403, "rateLimitExceeded"), ErrorKind::Throttled(None));
        assert_eq!(of(403, "accessDenied"), ErrorKind::Access);
        assert_eq!(of(403, "what is new"), ErrorKind::Access);
        assert_eq!(of(503, "backendError"), ErrorKind::Unavailable);
        assert_eq!(of(404, "notFound"), ErrorKind::Incompatible);
        assert_eq!(of(400, "invalidQuery"), ErrorKind::Bug);
        assert_eq!(of_answer(502, b"<html>").kind(), ErrorKind::Unavailable);
        let many =
            "Too many partitions produced by query, allowed 4000, query produces at least 4001";
        assert_eq!(of_reason("invalid", many).kind(), ErrorKind::Incompatible);
        assert_eq!(
            of_reason(
                "invalidQuery",
                "Transaction is aborted due to concurrent update"
            )
            .kind(),
            ErrorKind::Unavailable
        );
    }
}
