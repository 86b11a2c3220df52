//! One run of a connection, by the same path of the engine as `tributary sync`.

use std::future::Future;
use std::sync::Arc;

use tributary_engine::{Connection, SyncReport, SyncRequest};
use tributary_model::{Error, Result, metered};

use crate::ends::Job;
use crate::metrics::ConnectionMeter;
use crate::recorder::Recorder;
use crate::shared::Shared;

/// Connects and runs until the end, or until `stop` is ready. A connector that breaks down ends its
/// run, and nothing else.
pub(crate) async fn execute(
    shared: Arc<Shared>,
    job: Arc<Job>,
    request: SyncRequest,
    recorder: Arc<Recorder>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> SyncReport {
    let name = job.plan.options.name.clone();
    let running = tokio::spawn(async move {
        let mut stop = std::pin::pin!(stop);
        let connecting = connect(&shared, &job);
        let connection = tokio::select! {
            connection = connecting => connection,
            () = &mut stop => return SyncReport::interrupted(job.plan.options.name.clone()),
        };
        let watcher = shared.ends.watch(&job, request.until);
        let observer = (recorder.as_ref(), watcher.as_deref());
        let report = match connection {
            Ok(connection) => {
                tributary_engine::sync_until(&connection, &request, &observer, stop).await
            }
            Err(error) => SyncReport::failed(job.plan.options.name.clone(), &error),
        };
        if let Some(watcher) = watcher {
            watcher.end(&report);
        }
        report
    });
    // Whoever gives this run up gives up the task, too.
    let mut running = Abandoned(running);
    (&mut running.0).await.unwrap_or_else(|broken| {
        let error = Error::bug("the run of the connection broke down").because(broken);
        SyncReport::failed(name, &error)
    })
}

struct Abandoned(tokio::task::JoinHandle<SyncReport>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn connect(shared: &Shared, job: &Job) -> Result<Connection> {
    let meter = Arc::new(ConnectionMeter {
        metrics: shared.metrics.clone(),
        board: shared.board.clone(),
        connection: job.name().to_owned(),
    });
    let mut connection = metered(meter, shared.ends.connect(job)).await?;
    connection.options.memory = shared.share();
    Ok(connection)
}
