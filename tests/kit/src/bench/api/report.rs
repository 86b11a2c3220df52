//! The figures, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::super::process::{Spent, Usage};
use super::target::Kind;

/// Records that are aimed at for each second, and processor seconds for each million.
const RATE_AIM: f64 = 100_000.0;
const CPU_AIM: f64 = 8.0;

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) cores: usize,
    pub(super) download: Spent,
    pub(super) parse: Spent,
    pub(super) measured: Vec<Measured>,
}

/// What a sync took.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) kind: Kind,
    pub(super) usage: Usage,
    pub(super) server_cpu_seconds: f64,
}

impl Report {
    fn line(
        &self,
        f: &mut fmt::Formatter<'_>,
        name: &str,
        spent: Spent,
        more: &str,
    ) -> fmt::Result {
        let records = self.records as f64;
        let (seconds, cpu) = (spent.seconds, spent.cpu_seconds);
        let (rate, for_a_million) = (records / seconds, cpu * 1e6 / records);
        writeln!(
            f,
            "{name:<22}{seconds:>9.2}{rate:>12.0}{cpu:>9.2}{for_a_million:>14.2}{more}"
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (records, size) = (self.records, self.bytes / self.records.max(1));
        writeln!(
            f,
            "{records} records of {size} bytes, {} cores\n",
            self.cores
        )?;
        writeln!(
            f,
            "{:<22}{:>9}{:>12}{:>9}{:>14}{:>10}{:>12}",
            "", "seconds", "records/s", "CPU s", "CPU s/million", "peak MiB", "server CPU"
        )?;
        for Measured {
            kind,
            usage,
            server_cpu_seconds,
        } in &self.measured
        {
            let spent = Spent {
                seconds: usage.seconds,
                cpu_seconds: usage.cpu_seconds,
            };
            let peak = usage.peak_mib();
            let more = format!("{peak:>10.0}{server_cpu_seconds:>12.2}");
            self.line(f, &format!("tributary to {}", kind.name()), spent, &more)?;
        }
        self.line(f, "download", self.download, "")?;
        self.line(f, "download and parse", self.parse, "")?;
        writeln!(
            f,
            "\naims: at least {RATE_AIM:.0} records/s, at most {CPU_AIM} CPU s/million"
        )
    }
}
