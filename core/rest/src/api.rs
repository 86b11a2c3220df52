//! An API that can be read: what may be asked of it, and the rounds of reading it.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tributary_model::{
    Catalog, Output, ReadRequest, Report, Result, State, StreamName, Until, Vault, now,
};

use crate::cursor::Cursor;
use crate::manifest::Manifest;
use crate::manifest::stream::Origin;
use crate::read::Reader;
use crate::ready::Ready;
use crate::replay::recorded::Recorded;

/// How long a reading that goes on rests between two rounds.
const ROUND: Duration = Duration::from_secs(60);

/// An API that can be read.
#[derive(Debug)]
pub struct Api {
    ready: Ready,
}

impl Api {
    /// Fills a manifest in; contacts nothing.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where settings are missing or can't be meant.
    pub fn new(manifest: Manifest, given: &Map<String, Value>) -> Result<Self> {
        Self::made(manifest, given, None)
    }

    /// The same, with recorded exchanges in the API's place.
    pub(crate) fn replaying(
        mut manifest: Manifest,
        given: &Map<String, Value>,
        recorded: Recorded,
    ) -> Result<Self> {
        (manifest.auth, manifest.limits) = (Vec::new(), Vec::new());
        Self::made(manifest, given, Some(recorded))
    }

    fn made(
        manifest: Manifest,
        given: &Map<String, Value>,
        recorded: Option<Recorded>,
    ) -> Result<Self> {
        let ready = Ready::new(manifest, given, recorded)?;
        Ok(Self { ready })
    }

    /// Gives it a place for tokens that replace each other.
    #[must_use]
    pub fn with_vault(mut self, vault: Arc<dyn Vault>) -> Self {
        self.ready.client.auth.keep_in(vault);
        self
    }

    /// The exchanges that stand in for the API, where some do.
    pub(crate) fn recorded(&self) -> Option<&Recorded> {
        self.ready.client.recorded()
    }

    /// Whether exchanges tell of a stream, so that it makes sense to read it.
    pub(crate) fn is_told_of(&self, stream: &str, recorded: &Recorded) -> bool {
        let manifest = &self.ready.manifest;
        let mut at = manifest.stream(stream);
        while let Some(spec) = at {
            let request = spec
                .job
                .as_ref()
                .map(|job| &job.start)
                .or(spec.request.as_ref());
            if spec.origin == Origin::Own
                && let Some(request) = request
            {
                return recorded.is_about(&request.path.as_pattern());
            }
            at = spec.driver().and_then(|name| manifest.stream(name));
        }
        false
    }

    /// Preflight: whether the credential is taken, and whether each stream can be read.
    ///
    /// # Errors
    /// What keeps the questions from being asked.
    pub async fn check(&self, streams: &[StreamName]) -> Result<Report> {
        crate::check::check(&self.ready, streams).await
    }

    /// The streams that the manifest describes; contacts nothing.
    #[must_use]
    pub fn discover(&self) -> Catalog {
        crate::discover::discover(&self.ready)
    }

    /// Sends everything after the request's state.
    ///
    /// # Errors
    /// What concerns the API as a whole; what concerns one stream is sent as its failure.
    pub async fn read(&self, request: ReadRequest<'_, Cursor>, out: &Output<Cursor>) -> Result<()> {
        let mut state: State<Cursor> = request.state.clone();
        loop {
            let round = ReadRequest {
                streams: request.streams,
                state: &state,
                until: Until::Now,
            };
            let begun = now();
            let reader = Reader::new(&self.ready, out).await?;
            let cursors = reader.read(&round).await?;
            if request.until == Until::Now {
                return Ok(());
            }
            state.streams.extend(cursors);
            out.complete(begun).await?;
            tokio::time::sleep(ROUND).await;
        }
    }
}
