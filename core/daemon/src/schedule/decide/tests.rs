#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tributary_config::Cron;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    // Thursday, 2026-01-01T00:00:00Z.
    DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

fn every(count: u64) -> Schedule {
    Schedule::Every(seconds(count))
}

fn hourly() -> Schedule {
    Schedule::Cron(Cron::parse("0 * * * *").unwrap())
}

fn track(schedule: Schedule, streams: &[&str], last_start: Option<i64>) -> Track {
    Track {
        schedule,
        streams: streams.iter().map(|&name| name.to_owned()).collect(),
        last_start: last_start.map(at),
    }
}

fn facts(tracks: &[Track]) -> Facts<'_> {
    Facts {
        name: "shop",
        tracks,
        zone: Tz::UTC,
        windows: &[],
        born: at(0),
        paused: false,
        failure: None,
        complete_as_of: None,
        expected: Duration::ZERO,
    }
}

fn failed(when: i64, heals: Heals) -> Failure {
    Failure {
        at: at(when),
        in_a_row: 1,
        heals,
        tracks: vec![0],
    }
}

/// The tracks that run, or why none does.
fn outcome(facts: &Facts<'_>, now: i64) -> Result<(Vec<usize>, Trigger), Why> {
    match decide(facts, at(now)) {
        Decision::Run {
            tracks, trigger, ..
        } => Ok((tracks, trigger)),
        Decision::Wait { why, .. } => Err(why),
    }
}

#[test]
fn an_interval_counts_from_the_last_start() {
    let scheduled = Ok((vec![0], Trigger::Schedule));
    let fresh = [track(every(300), &[], None)];
    assert_eq!(outcome(&facts(&fresh), 0), scheduled);
    let ran = [track(every(300), &[], Some(10))];
    assert_eq!(outcome(&facts(&ran), 309), Err(Why::Schedule));
    // 15 seconds of jitter at most.
    assert_eq!(outcome(&facts(&ran), 325), scheduled);
}

#[test]
fn a_cron_waits_for_its_moment_and_misses_none() {
    let scheduled = Ok((vec![0], Trigger::Schedule));
    let fresh = [track(hourly(), &[], None)];
    assert_eq!(outcome(&facts(&fresh), 60), Err(Why::Schedule));
    assert_eq!(outcome(&facts(&fresh), 3630), scheduled);
    // Nothing ran for three hours and more: one run makes up for all of them.
    let away = [track(hourly(), &[], Some(-13_000))];
    assert_eq!(outcome(&facts(&away), 1), Ok((vec![0], Trigger::CatchUp)));
    let back = [track(hourly(), &[], Some(1))];
    assert_eq!(outcome(&facts(&back), 2), Err(Why::Schedule));
}

#[test]
fn what_was_noted_by_a_clock_that_was_ahead_holds_nothing_up() {
    const YEAR: i64 = 365 * 86_400;
    let scheduled = Ok((vec![0], Trigger::Schedule));
    for schedule in [every(300), Schedule::Fresh(seconds(300))] {
        let tracks = [track(schedule, &[], Some(YEAR))];
        let facts = Facts {
            complete_as_of: Some(at(YEAR)),
            ..facts(&tracks)
        };
        assert_eq!(outcome(&facts, 10), scheduled, "{tracks:?}");
    }
    let tracks = [track(hourly(), &[], Some(YEAR))];
    assert_eq!(outcome(&facts(&tracks), 3631), scheduled);
    let failure = failed(YEAR, Heals::ByItself(None));
    let failing = Facts {
        failure: Some(&failure),
        ..facts(&tracks)
    };
    assert_eq!(outcome(&failing, 10), Ok((vec![0], Trigger::Retry)));
    // A clock that was put back by seconds makes nothing run twice.
    let tracks = [track(every(300), &[], Some(12))];
    assert_eq!(outcome(&facts(&tracks), 10), Err(Why::Schedule));
}

#[test]
fn whoever_is_paused_or_manual_waits() {
    let manual = [track(Schedule::Manual, &[], None)];
    assert_eq!(outcome(&facts(&manual), 9), Err(Why::Manual));
    let tracks = [track(every(1), &[], None)];
    let paused = Facts {
        paused: true,
        ..facts(&tracks)
    };
    assert_eq!(decide(&paused, at(9)), wait(None, Why::Paused));
}

#[test]
fn what_fails_is_left_alone_and_then_retried() {
    let tracks = [track(hourly(), &[], Some(0))];
    let soon = failed(100, Heals::ByItself(None));
    let failing = Facts {
        failure: Some(&soon),
        ..facts(&tracks)
    };
    assert_eq!(outcome(&failing, 104), Err(Why::Backoff));
    assert_eq!(outcome(&failing, 107), Ok((vec![0], Trigger::Retry)));
    let person = failed(100, Heals::ByPerson);
    let stuck = Facts {
        failure: Some(&person),
        ..facts(&tracks)
    };
    assert_eq!(outcome(&stuck, 3600), Err(Why::Stuck));
    assert_eq!(outcome(&stuck, 3700), Ok((vec![0], Trigger::Retry)));
}

