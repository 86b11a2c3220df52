//! `make bench`: how fast rows move from MariaDB to DuckDB, PostgreSQL and into lakes, what that costs, and how
//! near it is to what the parts can do at all.
//!
//! Invariant: a figure is printed only where the destination's contents equal the source's.
//! Whatever is measured is a process of its own, the floors too, started by a small one: neither
//! the measuring nor the checking is in the figures. The method is in `docs/benchmarks.md`.
//!
//! Deliberately absent: statistics over many runs, and rivals.

mod api;
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

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::LazyLock;
use std::time::Instant;

use options::{Format, Order};

/// Runs what the command line asks for: the benchmarks, or one of their floors.
#[must_use]
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first()
        && first == "api"
    {
        return api::main(rest);
    }
    if let Some((first, rest)) = arguments.split_first()
        && first == "shapes"
    {
        return shapes::main(rest);
    }
    match options::parse(&arguments) {
        Ok(Order::Measure(options)) => {
            let report = workload::measure(&options);
            print(&match options.format {
                Format::Table => report.to_string(),
                Format::Json => to_json(&report),
            })
        }
        Ok(Order::Floor(floor)) => print(&to_json(&floor.run())),
        Ok(Order::Serve(port, folder)) => bucket::serve(port, folder),
        Ok(Order::Help) => print(options::USAGE),
        Err(problem) => {
            let _ = writeln!(io::stderr(), "{problem}");
            ExitCode::from(2)
        }
    }
}

fn to_json(value: &impl serde::Serialize) -> String {
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
