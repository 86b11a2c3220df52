//! The figures, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::options::Workload;
use super::process::{Spent, Usage};

/// The most of the source's processor time, as a multiple of a plain SELECT's.
const SOURCE_AIM: f64 = 1.15;
const PEAK_AIM: f64 = 256.0;
/// Rows a second of processor time into PostgreSQL.
const POSTGRES_AIM: f64 = 2_000_000.0;
/// Of the rows a second that the slower one of reading and of a plain `COPY` does.
const POSTGRES_SHARE_AIM: f64 = 0.65;
/// Of a lake: rows for each second of our processor time, memory, and the share of what the slower
/// of drain and writer passes in a second, as both go on side by side.
const LAKE_AIM: f64 = 1_200_000.0;
const LAKE_PEAK_AIM: f64 = 200.0;
const LAKE_SHARE_AIM: f64 = 0.65;

/// A row of the table: what one program took.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Line {
    seconds: f64,
    rows_per_second: f64,
    cpu_seconds: f64,
    rows_per_cpu_second: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_cpu_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_mib: Option<f64>,
}

impl Line {
    pub(super) fn of_part(rows: u64, spent: Spent) -> Self {
        Self {
            seconds: spent.seconds,
            rows_per_second: rows as f64 / spent.seconds,
            cpu_seconds: spent.cpu_seconds,
            rows_per_cpu_second: rows as f64 / spent.cpu_seconds,
            source_cpu_seconds: None,
            peak_mib: None,
        }
    }

    pub(super) fn of_process(rows: u64, usage: Usage, source_cpu_seconds: f64) -> Self {
        let spent = Spent {
            seconds: usage.seconds,
            cpu_seconds: usage.cpu_seconds,
        };
        Self {
            peak_mib: Some(usage.peak_mib()),
            ..Self::of_part(rows, spent).with_source(source_cpu_seconds)
        }
    }

    pub(super) fn with_source(self, cpu_seconds: f64) -> Self {
        Self {
            source_cpu_seconds: Some(cpu_seconds),
            ..self
        }
    }

    /// The better of two runs of the same.
    pub(super) fn least(self, other: Self) -> Self {
        let source = self.source_cpu_seconds.zip(other.source_cpu_seconds);
        Self {
            seconds: self.seconds.min(other.seconds),
            rows_per_second: self.rows_per_second.max(other.rows_per_second),
            cpu_seconds: self.cpu_seconds.min(other.cpu_seconds),
            rows_per_cpu_second: self.rows_per_cpu_second.max(other.rows_per_cpu_second),
            source_cpu_seconds: source.map(|(a, b)| a.min(b)),
            peak_mib: self.peak_mib,
        }
    }
}

/// A workload's figures.
#[derive(Debug, Serialize)]
pub(super) struct Measured {
    pub(super) workload: Workload,
    /// Rows, changes of rows, or transactions.
    pub(super) rows: u64,
    pub(super) wire_bytes: u64,
    pub(super) tributary: Line,
    pub(super) drain: Line,
    pub(super) append: Line,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) merge: Option<Line>,
    /// Count, sums and hash that both sides agree on.
    pub(super) contents: Vec<String>,
}

/// All figures of a run.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) source: String,
    pub(super) rows: u64,
    pub(super) cores: usize,
    pub(super) load_average: f64,
    #[serde(serialize_with = "with_ratios")]
    pub(super) workloads: Vec<Measured>,
}

/// How far from the floors.
#[derive(Clone, Copy, Debug, Serialize)]
struct Ratios {
    /// Our processor time to that of the drain and the writer together.
    cpu_to_floors: f64,
    /// The same for time; the floors are taken one after the other.
    seconds_to_floors: f64,
    /// The source's processor time to that of the drain.
    source_cpu_to_drain: f64,
}

impl Measured {
    fn ratios(&self) -> Ratios {
        let floors = [Some(self.drain), Some(self.append), self.merge];
        let floors: Vec<Line> = floors.into_iter().flatten().collect();
        let source = |line: Line| line.source_cpu_seconds.unwrap_or(f64::NAN);
        Ratios {
            cpu_to_floors: self.tributary.cpu_seconds
                / floors.iter().map(|line| line.cpu_seconds).sum::<f64>(),
            seconds_to_floors: self.tributary.seconds
                / floors.iter().map(|line| line.seconds).sum::<f64>(),
            source_cpu_to_drain: source(self.tributary) / source(self.drain),
        }
    }

