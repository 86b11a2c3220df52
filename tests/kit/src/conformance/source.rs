//! What every source must do: resume without a gap wherever it is cut, bring its cursors back from
//! text, send nothing twice when nothing is new, and show no secret.

use std::collections::BTreeMap;

use serde_json::Value;
use tributary_model::{
    AnyOutput, AnySource, Message, Op, ReadRequest, Result, Rows, State, Stream, StreamName,
    StreamSchema, Until, Verdict,
};

use crate::cells;

/// Bytes in flight; small, so that a source is cut while it waits.
const BUDGET: usize = 256 * 1024;
/// Cuts of one run at most, spread evenly.
const CUTS: usize = 40;

/// Whether a source sends each row once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Rows up to a checkpoint do not come again after it, as from a log.
    Once,
    /// Rows near a checkpoint may come again, as from an API that is asked with an overlap.
    Overlapping,
}

/// What the suite is told of a source, which must stand still while it runs.
#[derive(Clone, Copy, Debug)]
pub struct Expectation<'a> {
    /// Whether it sends each row once.
    pub delivery: Delivery,
    /// A secret of its settings, which must not be shown.
    pub secret: Option<&'a str>,
    /// The least number of rows that it has.
    pub at_least: usize,
}

/// Rows of all streams by key, as columns by name; of a stream without a key, by content.
type Content = BTreeMap<(StreamName, String), Cells>;
type Cells = BTreeMap<String, Option<String>>;

/// Holds a source to the contract.
///
/// # Panics
/// Panics where it breaks the contract.
pub async fn source(source: &dyn AnySource, expectation: Expectation<'_>) {
    let catalog = source
        .discover()
        .await
        .expect("the source can be discovered");
    assert!(
        catalog.streams.is_sorted_by(|a, b| a.name < b.name),
        "streams are sorted by name"
    );
    let names: Vec<_> = catalog
        .streams
        .iter()
        .map(|stream| stream.name.clone())
        .collect();
    let report = source
        .check(&names)
        .await
        .expect("the source can be checked");
    assert_ne!(report.verdict(), Verdict::Fail, "{report:?}");

    let whole = run(source, &catalog.streams, &State::default(), usize::MAX).await;
    let expected = content(&[&whole]);
    let rows = count(&whole);
    assert!(
        rows >= expectation.at_least,
        "{rows} rows, not {}",
        expectation.at_least
    );
    let shown = format!("{catalog:?} {report:?} {whole:?}");
    let secret_shown = expectation
        .secret
        .is_some_and(|secret| shown.contains(secret));
    assert!(!secret_shown, "a secret is shown");

    let after = state_after(&State::default(), &whole);
    let idle = run(source, &catalog.streams, &after, usize::MAX).await;
    assert_eq!(
        count(&idle),
        0,
        "nothing is new, and rows came all the same"
    );

    let length = whole.len();
    let step = length.div_ceil(CUTS).max(1);
    for cut in (0..length).step_by(step) {
        let first = run(source, &catalog.streams, &State::default(), cut).await;
        let state = through_text(state_after(&State::default(), &first));
        let kept = committed(first);
        let rest = run(source, &catalog.streams, &state, usize::MAX).await;
        assert_eq!(
            content(&[&kept, &rest]),
            expected,
            "cut after {cut} of {length} messages"
        );
        if expectation.delivery == Delivery::Once {
            assert_eq!(
                count(&kept) + count(&rest),
                rows,
                "rows came twice, cut after {cut}"
            );
        }
    }
}

/// Reads from `state` and drops the source after `limit` messages.
async fn run(
    source: &dyn AnySource,
    streams: &[Stream],
    state: &State,
    limit: usize,
) -> Vec<Message> {
    let (output, mut receiver) = AnyOutput::new(BUDGET);
    let request = ReadRequest {
        streams,
        state,
        until: Until::Now,
    };
    let reading = source.read(request, output);
    tokio::pin!(reading);
    let mut messages = Vec::new();
    let mut ended: Option<Result<()>> = None;
    while messages.len() < limit {
        tokio::select! {
            // What was sent before the end comes before it.
            biased;
            envelope = receiver.recv() => match envelope {
                Some(envelope) => messages.push(envelope.message),
                None => break,
            },
            outcome = &mut reading, if ended.is_none() => ended = Some(outcome),
        }
    }
    if let Some(Err(error)) = ended {
        panic!("reading failed: {error}");
    }
    messages
}

/// The state that a destination would hold after these messages.
fn state_after(before: &State, messages: &[Message]) -> State {
    let mut state = before.clone();
    for message in messages {
        match message {
            Message::Checkpoint(checkpoint) => state.advance(checkpoint.clone()),
            Message::Failed { stream, error } => panic!("{stream} failed: {error}"),
            Message::Rejected(rejections) => panic!("rows were rejected: {rejections:?}"),
            Message::Rows { .. }
            | Message::Truncate { .. }
            | Message::Clear { .. }
            | Message::Generation { .. }
            | Message::Complete { .. }
            | Message::Phase { .. } => {}
        }
    }
    state
}

fn through_text(state: State) -> State {
    let text = serde_json::to_string(&state).expect("a state can be written as JSON");
    let back: State = serde_json::from_str(&text).expect("a state can be read back");
    assert_eq!(back, state, "a state survives its text");
    back
}

