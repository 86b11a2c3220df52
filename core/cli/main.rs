//! The program: reads the command line and the environment, starts logging, runs one command, and
//! says by its exit code how it went.
//!
//! Only this package reads the environment, handles signals, writes to the terminal and exits.

mod args;
mod commands;
mod exit;
mod logging;
mod output;
mod progress;
mod registry;
mod session;
mod table;

#[cfg(test)]
mod tests;

use std::future::Future;
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
    let session = Session::new(&cli);
    logging::start(&cli.logging, &session.bars);
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
    let exit = runtime.block_on(until_interrupted(commands::run(cli.command, &session)));
    session.bars.clear();
    runtime.shutdown_timeout(GRACE);
    exit.into()
}

/// Runs `command`, or drops it at SIGINT or SIGTERM: what was committed stays.
async fn until_interrupted(command: impl Future<Output = Exit>) -> Exit {
    tokio::select! {
        exit = command => exit,
        name = interruption() => {
            tracing::warn!("{name}: stopped; what was committed stays, the rest is read next time");
            Exit::Interrupted
        }
    }
}

async fn interruption() -> &'static str {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return "interrupted";
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => "interrupted",
        _ = terminate.recv() => "terminated",
    }
}