    /// What is aimed at: name, figure, aim, whether it is reached.
    fn aims(&self) -> Vec<(&'static str, String, String, bool)> {
        let line = self.tributary;
        let least = |name, figure: f64, aim: f64| {
            (
                name,
                thousands(figure),
                format!("at least {}", thousands(aim)),
                figure >= aim,
            )
        };
        let most = |name, figure: f64, aim: f64| {
            (
                name,
                format!("{figure:.2}"),
                format!("at most {aim}"),
                figure <= aim,
            )
        };
        let peak = most("peak MiB", line.peak_mib.unwrap_or(f64::NAN), PEAK_AIM);
        match self.workload {
            Workload::Snapshot => vec![
                least("rows/CPU s", line.rows_per_cpu_second, 600_000.0),
                most(
                    "source CPU to SELECT",
                    self.ratios().source_cpu_to_drain,
                    SOURCE_AIM,
                ),
                peak,
            ],
            Workload::Bulk => vec![least("rows/s", line.rows_per_second, 300_000.0), peak],
            Workload::Single => vec![least("rows/s", line.rows_per_second, 50_000.0), peak],
            Workload::Postgres => {
                let limit = self.drain.rows_per_second.min(self.append.rows_per_second);
                let share = line.rows_per_second / limit;
                vec![
                    least("rows/CPU s", line.rows_per_cpu_second, POSTGRES_AIM),
                    (
                        "rows/s to the slower floor's",
                        format!("{share:.2}"),
                        format!("at least {POSTGRES_SHARE_AIM}"),
                        share >= POSTGRES_SHARE_AIM,
                    ),
                    peak,
                ]
            }
            Workload::Parquet | Workload::ParquetS3 | Workload::Iceberg => {
                let limit = self.drain.rows_per_second.min(self.append.rows_per_second);
                let share = line.rows_per_second / limit;
                let peak = line.peak_mib.unwrap_or(f64::NAN);
                vec![
                    least("rows/CPU s", line.rows_per_cpu_second, LAKE_AIM),
                    (
                        "rows/s to the slower floor's",
                        format!("{share:.2}"),
                        format!("at least {LAKE_SHARE_AIM}"),
                        share >= LAKE_SHARE_AIM,
                    ),
                    most("peak MiB", peak, LAKE_PEAK_AIM),
                ]
            }
        }
    }
}