/// The messages that would have committed: those that a later checkpoint covers.
fn committed(messages: Vec<Message>) -> Vec<Message> {
    use tributary_model::Scope;
    let covers = |checkpoint: &Message, stream: &StreamName| match checkpoint {
        Message::Checkpoint(checkpoint) => match &checkpoint.scope {
            Scope::Shared => true,
            Scope::Stream(of) => of == stream,
        },
        _ => false,
    };
    let kept: Vec<_> = messages
        .iter()
        .enumerate()
        .map(|(index, message)| match message {
            Message::Rows { stream, .. }
            | Message::Truncate { stream, .. }
            | Message::Clear { stream, .. } => {
                messages[index..].iter().any(|later| covers(later, stream))
            }
            _ => true,
        })
        .collect();
    messages
        .into_iter()
        .zip(kept)
        .filter(|(_, kept)| *kept)
        .map(|(message, _)| message)
        .collect()
}

fn count(messages: &[Message]) -> usize {
    let rows = |message: &Message| match message {
        Message::Rows {
            rows: Rows::Arrow(batch),
            ..
        } => batch.ops.len(),
        Message::Rows {
            rows: Rows::Json(rows),
            ..
        } => rows.len(),
        _ => 0,
    };
    messages.iter().map(rows).sum()
}

/// What a destination would hold after these messages.
fn content(runs: &[&[Message]]) -> Content {
    let mut content = Content::new();
    for message in runs.iter().copied().flatten() {
        match message {
            Message::Rows {
                stream,
                rows: Rows::Arrow(batch),
            } => {
                for (op, row) in arrow_rows(batch) {
                    apply(&mut content, stream, &batch.schema, op, row);
                }
            }
            Message::Rows {
                stream,
                rows: Rows::Json(rows),
            } => {
                for row in rows {
                    let cells = row
                        .iter()
                        .map(|(name, value)| (name.clone(), json_text(value)));
                    let schema = StreamSchema::default();
                    apply(&mut content, stream, &schema, Op::Read, cells.collect());
                }
            }
            Message::Truncate { stream, .. } | Message::Generation { stream, .. } => {
                content.retain(|(of, _), _| of != stream);
            }
            Message::Clear { stream, of } => {
                for (_, gone) in arrow_rows(of) {
                    let agrees =
                        |row: &Cells| gone.iter().all(|(name, cell)| row.get(name) == Some(cell));
                    content.retain(|(on, _), row| on != stream || !agrees(row));
                }
            }
            Message::Rejected(_)
            | Message::Checkpoint(_)
            | Message::Complete { .. }
            | Message::Phase { .. } => {}
            Message::Failed { stream, error } => panic!("{stream} failed: {error}"),
        }
    }
    content
}

fn json_text(value: &Value) -> Option<String> {
    (!value.is_null()).then(|| value.to_string())
}

fn arrow_rows(batch: &tributary_model::ChangeBatch) -> Vec<(Op, Cells)> {
    assert_eq!(
        batch.ops.len(),
        batch.columns.num_rows(),
        "one operation for each row"
    );
    assert_eq!(
        batch.schema.columns.len(),
        batch.columns.num_columns(),
        "one array for each column"
    );
    let mut rows: Vec<_> = batch.ops.iter().map(|op| (*op, BTreeMap::new())).collect();
    for (column, array) in batch.schema.columns.iter().zip(batch.columns.columns()) {
        for ((_, row), text) in rows.iter_mut().zip(cells::texts(column.data_type, array)) {
            row.insert(column.name.clone(), text);
        }
    }
    rows
}

fn apply(content: &mut Content, stream: &StreamName, schema: &StreamSchema, op: Op, row: Cells) {
    let identity = if schema.key.is_empty() {
        format!("{row:?}")
    } else {
        let cells: Vec<_> = schema.key.iter().map(|name| row.get(name)).collect();
        format!("{cells:?}")
    };
    let place = (stream.clone(), identity);
    match op {
        Op::Read | Op::Create | Op::Update => {
            content.insert(place, row);
        }
        Op::Delete => {
            content.remove(&place);
        }
        Op::Truncate => panic!("a truncate came as a row"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Script;
    use tributary_model::{DataType, TruncateKind};

    fn script() -> Script {
        let columns = [("id", DataType::Int64), ("name", DataType::Text)];
        Script::new()
            .stream("shop.orders", &["id"], &columns)
            .stream("shop.people", &["id"], &columns)
            .truncate("shop.orders", TruncateKind::Restart)
            .snapshot(
                "shop.orders",
                &[vec![Some("1"), Some("a")], vec![Some("2"), None]],
            )
            .checkpoint_of("shop.orders")
            .snapshot("shop.people", &[vec![Some("1"), Some("x")]])
            .checkpoint()
            .changes("shop.orders", &[(Op::Delete, vec![Some("1"), None])])
            .checkpoint()
    }

    const EXPECTATION: Expectation<'_> = Expectation {
        delivery: Delivery::Once,
        secret: None,
        at_least: 4,
    };

    #[tokio::test]
    async fn a_script_keeps_the_contract() {
        source(&script(), EXPECTATION).await;
    }

    #[tokio::test]
    #[should_panic(expected = "rows came all the same")]
    async fn rows_after_the_last_checkpoint_break_it() {
        let more = script().changes("shop.orders", &[(Op::Create, vec![Some("9"), None])]);
        source(&more, EXPECTATION).await;
    }
}
