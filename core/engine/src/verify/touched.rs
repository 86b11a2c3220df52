//! The keys that the source's log speaks of behind the place that is compared.
//!
//! An ordinary reading from there to the log's end, of which only the keys are kept. Nothing is
//! loaded and no cursor moves. What can't be told by keys, because the stream was emptied, is copied
//! anew or has another layout, means that there is nothing to compare until the next sync.

use std::collections::HashSet;

use tokio::task::JoinSet;
use tracing::Instrument;
use tributary_model::{
    AnyOutput, Error, ErrorKind, Message, Op, ReadRequest, Rejection, Result, Rows, Scope, State,
    Until,
};

use super::subject::Subject;
use crate::normalize::Table;

/// The share of the memory limit that rows in flight may take.
const PIPE_SHARE: usize = 32;
/// What a key takes at most, bytes, and the share of the memory limit for all of them. // G6
const KEY_BYTES: usize = 48;
const KEYS_SHARE: usize = 8;

/// The keys touched so far, and where to read on.
pub(crate) struct Touched {
    keys: HashSet<u128>,
    /// Rows that the source could not give.
    pub(crate) rejected: Vec<Rejection>,
    /// How far the log has been read.
    state: State,
}

impl Touched {
    /// Nothing read yet.
    pub(crate) fn new(subject: &Subject<'_>) -> Self {
        Self {
            keys: HashSet::new(),
            rejected: Vec::new(),
            state: subject.base.clone(),
        }
    }

    /// How many keys were touched.
    pub(crate) fn count(&self) -> u64 {
        self.keys.len() as u64
    }

    /// Whether the key of this hash was touched.
    pub(crate) fn has(&self, key: u128) -> bool {
        self.keys.contains(&key)
    }

    /// Reads up to where the log ends now.
    pub(crate) async fn read_on(&mut self, subject: &Subject<'_>) -> Result<()> {
        let (output, mut inbox) = AnyOutput::new(subject.connection.options.memory / PIPE_SHARE);
        let mut reading = JoinSet::new(); // ends with us
        let source = subject.connection.source.clone();
        let (streams, state) = (vec![subject.stream.clone()], self.state.clone());
        let read = async move {
            let request = ReadRequest {
                streams: &streams,
                state: &state,
                until: Until::Now,
            };
            source.read(request, output).await
        };
        reading.spawn(read.in_current_span());
        let mut table = subject.shaper()?;
        while let Some(envelope) = inbox.recv().await {
            self.take(subject, &mut table, envelope.message)?;
        }
        match reading.join_next().await {
            Some(Ok(ended)) => ended,
            Some(Err(broken)) => Err(Error::bug("reading the log broke down").because(broken)),
            None => Err(Error::bug("the reading of the log was forgotten")),
        }
    }

    fn take(&mut self, subject: &Subject<'_>, table: &mut Table, message: Message) -> Result<()> {
        match message {
            Message::Rows {
                rows: Rows::Arrow(batch),
                ..
            } => {
                if batch.ops.contains(&Op::Read) {
                    return Err(unsettled(subject, "is being copied anew"));
                }
                let shaped = table.shape(&batch)?;
                self.rejected.extend(shaped.rejected);
                self.rejected.extend(shaped.overtaken);
                let schema = shaped.batch.rows.schema();
                let place = |name: &str| schema.index_of(name).ok();
                let columns: Option<Vec<_>> = subject
                    .columns
                    .iter()
                    .map(|column| Some(shaped.batch.rows.column(place(&column.name)?).clone()))
                    .collect();
                let columns = columns.ok_or_else(|| subject.changed())?;
                self.keys.extend(subject.canon.keys(&columns)?);
                self.refuse_too_many(subject)
            }
            Message::Rejected(rows) => {
                let rows = rows.into_iter().map(|row| table.conceal(row));
                self.rejected.extend(rows.collect::<Result<Vec<_>>>()?);
                Ok(())
            }
            Message::Checkpoint(checkpoint) => {
                // A stream's own cursor moves only when it begins again, or its layout is another.
                if let Scope::Stream(stream) = &checkpoint.scope
                    && subject.base.streams.get(stream) != Some(&checkpoint.cursor)
                {
                    return Err(subject.changed());
                }
                self.state.advance(checkpoint);
                Ok(())
            }
            Message::Failed { error, .. } => Err(error),
            Message::Complete { .. } | Message::Phase { .. } => Ok(()),
            Message::Truncate { .. } | Message::Clear { .. } | Message::Generation { .. } => {
                Err(unsettled(subject, "was emptied"))
            }
            Message::Rows {
                rows: Rows::Json(_),
                ..
            } => Err(Error::bug("a source that can be compared sent objects")),
        }
    }

    fn refuse_too_many(&self, subject: &Subject<'_>) -> Result<()> {
        let limit = subject.connection.options.memory / KEYS_SHARE / KEY_BYTES;
        if self.keys.len() <= limit {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "more than {limit} rows of {} have changed since the last sync",
                subject.stream.name
            ),
        )
        .fix("Run `tributary sync` right before, or give the connection more `memory`."))
    }
}

fn unsettled(subject: &Subject<'_>, how: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("{} {how} since the last sync", subject.stream.name),
    )
    .fix("Run `tributary sync`, then compare again.")
}