fn with_ratios<S: serde::Serializer>(all: &[Measured], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct With<'a> {
        #[serde(flatten)]
        measured: &'a Measured,
        ratios: Ratios,
    }
    serializer.collect_seq(all.iter().map(|measured| With {
        measured,
        ratios: measured.ratios(),
    }))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{}: a table of {} rows and 16 columns; {} cores, load {:.1} at the start",
            self.source,
            thousands(self.rows as f64),
            self.cores,
            self.load_average
        )?;
        self.workloads
            .iter()
            .try_for_each(|measured| write!(f, "\n{measured}"))
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, drain) = match self.workload {
            Workload::Snapshot => ("rows", "plain SELECT"),
            Workload::Bulk => ("changes in bulk", "plain log"),
            Workload::Single => ("single-row transactions", "plain log"),
            Workload::Parquet => ("rows to a folder of Parquet", "plain SELECT"),
            Workload::ParquetS3 => ("rows to a bucket of Parquet", "plain SELECT"),
            Workload::Iceberg => ("rows to a table of Iceberg", "plain SELECT"),
            Workload::Postgres => ("rows to PostgreSQL", "plain SELECT"),
        };
        let megabytes = thousands(self.wire_bytes as f64 / 1e6);
        let rows = thousands(self.rows as f64);
        writeln!(
            f,
            "{}: {rows} {what}, {megabytes} MB on the wire",
            self.workload.name()
        )?;
        writeln!(
            f,
            "  {:<14}{:>9}{:>13}{:>9}{:>13}{:>14}{:>10}",
            "", "seconds", "rows/s", "CPU s", "rows/CPU s", "source CPU s", "peak MiB"
        )?;
        line(f, "tributary", self.tributary)?;
        line(f, drain, self.drain)?;
        line(f, self.workload.writer(), self.append)?;
        if let Some(merge) = self.merge {
            line(f, "DuckDB merge", merge)?;
        }
        let ratios = self.ratios();
        writeln!(
            f,
            "  to the floors: {:.2} times their CPU, {:.2} times their seconds; source CPU {:.2} \
             times the {drain}'s",
            ratios.cpu_to_floors, ratios.seconds_to_floors, ratios.source_cpu_to_drain
        )?;
        for (name, figure, aim, reached) in self.aims() {
            let verdict = if reached { "reached" } else { "MISSED" };
            writeln!(f, "  {verdict:<8}{name}: {figure} ({aim})")?;
        }
        let (count, hash) = (self.contents.first(), self.contents.last());
        let show = |cell: Option<&String>| cell.cloned().unwrap_or_default();
        writeln!(
            f,
            "  contents equal: {} rows, hash {}",
            show(count),
            show(hash)
        )
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, line: Line) -> fmt::Result {
    let or_dash = |number: Option<String>| number.unwrap_or_else(|| "-".to_owned());
    writeln!(
        f,
        "  {name:<14}{:>9.2}{:>13}{:>9.2}{:>13}{:>14}{:>10}",
        line.seconds,
        thousands(line.rows_per_second),
        line.cpu_seconds,
        thousands(line.rows_per_cpu_second),
        or_dash(
            line.source_cpu_seconds
                .map(|seconds| format!("{seconds:.2}"))
        ),
        or_dash(line.peak_mib.map(|mib| format!("{mib:.0}"))),
    )
}

/// A number with its digits in groups of three.
fn thousands(number: f64) -> String {
    if !number.is_finite() {
        return "-".to_owned();
    }
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(cpu_seconds: f64) -> Measured {
        let part = |seconds, cpu_seconds| {
            Line::of_part(
                1_000_000,
                Spent {
                    seconds,
                    cpu_seconds,
                },
            )
        };
        let usage = Usage {
            seconds: 4.0,
            cpu_seconds,
            peak_bytes: 200 << 20,
        };
        Measured {
            workload: Workload::Snapshot,
            rows: 1_000_000,
            wire_bytes: 131_000_000,
            tributary: Line::of_process(1_000_000, usage, 1.1),
            drain: part(1.5, 0.25)
                .with_source(1.0)
                .least(part(1.0, 0.5).with_source(2.0)),
            append: part(1.0, 0.75),
            merge: None,
            contents: vec!["1000000".to_owned(), "77".to_owned()],
        }
    }

    #[test]
    fn figures_are_set_against_floors_and_aims() {
        let text = measured(1.25).to_string();
        assert!(
            text.contains("1.25 times their CPU, 2.00 times their seconds"),
            "{text}"
        );
        assert!(
            text.contains("reached rows/CPU s: 800,000 (at least 600,000)"),
            "{text}"
        );
        assert!(
            text.contains("reached source CPU to SELECT: 1.10"),
            "{text}"
        );
        let slow = measured(2.0).to_string();
        assert!(slow.contains("MISSED  rows/CPU s: 500,000"), "{slow}");
    }

    #[test]
    fn programs_get_the_same_figures() {
        let report = Report {
            source: "MariaDB".to_owned(),
            rows: 1_000_000,
            cores: 2,
            load_average: 0.5,
            workloads: vec![measured(1.25)],
        };
        let json = serde_json::to_value(&report).expect("JSON");
        let workload = &json["workloads"][0];
        assert_eq!(workload["workload"], "snapshot");
        assert_eq!(workload["ratios"]["cpu_to_floors"], 1.25);
        assert_eq!(workload["tributary"]["rows_per_cpu_second"], 800_000.0);
        assert_eq!(workload["drain"]["seconds"], 1.0);
    }

    #[test]
    fn large_numbers_can_be_read() {
        let texts = [0.0, 999.4, 1_000.0, 1_234_567.0].map(thousands);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }
}
