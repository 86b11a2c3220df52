//! A source that follows a script: for tests of the engine, and as the first subject of the
//! conformance suite.
//!
//! The cursor is the number of the next step. A failure happens the first time it is reached, so
//! that a script runs through when the engine tries again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tributary_model::{
    Catalog, ChangeBatch, Column, DataType, Error, ErrorKind, Op, Output, Phase, Positions,
    Presence, ReadRequest, Rejection, Report, Result, Row, Rows, Scope, Source, State, Stream,
    StreamName, StreamSchema, TruncateKind, Until,
};

use crate::cells::{self, Cells};

/// A scripted source; clones share what has happened.
#[derive(Clone, Debug, Default)]
pub struct Script {
    schemas: BTreeMap<StreamName, Arc<StreamSchema>>,
    steps: Vec<Step>,
    happened: Arc<Mutex<BTreeSet<usize>>>,
}

/// It has no settings: a script is written in code.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScriptConfig {}

/// The next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptCursor {
    step: usize,
}

#[derive(Clone, Debug)]
enum Step {
    Rows(StreamName, Rows),
    Truncate(StreamName, TruncateKind),
    Rejected(Vec<Rejection>),
    Checkpoint(Scope),
    Phase(StreamName, Phase),
    Fail(ErrorKind),
    FailStream(StreamName, ErrorKind),
    Wait(Duration),
}

impl Script {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Says what a stream looks like from here on; the catalog has the last word of each stream.
    #[must_use]
    pub fn stream(mut self, name: &str, key: &[&str], columns: &[(&str, DataType)]) -> Self {
        let column = |(name, data_type): &(&str, DataType)| Column {
            name: (*name).to_owned(),
            data_type: *data_type,
            nullable: true,
            default: None,
        };
        let schema = StreamSchema {
            columns: columns.iter().map(column).collect(),
            key: key.iter().map(|&name| name.to_owned()).collect(),
        };
        self.schemas.insert(stream(name), Arc::new(schema));
        self
    }

