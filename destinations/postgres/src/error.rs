//! What PostgreSQL says, in terms of who must act: by its error codes, which do not change with its
//! language. What is not known counts as a mistake of ours, never as something to try again.

use sqlx::postgres::PgDatabaseError;
use tributary_model::{Error, ErrorKind, Result};

use crate::settings::{Settings, Tls};

/// Turns the driver's errors into ours.
pub(crate) trait Explain<T> {
    /// Adds what we were doing, and who must act.
    fn explain(self, doing: &str) -> Result<T>;
}

impl<T> Explain<T> for sqlx::Result<T> {
    fn explain(self, doing: &str) -> Result<T> {
        self.map_err(|error| of(&error).context(doing))
    }
}

/// The code of an error of the server.
pub(crate) fn code(error: &sqlx::Error) -> Option<&str> {
    match error {
        sqlx::Error::Database(error) => Some(error.try_downcast_ref::<PgDatabaseError>()?.code()),
        _ => None,
    }
}

/// Codes, who must act, what they mean, and what helps.
struct Known {
    /// A code, or the beginning of codes.
    codes: &'static [&'static str],
    kind: ErrorKind,
    what: &'static str,
    fix: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        codes: &["28"],
        kind: ErrorKind::Access,
        what: "PostgreSQL refused the login",
        fix: "Correct `user` and `password` of the destination; pg_hba.conf must let this user in from this machine.",
    },
    Known {
        codes: &["3D000"],
        kind: ErrorKind::Config,
        what: "there is no such database",
        fix: "Correct `database` of the destination, or make it with `CREATE DATABASE`.",
    },
    Known {
        codes: &["42501"],
        kind: ErrorKind::Access,
        what: "the user lacks a right",
        fix: "`tributary check` says which right is missing, with the GRANT that gives it.",
    },
    Known {
        codes: &["25006"],
        kind: ErrorKind::Unavailable,
        what: "the server only reads: it is a standby, or it was made read-only",
        fix: "Give the address of the primary server, or end its read-only mode.",
    },
    Known {
        codes: &["53100", "58P02", "58030"],
        kind: ErrorKind::Unavailable,
        what: "the disk of the PostgreSQL server is full or fails",
        fix: "Free space on that disk; the load was undone and will be made again.",
    },
    Known {
        codes: &["53300"],
        kind: ErrorKind::Unavailable,
        what: "the PostgreSQL server has no connection left",
        fix: "End sessions that nobody needs, or raise `max_connections` of the server.",
    },
    Known {
        codes: &["53400"],
        kind: ErrorKind::Unavailable,
        what: "the load needs more than the server allows this user",
        fix: "Raise the limit that is named, e.g. with `ALTER ROLE ... SET temp_file_limit`.",
    },
    Known {
        codes: &["53"],
        kind: ErrorKind::Unavailable,
        what: "the PostgreSQL server lacks memory",
        fix: "Give it more memory, or less to do at the same time; the load was undone and will be made again.",
    },
    Known {
        codes: &["57014"],
        kind: ErrorKind::Unavailable,
        what: "a statement was ended before it was done",
        fix: "Raise `statement_timeout` of the destination; look whether something holds a lock on the table.",
    },
    Known {
        codes: &["55P03"],
        kind: ErrorKind::Unavailable,
        what: "something else holds a lock on the table",
        fix: "End the transaction that holds it (`SELECT * FROM pg_stat_activity` shows it); the load was undone and will be made again.",
    },
    Known {
        codes: &["40"],
        kind: ErrorKind::Unavailable,
        what: "something else changed the same rows at the same time",
        fix: "Nothing needs to be done: the load is made again.",
    },
    Known {
        codes: &["08", "57P", "25P03", "25P04", "58000"],
        kind: ErrorKind::Unavailable,
        what: "the PostgreSQL server ended the session",
        fix: "Look at the server's log; the load was undone and will be made again.",
    },
    Known {
        codes: &["54011"],
        kind: ErrorKind::Incompatible,
        what: "the table would have more columns than PostgreSQL's 1,600",
        fix: "Exclude columns in the stream's options; columns that were dropped count until the table is made anew.",
    },
    Known {
        codes: &["54"],
        kind: ErrorKind::Rejected,
        what: "a row is larger than PostgreSQL can keep",
        fix: "Exclude large columns in the stream's options; a row's fixed parts must fit into 8 kB.",
    },
    Known {
        codes: &["0A000", "2BP01"],
        kind: ErrorKind::Incompatible,
        what: "the table can't be changed because something else depends on it",
        fix: "Drop the view or rule that is named, sync, and make it again.",
    },
    Known {
        codes: &["42939", "42602", "42P06", "42P07", "42710", "42809"],
        kind: ErrorKind::Incompatible,
        what: "PostgreSQL does not take a name",
        fix: "Name another table or schema with `table:` in the stream's options.",
    },
    Known {
        codes: &["22", "23", "P0001"],
        kind: ErrorKind::Rejected,
        what: "the table does not take a value",
        fix: "Remove the constraint or trigger from the table, or give the column a type that holds the value in the stream's options.",
    },
];

