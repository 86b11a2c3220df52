//! The contract of a source connector.

use std::marker::PhantomData;
use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use crate::{
    ChangeBatch, Checkpoint, Error, ErrorKind, Fault, Message, Phase, Positions, Rejection, Report,
    Result, Rows, ScanRequest, Scope, State, Stream, StreamName, TruncateKind, Vault,
    verify::not_comparable,
};

/// The streams a source has.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Catalog {
    /// Sorted by name.
    pub streams: Vec<Stream>,
}

/// How long a `read` goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Until everything that was there when it began has been sent.
    Now,
    /// Until it is dropped.
    Stopped,
}

/// What to read.
#[derive(Debug)]
pub struct ReadRequest<'a, C> {
    /// The selected streams.
    pub streams: &'a [Stream],
    /// What is already in the destination.
    pub state: &'a State<C>,
    /// How long to go on.
    pub until: Until,
}

/// What a cursor says, for people.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CursorSummary {
    /// What the stream is going through; `None` for the cursor of a whole source.
    pub phase: Option<Phase>,
    /// Where it stands, in few words.
    pub words: String,
    /// Why reading stopped there, where it did.
    pub stopped: Option<String>,
}

/// A source connector. Authors implement this; the engine sees [`AnySource`].
///
/// `read` is a loop of `out.rows(..).await?` and `out.checkpoint(..).await?`. Waiting is
/// backpressure, dropping the future cancels, an error ends it and the engine calls again from the
/// last true state.
#[async_trait]
pub trait Source: Sized + Send + Sync + 'static {
    /// The `type:` in the configuration.
    const KIND: &'static str;
    /// Its settings; `deny_unknown_fields`.
    type Config: DeserializeOwned + JsonSchema + Send;
    /// Where a reading stands.
    type Cursor: Serialize + DeserializeOwned + Clone + Send + Sync;
    /// Whether it reads only the rows that a stream's `where` asks for. A source that does not is
    /// never given one.
    const FILTERS: bool = false;
    /// Whether it tells of every row of a stream without a key that comes or goes, each time once:
    /// rows that are equal are then counted. Else they are one row.
    const COUNTS: bool = false;

    /// What can't be meant in the settings, all of it; contacts nothing.
    fn faults(_settings: &Self::Config) -> Vec<Fault> {
        Vec::new()
    }
    /// What is wrong with the `where` of a stream; contacts nothing.
    fn filter_fault(_filter: &str) -> Option<Error> {
        None
    }
    /// What a stored cursor says, where that can be put in words; contacts nothing.
    fn summarize(_cursor: &Self::Cursor) -> Option<CursorSummary> {
        None
    }
    /// Checks the settings and makes a connector; contacts the source only if it must.
    async fn connect(config: Self::Config) -> Result<Self>;
    /// Gives it a place for secrets that change while it runs; a source without such needs none.
    #[must_use]
    fn with_vault(self, _vault: Arc<dyn Vault>) -> Self {
        self
    }
    /// Preflight: every requirement, what was found, and the fix.
    async fn check(&self, streams: &[StreamName]) -> Result<Report>;
    /// The streams there are.
    async fn discover(&self) -> Result<Catalog>;
    /// The streams there are, by the names under which the destination has them: for sources whose
    /// streams can be renamed.
    async fn discover_after(&self, _state: &State<Self::Cursor>) -> Result<Catalog> {
        self.discover().await
    }
    /// Sends everything after `request.state`.
    async fn read(
        &self,
        request: ReadRequest<'_, Self::Cursor>,
        out: &Output<Self::Cursor>,
    ) -> Result<()>;
    /// Sends the rows that a stream has now, as `Rows` in the order of its key, or as `Rejected`: for
    /// a comparison. Refuses a stream that `request.state` does not cover completely.
    async fn scan(
        &self,
        _request: ScanRequest<'_, Self::Cursor>,
        _out: &Output<Self::Cursor>,
    ) -> Result<()> {
        Err(not_comparable(Self::KIND))
    }
    /// The state that goes on from now with what `state` has covered completely: for cursors that
    /// expired, once a comparison has made up for what lies between.
    async fn forward(&self, _state: &State<Self::Cursor>) -> Result<State<Self::Cursor>> {
        Err(not_comparable(Self::KIND))
    }
}