#[test]
fn what_runs_when_asked_is_not_retried() {
    let tracks = [track(Schedule::Manual, &[], Some(0))];
    let failure = failed(1, Heals::ByItself(None));
    let failing = Facts {
        failure: Some(&failure),
        ..facts(&tracks)
    };
    assert_eq!(decide(&failing, at(2)), wait(None, Why::Manual));
    let person = failed(1, Heals::ByPerson);
    let stuck = Facts {
        failure: Some(&person),
        ..facts(&tracks)
    };
    assert_eq!(decide(&stuck, at(9000)), wait(None, Why::Stuck));
}

#[test]
fn following_is_interrupted_for_streams_with_their_own_schedule() {
    let tracks = [
        track(Schedule::Continuous, &[], Some(0)),
        track(every(600), &["shop.slow"], Some(0)),
    ];
    let Decision::Run {
        tracks: chosen,
        length,
        stop_at,
        ..
    } = decide(&facts(&tracks), at(10))
    else {
        panic!("it follows");
    };
    assert_eq!((chosen, length), (vec![0], Length::Following));
    let stop_at = stop_at.unwrap();
    assert!((at(600)..=at(630)).contains(&stop_at), "{stop_at}");
    let due = decide(&facts(&tracks), stop_at);
    let Decision::Run {
        tracks: chosen,
        length,
        ..
    } = due
    else {
        panic!("{due:?}");
    };
    assert_eq!((chosen, length), (vec![1], Length::Once));
}

#[test]
fn windows_hold_runs_back_and_end_them() {
    let tracks = [track(Schedule::Continuous, &[], None)];
    let windows: Vec<Window> = serde_json::from_value(serde_json::json!(["01:00-02:00"])).unwrap();
    let facts = Facts {
        windows: &windows,
        ..facts(&tracks)
    };
    assert_eq!(decide(&facts, at(0)), wait(Some(at(3600)), Why::Window));
    let inside = decide(&facts, at(3600));
    let Decision::Run { stop_at, .. } = inside else {
        panic!("{inside:?}");
    };
    assert_eq!(stop_at, Some(at(7200)));
}

#[test]
fn an_objective_is_met_with_runs_of_the_length_seen() {
    let tracks = [track(Schedule::Fresh(seconds(600)), &[], Some(0))];
    let fresh = |expected| Facts {
        complete_as_of: Some(at(0)),
        expected: seconds(expected),
        ..facts(&tracks)
    };
    // Runs take 100 seconds: with 150 for one and 60 in reserve it begins at 390.
    assert_eq!(outcome(&fresh(100), 389), Err(Why::Schedule));
    assert!(outcome(&fresh(100), 390).is_ok());
    // Runs take longer than the objective: still they have pauses between them.
    assert_eq!(outcome(&fresh(1000), 1059), Err(Why::Schedule));
    assert!(outcome(&fresh(1000), 1060).is_ok());
}

fn schedules() -> impl Strategy<Value = Schedule> {
    prop_oneof![
        Just(Schedule::Manual),
        Just(Schedule::Continuous),
        (1u64..100_000).prop_map(every),
        (1u64..100_000).prop_map(|count| Schedule::Fresh(seconds(count))),
        Just(hourly()),
    ]
}

proptest! {
    /// Waiting as long as is said leads to another decision: no connection waits for ever by
    /// mistake, or asks again and again without a reason.
    #[test]
    fn a_wait_ends_when_it_says(
        schedule in schedules(),
        own in schedules(),
        last in prop::option::of(-100_000i64..0),
        failure in prop::option::of((0i64..1000, any::<bool>())),
        now in 0i64..100_000,
    ) {
        let tracks = [track(schedule, &[], last), track(own, &["a"], last)];
        let failure = failure.map(|(when, alone)| {
            failed(when, if alone { Heals::ByItself(None) } else { Heals::ByPerson })
        });
        let facts = Facts {
            failure: failure.as_ref(),
            complete_as_of: last.map(at),
            ..facts(&tracks)
        };
        match decide(&facts, at(now)) {
            Decision::Wait { until: Some(until), .. } => {
                prop_assert!(until > at(now));
                let then = decide(&facts, until);
                let again = matches!(then, Decision::Wait { until: Some(next), .. } if next <= until);
                prop_assert!(!again, "{then:?}");
            }
            Decision::Wait { until: None, why } => {
                prop_assert!(!facts.has_schedule(), "{why:?}");
            }
            Decision::Run { tracks: chosen, stop_at, .. } => {
                prop_assert!(!chosen.is_empty());
                prop_assert!(stop_at.is_none_or(|stop| stop > at(now)));
            }
        }
    }
}