/// The error of a server that only reads.
pub(crate) fn standby() -> Error {
    let known = KNOWN.iter().find(|known| known.codes.contains(&"25006"));
    match known {
        Some(known) => Error::new(known.kind, known.what).fix(known.fix),
        None => Error::bug("a standby has no error of its own"),
    }
}

/// What an error of the driver means.
pub(crate) fn of(error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::Database(cause) => match cause.try_downcast_ref::<PgDatabaseError>() {
            Some(cause) => of_server(cause),
            None => Error::bug("PostgreSQL refused a statement").because(cause.to_string()),
        },
        sqlx::Error::Io(cause) => Error::new(
            ErrorKind::Unavailable,
            "the connection to the PostgreSQL server broke",
        )
        .because(cause.to_string())
        .fix("Look at the network and at the server's log; the load was undone and will be made again."),
        // The driver's word for an answer that ends too soon.
        sqlx::Error::Protocol(cause) => Error::new(
            ErrorKind::Unavailable,
            "the PostgreSQL server's answer was cut off",
        )
        .because(cause.clone())
        .fix("Look at the network and at the server's log; the load was undone and will be made again."),
        other => Error::bug("PostgreSQL could not be asked").because(other.to_string()),
    }
}

fn of_server(cause: &PgDatabaseError) -> Error {
    let code = cause.code();
    let known = KNOWN
        .iter()
        .find(|known| known.codes.iter().any(|start| code.starts_with(start)));
    let because = explanation(cause);
    match known {
        Some(known) => Error::new(known.kind, known.what)
            .because(because)
            .fix(known.fix),
        None => Error::bug("PostgreSQL refused a statement").because(because),
    }
}

/// The server's words, with its code. Its detail is left out where it would repeat a row's values.
fn explanation(cause: &PgDatabaseError) -> String {
    let mut text = format!("{}: {}", cause.code(), cause.message());
    if let (Some(detail), false) = (cause.detail(), cause.code().starts_with("23")) {
        text = format!("{text}; {detail}");
    }
    text
}

/// What an error while connecting means.
pub(crate) fn of_connecting(error: &sqlx::Error, settings: &Settings) -> Error {
    let place = settings.place();
    let text = error.to_string();
    let explained = match error {
        sqlx::Error::Tls(_) if text.contains("does not support TLS") => Error::new(
            ErrorKind::Config,
            "the server offers no encryption, and `tls.mode` asks for it",
        )
        .fix("Set `ssl = on` on the server; only where the network is trusted, set `tls: {mode: disabled}`."),
        sqlx::Error::Tls(_) => no_trust(&text, settings),
        sqlx::Error::Io(_) if text.contains("certificate") => no_trust(&text, settings),
        sqlx::Error::Io(cause) => Error::new(
            ErrorKind::Unavailable,
            "the PostgreSQL server can't be reached",
        )
        .because(cause.to_string())
        .fix("Correct `host` and `port` of the destination; look whether the server runs and a firewall lets this machine reach it."),
        other => of(other),
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
    fn every_code_is_found_by_its_own_entry() {
        let find = |code: &str| {
            let mut known = KNOWN.iter();
            known.find(|known| known.codes.iter().any(|start| code.starts_with(start)))
        };
        for (code, kind) in [
            ("28P01", ErrorKind::Access),
            ("42501", ErrorKind::Access),
            ("53100", ErrorKind::Unavailable),
            ("57P01", ErrorKind::Unavailable),
            ("57014", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("54011", ErrorKind::Incompatible),
            ("54000", ErrorKind::Rejected),
            ("23505", ErrorKind::Rejected),
            ("22021", ErrorKind::Rejected),
        ] {
            assert_eq!(find(code).map(|known| known.kind), Some(kind), "{code}");
        }
        assert!(find("42601").is_none() && find("XX000").is_none());
    }
}