/// The pipe from a source to the engine, bounded in bytes, with the connector's own cursor type.
#[derive(Debug)]
pub struct Output<C = Value> {
    pipe: AnyOutput,
    cursor: PhantomData<fn(C)>,
}

/// The pipe itself.
#[derive(Clone, Debug)]
pub struct AnyOutput {
    sender: mpsc::Sender<Envelope>,
    budget: Arc<Semaphore>,
    limit: u32,
}

/// A message and the share of the byte budget that it holds until it is dropped.
#[derive(Debug)]
pub struct Envelope {
    /// The message.
    pub message: Message,
    /// Its size in memory, bytes.
    pub bytes: usize,
    _share: Option<OwnedSemaphorePermit>,
}

/// Messages in flight at most, whatever their size.
const MESSAGES: usize = 256;
/// The unit of the byte budget: one permit.
const UNIT: usize = 1024;

impl AnyOutput {
    /// A pipe that holds at most `bytes` of rows. // G6
    #[must_use]
    pub fn new(bytes: usize) -> (Self, mpsc::Receiver<Envelope>) {
        let (sender, receiver) = mpsc::channel(MESSAGES);
        let limit = u32::try_from((bytes / UNIT).max(1)).unwrap_or(u32::MAX);
        let budget = Arc::new(Semaphore::new(limit as usize));
        (
            Self {
                sender,
                budget,
                limit,
            },
            receiver,
        )
    }

    async fn send(&self, message: Message) -> Result<()> {
        let bytes = size_of(&message);
        // A message larger than the whole budget passes alone, with all of it.
        let units = u32::try_from(bytes.div_ceil(UNIT))
            .unwrap_or(u32::MAX)
            .min(self.limit);
        let share = match units {
            0 => None,
            units => self.budget.clone().acquire_many_owned(units).await.ok(),
        };
        let envelope = Envelope {
            message,
            bytes,
            _share: share,
        };
        self.sender.send(envelope).await.map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "the sync ended while the source was still reading",
            )
        })
    }
}

fn size_of(message: &Message) -> usize {
    match message {
        Message::Rows {
            rows: Rows::Arrow(batch),
            ..
        } => batch.columns.get_array_memory_size(),
        Message::Rows {
            rows: Rows::Json(rows),
            ..
        } => rows.iter().map(json_size).sum(),
        Message::Clear { of, .. } => of.columns.get_array_memory_size(),
        Message::Rejected(rejections) => rejections.len() * UNIT,
        Message::Truncate { .. }
        | Message::Generation { .. }
        | Message::Checkpoint(_)
        | Message::Complete { .. }
        | Message::Phase { .. }
        | Message::Failed { .. } => 0,
    }
}

/// A fair guess of what a JSON object takes in memory.
fn json_size(row: &crate::Row) -> usize {
    fn size(value: &Value) -> usize {
        32 + match value {
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Object(fields) => json_size(fields),
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        }
    }
    row.iter()
        .map(|(name, value)| 32 + name.len() + size(value))
        .sum()
}

impl<C: Serialize> Output<C> {
    /// A typed view of the pipe.
    #[must_use]
    pub fn new(pipe: AnyOutput) -> Self {
        Self {
            pipe,
            cursor: PhantomData,
        }
    }

