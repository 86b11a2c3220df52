#![allow(clippy::unwrap_used)]
//! The suite itself: it lets a connector pass that is right, and none that is not.

use async_trait::async_trait;
use serde_json::{Value, json};
use tributary_model::{
    AnyOutput, AnySource, Catalog, Output, Positions, ReadRequest, Report, Result, Row, Rows,
    Scope, Stream, StreamName, StreamSchema, TruncateKind,
};

use super::{Api, Reading};
use crate::api::client::Client;
use crate::api::exchange::{Reply, Request};
use crate::api::limits::Refusal;
use crate::api::simulator::{Simulator, Vendor};
use crate::api::truth::Truth;

/// A vendor with one list, from the oldest to the newest, three a page.
#[derive(Debug, Default)]
struct Things(Vec<Row>);

impl Vendor for Things {
    fn answer(&mut self, request: &Request, _now: i64) -> Reply {
        let from: usize = request.param("from").unwrap_or("0").parse().unwrap();
        let page: Vec<_> = self.0.iter().skip(from).take(3).collect();
        Reply::json(200, &json!(page))
    }

    fn failure(&self, status: u16) -> Reply {
        Reply::text(status, "no")
    }

    fn throttled(&self, _refusal: Refusal) -> Reply {
        Reply::text(429, "slow down")
    }
}

impl Api for Things {
    const KIND: &'static str = "things";
    const SETTLES: i64 = 0;
    const STREAMS: &'static [&'static str] = &["things"];

    fn begin(_now: i64) -> Self {
        Self::default()
    }

    fn settings(&mut self, _url: &str) -> Value {
        json!({})
    }

    fn truth_of(&self, _stream: &str, _now: i64) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        self.0.iter().for_each(|row| truth.add(row.clone()));
        truth
    }

    fn populate_all(&mut self, count: usize, _now: i64) {
        for _ in 0..count {
            let row = json!({"id": self.0.len(), "name": format!("thing {}", self.0.len())});
            self.0.push(row.as_object().cloned().unwrap());
        }
    }

    fn change_some(&mut self, count: usize, _from: i64, to: i64) {
        self.populate_all(count, to);
    }
}

/// What a connector gets wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    None,
    /// It says that it is further than it is.
    RunsAhead,
    /// It forgets where it was.
    Forgets,
    /// It takes an error for an empty page.
    SwallowsErrors,
}

struct Reader(Client, Mistake);

impl Reader {
    async fn page(&self, from: usize) -> Result<Vec<Row>> {
        loop {
            match self.0.get(&format!("/things?from={from}")).await {
                Ok(answer) if answer.status == 200 => {
                    return Ok(serde_json::from_value(answer.json()).unwrap());
                }
                _ if self.1 == Mistake::SwallowsErrors => return Ok(Vec::new()),
                _ => {}
            }
        }
    }
}

fn things() -> Stream {
    Stream {
        name: StreamName::plain("things"),
        schema: StreamSchema {
            key: vec!["id".to_owned()],
            ..StreamSchema::default()
        },
        estimated_rows: None,
        filter: None,
        excluded: Vec::new(),
        cursor: Vec::new(),
        is_open: false,
        needs: None,
    }
}

#[async_trait]
impl AnySource for Reader {
    async fn check(&self, _streams: &[StreamName]) -> Result<Report> {
        Ok(Report::default())
    }

    async fn discover(&self) -> Result<Catalog> {
        Ok(Catalog {
            streams: vec![things()],
        })
    }

    async fn read(&self, request: ReadRequest<'_, Value>, out: AnyOutput) -> Result<()> {
        let (out, stream) = (Output::<Value>::new(out), things().name);
        let stored = request.state.streams.get(&stream).and_then(Value::as_u64);
        let mut done = usize::try_from(stored.unwrap_or(0)).unwrap();
        if self.1 == Mistake::Forgets {
            done = 0;
        }
        if done == 0 {
            out.truncate(&stream, TruncateKind::Restart, Positions::at(0, 0))
                .await?;
        }
        loop {
            let page = self.page(done).await?;
            if page.is_empty() {
                return Ok(());
            }
            let (next, scope) = (done + page.len(), Scope::Stream(stream.clone()));
            if self.1 == Mistake::RunsAhead {
                out.checkpoint(scope, &json!(next)).await?;
                self.page(next).await?;
                out.rows(&stream, Rows::Json(page)).await?;
            } else {
                out.rows(&stream, Rows::Json(page)).await?;
                out.checkpoint(scope, &json!(next)).await?;
            }
            done = next;
        }
    }
}

fn start(mistake: Mistake) -> (Simulator<Things>, Reader) {
    let mut things = Things::default();
    things.populate_all(30, 0);
    let simulator = Simulator::start(things);
    let reader = Reader(Client::new(&simulator.url()), mistake);
    (simulator, reader)
}

#[tokio::test]
async fn a_connector_that_is_right_passes() {
    let (simulator, reader) = start(Mistake::None);
    let reading = Reading::new(&simulator, &reader).await;
    reading.is_complete().await;
    reading.survives_cuts(100).await;
    reading.survives_storms().await;
    reading.survives_drift().await;
}

#[tokio::test]
#[should_panic(expected = "cut at request")]
async fn a_cursor_ahead_of_its_rows_is_noticed() {
    let (simulator, reader) = start(Mistake::RunsAhead);
    Reading::new(&simulator, &reader)
        .await
        .survives_cuts(100)
        .await;
}

#[tokio::test]
#[should_panic(expected = "rows came all the same")]
async fn rows_that_come_again_are_noticed() {
    let (simulator, reader) = start(Mistake::Forgets);
    Reading::new(&simulator, &reader).await.is_complete().await;
}

#[tokio::test]
#[should_panic(expected = "after the storms")]
async fn an_error_that_is_swallowed_is_noticed() {
    let (simulator, reader) = start(Mistake::SwallowsErrors);
    Reading::new(&simulator, &reader)
        .await
        .survives_storms()
        .await;
}
