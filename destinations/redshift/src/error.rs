//! What Redshift says, in terms of who must act.
//!
//! Its codes are PostgreSQL's where it has such; much of its own comes as `XX000` and is told by its
//! words. What is not known counts as a mistake of ours, never as something to try again.

use std::error::Error as _;

use tokio_postgres::error::DbError;
use tributary_model::{Error, ErrorKind, Result};

use crate::settings::{Settings, Tls};

/// Turns the driver's errors into ours.
pub(crate) trait Explain<T> {
    /// Adds what we were doing, and who must act.
    fn explain(self, doing: &str) -> Result<T>;
}

impl<T> Explain<T> for Result<T, tokio_postgres::Error> {
    fn explain(self, doing: &str) -> Result<T> {
        self.map_err(|error| of(&error).context(doing))
    }
}

/// The code of an error of the server.
pub(crate) fn code(error: &tokio_postgres::Error) -> Option<&str> {
    error.as_db_error().map(|error| error.code().code())
}

/// Codes or words, who must act, what they mean, and what helps.
struct Known {
    /// A code, or the beginning of codes.
    codes: &'static [&'static str],
    /// Words of the message or its detail, in lower case; any where there are none. Where `&` is
    /// between some, all of them.
    words: &'static [&'static str],
    kind: ErrorKind,
    what: &'static str,
    fix: &'static str,
}

