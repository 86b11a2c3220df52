//! What may go wrong.

use std::time::Duration;

use super::daemon::Daemon;
use crate::program::Program;
use crate::random::Random;
use crate::server::MySqlServer;

/// What may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The daemon dies.
    Kill,
    /// It is stopped and started again.
    Stop,
    /// The source says nothing for a while.
    SilentSource,
    /// The source dies and comes back.
    LostSource,
    /// The configuration is read again.
    Reload,
    /// A connection is paused for a moment.
    Pause,
    /// Nothing.
    Peace,
}

const FAULTS: [Fault; 8] = [
    Fault::Kill,
    Fault::Kill,
    Fault::Stop,
    Fault::SilentSource,
    Fault::LostSource,
    Fault::Reload,
    Fault::Pause,
    Fault::Peace,
];

/// One of them.
pub(super) fn pick(random: &mut Random) -> Fault {
    random.pick(&FAULTS)
}

/// Lets it happen; returns the daemon that runs afterwards.
pub(super) async fn happen(
    fault: Fault,
    daemon: Daemon,
    program: &Program,
    server: &mut MySqlServer,
    random: &mut Random,
) -> Daemon {
    let moment = Duration::from_millis(random.below(3_000));
    match fault {
        Fault::Kill => {
            tokio::time::sleep(moment).await;
            daemon.running.kill().await;
            Daemon::start(program).await
        }
        Fault::Stop => {
            daemon.stop().await;
            Daemon::start(program).await
        }
        Fault::SilentSource => {
            server.freeze();
            tokio::time::sleep(moment).await;
            server.thaw();
            daemon
        }
        Fault::LostSource => {
            server.restart().await;
            daemon
        }
        Fault::Reload => {
            daemon.running.hang_up();
            daemon
        }
        Fault::Pause => {
            daemon.ask("POST", "/api/v1/connections/often/pause").await;
            tokio::time::sleep(moment).await;
            daemon.ask("POST", "/api/v1/connections/often/resume").await;
            daemon
        }
        Fault::Peace => daemon,
    }
}
