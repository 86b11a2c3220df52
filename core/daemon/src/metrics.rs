//! What Prometheus asks for, in its text format (version 0.0.4).
//!
//! Counters are kept here; gauges that follow from the board are computed when they are asked for.
//! A name is announced even while it has no series, so that a dashboard finds it.
//!
//! Deliberately absent: labels beyond those of the families below. Names of connections and streams
//! come from the configuration and the source's tables, and are bounded by them.

mod gauges;
mod text;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tributary_model::{LogStanding, Meter, now};

use crate::board::Board;
use crate::view::{ConnectionView, LogView};
use text::{Kind, Text};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counter {
    RecordsRead,
    RecordsWritten,
    RecordsRejected,
    BytesRead,
    SyncFailures,
    HttpRequests,
    RateLimitWait,
}

const COUNTERS: [(Counter, &str, &str); 7] = [
    (
        Counter::RecordsRead,
        "tributary_records_read_total",
        "Records that the source has sent.",
    ),
    (
        Counter::RecordsWritten,
        "tributary_records_written_total",
        "Records that are in the destination; moves only after a commit.",
    ),
    (
        Counter::RecordsRejected,
        "tributary_records_rejected_total",
        "Records in _tributary.rejected; moves only after a commit.",
    ),
    (
        Counter::BytesRead,
        "tributary_bytes_read_total",
        "Size of the records in memory, bytes.",
    ),
    (
        Counter::SyncFailures,
        "tributary_sync_failures_total",
        "Runs that failed, wholly or for some streams.",
    ),
    (
        Counter::HttpRequests,
        "tributary_http_requests_total",
        "Requests to the API of a source, by the status of the answer; `none` where there was none.",
    ),
    (
        Counter::RateLimitWait,
        "tributary_rate_limit_wait_seconds_total",
        "Seconds waited to keep the limits of a source's API.",
    ),
];

/// The upper ends of the buckets for the length of runs, seconds.
const LENGTHS: [f64; 12] = [
    0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 10_800.0, 43_200.0,
];

/// The labels of a series, as they are written: `connection="shop",stream="shop.orders"`.
type Labels = String;

#[derive(Debug, Default)]
struct Lengths {
    buckets: [u64; LENGTHS.len()],
    count: u64,
    sum: f64,
}

#[derive(Debug, Default)]
struct Series {
    counters: BTreeMap<Counter, BTreeMap<Labels, f64>>,
    lengths: BTreeMap<Labels, Lengths>,
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics(Mutex<Series>);

impl Metrics {
    fn series(&self) -> MutexGuard<'_, Series> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts; zero makes the series known.
    pub(crate) fn add(&self, counter: Counter, labels: &[(&str, &str)], by: f64) {
        let mut series = self.series();
        let of = series.counters.entry(counter).or_default();
        *of.entry(text::labels(labels)).or_default() += by;
    }

    /// Notes the length of a run.
    pub(crate) fn length(&self, connection: &str, length: Duration) {
        let mut series = self.series();
        let labels = text::labels(&[("connection", connection)]);
        let of = series.lengths.entry(labels).or_default();
        let seconds = length.as_secs_f64();
        of.count += 1;
        of.sum += seconds;
        for (count, end) in of.buckets.iter_mut().zip(LENGTHS) {
            *count += u64::from(seconds <= end);
        }
    }

    /// Makes a stream's series known.
    pub(crate) fn know_stream(&self, connection: &str, stream: &str) {
        let labels = [("connection", connection), ("stream", stream)];
        for counter in [
            Counter::RecordsRead,
            Counter::RecordsWritten,
            Counter::RecordsRejected,
            Counter::BytesRead,
        ] {
            self.add(counter, &labels, 0.0);
        }
    }

    /// Makes a connection's series known.
    pub(crate) fn know(&self, connection: &str) {
        self.add(Counter::SyncFailures, &[("connection", connection)], 0.0);
    }

    /// Forgets a connection that is no longer configured.
    pub(crate) fn forget(&self, connection: &str) {
        let own = text::labels(&[("connection", connection)]);
        let is_own = |labels: &str| labels == own || labels.starts_with(&format!("{own},"));
        let mut series = self.series();
        for of in series.counters.values_mut() {
            of.retain(|labels, _| !is_own(labels));
        }
        series.lengths.retain(|labels, _| !is_own(labels));
    }

