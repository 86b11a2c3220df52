//! A connector, held to its simulator's truth through the contract of sources.

use std::future::Future;
use std::time::Duration;

use tributary_model::{
    AnyOutput, AnySource, Message, ReadRequest, Result, Scope, State, Stream, StreamName, Until,
};

use super::contents::Contents;
use super::subject::Api;
use crate::api::clock;
use crate::api::faults::{Fault, When};
use crate::api::simulator::Simulator;

/// Bytes in flight; small, so that a connector is cut while it waits.
const BUDGET: usize = 256 * 1024;
/// How long a connector may take to ask for something.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connector and the simulator that it reads.
pub struct Reading<'a, A> {
    simulator: &'a Simulator<A>,
    source: &'a dyn AnySource,
    streams: Vec<Stream>,
}

impl<'a, A: Api> Reading<'a, A> {
    /// Reads all streams of `source`.
    ///
    /// # Panics
    /// Panics where it can't be discovered, or lacks a stream that is compared.
    pub async fn new(simulator: &'a Simulator<A>, source: &'a dyn AnySource) -> Self {
        let catalog = source
            .discover()
            .await
            .expect("the source can be discovered");
        let there = |name: &&&str| catalog.streams.iter().any(|s| s.name.to_string() == **name);
        let missing: Vec<_> = A::STREAMS.iter().filter(|name| !there(name)).collect();
        assert!(missing.is_empty(), "the source has no {missing:?}");
        let streams = catalog.streams;
        Self {
            simulator,
            source,
            streams,
        }
    }

    /// Leaves out all streams but these.
    #[must_use]
    pub fn only(mut self, names: &[&str]) -> Self {
        self.streams
            .retain(|stream| names.contains(&&*stream.name.to_string()));
        self
    }

    /// Leaves out these streams.
    #[must_use]
    pub fn without(mut self, names: &[&str]) -> Self {
        self.streams
            .retain(|stream| !names.contains(&&*stream.name.to_string()));
        self
    }

    /// A whole reading equals the truth, and one after it brings nothing more.
    ///
    /// # Panics
    /// Panics where that is not so.
    pub async fn is_complete(&self) {
        let (state, contents) = self.whole(State::default(), self.nothing()).await;
        self.assert_true(&contents, "after a whole reading");
        let before = contents.rows;
        let (_, contents) = self.whole(state, contents).await;
        assert_eq!(
            contents.rows, before,
            "nothing is new, and rows came all the same"
        );
    }

    /// A whole reading brings at least one row of each stream that the source has.
    ///
    /// # Panics
    /// Panics with those that none came of.
    pub async fn misses_no_stream(&self) {
        let (_, contents) = self.whole(State::default(), self.nothing()).await;
        let silent = contents.silent();
        assert!(silent.is_empty(), "no row came of {silent:?}");
    }

    /// Cut after each of its requests, or after `cuts` of them spread evenly, and gone on with, a
    /// reading is complete all the same.
    ///
    /// # Panics
    /// Panics where it is not.
    pub async fn survives_cuts(&self, cuts: usize) {
        let before = self.simulator.recorder().total();
        let (_, contents) = self.whole(State::default(), self.nothing()).await;
        self.assert_true(&contents, "uncut");
        let length = self.simulator.recorder().total() - before;
        let step = length.div_ceil(cuts).max(1);
        for cut in (1..=length).step_by(step) {
            let at = self.simulator.recorder().total() + cut;
            let asked = self.simulator.recorder().arrived(at, PATIENCE);
            let (messages, _) = self.read(&State::default(), asked).await;
            let (state, contents) = committed(&self.streams, State::default(), messages);
            let (_, contents) = self.whole(through_text(&state), contents).await;
            self.assert_true(&contents, &format!("cut at request {cut} of {length}"));
        }
    }

    /// While rows come, change and go under it, a reading loses nothing that the next one does not
    /// bring.
    ///
    /// # Panics
    /// Panics where it does.
    pub async fn survives_drift(&self) {
        let mut asked = 0;
        self.simulator.before_each(move |model, _, now| {
            asked += 1;
            if asked % 2 == 0 {
                model.change_some(1, now, now + 1);
            }
        });
        let (state, contents) = self.whole(State::default(), self.nothing()).await;
        self.simulator.stand_still();
        clock::jump(A::SETTLES);
        let (state, contents) = self.whole(state, contents).await;
        self.assert_true(&contents, "after the drift");
        self.simulator
            .with(|model, now| model.change_some(50, now - 30, now));
        clock::jump(A::SETTLES);
        let (_, contents) = self.whole(state, contents).await;
        self.assert_true(&contents, "after more changes");
    }

