//! One run of a connection: attempts, until one succeeds or trying again would not help.
//!
//! Every attempt starts from the state that the destination holds. There is no other recovery.

use std::future::Future;
use std::time::Instant;

use tracing::Instrument;
use tributary_model::{Error, Result};

use crate::attempt::{Attempt, End, Progress};
use crate::connection::{Connection, SyncRequest};
use crate::gate::Gate;
use crate::ledger::{Ending, Ledger};
use crate::observer::{Event, Observer};
use crate::report::SyncReport;
use crate::retry::{Action, action};
use crate::spans;
use crate::stop::Stop;

/// Runs a connection once.
pub async fn sync(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
) -> SyncReport {
    sync_until(connection, request, observer, std::future::pending()).await
}

/// Runs a connection once, unless `stop` is ready before its end: then no more is read than the load
/// in progress needs to commit, the rest is dropped, and the report says how far it came.
pub async fn sync_until(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
    stop: impl Future<Output = ()>,
) -> SyncReport {
    let span = spans::sync(&connection.options.name);
    let report = report(connection, request, observer, stop)
        .instrument(span.clone())
        .await;
    spans::end(&span, &report);
    report
}

async fn report(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
    stop: impl Future<Output = ()>,
) -> SyncReport {
    let begun = Instant::now();
    let gate = Gate::new();
    let gated = Connection {
        options: connection.options.clone(),
        source: connection.source.clone(),
        destination: gate.around(connection.destination.clone()),
    };
    let mut ledger = Ledger::default();
    let winding_up = Stop::new();
    let stopped = async {
        stop.await;
        winding_up.ask().await;
        gate.open().await;
    };
    let ending = tokio::select! {
        biased; // a reply is booked before its commit counts as over, see `gate`
        outcome = run(&gated, request, observer, &mut ledger, &winding_up) => match outcome {
            Ok(End::Source) => Ending::Complete,
            Ok(End::Asked) => Ending::Interrupted,
            Err(error) => Ending::Failed(error),
        },
        () = stopped => Ending::Interrupted,
    };
    ledger.close(&connection.options.name, begun, &ending)
}

async fn run(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
    ledger: &mut Ledger,
    stop: &Stop,
) -> Result<End> {
    let mut progress = Progress {
        refresh: request.full_refresh,
        has_committed: false,
    };
    let mut failed = 0;
    loop {
        let before = ledger.loads;
        let attempt = Attempt {
            connection,
            request,
            observer,
            stop,
        };
        let error = match attempt.run(ledger, &mut progress).await {
            Ok(end) => return Ok(end),
            Err(error) => error,
        };
        if ledger.begins_again() {
            tracing::info!(reason = %error, "beginning again from the last load");
            continue;
        }
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
