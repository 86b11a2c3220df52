//! The figures, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::super::process::Usage;
use super::shape::Shape;

/// How long a sync of a thousand tables with nothing new may take, seconds.
const EMPTY_AIM: f64 = 2.0;

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) source: String,
    pub(super) cores: usize,
    pub(super) measured: Vec<Measured>,
}

/// What a sync took.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) shape: Shape,
    pub(super) step: &'static str,
    pub(super) rows: u64,
    pub(super) usage: Usage,
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} to DuckDB, {} cores\n", self.source, self.cores)?;
        writeln!(
            f,
            "{:<14}{:<14}{:>10}{:>10}{:>12}{:>9}{:>10}",
            "", "", "rows", "seconds", "rows/s", "CPU s", "peak MiB"
        )?;
        for line in &self.measured {
            let usage = line.usage;
            let rate = line.rows as f64 / usage.seconds;
            writeln!(
                f,
                "{:<14}{:<14}{:>10}{:>10.2}{:>12.0}{:>9.2}{:>10.0}",
                line.shape.name(),
                line.step,
                line.rows,
                usage.seconds,
                rate,
                usage.cpu_seconds,
                usage.peak_mib()
            )?;
        }
        writeln!(
            f,
            "\naim: a thousand tables with nothing new in less than {EMPTY_AIM} seconds, and memory that \
             does not grow with the tables"
        )
    }
}
