//! Whether a destination holds what its source does, key by key, and making it so.
//!
//! The way of a comparison: [`subject`] says what is compared and reads both sides, [`canon`] gives
//! their rows one form, [`whole`] sums them up by [`ranges`], [`narrow`] finds the rows behind sums
//! that differ, [`touched`] asks the source's log which of them are on their way, [`stream`] judges
//! the rest and carries the argument for all of it, [`repair`] writes them anew.
//!
//! Deliberately absent: SQL. Neither side computes anything, so that any source that can list its
//! rows and any destination that can be read join in with a page of code.

mod canon;
mod json;
mod narrow;
mod ranges;
mod refuse;
mod repair;
mod report;
mod show;
mod stream;
mod subject;
mod touched;
mod whole;

use std::time::Instant;

use tributary_model::{Error, ErrorKind, Result, Selection, State, Stream, StreamName, View};

use crate::connection::{Connection, SyncRequest};
use crate::observer::{Event, Observer};
use crate::plan::{missing, not_there, selected, table_of};
use crate::report::ErrorReport;
use crate::retry::{Action, action};

use refuse::{refusal, uncounted};
use repair::Repair;
use stream::{Comparison, Outcome};
use subject::Subject;

pub use report::{
    Agreement, ColumnReport, Counts, Difference, KeyReport, StreamComparison, VerifyReport,
};

/// Comparisons in a row that each repair something. // G6
const ROUNDS: usize = 3;

/// What a comparison is asked to do.
#[derive(Clone, Debug, Default)]
pub struct VerifyRequest {
    /// Only these of the connection's streams; empty means all.
    pub only: Selection,
    /// Whether keys that differ are written anew.
    pub repair: bool,
    /// How many keys of a stream are told.
    pub limit: usize,
}

/// Compares a connection's streams with their tables.
pub async fn verify(
    connection: &Connection,
    request: &VerifyRequest,
    observer: &dyn Observer,
) -> VerifyReport {
    let begun = Instant::now();
    let mut run = Run {
        connection,
        request,
        observer,
        repair: Repair::default(),
        forwarded: None,
    };
    let mut streams = Vec::new();
    let error = run.all(&mut streams).await.err();
    let worst = streams.iter().map(|stream| stream.status).max();
    VerifyReport {
        connection: connection.options.name.clone(),
        status: match &error {
            Some(_) => Agreement::Failed,
            None => worst.unwrap_or(Agreement::Equal),
        },
        duration_seconds: begun.elapsed().as_secs_f64(),
        streams,
        log_expired: run.forwarded.is_some(),
        error: error.as_ref().map(ErrorReport::from),
    }
}

struct Run<'a> {
    connection: &'a Connection,
    request: &'a VerifyRequest,
    observer: &'a dyn Observer,
    repair: Repair,
    /// Where to go on from, where the log no longer reaches back to the stored state.
    forwarded: Option<State>,
}

