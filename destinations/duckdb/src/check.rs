//! Preflight: every right, proved by using it.
//!
//! The trial is a small load that is rolled back. Where there is no file yet it happens in one of
//! its own beside it, which is removed again: a check leaves nothing behind.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array};
use duckdb::{AccessMode, Connection};
use tributary_model::{
    ConnectionName, DataType, Deletes, Error, LoadPlan, Mode, Op, Presence, Report, Result,
    StreamName, TableColumn, TableName, TablePlan, now,
};

use crate::append::batch_of;
use crate::config::Config;
use crate::describe::{Inventory, dialect};
use crate::error::Explain;
use crate::file::{File, connect};
use crate::layout::{Rows, Site};
use crate::screen::Screened;
use crate::system;
use crate::target::Target;

/// Looks at everything a load needs.
pub(crate) fn check(file: &File, config: &Config) -> Report {
    let mut report = Report::default();
    let directory = file.path().parent().unwrap_or(Path::new("/"));
    if !directory.is_dir() {
        let path = directory.display();
        report.fail(
            "directory",
            format!("{path} is not there"),
            format!("Run `mkdir -p {path}`, or correct `path` of the destination."),
        );
        return report;
    }
    if let Err(error) = try_directory(file.path()) {
        note(&mut report, "directory", &error);
        return report;
    }
    report.pass(
        "directory",
        format!("{} can be written", directory.display()),
    );
    let tried = if file.path().exists() {
        file.open(config)
            .and_then(|database| database.connect())
            .and_then(|connection| {
                system::refuse_newer_format(&connection)?;
                try_load(connection)
            })
    } else {
        try_beside(file.path(), config)
    };
    match tried {
        Ok(()) => {
            report.pass("file", format!("{} opens", file.path().display()));
            report.pass("tables", "a table was made, loaded, merged and rolled back");
        }
        Err(error) => note(&mut report, "file", &error),
    }
    report
}

fn note(report: &mut Report, requirement: &str, error: &Error) {
    let found = match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    };
    report.fail(requirement, found, error.help().unwrap_or_default());
}

/// A name beside the file that nobody else uses.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.check-{}", std::process::id()))
}

fn try_directory(path: &Path) -> Result<()> {
    let trial = beside(path);
    std::fs::write(&trial, b"trial")
        .and_then(|()| std::fs::remove_file(&trial))
        .map_err(|cause| {
            crate::error::of_text(&format!("IO Error: {cause}")).context("writing beside the file")
        })
}

fn try_beside(path: &Path, config: &Config) -> Result<()> {
    let trial = beside(path);
    let tried = connect(&trial, config, AccessMode::ReadWrite).and_then(try_load);
    for ending in ["", ".wal", ".tmp"] {
        let mut left = trial.clone().into_os_string();
        left.push(ending);
        // Most of these were never there.
        let _ = std::fs::remove_file(left);
    }
    tried
}

fn try_load(connection: Connection) -> Result<()> {
    connection
        .execute_batch("BEGIN")
        .explain("beginning a trial")?;
    system::create(&connection)?;
    let dialect = dialect(&connection)?;
    let plan = Arc::new(trial_plan());
    let site = Site {
        connection,
        dialect,
        load: LoadPlan {
            connection: ConnectionName::new("check"),
            load_id: "check".to_owned(),
            started_at: now(),
            tables: vec![plan.clone()],
        },
    };
    let mut inventory = Inventory::of(&site.connection, &[&plan.table])?;
    let mut target = Target::prepare(&site, plan, &mut inventory, 1, Rows::Untouched)?;
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![1, 1, 2]));
    let rows = Screened {
        rows: batch_of([("id", ids)])?,
        ops: vec![Op::Create, Op::Delete, Op::Create],
        rejected: Vec::new(),
        at: Vec::new(),
    };
    target.take(&site, rows, Presence::Possible)?;
    target.settle(&site)?;
    site.connection
        .execute_batch("ROLLBACK")
        .explain("rolling the trial back")
}

fn trial_plan() -> TablePlan {
    TablePlan {
        stream: StreamName::plain("check"),
        table: TableName {
            schema: "_tributary_check".to_owned(),
            table: "trial".to_owned(),
        },
        mode: Mode::Merge,
        deletes: Deletes::Soft,
        columns: vec![TableColumn {
            name: "id".to_owned(),
            data_type: DataType::Int64,
            default: None,
        }],
        key: vec!["id".to_owned()],
    }
}