    /// Refused in every way at every few requests, a reading is complete all the same.
    ///
    /// # Panics
    /// Panics where it is not.
    pub async fn survives_storms(&self) {
        let faults = self.simulator.faults();
        faults.add(When::every(5), Fault::Throttled(Some(0)));
        faults.add(When::every(7), Fault::Status(503));
        faults.add(When::every(11), Fault::Cut(20));
        faults.add(When::every(13), Fault::Page(502, "Bad gateway"));
        faults.add(When::every(17), Fault::Silent);
        let (_, contents) = self.whole(State::default(), self.nothing()).await;
        assert!(faults.hits() > 0, "nothing went wrong");
        faults.clear();
        self.assert_true(&contents, "after the storms");
    }

    /// Though its tokens expire at every few requests, a reading is complete.
    ///
    /// # Panics
    /// Panics where it is not.
    pub async fn survives_expiry(&self) {
        let faults = self.simulator.faults();
        faults.add(When::every(4).method("GET"), Fault::ExpireTokens);
        let (_, contents) = self.whole(State::default(), self.nothing()).await;
        assert!(faults.hits() > 0, "nothing expired");
        faults.clear();
        self.assert_true(&contents, "after tokens expired");
    }

    /// Compares with the truth.
    fn assert_true(&self, contents: &Contents, when: &str) {
        let mut wrong = Vec::new();
        for stream in A::STREAMS.iter().filter(|name| self.reads(name)) {
            let truth = self
                .simulator
                .with(|model, now| model.truth_of(stream, now));
            let differences = truth.differences(&contents.table(stream));
            wrong.extend(
                differences
                    .into_iter()
                    .map(|text| format!("{stream}: {text}")),
            );
        }
        wrong.truncate(20);
        assert!(wrong.is_empty(), "{when}:\n  {}", wrong.join("\n  "));
    }

    fn reads(&self, name: &str) -> bool {
        self.streams
            .iter()
            .any(|stream| stream.name.to_string() == name)
    }

    fn nothing(&self) -> Contents {
        Contents::of(&self.streams)
    }

    /// Reads to the end; returns the state and what is there afterwards.
    async fn whole(&self, state: State, mut contents: Contents) -> (State, Contents) {
        let (messages, ended) = self.read(&state, std::future::pending()).await;
        if let Some(Err(error)) = ended {
            panic!("reading failed: {error}");
        }
        messages.iter().for_each(|message| contents.apply(message));
        let state = messages.into_iter().fold(state, |mut state, message| {
            if let Message::Checkpoint(checkpoint) = message {
                state.advance(checkpoint);
            }
            state
        });
        (state, contents)
    }

    /// Reads from `state` on until the end, or until `cut`.
    async fn read(
        &self,
        state: &State,
        cut: impl Future<Output = ()>,
    ) -> (Vec<Message>, Option<Result<()>>) {
        let (output, mut receiver) = AnyOutput::new(BUDGET);
        let streams = &self.streams;
        let request = ReadRequest {
            streams,
            state,
            until: Until::Now,
        };
        let reading = self.source.read(request, output);
        tokio::pin!(reading, cut);
        let (mut messages, mut ended) = (Vec::new(), None);
        loop {
            tokio::select! {
                // What was sent before the end comes before it.
                biased;
                envelope = receiver.recv() => match envelope {
                    Some(envelope) => messages.push(envelope.message),
                    None => break,
                },
                () = &mut cut => break,
                outcome = &mut reading, if ended.is_none() => ended = Some(outcome),
            }
        }
        (messages, ended)
    }
}

/// The state and the rows that would have committed: those that a later checkpoint covers.
fn committed(streams: &[Stream], mut state: State, messages: Vec<Message>) -> (State, Contents) {
    let mut contents = Contents::of(streams);
    let mut waiting: Vec<(StreamName, Message)> = Vec::new();
    for message in messages {
        match message {
            Message::Checkpoint(checkpoint) => {
                let covers = |stream: &StreamName| match &checkpoint.scope {
                    Scope::Shared => true,
                    Scope::Stream(of) => of == stream,
                };
                waiting.retain(|(stream, message)| {
                    if covers(stream) {
                        contents.apply(message);
                    }
                    !covers(stream)
                });
                state.advance(checkpoint);
            }
            Message::Rows { ref stream, .. }
            | Message::Truncate { ref stream, .. }
            | Message::Clear { ref stream, .. }
            | Message::Generation { ref stream, .. } => {
                waiting.push((stream.clone(), message));
            }
            other => contents.apply(&other),
        }
    }
    (state, contents)
}

fn through_text(state: &State) -> State {
    let text = serde_json::to_string(state).expect("a state can be written as JSON");
    serde_json::from_str(&text).expect("a state can be read back")
}
