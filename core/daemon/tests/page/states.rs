//! Connections in every state, as the board has them.

use chrono::{DateTime, TimeDelta, Utc};
use tributary_daemon::ConnectionView;
use tributary_daemon::view::{
    Actor, BUCKETS, ConnectionState, ErrorView, Freshness, LoadView, RunRecord, RunStatus,
    SchemaChange, Sparkline, StreamPhase, StreamView, Trigger,
};
use tributary_model::now;

/// What markup looks like that somebody put into a name.
pub const HOSTILE: &str =
    "\"><img src=x onerror=\"window.broken=1\"><script>window.broken=1</script>'&amp;";

fn ago(seconds: i64) -> DateTime<Utc> {
    now() - TimeDelta::seconds(seconds)
}

/// An idle connection that never ran.
pub fn fresh(name: &str) -> ConnectionView {
    ConnectionView {
        connection: name.to_owned(),
        source: name.to_owned(),
        source_type: "mysql".to_owned(),
        destination: "warehouse".to_owned(),
        destination_type: "duckdb".to_owned(),
        schedule: "every 5m".to_owned(),
        time_zone: "UTC".to_owned(),
        state: ConnectionState::Idle,
        reason: "Waits for its first run.".to_owned(),
        paused_at: None,
        next_run_at: Some(now() + TimeDelta::seconds(192)),
        run: None,
        last_run: None,
        last_success_at: None,
        failures_in_a_row: 0,
        complete_as_of: None,
        lag_seconds: None,
        freshness: None,
        last_commit_at: None,
        position: None,
        log: None,
        streams: Vec::new(),
        loads: Vec::new(),
        runs: Vec::new(),
        schema_changes: Vec::new(),
        error: None,
        rows: Sparkline::empty(now()),
    }
}

fn run(connection: &str, seconds: i64, status: RunStatus) -> RunRecord {
    RunRecord {
        id: format!("run-{seconds}"),
        connection: connection.to_owned(),
        trigger: Trigger::Schedule,
        streams: Vec::new(),
        started_at: ago(seconds + 4),
        ended_at: Some(ago(seconds)),
        status: Some(status),
        loads: 1,
        records_read: 1_204,
        records_written: 1_204,
        records_rejected: 0,
        bytes_read: 88_000,
        error: None,
    }
}

fn loads(seed: u64) -> Vec<LoadView> {
    (0..20u64)
        .map(|at| {
            let wave = (at * 7 + seed * 3) % 11;
            let committed_at = ago(i64::try_from(at).unwrap() * 300 + 130);
            LoadView {
                load_id: format!("01HZX8K3-{seed:04}-{at:02}"),
                started_at: committed_at - TimeDelta::seconds(3),
                committed_at,
                records: 900 + wave * 173,
                records_rejected: u64::from(at == 6 && seed.is_multiple_of(2)) * 3,
                duration_seconds: 1.1 + wave as f64 * 0.41,
            }
        })
        .collect()
}

/// Rows over a day as of a shop: little at night.
fn day(seed: u64) -> Sparkline {
    let mut rows = Sparkline::empty(now());
    for (at, bucket) in (0..).zip(rows.buckets.iter_mut()) {
        let hour = (at * 24 / BUCKETS as u64 + seed) % 24;
        let busy = 12u64.abs_diff(hour).min(12);
        *bucket = (13 - busy) * (13 - busy) * 40 + (at * 37 + seed * 11) % 400;
    }
    rows
}

fn stream(name: &str, phase: StreamPhase, written: u64) -> StreamView {
    StreamView {
        phase: Some(phase),
        position: Some("binlog.000042, byte 19,204,113 (transaction of 12:04:51)".to_owned()),
        records_written: written,
        last_commit_at: Some(ago(130)),
        ..StreamView::new(name)
    }
}