/// The first that fits counts.
const KNOWN: &[Known] = &[
    Known {
        codes: &["XX", "40", "57"],
        words: &["serializable isolation violation", "xx000: 1023"],
        kind: ErrorKind::Unavailable,
        what: "another transaction read or changed the same tables at the same time (error 1023)",
        fix: "Nothing needs to be done: the load is made again. If it happens often, let other jobs write these tables at other times.",
    },
    Known {
        codes: &["XX", "40", "42", "3F"],
        words: &[
            "conflict with concurrent transaction",
            "could not open relation with oid",
            "xx000: 1018",
        ],
        kind: ErrorKind::Unavailable,
        what: "another transaction changed or dropped the same tables at the same time",
        fix: "Nothing needs to be done: the load is made again. If it happens often, let other jobs write these tables at other times.",
    },
    Known {
        codes: &[""],
        words: &[
            "s3&status 500",
            "s3&status 503",
            "s3&slowdown",
            "s3&reduce your request rate",
            "s3&internalerror",
            "s3&retries exceeded",
            "s3&timed out",
            "s3&timeout",
            "spectrum&retries exceeded",
            "spectrum&timed out",
            "spectrum&timeout",
        ],
        kind: ErrorKind::Unavailable,
        what: "S3 did not hand the staged rows to Redshift just now",
        fix: "Nothing needs to be done: the load is made again. If it happens often, look at the status of S3 in the region of the bucket.",
    },
    Known {
        codes: &["0A", "2B", "42", "XX"],
        words: &["distkey", "sortkey", "distribution key", "sort key"],
        kind: ErrorKind::Incompatible,
        what: "a column can't be given another type because the table is distributed or sorted by it",
        fix: "Run `ALTER TABLE ... ALTER DISTSTYLE EVEN` and `ALTER TABLE ... ALTER SORTKEY NONE` and sync; then `ALTER DISTSTYLE AUTO` and `ALTER SORTKEY AUTO` let Redshift choose again.",
    },
    Known {
        codes: &[""],
        words: &[
            "s3serviceexception",
            "not authorized to assume",
            "not authorized to get credentials",
            "access denied",
            "invalidaccesskeyid",
            "cannot assume role",
        ],
        kind: ErrorKind::Access,
        what: "Redshift may not read the staging bucket",
        fix: "Give the role of `iam_role`, or the access key of `staging`, s3:GetObject and s3:ListBucket on the bucket, and attach the role to the warehouse.",
    },
    Known {
        codes: &["XX", "22", "23"],
        words: &[
            "spectrum scan error",
            "load into table",
            "stl_load_errors",
            "sys_load_error_detail",
            "incompatible parquet schema",
        ],
        kind: ErrorKind::Rejected,
        what: "Redshift does not take the staged rows",
        fix: "What it says of the file names the column: give that column another type in the stream's options, or exclude it.",
    },
    Known {
        codes: &["28"],
        words: &[],
        kind: ErrorKind::Access,
        what: "Redshift refused the login",
        fix: "Correct `user` and `password` of the destination.",
    },
    Known {
        codes: &["3D000"],
        words: &[],
        kind: ErrorKind::Config,
        what: "there is no such database",
        fix: "Correct `database` of the destination, or make it with `CREATE DATABASE`.",
    },
    Known {
        codes: &["42501"],
        words: &[],
        kind: ErrorKind::Access,
        what: "the user lacks a right",
        fix: "`tributary check` says which right is missing, with the GRANT that gives it.",
    },
    Known {
        codes: &["25006"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "the warehouse only reads at the moment",
        fix: "Look at its status in the console: it may be resizing or a consumer of a data share.",
    },
    Known {
        codes: &["53100"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "the disk of the warehouse is full",
        fix: "Free space or resize it; the load was undone and will be made again.",
    },
    Known {
        codes: &["53300"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "the warehouse has no connection left",
        fix: "End sessions that nobody needs (`SELECT * FROM stv_sessions` shows them).",
    },
    Known {
        codes: &["53"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "the warehouse lacks memory",
        fix: "Give the user's queue more of it; the load was undone and will be made again.",
    },
    Known {
        codes: &["57014"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "a statement was ended before it was done",
        fix: "Raise `statement_timeout` of the destination; look whether a rule of the queue ends statements (WLM), and whether something holds a lock on the table (`SELECT * FROM svv_transactions`).",
    },
    Known {
        codes: &["40", "55P03"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "something else changed or locked the same table at the same time",
        fix: "Nothing needs to be done: the load is made again.",
    },
    Known {
        codes: &["08", "57P", "25P03", "58000"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "the warehouse ended the session",
        fix: "The load was undone and will be made again; the console shows restarts and patches.",
    },
    Known {
        codes: &["0A000", "2BP01"],
        words: &["depend"],
        kind: ErrorKind::Incompatible,
        what: "the table can't be changed because something else depends on it",
        fix: "Drop the view that is named and sync; make it again WITH NO SCHEMA BINDING, which depends on names only.",
    },
    Known {
        codes: &["42P06", "42P07", "42710"],
        words: &[],
        kind: ErrorKind::Unavailable,
        what: "something of that name was made at the same time",
        fix: "Nothing needs to be done: the load is made again.",
    },
    Known {
        codes: &["23505"],
        words: &["pg_namespace", "pg_class", "pg_type"],
        kind: ErrorKind::Unavailable,
        what: "something of that name was made at the same time",
        fix: "Nothing needs to be done: the load is made again.",
    },
    Known {
        codes: &["42939", "42602", "42809"],
        words: &[],
        kind: ErrorKind::Incompatible,
        what: "Redshift does not take a name",
        fix: "Name another table or schema with `table:` in the stream's options.",
    },
    Known {
        codes: &["22", "23"],
        words: &[],
        kind: ErrorKind::Rejected,
        what: "the table does not take a value",
        fix: "Remove the constraint from the table, or give the column a type that holds the value in the stream's options.",
    },
];

/// What an error of the driver means.
pub(crate) fn of(error: &tokio_postgres::Error) -> Error {
    match error.as_db_error() {
        Some(cause) => of_server(cause),
        None => broken(error),
    }
}

/// Whatever is not the server's word is about the way to it.
fn broken(error: &tokio_postgres::Error) -> Error {
    let because = match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Error::new(
        ErrorKind::Unavailable,
        "the connection to the warehouse broke",
    )
    .because(because)
    .fix("Look at the network and at the warehouse's status; the load was undone and will be made again.")
}

fn of_server(cause: &DbError) -> Error {
    let because = explanation(cause);
    let words = because.to_lowercase();
    match known(cause.code().code(), &words) {
        Some(known) => Error::new(known.kind, known.what)
            .because(because)
            .fix(known.fix),
        None => Error::bug("Redshift refused a statement").because(because),
    }
}

fn known(code: &str, text: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| {
        let has = |word: &&str| word.split('&').all(|part| text.contains(part));
        let has_word = known.words.iter().any(has);
        known.codes.iter().any(|start| code.starts_with(start))
            && (known.words.is_empty() || has_word)
    })
}

/// The server's words, with its code. Details are left out where they would repeat a row's values.
fn explanation(cause: &DbError) -> String {
    let code = cause.code().code();
    let mut text = format!("{code}: {}", cause.message());
    if let (Some(detail), false) = (cause.detail(), code.starts_with("23")) {
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        text = format!("{text}; {detail}");
    }
    text
}

/// What an error while connecting means.
pub(crate) fn of_connecting(error: &tokio_postgres::Error, settings: &Settings) -> Error {
    let place = settings.place();
    let mut text = error.to_string();
    if let Some(source) = error.source() {
        text = format!("{text}: {source}");
    }
    let explained = match error.as_db_error() {
        Some(cause) => of_server(cause),
        None if text.contains("does not support TLS") => Error::new(
            ErrorKind::Config,
            "the server offers no encryption, and `tls.mode` asks for it",
        )
        .fix("Correct `host` and `port`; Redshift itself offers encryption always."),
        None if text.contains("certificate") => no_trust(&text, settings),
        None if text.contains("authentication") => Error::new(
            ErrorKind::Config,
            "the warehouse asks for a way of logging in that is not known",
        )
        .because(text)
        .fix("Give the user a password that is kept as MD5: ALTER USER ... PASSWORD 'md5...', or a plain one."),
        None => Error::new(
            ErrorKind::Unavailable,
            "the warehouse can't be reached",
        )
        .because(text)
        .fix("Correct `host` and `port` of the destination; look whether the warehouse runs and its security group lets this machine in."),
    };
    explained.context(format!("connecting to {place}"))
}

fn no_trust(text: &str, settings: &Settings) -> Error {
    let fix = match settings.tls {
        Tls::VerifyCa(Some(_)) | Tls::VerifyIdentity(Some(_)) => {
            "Set `tls.ca_file` to the authority that signed the server's certificate; with `verify_identity` the certificate must name the host as `host:` writes it."
        }
        _ => "Set `tls.ca_file` to the file with the authority's certificate, as PEM.",
    };
    Error::new(ErrorKind::Config, "the server's certificate is not trusted")
        .because(text.to_owned())
        .fix(fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_told_by_code_and_words() {
        for (code, text, kind) in [
            (
                "XX000",
                "xx000: 1023; serializable isolation violation on table - 100123",
                Some(ErrorKind::Unavailable),
            ),
            (
                "XX000",
                "xx000: s3serviceexception:access denied,status 403",
                Some(ErrorKind::Access),
            ),
            (
                "XX000",
                "xx000: spectrum scan error; file has an incompatible parquet schema",
                Some(ErrorKind::Rejected),
            ),
            (
                "XX000",
                "xx000: 1023; transactions forming the cycle",
                Some(ErrorKind::Unavailable),
            ),
            ("XX000", "xx000: file 1023 is broken", None),
            (
                "XX000",
                "xx000: 1018; relation id does not exist",
                Some(ErrorKind::Unavailable),
            ),
            (
                "42P01",
                "42p01: could not open relation with oid 1234",
                Some(ErrorKind::Unavailable),
            ),
            ("42P01", "42p01: relation \"t\" does not exist", None),
            (
                "XX000",
                "xx000: conflict with concurrent transaction",
                Some(ErrorKind::Unavailable),
            ),
            (
                "XX000",
                "xx000: s3serviceexception:please reduce your request rate.,status 503,error slowdown",
                Some(ErrorKind::Unavailable),
            ),
            (
                "XX000",
                "xx000: s3serviceexception:we encountered an internal error,status 500,error internalerror",
                Some(ErrorKind::Unavailable),
            ),
            (
                "XX000",
                "xx000: spectrum scan error; s3 query exception (fetch), the request timed out",
                Some(ErrorKind::Unavailable),
            ),
            (
                "0A000",
                "0a000: cannot drop distkey column \"id\"",
                Some(ErrorKind::Incompatible),
            ),
            ("28000", "", Some(ErrorKind::Access)),
            ("42501", "", Some(ErrorKind::Access)),
            ("57014", "query cancelled", Some(ErrorKind::Unavailable)),
            ("57P01", "", Some(ErrorKind::Unavailable)),
            (
                "2BP01",
                "other objects depend on it",
                Some(ErrorKind::Incompatible),
            ),
            ("22001", "value too long", Some(ErrorKind::Rejected)),
            ("42601", "syntax error", None),
            ("XX000", "internal error", None),
            ("0A000", "not implemented", None),
        ] {
            assert_eq!(
                known(code, text).map(|known| known.kind),
                kind,
                "{code} {text}"
            );
        }
    }
}
