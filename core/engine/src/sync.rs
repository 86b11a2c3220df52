//! One run of a connection: attempts, until one succeeds or trying again would not help.
//!
//! Every attempt starts from the state that the destination holds. There is no other recovery.

use std::time::Instant;

use tributary_model::{Error, Result};

use crate::attempt::{Attempt, Progress};
use crate::connection::{Connection, SyncRequest};
use crate::ledger::Ledger;
use crate::observer::{Event, Observer};
use crate::report::SyncReport;
use crate::retry::{Action, action};

/// Runs a connection once.
pub async fn sync(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
) -> SyncReport {
    let begun = Instant::now();
    let mut ledger = Ledger::default();
    let outcome = run(connection, request, observer, &mut ledger).await;
    let failure = outcome.err();
    let loads = ledger.loads;
    let (status, streams) = ledger.close(failure.as_ref());
    SyncReport {
        connection: connection.options.name.clone(),
        status,
        duration_seconds: begun.elapsed().as_secs_f64(),
        loads,
        streams,
        error: failure.as_ref().map(Into::into),
    }
}

async fn run(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
    ledger: &mut Ledger,
) -> Result<()> {
    let mut progress = Progress {
        refresh: request.full_refresh,
    };
    let mut failed = 0;
    loop {
        let before = ledger.loads;
        let attempt = Attempt {
            connection,
            request,
            observer,
        };
        let Err(error) = attempt.run(ledger, &mut progress).await else {
            return Ok(());
        };
        failed = if ledger.loads > before { 1 } else { failed + 1 };
        wait_or_stop(error, failed, observer).await?;
    }
}

async fn wait_or_stop(error: Error, failed: u32, observer: &dyn Observer) -> Result<()> {
    match action(error.kind(), failed) {
        Action::Stop => Err(error),
        Action::Retry(wait) => {
            tracing::warn!(attempt = failed, wait_seconds = wait.as_secs_f64(), %error, "trying again");
            observer.notice(&Event::Retrying {
                error: &error,
                wait,
                attempt: failed,
            });
            tokio::time::sleep(wait).await;
            Ok(())
        }
    }
}