impl Run<'_> {
    async fn all(&mut self, done: &mut Vec<StreamComparison>) -> Result<()> {
        let name = &self.connection.options.name;
        let stored = self.connection.destination.peek(name).await?;
        let stored = stored.ok_or_else(|| never_synced(self.connection))?;
        let asked = SyncRequest {
            only: self.request.only.clone(),
            ..SyncRequest::default()
        };
        let streams = selected(self.connection, &asked, &stored).await?;
        for stream in missing(&self.connection.options, &asked, &streams) {
            let mut report = self.report(&stream);
            report.fail(&not_there(&stream));
            done.push(report);
        }
        let missing = done.len();
        loop {
            let before = self.forwarded.is_some();
            for stream in streams.iter().filter(|stream| asked.asks_for(&stream.name)) {
                done.push(self.one(stream, &stored).await);
            }
            if before || self.forwarded.is_none() {
                break;
            }
            // The log expired in between: what was compared before that was judged as of a place
            // behind which syncs will not go on.
            done.truncate(missing);
        }
        done.sort_by(|one, other| one.stream.cmp(&other.stream));
        let followed = |stream: &&Stream| stored.streams.contains_key(&stream.name);
        let followed: Vec<_> = streams.iter().filter(followed).map(|s| &s.name).collect();
        self.go_on(&stored, &followed, done).await
    }

    async fn one(&mut self, stream: &Stream, stored: &State) -> StreamComparison {
        self.observer.notice(&Event::Stream {
            stream: &stream.name,
            estimated_rows: stream.estimated_rows,
        });
        let mut report = self.report(&stream.name);
        let mut refused = refusal(self.connection, stream);
        if refused.is_none() && stream.schema.key.is_empty() {
            let view = self.view().await;
            refused = view.ok().and_then(|view| uncounted(stream, &*view));
        }
        if let Some(error) = refused {
            report.fail(&error);
            let name = stream.name.to_string();
            if !self.request.only.0.contains(&name) {
                report.status = Agreement::Skipped;
            }
            return report;
        }
        let mut failed = 0;
        loop {
            let error = match self.rounds(stream, &mut report).await {
                Ok(()) => return report,
                Err(error) => error,
            };
            if error.kind() == ErrorKind::Expired && self.forwarded.is_none() {
                match self.connection.source.forward(stored).await {
                    Ok(forwarded) => self.forwarded = Some(forwarded),
                    Err(error) => {
                        report.fail(&error);
                        return report;
                    }
                }
                continue;
            }
            failed += 1;
            match action(error.kind(), failed) {
                Action::Stop => {
                    report.fail(&error);
                    return report;
                }
                Action::Retry(wait) => {
                    let attempt = failed;
                    tracing::warn!(stream = %stream.name, attempt, %error, "comparing again");
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }

    /// Compares; after a repair again, until nothing differs.
    async fn rounds(&mut self, stream: &Stream, report: &mut StreamComparison) -> Result<()> {
        for round in 0..=ROUNDS {
            let may_repair = self.request.repair && round < ROUNDS;
            let (outcome, lacks) = self.compare(stream, report, may_repair).await?;
            let differs = outcome.counts.differs() || lacks;
            let has_changed = outcome.repaired + outcome.left_to_sync > 0;
            report.repaired += outcome.repaired;
            if round == 0 {
                report.counts = outcome.counts;
                report.keys = outcome.keys;
            }
            report.status = match (differs, report.repaired) {
                (false, 0) => Agreement::Equal,
                (false, _) => Agreement::Repaired,
                (true, _) => Agreement::Different,
            };
            if !has_changed {
                break;
            }
        }
        Ok(())
    }

    async fn compare(
        &mut self,
        stream: &Stream,
        report: &mut StreamComparison,
        may_repair: bool,
    ) -> Result<(Outcome, bool)> {
        let view = self.view().await?;
        if let Some(error) = uncounted(stream, &*view) {
            return Err(error);
        }
        let base = self.forwarded.as_ref().unwrap_or(view.state());
        let subject = Subject::of(self.connection, stream, base, view.state()).await?;
        report.columns_missing.clone_from(&subject.missing);
        report.columns_unknown.clone_from(&subject.unknown);
        let comparison = Comparison::new(&subject, view, self.request.limit);
        let repair = may_repair.then_some(&mut self.repair);
        let outcome = comparison.run(self.observer, repair).await?;
        Ok((outcome, !subject.missing.is_empty()))
    }

    async fn view(&self) -> Result<Box<dyn View>> {
        let name = &self.connection.options.name;
        self.connection.destination.view(name).await
    }

    /// Once every stream that the log brought is what it was when the log was asked for its end,
    /// syncs go on from there.
    async fn go_on(
        &mut self,
        stored: &State,
        followed: &[&StreamName],
        done: &[StreamComparison],
    ) -> Result<()> {
        let Some(mut next) = self.forwarded.clone().filter(|_| self.request.repair) else {
            return Ok(());
        };
        let is_good = |name: &StreamName| {
            let good = [Agreement::Equal, Agreement::Repaired];
            let mut done = done.iter();
            done.any(|stream| stream.stream == *name && good.contains(&stream.status))
        };
        if followed.iter().all(|name| is_good(name)) {
            next.streams.retain(|name, _| is_good(name));
            return self.repair.go_on(self.connection, stored, &next).await;
        }
        Err(Error::new(
            ErrorKind::Expired,
            "the log no longer reaches back to the last sync, and not every stream that it brought \
             is equal now, so syncs can't go on from here",
        )
        .fix(
            "Compare all streams of the connection with `--repair`, or copy those that can't be \
             compared anew with `tributary sync --full-refresh`.",
        ))
    }

    fn report(&self, stream: &StreamName) -> StreamComparison {
        StreamComparison {
            stream: stream.clone(),
            table: table_of(self.connection, stream).to_string(),
            status: Agreement::Failed,
            counts: Counts::default(),
            repaired: 0,
            keys: Vec::new(),
            columns_missing: Vec::new(),
            columns_unknown: Vec::new(),
            error: None,
        }
    }
}

impl StreamComparison {
    fn fail(&mut self, error: &Error) {
        self.status = Agreement::Failed;
        self.error = Some(error.into());
    }
}

fn never_synced(connection: &Connection) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "connection {} has not been synced yet, so there is nothing to compare",
            connection.options.name
        ),
    )
    .fix("Run `tributary sync` first.")
}