/// One that works.
pub fn fine(name: &str, seed: u64) -> ConnectionView {
    let last = run(name, 130, RunStatus::Succeeded);
    ConnectionView {
        reason: "Runs again on its schedule.".to_owned(),
        last_run: Some(last.clone()),
        last_success_at: Some(ago(130)),
        complete_as_of: Some(ago(134)),
        last_commit_at: Some(ago(130)),
        position: Some("binlog.000042, byte 19,204,113".to_owned()),
        streams: vec![
            stream("shop.customers", StreamPhase::Streaming, 20_412),
            stream("shop.orders", StreamPhase::Streaming, 1_204_551),
            stream("shop.order_lines", StreamPhase::Streaming, 4_887_120),
        ],
        loads: loads(seed),
        runs: (0..6)
            .map(|at| run(name, 130 + at * 300, RunStatus::Succeeded))
            .collect(),
        rows: day(seed),
        ..fresh(name)
    }
}

/// One whose credentials were refused.
pub fn stuck(name: &str) -> ConnectionView {
    let error = ErrorView {
        kind: "access".to_owned(),
        what: "connecting to db.internal:3306: the server refused the password".to_owned(),
        why: Some("ERROR 1045 (28000): Access denied for user 'reader'@'10.0.4.7'".to_owned()),
        fix: Some("Set SHOP_PASSWORD to the password of reader, or give the user a new one: ALTER USER 'reader' IDENTIFIED BY '…'".to_owned()),
        message: "all of it".to_owned(),
        who: Actor::Credentials,
        at: ago(840),
    };
    let last = RunRecord {
        error: Some(error.clone()),
        records_read: 0,
        records_written: 0,
        loads: 0,
        ..run(name, 840, RunStatus::Failed)
    };
    let mut runs = vec![last.clone()];
    runs.extend((0..4).map(|at| run(name, 1_140 + at * 300, RunStatus::Succeeded)));
    ConnectionView {
        state: ConnectionState::Stuck,
        reason: "Waits until somebody has given it rights again.".to_owned(),
        next_run_at: None,
        last_run: Some(last),
        runs,
        failures_in_a_row: 1,
        complete_as_of: Some(ago(1_144)),
        freshness: Some(Freshness {
            objective_seconds: 600,
            age_seconds: None,
            met: false,
        }),
        error: Some(error),
        ..fine(name, 4)
    }
}

/// One that is tried again by itself.
pub fn retrying(name: &str) -> ConnectionView {
    let error = ErrorView {
        kind: "unavailable".to_owned(),
        what: "asking api.stripe.com for /v1/events".to_owned(),
        why: Some("the connection was closed before the answer was complete".to_owned()),
        fix: None,
        message: "all of it".to_owned(),
        who: Actor::Nobody,
        at: ago(45),
    };
    ConnectionView {
        source_type: "stripe".to_owned(),
        destination: "lake".to_owned(),
        destination_type: "lake".to_owned(),
        schedule: "every 1h".to_owned(),
        state: ConnectionState::BackingOff,
        reason: "The third try in a row failed; the next is in a moment.".to_owned(),
        next_run_at: Some(now() + TimeDelta::seconds(75)),
        last_run: Some(RunRecord {
            error: Some(error.clone()),
            ..run(name, 45, RunStatus::Failed)
        }),
        failures_in_a_row: 3,
        error: Some(error),
        ..fine(name, 9)
    }
}

/// One in its first copy.
pub fn copying(name: &str) -> ConnectionView {
    let mut streams = vec![
        stream("shop.customers", StreamPhase::Streaming, 20_412),
        stream("shop.orders", StreamPhase::Snapshot, 730_000),
        stream("shop.order_lines", StreamPhase::Snapshot, 52_000),
        stream("shop.products", StreamPhase::Pending, 0),
    ];
    streams[1].snapshot_rows_done = Some(730_000);
    streams[1].snapshot_rows_estimate = Some(1_190_000);
    streams[2].snapshot_rows_done = Some(52_000);
    streams[3].last_commit_at = None;
    streams[3].position = None;
    let going = RunRecord {
        ended_at: None,
        status: None,
        started_at: ago(71),
        trigger: Trigger::Asked,
        loads: 7,
        records_read: 810_000,
        records_written: 802_412,
        ..run(name, 0, RunStatus::Succeeded)
    };
    let mut rows = Sparkline::empty(now());
    rows.add(now(), 802_412);
    ConnectionView {
        state: ConnectionState::Running,
        reason: "Copies tables that were not copied yet.".to_owned(),
        next_run_at: None,
        run: Some(going.clone()),
        last_run: None,
        complete_as_of: None,
        runs: vec![going],
        loads: loads(3)[..7].to_vec(),
        streams,
        rows,
        ..fine(name, 2)
    }
}

