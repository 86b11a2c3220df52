//! What Snowflake says, in terms of who must act: by its codes, which do not change with its
//! language. What is not known counts as a mistake of ours, never as something to try again.

use tributary_model::{Error, ErrorKind};

use crate::answer::Reply;

/// A division by zero: how our guards fail.
pub(crate) const DIVISION: &str = "100051";
/// Something that is not there, or that the role may not see: Snowflake does not tell apart.
pub(crate) const ABSENT: &str = "002003";
/// The role lacks a right.
pub(crate) const DENIED: &str = "003001";

/// Codes, who must act, what they mean, and what helps.
struct Known {
    codes: &'static [&'static str],
    kind: ErrorKind,
    what: &'static str,
    fix: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        codes: &[
            "390144", "390101", "390303", "390318", "394300", "394301", "394303", "394304",
        ],
        kind: ErrorKind::Access,
        what: "Snowflake refused the login",
        fix: "Compare `DESC USER` (`RSA_PUBLIC_KEY_FP`) with the key, correct `account` and `user`; a token must not have expired, and the clock of this machine must be right.",
    },
    Known {
        codes: &["390189", "390186"],
        kind: ErrorKind::Access,
        what: "the user does not have the role",
        fix: "Run: GRANT ROLE <role> TO USER <user>; or correct `role` of the destination.",
    },
    Known {
        codes: &["390201", "390422", "390432"],
        kind: ErrorKind::Access,
        what: "Snowflake does not let this user in from here",
        fix: "Correct `database` and `warehouse` of the destination; a network policy must allow this machine's address.",
    },
    Known {
        codes: &["000606", "000607"],
        kind: ErrorKind::Access,
        what: "there is no warehouse to compute with",
        fix: "Set `warehouse` of the destination, and run: GRANT USAGE ON WAREHOUSE <warehouse> TO ROLE <role>;",
    },
    Known {
        codes: &[DENIED, "003040", "003041"],
        kind: ErrorKind::Access,
        what: "the role lacks a right",
        fix: "`tributary check` says which right is missing, with the GRANT that gives it.",
    },
    Known {
        codes: &[ABSENT, "002043"],
        kind: ErrorKind::Access,
        what: "something is not there, or the role may not see it",
        fix: "`tributary check` says which right is missing, with the GRANT that gives it.",
    },
    Known {
        codes: &["000625", "000630", "000604", "000603", "000605"],
        kind: ErrorKind::Unavailable,
        what: "a statement was ended before it was done",
        fix: "Raise `statement_timeout` of the destination; look whether another statement holds a lock on the table (`SHOW LOCKS`).",
    },
    Known {
        codes: &["090073", "090030"],
        kind: ErrorKind::Unavailable,
        what: "the warehouse is suspended by a resource monitor",
        fix: "Raise the monitor's quota, or resume the warehouse: ALTER WAREHOUSE <warehouse> RESUME;",
    },
    Known {
        codes: &[
            "091003", "091016", "100016", "003163", "003167", "393909", "100183",
        ],
        kind: ErrorKind::Access,
        what: "Snowflake can't read the bucket through the stage",
        fix: "Compare the stage's address (`DESC STAGE`) with `staging.url`; its storage integration must allow that bucket, and the bucket's policy must trust the integration's role (`DESC INTEGRATION`).",
    },
    Known {
        codes: &["001998"],
        kind: ErrorKind::Incompatible,
        what: "there is something of another kind under a name that is needed",
        fix: "Rename it, or name another table with `table:` in the stream's options.",
    },
    Known {
        codes: &[
            "100072", "100035", "100038", "100046", "100069", "100078", "100132", "100065",
        ],
        kind: ErrorKind::Rejected,
        what: "the table does not take a value",
        fix: "Remove the constraint from the table, or give the column a type that holds the value in the stream's options.",
    },
];

/// What a refusal of a statement means.
pub(crate) fn of(reply: &Reply) -> Error {
    let code = reply.code.as_deref().unwrap_or_default();
    let message = reply.message.as_deref().unwrap_or("no reason was given");
    let because = format!("{code}: {}", message.trim());
    match KNOWN.iter().find(|known| known.codes.contains(&code)) {
        Some(known) => Error::new(known.kind, known.what)
            .because(because)
            .fix(known.fix),
        None => Error::bug("Snowflake refused a statement").because(because),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_who_must_act() {
        let of = |code: &str| {
            of(&Reply {
                code: Some(code.to_owned()),
                ..Reply::default()
            })
        };
        for (code, kind) in [
            ("390144", ErrorKind::Access),
            ("003001", ErrorKind::Access),
            ("000625", ErrorKind::Unavailable),
            ("100072", ErrorKind::Rejected),
            ("001003", ErrorKind::Bug),
        ] {
            assert_eq!(of(code).kind(), kind, "{code}");
        }
    }
}