    /// Sends rows; waits while the pipe is full.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn rows(&self, stream: &StreamName, rows: Rows) -> Result<()> {
        self.pipe
            .send(Message::Rows {
                stream: stream.clone(),
                rows,
            })
            .await
    }

    /// Empties a stream at this point of the order.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn truncate(
        &self,
        stream: &StreamName,
        kind: TruncateKind,
        positions: Positions,
    ) -> Result<()> {
        self.pipe
            .send(Message::Truncate {
                stream: stream.clone(),
                kind,
                positions,
            })
            .await
    }

    /// Says that rows which agree with one of these are gone, unless they follow.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn clear(&self, stream: &StreamName, of: ChangeBatch) -> Result<()> {
        let stream = stream.clone();
        self.pipe.send(Message::Clear { stream, of }).await
    }

    /// Says that what follows is the whole stream.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn generation(&self, stream: &StreamName, positions: Positions) -> Result<()> {
        self.pipe
            .send(Message::Generation {
                stream: stream.clone(),
                positions,
            })
            .await
    }

    /// Sends rows that could not be brought into shape.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn rejected(&self, rejections: Vec<Rejection>) -> Result<()> {
        self.pipe.send(Message::Rejected(rejections)).await
    }

    /// Says that everything of `scope` up to `cursor` has been sent.
    ///
    /// # Errors
    /// Fails when the engine has gone, or the cursor can't be written as JSON.
    pub async fn checkpoint(&self, scope: Scope, cursor: &C) -> Result<()> {
        let cursor = serde_json::to_value(cursor)
            .map_err(|cause| Error::bug("a cursor can't be written as JSON").because(cause))?;
        self.pipe
            .send(Message::Checkpoint(Checkpoint { scope, cursor }))
            .await
    }

    /// Says that everything the source had at `as_of` has been sent.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn complete(&self, as_of: DateTime<Utc>) -> Result<()> {
        self.pipe.send(Message::Complete { as_of }).await
    }

    /// Says that a stream entered a phase.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn phase(&self, stream: &StreamName, phase: Phase) -> Result<()> {
        self.pipe
            .send(Message::Phase {
                stream: stream.clone(),
                phase,
            })
            .await
    }

    /// Gives one stream up; the others go on.
    ///
    /// # Errors
    /// Fails when the engine has gone.
    pub async fn failed(&self, stream: &StreamName, error: Error) -> Result<()> {
        self.pipe
            .send(Message::Failed {
                stream: stream.clone(),
                error,
            })
            .await
    }
}

/// A source connector with its types erased: what the engine holds.
#[async_trait]
pub trait AnySource: Send + Sync {
    /// See [`Source::COUNTS`].
    fn counts(&self) -> bool {
        false
    }
    /// See [`Source::check`].
    async fn check(&self, streams: &[StreamName]) -> Result<Report>;
    /// See [`Source::discover`].
    async fn discover(&self) -> Result<Catalog>;
    /// See [`Source::discover_after`].
    async fn discover_after(&self, _state: &State) -> Result<Catalog> {
        self.discover().await
    }
    /// See [`Source::read`].
    async fn read(&self, request: ReadRequest<'_, Value>, out: AnyOutput) -> Result<()>;
    /// See [`Source::scan`].
    async fn scan(&self, _request: ScanRequest<'_, Value>, _out: AnyOutput) -> Result<()> {
        Err(not_comparable("source"))
    }
    /// See [`Source::forward`].
    async fn forward(&self, _state: &State) -> Result<State> {
        Err(not_comparable("source"))
    }
}

#[async_trait]
impl<S: Source> AnySource for S {
    fn counts(&self) -> bool {
        S::COUNTS
    }

    async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        Source::check(self, streams).await
    }

    async fn discover(&self) -> Result<Catalog> {
        Source::discover(self).await
    }

    async fn discover_after(&self, state: &State) -> Result<Catalog> {
        Source::discover_after(self, &state.typed()?).await
    }

    async fn read(&self, request: ReadRequest<'_, Value>, out: AnyOutput) -> Result<()> {
        let state = request.state.typed()?;
        let request = ReadRequest {
            streams: request.streams,
            state: &state,
            until: request.until,
        };
        Source::read(self, request, &Output::new(out)).await
    }

    async fn scan(&self, request: ScanRequest<'_, Value>, out: AnyOutput) -> Result<()> {
        let state = request.state.typed()?;
        let request = ScanRequest {
            stream: request.stream,
            state: &state,
            range: request.range,
        };
        Source::scan(self, request, &Output::new(out)).await
    }

    async fn forward(&self, state: &State) -> Result<State> {
        Source::forward(self, &state.typed()?).await?.untyped()
    }
}
