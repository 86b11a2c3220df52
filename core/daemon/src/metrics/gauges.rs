//! Gauges: what a connection's view says at the moment it is asked.

use chrono::{DateTime, Utc};

use super::text::{self, Kind, Text};
use crate::view::{ConnectionView, LogView, StreamView};

/// A value, and the stream that it is of.
type Reading<'v> = (Option<&'v str>, f64);

/// A family of gauges.
struct Gauge {
    name: &'static str,
    help: &'static str,
    read: fn(&ConnectionView, DateTime<Utc>) -> Vec<Reading<'_>>,
}

const GAUGES: [Gauge; 7] = [
    Gauge {
        name: "tributary_source_lag_seconds",
        help: "How far the destination is behind its source: seconds since the last moment as of which it is complete.",
        read: lag,
    },
    Gauge {
        name: "tributary_source_lag_bytes",
        help: "What is still to be read of the source's log, bytes.",
        read: |view, _| of_log(view, |log| Some(log.behind_bytes as f64)),
    },
    Gauge {
        name: "tributary_source_log_headroom_bytes",
        help: "What the source would have to delete of its log before it comes to where it is read, bytes.",
        read: |view, _| of_log(view, |log| Some(log.headroom_bytes as f64)),
    },
    Gauge {
        name: "tributary_source_log_headroom_seconds",
        help: "How long until the source deletes what is read next of its log, seconds.",
        read: |view, _| of_log(view, |log| log.headroom_seconds),
    },
    Gauge {
        name: "tributary_last_commit_timestamp_seconds",
        help: "When rows of the stream last committed, seconds since 1970.",
        read: |view, _| of_streams(view, committed),
    },
    Gauge {
        name: "tributary_snapshot_rows_done",
        help: "Rows that the first copy of the stream has read.",
        read: |view, _| {
            of_streams(view, |stream| {
                stream.snapshot_rows_done.map(|rows| rows as f64)
            })
        },
    },
    Gauge {
        name: "tributary_snapshot_rows_estimate",
        help: "Rows that the source thinks the stream has.",
        read: |view, _| {
            of_streams(view, |stream| {
                stream.snapshot_rows_estimate.map(|rows| rows as f64)
            })
        },
    },
];

/// Writes all of them; what can't be measured is left out.
pub(super) fn write(text: &mut Text, views: &[ConnectionView], now: DateTime<Utc>) {
    for gauge in &GAUGES {
        text.family(gauge.name, gauge.help, Kind::Gauge);
        for view in views {
            for (stream, value) in (gauge.read)(view, now) {
                let mut labels = vec![("connection", view.connection.as_str())];
                labels.extend(stream.map(|stream| ("stream", stream)));
                text.sample(gauge.name, &text::labels(&labels), value);
            }
        }
    }
}

fn lag(view: &ConnectionView, now: DateTime<Utc>) -> Vec<Reading<'_>> {
    let lag = view.complete_as_of.map(|at| (now - at).as_seconds_f64());
    lag.map(|lag| (None, lag.max(0.0))).into_iter().collect()
}

fn committed(stream: &StreamView) -> Option<f64> {
    let at = stream.last_commit_at?;
    Some(at.timestamp_millis() as f64 / 1e3)
}

fn of_log(view: &ConnectionView, read: impl Fn(&LogView) -> Option<f64>) -> Vec<Reading<'_>> {
    let value = view.log.as_ref().and_then(read);
    value.map(|value| (None, value)).into_iter().collect()
}

fn of_streams(
    view: &ConnectionView,
    read: impl Fn(&StreamView) -> Option<f64>,
) -> Vec<Reading<'_>> {
    let streams = view.streams.iter();
    streams
        .filter_map(|stream| Some((Some(stream.stream.as_str()), read(stream)?)))
        .collect()
}
