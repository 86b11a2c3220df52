//! `bench api`: how fast records of an API move to DuckDB and to Parquet, beside downloading and
//! parsing the same bytes.
//!
//! The server is a process of its own, and hands out pages that cost it hardly more than to copy them.
//! The floors take one page after the other over one connection, as any client of such a pager must.

mod drain;
mod options;
mod records;
mod report;
mod server;
mod target;

use std::process::ExitCode;

use options::Order;
use report::{Measured, Report};
use server::Server;
use target::{Kind, Target};

use super::arguments::Options;
use super::process::cpu_seconds_of;
use super::say;

/// Runs what the words after `bench api` ask for. Fails with what to show to whoever typed them.
pub(super) fn main(words: &[&str]) -> Result<ExitCode, String> {
    Ok(match options::parse(words)? {
        Order::Measure(options) => super::show(&measure(&options), options.format),
        Order::Drain { port, how } => super::print(&super::to_json(&drain::run(port, how))),
        Order::Serve { records } => server::serve(records),
        Order::Help => super::print(options::USAGE),
    })
}

fn measure(options: &Options<Kind>) -> Report {
    let records = options.count;
    let dir = tempfile::Builder::new()
        .prefix("tributary-bench-api-")
        .tempdir();
    let dir = dir.expect("a temporary folder can be made");
    let server = Server::start(records, dir.path());
    say(&format!("{records} records: what downloading them takes"));
    let download = target::floor(server.port, drain::How::Download, dir.path());
    say("  and what parsing them takes");
    let parse = target::floor(server.port, drain::How::Parse, dir.path());
    assert_eq!(
        (download.records, parse.records),
        (records, records),
        "records of the floors"
    );
    let mut measured = Vec::new();
    for kind in Kind::ALL
        .into_iter()
        .filter(|kind| options.parts.contains(kind))
    {
        say(&format!("  tributary to {}", kind.name()));
        let target = Target::new(options.binary.as_deref(), server.port, dir.path(), kind);
        let before = cpu_seconds_of(server.pid());
        let usage = target.sync();
        let server_cpu_seconds = cpu_seconds_of(server.pid()) - before;
        target.verify(records);
        measured.push(Measured {
            kind,
            usage,
            server_cpu_seconds,
        });
    }
    Report {
        records,
        bytes: download.bytes,
        cores: std::thread::available_parallelism().map_or(0, Into::into),
        download: download.spent,
        parse: parse.spent,
        measured,
    }
}