    /// Changes that happened to rows the destination may know, each written as texts.
    ///
    /// # Panics
    /// Panics where the stream has not been described or a text does not fit its column.
    #[must_use]
    pub fn changes(self, name: &str, rows: &[(Op, Cells<'_>)]) -> Self {
        self.arrow(name, Presence::Possible, rows)
    }

    /// Rows of a snapshot, which the destination does not know yet.
    ///
    /// # Panics
    /// Panics where the stream has not been described or a text does not fit its column.
    #[must_use]
    pub fn snapshot(self, name: &str, rows: &[Cells<'_>]) -> Self {
        let rows: Vec<_> = rows.iter().map(|row| (Op::Read, row.clone())).collect();
        self.arrow(name, Presence::Absent, &rows)
    }

    /// Objects, as an API has them.
    #[must_use]
    pub fn objects(self, name: &str, rows: Vec<Row>) -> Self {
        self.step(Step::Rows(stream(name), Rows::Json(rows)))
    }

    /// The stream is emptied.
    #[must_use]
    pub fn truncate(self, name: &str, kind: TruncateKind) -> Self {
        self.step(Step::Truncate(stream(name), kind))
    }

    /// Rows that could not be brought into shape.
    #[must_use]
    pub fn rejected(self, rejections: Vec<Rejection>) -> Self {
        self.step(Step::Rejected(rejections))
    }

    /// Everything so far may commit.
    #[must_use]
    pub fn checkpoint(self) -> Self {
        self.step(Step::Checkpoint(Scope::Shared))
    }

    /// Everything of one stream so far may commit.
    #[must_use]
    pub fn checkpoint_of(self, name: &str) -> Self {
        self.step(Step::Checkpoint(Scope::Stream(stream(name))))
    }

    /// A stream enters a phase.
    #[must_use]
    pub fn phase(self, name: &str, phase: Phase) -> Self {
        self.step(Step::Phase(stream(name), phase))
    }

    /// The reading fails here, once.
    #[must_use]
    pub fn fail(self, kind: ErrorKind) -> Self {
        self.step(Step::Fail(kind))
    }

    /// A stream fails here, every time.
    #[must_use]
    pub fn fail_stream(self, name: &str, kind: ErrorKind) -> Self {
        self.step(Step::FailStream(stream(name), kind))
    }

    /// Nothing comes for a while.
    #[must_use]
    pub fn wait(self, time: Duration) -> Self {
        self.step(Step::Wait(time))
    }

    /// How many of the failures have happened.
    #[must_use]
    pub fn failures(&self) -> usize {
        self.happened
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .len()
    }

    fn arrow(self, name: &str, presence: Presence, rows: &[(Op, Cells<'_>)]) -> Self {
        let name = stream(name);
        let schema = self
            .schemas
            .get(&name)
            .unwrap_or_else(|| panic!("describe {name} first"))
            .clone();
        let columns: Vec<_> = schema
            .columns
            .iter()
            .map(|column| (column.name.as_str(), column.data_type))
            .collect();
        let texts: Vec<_> = rows.iter().map(|(_, row)| row.clone()).collect();
        let batch = ChangeBatch {
            columns: cells::batch(&columns, &texts),
            schema: schema.clone(),
            ops: rows.iter().map(|(op, _)| *op).collect(),
            positions: Positions::at(0, self.steps.len() as u64),
            presence,
        };
        self.step(Step::Rows(name, Rows::Arrow(batch)))
    }

    fn step(mut self, step: Step) -> Self {
        self.steps.push(step);
        self
    }

    /// Whether a failure is reached for the first time.
    fn first(&self, index: usize) -> bool {
        self.happened
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(index)
    }

    async fn play(&self, index: usize, out: &Output<ScriptCursor>) -> Result<()> {
        match &self.steps[index] {
            Step::Rows(stream, rows) => out.rows(stream, rows.clone()).await,
            Step::Truncate(stream, kind) => {
                out.truncate(stream, *kind, Positions::at(0, index as u64))
                    .await
            }
            Step::Rejected(rejections) => out.rejected(rejections.clone()).await,
            Step::Checkpoint(scope) => {
                out.checkpoint(scope.clone(), &ScriptCursor { step: index + 1 })
                    .await
            }
            Step::Phase(stream, phase) => out.phase(stream, *phase).await,
            Step::Fail(kind) if self.first(index) => Err(Error::new(
                *kind,
                format!("step {index} of the script fails"),
            )),
            Step::Fail(_) => Ok(()),
            Step::FailStream(stream, kind) => {
                let error = Error::new(*kind, format!("step {index} of the script fails {stream}"));
                out.failed(stream, error).await
            }
            Step::Wait(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
        }
    }
}

fn stream(name: &str) -> StreamName {
    name.to_owned().into()
}

impl Step {
    fn stream(&self) -> Option<&StreamName> {
        match self {
            Self::Rows(stream, _)
            | Self::Truncate(stream, _)
            | Self::Phase(stream, _)
            | Self::FailStream(stream, _)
            | Self::Checkpoint(Scope::Stream(stream)) => Some(stream),
            Self::Rejected(_) | Self::Checkpoint(Scope::Shared) | Self::Fail(_) | Self::Wait(_) => {
                None
            }
        }
    }

    /// Whether the state already covers this step.
    fn covered(&self, index: usize, state: &State<ScriptCursor>) -> bool {
        let own = self.stream().and_then(|stream| state.streams.get(stream));
        own.max(state.shared.as_ref())
            .is_some_and(|cursor| index < cursor.step)
    }
}

#[async_trait]
impl Source for Script {
    const KIND: &'static str = "script";
    type Config = ScriptConfig;
    type Cursor = ScriptCursor;

    async fn connect(_: ScriptConfig) -> Result<Self> {
        Ok(Self::new())
    }

    async fn check(&self, _: &[StreamName]) -> Result<Report> {
        let mut report = Report::default();
        report.pass("script", format!("{} steps", self.steps.len()));
        Ok(report)
    }

    async fn discover(&self) -> Result<Catalog> {
        let stream = |(name, schema): (&StreamName, &Arc<StreamSchema>)| Stream {
            name: name.clone(),
            schema: (**schema).clone(),
            estimated_rows: None,
            filter: None,
            excluded: Vec::new(),
            cursor: Vec::new(),
            is_open: false,
            needs: None,
        };
        Ok(Catalog {
            streams: self.schemas.iter().map(stream).collect(),
        })
    }

    async fn read(
        &self,
        request: ReadRequest<'_, ScriptCursor>,
        out: &Output<ScriptCursor>,
    ) -> Result<()> {
        let selected = |step: &Step| {
            step.stream()
                .is_none_or(|name| request.streams.iter().any(|stream| stream.name == *name))
        };
        for (index, step) in self.steps.iter().enumerate() {
            if selected(step) && !step.covered(index, request.state) {
                self.play(index, out).await?;
            }
        }
        match request.until {
            Until::Now => Ok(()),
            Until::Stopped => std::future::pending().await,
        }
    }
}
