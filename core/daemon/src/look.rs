//! Looks at destinations when the daemon starts, so that the board says where connections stand
//! before they run: one after the other, beside everything else.

use std::sync::Arc;

use tributary_model::{LoadRecord, Result};

use crate::bus::Notice;
use crate::ends::Job;
use crate::recorder::positions;
use crate::shared::Shared;
use crate::view::{ConnectionView, KEPT, LoadView};

/// Looks at all of them.
pub(crate) async fn look(shared: Arc<Shared>, jobs: Vec<Arc<Job>>) {
    for job in jobs {
        if let Err(error) = one(&shared, &job).await {
            // The first run will say so, too.
            tracing::debug!(connection = job.name(), %error, "not looked at");
        }
    }
}

async fn one(shared: &Shared, job: &Job) -> Result<()> {
    let destination = shared.destination(job).await?;
    let name = &job.plan.options.name;
    let Some(state) = destination.peek(name).await? else {
        return Ok(());
    };
    let loads = destination.loads(name, KEPT).await?;
    let words = positions(shared, &job.source.kind, &state);
    shared.board.update(name.as_str(), |view| {
        // A run that has committed meanwhile knows better.
        if view.last_commit_at.is_none() {
            words.write(view);
            note(view, &loads);
        }
    });
    shared.bus.tell(Notice::Changed {
        connection: name.as_str().into(),
    });
    Ok(())
}

fn note(view: &mut ConnectionView, loads: &[LoadRecord]) {
    view.last_commit_at = loads.first().map(|load| load.committed_at);
    let with_rows = |load: &&LoadRecord| !load.streams.is_empty();
    view.loads = loads.iter().filter(with_rows).map(view_of).collect();
    for load in loads.iter().rev() {
        for stream in load.streams.keys() {
            view.stream_mut(&stream.to_string()).last_commit_at = Some(load.committed_at);
        }
    }
}

/// A load as the destination remembers it.
pub(crate) fn view_of(load: &LoadRecord) -> LoadView {
    let sum = |of: fn(&tributary_model::StreamCount) -> u64| load.streams.values().map(of).sum();
    let length = load.committed_at - load.started_at;
    LoadView {
        load_id: load.load_id.clone(),
        started_at: load.started_at,
        committed_at: load.committed_at,
        records: sum(|count| count.rows_read),
        records_rejected: sum(|count| count.rows_rejected),
        duration_seconds: length.as_seconds_f64().max(0.0),
    }
}
