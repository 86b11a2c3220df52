//! PostgreSQL's own `COPY` of the same rows from a binary file: the limit beside a sync into it.

use std::path::Path;

use super::floor::Loaded;
use super::lineitem::TABLE;
use super::process::{self, Spent, Usage};
use crate::postgres;

/// Copies what a sync has loaded, in order, into a table without an index. Only that is counted,
/// with the processor time of the client that sends the file.
pub(super) fn measure(url: &str, dir: &Path) -> Loaded {
    let file = "'lineitem.copy' (FORMAT binary)";
    psql(
        url,
        dir,
        &format!("\\copy (SELECT * FROM {TABLE}) TO {file}"),
    );
    psql(url, dir, &format!("CREATE TABLE plain (LIKE {TABLE})"));
    psql(url, dir, "CHECKPOINT");
    let usage = psql(url, dir, &format!("\\copy plain FROM {file}"));
    Loaded {
        append: Spent {
            seconds: usage.seconds,
            cpu_seconds: usage.cpu_seconds,
        },
        merge: Spent::default(),
    }
}

fn psql(url: &str, dir: &Path, command: &str) -> Usage {
    let arguments = [
        "-X",
        "-q",
        "-v",
        "ON_ERROR_STOP=1",
        "-d",
        url,
        "-c",
        command,
    ];
    let arguments = arguments.map(ToOwned::to_owned);
    process::run(&postgres::program("psql"), &arguments, dir).0
}