    /// Everything as text.
    pub(crate) fn render(&self, views: &[ConnectionView], now: DateTime<Utc>) -> String {
        let mut text = Text::default();
        let series = self.series();
        for (counter, name, help) in COUNTERS {
            text.family(name, help, Kind::Counter);
            for (labels, value) in series.counters.get(&counter).into_iter().flatten() {
                text.sample(name, labels, *value);
            }
        }
        lengths(&mut text, &series.lengths);
        drop(series);
        gauges::write(&mut text, views, now);
        text.family(
            "tributary_build_info",
            "1, with the version of the program.",
            Kind::Gauge,
        );
        let version = text::labels(&[("version", env!("CARGO_PKG_VERSION"))]);
        text.sample("tributary_build_info", &version, 1.0);
        text.finish()
    }
}

fn lengths(text: &mut Text, lengths: &BTreeMap<Labels, Lengths>) {
    const NAME: &str = "tributary_sync_duration_seconds";
    text.family(NAME, "Length of runs that have ended.", Kind::Histogram);
    for (labels, of) in lengths {
        for (count, end) in of.buckets.iter().zip(LENGTHS) {
            let labels = format!("{labels},le=\"{end}\"");
            text.sample(&format!("{NAME}_bucket"), &labels, *count as f64);
        }
        let rest = format!("{labels},le=\"+Inf\"");
        text.sample(&format!("{NAME}_bucket"), &rest, of.count as f64);
        text.sample(&format!("{NAME}_sum"), labels, of.sum);
        text.sample(&format!("{NAME}_count"), labels, of.count as f64);
    }
}

/// Counts for one connection.
#[derive(Debug)]
pub(crate) struct ConnectionMeter {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) board: Arc<Board>,
    pub(crate) connection: String,
}

impl Meter for ConnectionMeter {
    fn request(&self, status: Option<u16>) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        let labels = [
            ("connection", self.connection.as_str()),
            ("status", &status),
        ];
        self.metrics.add(Counter::HttpRequests, &labels, 1.0);
    }

    fn waited(&self, time: Duration) {
        let labels = [("connection", self.connection.as_str())];
        self.metrics
            .add(Counter::RateLimitWait, &labels, time.as_secs_f64());
    }

    fn standing(&self, standing: LogStanding) {
        let log = LogView {
            behind_bytes: standing.behind_bytes,
            headroom_bytes: standing.headroom_bytes,
            headroom_seconds: standing.headroom_seconds,
            at: now(),
        };
        self.board
            .update(&self.connection, |view| view.log = Some(log));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_family_is_announced_and_series_add_up() {
        let metrics = Metrics::default();
        metrics.know("a");
        metrics.know_stream("a", "shop.\"odd\"\n");
        let labels = [("connection", "a"), ("stream", "shop.\"odd\"\n")];
        metrics.add(Counter::RecordsWritten, &labels, 2.0);
        metrics.add(Counter::RecordsWritten, &labels, 3.0);
        metrics.length("a", Duration::from_millis(300));
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let text = metrics.render(&[], now);
        for line in [
            "# TYPE tributary_http_requests_total counter",
            "# TYPE tributary_source_lag_seconds gauge",
            "# TYPE tributary_sync_duration_seconds histogram",
            "tributary_records_written_total{connection=\"a\",stream=\"shop.\\\"odd\\\"\\n\"} 5",
            "tributary_records_rejected_total{connection=\"a\",stream=\"shop.\\\"odd\\\"\\n\"} 0",
            "tributary_sync_failures_total{connection=\"a\"} 0",
            "tributary_sync_duration_seconds_bucket{connection=\"a\",le=\"0.1\"} 0",
            "tributary_sync_duration_seconds_bucket{connection=\"a\",le=\"0.5\"} 1",
            "tributary_sync_duration_seconds_bucket{connection=\"a\",le=\"+Inf\"} 1",
            "tributary_sync_duration_seconds_sum{connection=\"a\"} 0.3",
        ] {
            assert!(text.lines().any(|known| known == line), "{line}\n{text}");
        }
        metrics.forget("a");
        assert!(!metrics.render(&[], now).contains("connection=\"a\""));
    }
}