/// One that follows its log, with an objective, a failed stream, rejected rows and new columns.
pub fn following(name: &str) -> ConnectionView {
    let mut view = fine(name, 6);
    view.state = ConnectionState::Following;
    view.schedule = "continuous".to_owned();
    view.reason = "Follows the log.".to_owned();
    view.next_run_at = None;
    view.complete_as_of = Some(ago(2));
    view.freshness = Some(Freshness {
        objective_seconds: 600,
        age_seconds: None,
        met: true,
    });
    view.streams[1].records_rejected = 3;
    view.schema_changes = vec![
        SchemaChange {
            stream: "shop.orders".to_owned(),
            what: "column gift_note added (text)".to_owned(),
            at: ago(4_000),
        },
        SchemaChange {
            stream: "shop.customers".to_owned(),
            what: "column balance widened from int32 to int64".to_owned(),
            at: ago(90_000),
        },
    ];
    view
}

/// One in which a stream failed alone.
pub fn partial(name: &str) -> ConnectionView {
    let mut view = fine(name, 8);
    view.last_run = Some(run(name, 130, RunStatus::Partial));
    view.runs[0].status = Some(RunStatus::Partial);
    view.streams[2].error = Some(ErrorView {
        kind: "incompatible".to_owned(),
        what: "the key of shop.order_lines changed from (id) to (order_id, line)".to_owned(),
        why: None,
        fix: Some("Reset the stream: it is copied anew under its new key".to_owned()),
        message: "all of it".to_owned(),
        who: Actor::Source,
        at: ago(130),
    });
    view
}

pub fn paused(name: &str) -> ConnectionView {
    ConnectionView {
        state: ConnectionState::Paused,
        reason: "Paused by somebody; nothing runs until it is resumed.".to_owned(),
        paused_at: Some(ago(7_300)),
        next_run_at: None,
        complete_as_of: Some(ago(7_400)),
        ..fine(name, 1)
    }
}

/// One with markup in everything that comes from outside.
pub fn hostile(name: &str) -> ConnectionView {
    let mut view = partial(name);
    view.source = HOSTILE.to_owned();
    view.destination = HOSTILE.to_owned();
    view.schedule = HOSTILE.to_owned();
    view.reason = HOSTILE.to_owned();
    view.position = Some(HOSTILE.to_owned());
    view.streams = vec![stream(HOSTILE, StreamPhase::Streaming, 7)];
    view.streams[0].position = Some(HOSTILE.to_owned());
    view.streams[0].records_rejected = 2;
    let error = ErrorView {
        kind: "bug".to_owned(),
        what: HOSTILE.to_owned(),
        why: Some(HOSTILE.to_owned()),
        fix: Some(HOSTILE.to_owned()),
        message: HOSTILE.to_owned(),
        who: Actor::Tributary,
        at: ago(9),
    };
    view.streams[0].error = Some(error.clone());
    view.error = Some(error);
    view.schema_changes = vec![SchemaChange {
        stream: HOSTILE.to_owned(),
        what: HOSTILE.to_owned(),
        at: ago(60),
    }];
    view.loads[0].load_id = HOSTILE.to_owned();
    view
}

/// A bit of everything.
pub fn mixed() -> Vec<ConnectionView> {
    vec![
        retrying("billing"),
        following("shop"),
        copying("shop-archive"),
        stuck("legacy-crm"),
        fine("marketing", 3),
        partial("orders-eu"),
        paused("plans"),
        fresh("support"),
    ]
}

/// So many of them.
pub fn many(number: u64) -> Vec<ConnectionView> {
    (0..number)
        .map(|at| match at % 50 {
            7 => retrying(&format!("tenant-{at:04}")),
            13 => stuck(&format!("tenant-{at:04}")),
            21 => paused(&format!("tenant-{at:04}")),
            _ => fine(&format!("tenant-{at:04}"), at),
        })
        .collect()
}
