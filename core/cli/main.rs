//! The program: reads the command line and the environment, starts logging, runs one command, and
//! says by its exit code how it went.
//!
//! Only this package reads the environment, handles signals, writes to the terminal and exits.

mod args;
mod commands;
mod exit;
mod interruption;
mod logging;
mod neighbour;
mod output;
mod progress;
mod registry;
mod salt;
mod session;
mod table;
mod vault;

#[cfg(test)]
mod tests;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use tributary_allocator::Allocator;

use crate::args::Cli;
use crate::exit::Exit;
use crate::session::Session;

#[global_allocator]
static ALLOCATOR: Allocator = Allocator;

/// How long what is under way may take to notice that it was dropped.
const GRACE: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    tributary_allocator::give_back_at_once();
    let cli = Cli::parse();
    let mut session = Session::new(&cli);
    session.traces = Some(logging::start(&cli.logging, &session.bars));
    let _armed = std::env::var_os("FAILPOINTS").map(|_| fail::FailScenario::setup());
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(why) => {
            tracing::error!(%why, "the process can't start its threads");
            return Exit::Failed.into();
        }
    };
    runtime.spawn(session.interruption.clone().listen());
    let exit = runtime.block_on(commands::run(cli.command, &session));
    session.bars.clear();
    session.stop_traces();
    runtime.shutdown_timeout(GRACE);
    exit.into()
}
