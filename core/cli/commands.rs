//! The commands, one file each.

mod check;
mod connectors;
mod daemon;
mod discover;
mod export;
mod init;
mod maintain;
mod query;
mod schema;
mod state;
mod status;
mod sync;
mod target;
mod validate;
mod verify;

use crate::args::{Command, Format, StateAction};
use crate::exit::{Exit, Failure};
use crate::output;
use crate::session::Session;

/// Runs one command and says how it went.
pub(crate) async fn run(command: Command, session: &Session) -> Exit {
    let format = format_of(&command);
    // A sync stops by itself, between commits, and reports; only who insists ends it at once.
    let patience = match &command {
        Command::Sync(args) if !args.dry_run => 2,
        Command::Daemon => 2,
        _ => 1,
    };
    let outcome = tokio::select! {
        outcome = dispatch(command, session) => outcome,
        () = session.interruption.asked(patience) => return output::interrupted(format),
    };
    outcome.unwrap_or_else(|failure| {
        session.bars.clear();
        output::explain(format, &failure)
    })
}

async fn dispatch(command: Command, session: &Session) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(&args, session).await,
        Command::Validate(args) => validate::run(&args, session),
        Command::Check(args) => check::run(&args, session).await,
        Command::Discover(args) => discover::run(&args, session).await,
        Command::Sync(args) => sync::run(&args, session).await,
        Command::Daemon => daemon::run(session).await,
        Command::Status(args) => status::run(&args, session).await,
        Command::State(args) => state::run(&args.action, session).await,
        Command::Query(args) => query::run(&args, session).await,
        Command::Verify(args) => verify::run(&args, session).await,
        Command::Maintain(args) => maintain::run(&args, session).await,
        Command::Export(args) => export::run(&args.to, session),
        Command::Connectors(args) => connectors::run(&args).await,
        Command::Schema(_) => Ok(schema::run()),
    }
}

fn format_of(command: &Command) -> Format {
    match command {
        Command::Validate(args) => args.output.output,
        Command::Check(args) => args.output.output,
        Command::Discover(args) => args.output.output,
        Command::Sync(args) => args.output.output,
        Command::Status(args) => args.output.output,
        Command::Query(args) => args.output.output,
        Command::Verify(args) => args.output.output,
        Command::Maintain(args) => args.output.output,
        Command::Connectors(args) => connectors::format_of(args),
        Command::State(args) => match &args.action {
            StateAction::Get { .. } | StateAction::Export { .. } => Format::Json,
            StateAction::List { output, .. }
            | StateAction::Set { output, .. }
            | StateAction::Reset { output, .. }
            | StateAction::Import { output, .. } => output.output,
        },
        Command::Schema(_) => Format::Json,
        Command::Init(_) | Command::Daemon | Command::Export(_) => Format::Text,
    }
}
