//! `make bench`: how fast rows move from MariaDB to DuckDB, PostgreSQL and into lakes, what that costs, and how
//! near it is to what the parts can do at all.
//!
//! Invariant: a figure is printed only where the destination's contents equal the source's.
//! Whatever is measured is a process of its own, the floors too, started by a small one: neither
//! the measuring nor the checking is in the figures. The method is in `docs/benchmarks.md`.
//!
//! Deliberately absent: statistics over many runs, and rivals.

mod api;
mod arguments;
mod backlog;
mod bucket;
mod checksum;
mod floor;
mod lineitem;
mod options;
mod plain_copy;
mod process;
mod report;
mod shapes;
mod source;
mod target;
mod wire;
mod workload;

use std::fmt;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

use serde::Serialize;

use arguments::Format;
use options::Order;

/// Runs what the command line asks for: the benchmarks, or one of their floors.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ended = match &words[..] {
        ["api", words @ ..] => api::main(words),
        ["shapes", words @ ..] => shapes::main(words),
        words => lineitems(words),
    };
    ended.unwrap_or_else(|problem| {
        let _ = writeln!(io::stderr(), "{problem}");
        ExitCode::from(2)
    })
}

/// The main benchmark. Fails with what to show to whoever typed the words.
fn lineitems(words: &[&str]) -> Result<ExitCode, String> {
    Ok(match options::parse(words)? {
        Order::Measure(options) => show(&workload::measure(&options), options.format),
        Order::Floor(floor) => print(&to_json(&floor.run())),
        Order::Serve(port, folder) => bucket::serve(port, folder),
        Order::Help => print(options::USAGE),
    })
}

/// Prints figures in the form that was asked for.
fn show<R: fmt::Display + Serialize>(report: &R, format: Format) -> ExitCode {
    print(&match format {
        Format::Table => report.to_string(),
        Format::Json => to_json(report),
    })
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string_pretty(value).expect("figures can be written as JSON")
}

fn print(text: &str) -> ExitCode {
    match writeln!(io::stdout(), "{}", text.trim_end()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE, // nobody reads it any more
    }
}

/// Tells whoever waits what is going on.
fn say(text: &str) {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let seconds = BEGAN.elapsed().as_secs();
    let _ = writeln!(io::stderr(), "[{seconds:>4} s] {text}");
}
