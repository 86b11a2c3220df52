//! What DuckDB says, in terms of who must act.
//!
//! DuckDB's errors carry a text and no code, so the text is what is looked at; each phrase here was
//! seen in 1.5.6. What is not recognised counts as a mistake of ours, never as something to retry.

use tributary_model::{Error, ErrorKind, Result};

/// Turns DuckDB's errors into ours.
pub(crate) trait Explain<T> {
    /// Adds what we were doing, and who must act.
    fn explain(self, doing: &str) -> Result<T>;
}

impl<T> Explain<T> for duckdb::Result<T> {
    fn explain(self, doing: &str) -> Result<T> {
        self.map_err(|error| of_text(&error.to_string()).context(doing))
    }
}

/// A phrase of DuckDB, what it means, and what helps.
struct Known {
    phrases: &'static [&'static str],
    kind: ErrorKind,
    what: &'static str,
    fix: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        phrases: &[
            "Could not set lock on file",
            "Conflicting lock is held",
            "file is already open",
        ],
        kind: ErrorKind::Unavailable,
        what: "the DuckDB file is held by another process",
        fix: "End that process or wait until it has finished: DuckDB lets one process at a time use a file that is being written.",
    },
    Known {
        phrases: &["No such file or directory"],
        kind: ErrorKind::Config,
        what: "the directory of the DuckDB file does not exist",
        fix: "Make the directory with `mkdir -p`, or correct `path` of the destination.",
    },
    Known {
        phrases: &[
            "Permission denied",
            "Read-only file system",
            "Operation not permitted",
        ],
        kind: ErrorKind::Access,
        what: "the DuckDB file can't be written",
        fix: "Give this user the right to write the file and its directory, or choose another `path`.",
    },
    Known {
        phrases: &[
            "Is a directory",
            "not a valid DuckDB database file",
            "Not a directory",
        ],
        kind: ErrorKind::Config,
        what: "`path` is something else than a DuckDB file",
        fix: "Choose another `path` for the destination; nothing was changed.",
    },
    Known {
        phrases: &[
            "read a database file with version number",
            "newer DuckDB version",
            "newer version of DuckDB",
        ],
        kind: ErrorKind::Incompatible,
        what: "the DuckDB file was made by a newer DuckDB",
        fix: "Use a newer Tributary, or export the file with the DuckDB that made it and choose a new `path`; nothing was changed.",
    },
    Known {
        phrases: &[
            "No space left on device",
            "Disk quota exceeded",
            "max_temp_directory_size",
        ],
        kind: ErrorKind::Unavailable,
        what: "the disk of the DuckDB file is full",
        fix: "Free space on that disk; the load was undone and will be made again.",
    },
    Known {
        phrases: &[
            "Out of Memory Error",
            "could not allocate block",
            "failed to pin block",
            "failed to offload",
        ],
        kind: ErrorKind::Config,
        what: "DuckDB needs more memory than it may use",
        fix: "Raise `memory_limit` of the destination, e.g. to `512MB`, or set `threads: 1`.",
    },
    Known {
        phrases: &[
            "Conflict on",
            "write-write conflict",
            "Transaction conflict",
            "has been altered",
        ],
        kind: ErrorKind::Unavailable,
        what: "something else changed the same table at the same time",
        fix: "Nothing needs to be done: the load is made again.",
    },
    Known {
        phrases: &["database has been invalidated", "FATAL Error"],
        kind: ErrorKind::Unavailable,
        what: "DuckDB gave the file up after an error and has to open it again",
        fix: "Look for an earlier error such as a full disk.",
    },
    Known {
        phrases: &[
            "Constraint Error",
            "constraint failed",
            "Violates foreign key",
            "Conversion Error",
            "Out of Range Error",
        ],
        kind: ErrorKind::Rejected,
        what: "the table does not take a value",
        fix: "Remove the constraint from the table, or give the column a type that holds the value in the stream's options.",
    },
    Known {
        phrases: &["IO Error"],
        kind: ErrorKind::Unavailable,
        what: "the DuckDB file can't be read or written",
        fix: "Look at the disk and the file; the load was undone and will be made again.",
    },
];

/// What `text` of DuckDB means.
pub(crate) fn of_text(text: &str) -> Error {
    let known = KNOWN
        .iter()
        .find(|known| known.phrases.iter().any(|phrase| text.contains(phrase)));
    match known {
        Some(known) => Error::new(known.kind, known.what)
            .because(brief(text))
            .fix(known.fix),
        None => Error::bug("DuckDB refused a statement").because(brief(text)),
    }
}

/// The message on one line, without DuckDB's general advice.
pub(crate) fn brief(text: &str) -> String {
    let text = text.split("\n\nPossible solutions").next().unwrap_or(text);
    let text = text.split(" This limit was set by").next().unwrap_or(text);
    let text = text.split("\n\nLINE ").next().unwrap_or(text);
    let text = text.split("See also https").next().unwrap_or(text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_names_who_must_act() {
        use ErrorKind::{Access, Bug, Config, Incompatible, Rejected, Unavailable};
        for (text, kind) in [
            (
                "IO Error: Could not set lock on file \"/x/a.db\": Conflicting lock is held in /usr/bin/duckdb (PID 412) by user eve. See also https://duckdb.org/docs",
                Unavailable,
            ),
            (
                "IO Error: Cannot open file \"/x/a.db\": No such file or directory",
                Config,
            ),
            (
                "IO Error: Cannot open file \"/x/a.db\": Permission denied",
                Access,
            ),
            (
                "IO Error: The file \"/x/a.db\" exists, but it is not a valid DuckDB database file!",
                Config,
            ),
            (
                "IO Error: Trying to read a database file with version number 99, but we can only read versions between 64 and 67.",
                Incompatible,
            ),
            (
                "IO Error: Could not write file \"/x/a.db\": No space left on device",
                Unavailable,
            ),
            (
                "Out of Memory Error: could not allocate block of size 256.0 KiB (122.0 MiB/122.0 MiB used)\n\nPossible solutions:\n* Reducing",
                Config,
            ),
            ("TransactionContext Error: Conflict on update!", Unavailable),
            (
                "Constraint Error: NOT NULL constraint failed: t.a",
                Rejected,
            ),
            (
                "Out of Memory Error: failed to offload data block of size 192.0 KiB (10.7 MiB/10.7 MiB used). This limit was set by the 'max_temp_directory_size' setting.",
                Unavailable,
            ),
            ("IO Error: something new", Unavailable),
            ("Binder Error: no such column", Bug),
        ] {
            let error = of_text(text);
            assert_eq!(error.kind(), kind, "{text}");
            assert!(error.help().is_some());
        }
    }

    #[test]
    fn the_other_process_stays_named() {
        let text = "IO Error: Could not set lock on file \"/x\": Conflicting lock is held in duckdb (PID 412). See also https://duckdb.org/docs/stable/connect/concurrency";
        let shown = of_text(text).to_string();
        assert!(
            shown.contains("PID 412") && !shown.contains("https"),
            "{shown}"
        );
    }
}
