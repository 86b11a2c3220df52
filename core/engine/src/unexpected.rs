//! What is to be looked at in a run that went well: streams without rows where rows were expected,
//! and tables whose rows are not hidden alike. Never an error: a source may really be empty.

use std::collections::{BTreeMap, BTreeSet};

use tributary_model::{ConnectionName, LoadRecord, Mode, State, Stream, StreamName, Until};

use crate::attempt::Attempt;
use crate::ledger::Ledger;
use crate::loading::Loading;
use crate::normalize::Table;
use crate::observer::Event;

/// Earlier loads that are looked at. // G6
const LOADS: usize = 10;
/// Runs that say what is usual.
const RUNS: usize = 3;

/// What could be expected of the streams when the attempt began.
pub(crate) struct Unexpected {
    /// Streams that are read from their beginning, and how many rows the source thinks they have.
    whole: BTreeMap<StreamName, Option<u64>>,
    /// This run, as loads name it.
    epoch: String,
}

impl Unexpected {
    pub(crate) fn new(streams: &[Stream], state: &State, epoch: u64) -> Self {
        let whole = streams
            .iter()
            .filter(|stream| !state.streams.contains_key(&stream.name))
            .map(|stream| (stream.name.clone(), stream.estimated_rows));
        Self {
            whole: whole.collect(),
            epoch: epoch.to_string(),
        }
    }

    /// Says which streams had no rows although they should have some.
    pub(crate) async fn tell(self, attempt: &Attempt<'_>, ledger: &mut Ledger) {
        let empty = ledger.without_rows();
        if empty.is_empty() || attempt.request.until == Until::Stopped {
            return;
        }
        let connection = attempt.connection;
        let name = &connection.options.name;
        let mut loads = match connection.destination.loads(name, LOADS).await {
            Ok(loads) => loads,
            // All of the run has committed: it does not fail for what is only looked at.
            Err(error) => {
                tracing::warn!(%error, "whether rows are missing is not known");
                return;
            }
        };
        loads.retain(|load| run_of(&load.load_id) != self.epoch);
        for stream in empty {
            let whole = self.whole.get(&stream).copied();
            if let Some(what) = missing_rows(&stream, whole, &loads) {
                warn(attempt, ledger, &stream, what);
            }
        }
    }
}

/// Says in which tables rows from before are not hidden as those from now on.
pub(crate) fn tell_mixed(attempt: &Attempt<'_>, loading: &Loading<'_>, ledger: &mut Ledger) {
    let connection = &attempt.connection.options.name;
    let is_seen = |stream: &StreamName| !loading.beside.contains_key(stream);
    for (stream, table) in loading.tables.iter().filter(|(stream, _)| is_seen(stream)) {
        for what in mixed(connection, stream, table) {
            warn(attempt, ledger, stream, what);
        }
    }
}

/// How rows of a table from before are hidden otherwise than those from now on, each with what helps.
pub(crate) fn mixed(
    connection: &ConnectionName,
    stream: &StreamName,
    table: &Table,
) -> Vec<String> {
    let fix = match table.plan().mode {
        Mode::History => "A history keeps its versions: drop the table to begin it anew".to_owned(),
        Mode::Merge | Mode::Append | Mode::Replace => {
            format!("`tributary sync {connection}:{stream} --full-refresh` copies the table anew")
        }
    };
    let with_fix = |what: String| format!("{what}. {fix}");
    table.mixed().into_iter().map(with_fix).collect()
}

/// Says what a run that goes well should not have met.
pub(crate) fn warn(attempt: &Attempt<'_>, ledger: &mut Ledger, stream: &StreamName, what: String) {
    attempt.observer.notice(&Event::Warning {
        stream,
        what: &what,
    });
    ledger.warn(stream, what);
}

/// Why a stream of which no row came should have had some; `whole` is there if all of it was read.
fn missing_rows(
    stream: &StreamName,
    whole: Option<Option<u64>>,
    loads: &[LoadRecord],
) -> Option<String> {
    let rows = |load: &LoadRecord| load.streams.get(stream).map_or(0, |count| count.rows_read);
    let last = loads.iter().find(|load| rows(load) > 0);
    match (whole, last) {
        (Some(Some(estimated)), None) if estimated > 0 => Some(format!(
            "no rows came, though the source says that there are about {estimated}"
        )),
        (Some(_), Some(last)) => Some(format!(
            "the stream was read from the beginning and no rows came, though it had some on {}",
            last.committed_at.format("%Y-%m-%d %H:%M UTC")
        )),
        (Some(_), None) => None,
        (None, _) => {
            let runs = |loads: &mut dyn Iterator<Item = &LoadRecord>| -> BTreeSet<String> {
                loads.map(|load| run_of(&load.load_id).to_owned()).collect()
            };
            let any = |load: &&LoadRecord| load.streams.values().any(|count| count.rows_read > 0);
            let all = runs(&mut loads.iter().filter(any));
            let with_rows = runs(&mut loads.iter().filter(|load| rows(load) > 0));
            (all.len() >= RUNS && all == with_rows).then(|| {
                format!(
                    "no rows came, though each of the last {} runs that brought any had some of it",
                    all.len()
                )
            })
        }
    }
}

/// The run that made a load: the epoch in its identity.
fn run_of(load_id: &str) -> &str {
    load_id.split('-').nth(1).unwrap_or(load_id)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use serde_json::Value;
    use tributary_model::{ConnectionName, StreamCount};

    use super::*;

    fn load(epoch: u64, streams: &[(&str, u64)]) -> LoadRecord {
        let count = |rows: u64| StreamCount {
            rows_read: rows,
            ..StreamCount::default()
        };
        LoadRecord {
            load_id: format!("20261120T205407.000000-{epoch}-0"),
            connection: ConnectionName::new("c"),
            sequence: epoch,
            started_at: DateTime::UNIX_EPOCH,
            committed_at: DateTime::UNIX_EPOCH,
            streams: streams
                .iter()
                .map(|(name, rows)| (StreamName::plain(*name), count(*rows)))
                .collect(),
            from_cursor: Value::Null,
            to_cursor: Value::Null,
        }
    }

    fn says(whole: Option<Option<u64>>, loads: &[LoadRecord]) -> Option<String> {
        missing_rows(&StreamName::plain("s"), whole, loads)
    }

    #[test]
    fn a_whole_reading_without_rows_is_told_where_there_were_some() {
        assert_eq!(says(Some(None), &[]), None);
        assert_eq!(says(Some(Some(0)), &[load(1, &[("other", 5)])]), None);
        assert!(says(Some(Some(7)), &[]).is_some_and(|text| text.contains("about 7")));
        let before = [load(2, &[]), load(1, &[("s", 5)])];
        assert!(says(Some(Some(0)), &before).is_some_and(|text| text.contains("1970-01-01")));
    }

    #[test]
    fn a_stream_that_always_had_rows_is_missed() {
        let always = [
            load(4, &[("s", 1)]),
            load(3, &[("s", 9)]),
            load(2, &[("s", 2)]),
        ];
        assert!(says(None, &always).is_some_and(|text| text.contains("last 3 runs")));
        // Two loads of one run are one run.
        let few = [
            load(4, &[("s", 1)]),
            load(4, &[("s", 9)]),
            load(2, &[("s", 2)]),
        ];
        assert_eq!(says(None, &few), None);
        let parts = [
            load(4, &[]),
            load(4, &[("s", 9)]),
            load(3, &[("s", 2)]),
            load(2, &[("s", 2)]),
        ];
        assert!(says(None, &parts).is_some());
        let idle = [
            load(5, &[]),
            load(4, &[("s", 1)]),
            load(3, &[("s", 9)]),
            load(2, &[("s", 2)]),
        ];
        assert!(
            says(None, &idle).is_some(),
            "a load of cursors alone says nothing"
        );
        let seldom = [
            load(4, &[("s", 1)]),
            load(3, &[("other", 9)]),
            load(2, &[("s", 2)]),
        ];
        assert_eq!(says(None, &seldom), None);
    }
}
