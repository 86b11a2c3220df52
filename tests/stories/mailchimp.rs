//! Mailchimp, read into DuckDB: everything once, then what changed, then nothing; members who come and
//! go, readers who move to other pages, campaigns that nobody touched, keys and data centres.

use serde_json::{Value, json};
use tributary_testkit::api::clock::{DAY, HOUR, format};
use tributary_testkit::api::conformance::Runs;
use tributary_testkit::api::faults::{Fault, When};
use tributary_testkit::api::limits::Limit;
use tributary_testkit::api::mailchimp::Mailchimp;
use tributary_testkit::api::simulator::Vendor;

use crate::world::{ask, number};

/// An account that `change` fills, and the program that reads it.
fn start(change: impl FnOnce(&mut Mailchimp, i64)) -> Runs<Mailchimp> {
    let now = tributary_testkit::api::clock::Clock::default().now();
    let mut account = Mailchimp::new(11);
    change(&mut account, now);
    Runs::new(env!("CARGO_BIN_EXE_tributary"), account)
}

/// The same, reading these streams only.
fn reading(streams: &[&str], change: impl FnOnce(&mut Mailchimp, i64)) -> Runs<Mailchimp> {
    start(change).connection(&json!({ "select": streams }))
}

async fn written(runs: &Runs<Mailchimp>) -> u64 {
    let sync = runs
        .run(&["sync", "--output", "json"])
        .await
        .exits(0)
        .json();
    let streams = sync["connections"][0]["streams"].as_array().unwrap().iter();
    let written = streams.map(|stream: &Value| stream["records_written"].as_u64().unwrap());
    written.sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_arrives_once() {
    let runs = start(|account, now| account.populate(3, now));
    runs.sync().await;
    runs.assert_true("after the first sync");
    assert_eq!(written(&runs).await, 0, "nothing is new");
    runs.assert_true("after a sync with nothing new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_week_of_changes_arrives_day_by_day() {
    let runs = start(|account, now| account.populate(3, now));
    runs.simulator
        .with(|account, _| account.slow_above = Some(5));
    runs.sync().await;
    for day in 1..=7 {
        runs.simulator
            .with(|account, now| account.live(60, now + 1, now + 20 * HOUR));
        runs.simulator.clock().advance(DAY);
        runs.sync().await;
        let moving = [
            "campaigns",
            "email_activity",
            "list_members",
            "member_tags",
            "reports",
            "segments",
        ];
        runs.assert_streams(&moving, &format!("on day {day}"));
    }
    runs.assert_true("at the end of the week");
}

/// A list does not show who was archived, and shows them again once they are back.
#[tokio::test(flavor = "multi_thread")]
async fn members_leave_and_come_back() {
    let runs = reading(&["list_members"], |account, now| {
        account.fill("lists", 1, now - 9 * DAY, now - 8 * DAY);
        account.fill("list_members", 5, now - 8 * DAY, now - DAY);
    });
    runs.sync().await;
    let member = runs
        .simulator
        .with(|account, _| account.ids("list_members")[0].clone());
    let deleted = "SELECT count(*) FROM api.list_members WHERE _tributary_deleted";
    for (status, expected) in [("archived", 1), ("subscribed", 0), ("archived", 1)] {
        runs.simulator
            .with(|account, now| account.set_status(&member, status, now));
        runs.settle();
        runs.sync().await;
        assert_eq!(number(&runs.file(), deleted), expected, "{status}");
        runs.assert_streams(&["list_members"], status);
    }
}

/// Who changes while pages are read moves to the end, and everyone behind moves up.
#[tokio::test(flavor = "multi_thread")]
async fn members_who_move_while_they_are_read_are_not_missed() {
    let runs = reading(&["list_members"], |account, now| {
        account.fill("lists", 1, now - 9 * DAY, now - 8 * DAY);
        account.fill("list_members", 40, now - 8 * DAY, now - DAY);
        account.slow_above = Some(5);
    });
    let mut turn = 0;
    // Not later than the reading begins, or else it is the next one that has to find them.
    let now = runs.simulator.clock().now();
    runs.simulator.before_each(move |account, request, _| {
        if request.path.ends_with("/members") {
            turn += 1;
            let ids = account.ids("list_members");
            let moved = &ids[turn * 7 % ids.len()];
            account.update("list_members", moved, now, json!({"full_name": "moved"}));
        }
    });
    runs.sync().await;
    runs.simulator.stand_still();
    assert_eq!(runs.count("list_members"), 40, "somebody was missed");
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&["list_members"], "once nobody moves");
}

/// Readers come in another order after each click.
#[tokio::test(flavor = "multi_thread")]
async fn what_readers_did_is_complete_though_they_move() {
    let runs = reading(&["email_activity"], |account, now| {
        account.fill("lists", 1, now - 9 * DAY, now - 8 * DAY);
        let campaign = account.send_campaign(30, now - 5 * DAY);
        for hour in 0..60 {
            let action = if hour % 2 == 0 { "open" } else { "click" };
            account.react(&campaign, action, now - 5 * DAY + hour * HOUR);
        }
        account.slow_above = Some(4);
    });
    let mut left = 3;
    runs.simulator.before_each(move |account, request, now| {
        if request.path.ends_with("/email-activity")
            && request.param("offset") > Some("0")
            && left > 0
        {
            left -= 1;
            let campaign = account.ids("reports")[0].clone();
            account.react(&campaign, "click", now - 7200);
        }
    });
    runs.sync().await;
    runs.simulator.stand_still();
    runs.settle();
    runs.sync().await;
    runs.assert_streams(&["email_activity"], "once nobody moves");
}

/// Campaigns whose readers did nothing since are not asked for.
#[tokio::test(flavor = "multi_thread")]
async fn only_campaigns_that_were_touched_are_read_again() {
    let runs = reading(&["email_activity"], |account, now| {
        account.fill("lists", 1, now - 9 * DAY, now - 8 * DAY);
        for day in 1..=6 {
            let campaign = account.send_campaign(3, now - day * DAY);
            account.react(&campaign, "open", now - day * DAY + 60);
        }
    });
    let asked = |runs: &Runs<Mailchimp>| {
        let of = runs
            .simulator
            .recorder()
            .of("/3.0/reports/*/email-activity")
            .len();
        runs.simulator.recorder().clear();
        of
    };
    runs.sync().await;
    assert_eq!(asked(&runs), 6);
    runs.sync().await;
    assert_eq!(asked(&runs), 0, "nobody did anything");
    runs.simulator.with(|account, now| {
        let campaign = account.ids("reports")[2].clone();
        account.react(&campaign, "click", now);
    });
    runs.settle();
    runs.sync().await;
    assert_eq!(asked(&runs), 1);
    runs.assert_streams(&["email_activity"], "after a click");
}

/// Two clicks of one second are on two links.
#[tokio::test(flavor = "multi_thread")]
async fn clicks_of_one_second_are_two_rows() {
    let runs = reading(&["email_activity"], |account, now| {
        account.fill("lists", 1, now - 9 * DAY, now - 8 * DAY);
        let campaign = account.send_campaign(1, now - 3 * DAY);
        (0..3).for_each(|_| account.react(&campaign, "click", now - 2 * DAY));
    });
    runs.sync().await;
    assert_eq!(runs.count("email_activity"), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_vanishes_from_a_list_is_deleted() {
    let runs = reading(&["campaigns", "templates"], |account, now| {
        account.populate(3, now)
    });
    runs.sync().await;
    let before = runs.count("campaigns");
    runs.simulator.with(|account, _| {
        let campaign = account.ids("campaigns")[0].clone();
        account.remove("campaigns", &campaign);
    });
    runs.sync().await;
    assert_eq!(runs.count("campaigns"), before - 1);
    let drafts = "SELECT count(*) FROM api.campaigns WHERE status = 'save' AND send_time IS NULL";
    assert!(number(&runs.file(), drafts) > 0, "an empty text is no time");
}

/// A segment counts those who are subscribed only, and lists all it is asked for.
#[tokio::test(flavor = "multi_thread")]
async fn members_of_a_segment_are_all_there_though_the_count_is_lower() {
    let runs = reading(&["segment_members"], |account, now| {
        account.fill("lists", 1, now - 9 * DAY, now - 8 * DAY);
        account.fill("segments", 1, now - 8 * DAY, now - 7 * DAY);
        account.fill("segment_members", 7, now - 7 * DAY, now - DAY);
        for (index, id) in account.ids("segment_members").into_iter().enumerate() {
            if index % 2 == 0 {
                account.update(
                    "segment_members",
                    &id,
                    now,
                    json!({"status": "unsubscribed"}),
                );
            }
        }
        account.slow_above = Some(3);
    });
    runs.sync().await;
    assert_eq!(runs.count("segment_members"), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_connections_at_once_are_never_reached() {
    let some = [
        "lists",
        "list_members",
        "campaigns",
        "reports",
        "tags",
        "segments",
    ];
    let runs = reading(&some, |account, now| account.populate(4, now));
    runs.simulator.limits().set(Mailchimp::limits());
    runs.sync().await;
    assert!(runs.simulator.recorder().peak() <= 4);
    runs.assert_streams(
        &["lists", "list_members", "campaigns", "reports"],
        "within the limit",
    );
}

/// Other programs of the account may leave it fewer than it begins with.
#[tokio::test(flavor = "multi_thread")]
async fn fewer_are_asked_at_once_where_some_are_refused() {
    let some = ["lists", "list_members", "member_tags", "campaigns"];
    let runs = reading(&some, |account, now| account.populate(4, now));
    let left = Limit::concurrent("simultaneous connections", 2);
    runs.simulator.limits().set(vec![left]);
    runs.sync().await;
    runs.assert_streams(&some, "with two at once");
}

/// A firewall refuses without JSON, and with a status that would mean something else.
#[tokio::test(flavor = "multi_thread")]
async fn a_firewall_is_waited_out() {
    let runs = reading(&["lists", "campaigns"], |account, now| {
        account.populate(3, now)
    });
    let faults = runs.simulator.faults();
    faults.add(When::first(2), Fault::Page(403, "Access Denied"));
    faults.add(When::nth(4), Fault::Page(429, "Too Many Requests"));
    runs.sync().await;
    assert!(faults.hits() > 0);
    runs.assert_streams(&["lists", "campaigns"], "behind a firewall");
}

/// A tag that was taken from a member is gone; those of the same member in another list stay.
#[tokio::test(flavor = "multi_thread")]
async fn tags_of_a_member_come_anew_with_it() {
    let some = ["list_members", "member_tags"];
    let runs = reading(&some, |account, now| {
        account.fill("lists", 2, now - 9 * DAY, now - 8 * DAY);
        account.fill("list_members", 4, now - 8 * DAY, now - DAY);
    });
    let member = runs
        .simulator
        .with(|account, _| account.ids("list_members")[0].clone());
    let tags = |tags: Value| {
        runs.simulator.with(|account, now| {
            account.update("list_members", &member, now, json!({ "tags": tags }));
        });
        runs.settle();
    };
    tags(json!([{"id": 1, "name": "vip"}, {"id": 2, "name": "new"}]));
    runs.sync().await;
    runs.assert_streams(&some, "with two tags");
    tags(json!([{"id": 2, "name": "old"}]));
    runs.sync().await;
    runs.assert_streams(&some, "with one of them");
    tags(json!([]));
    runs.sync().await;
    runs.assert_streams(&some, "without any");
    assert_eq!(runs.count("member_tags"), 3, "the others keep theirs");
}

/// What campaigns say is read for who asks for it, once a day.
#[tokio::test(flavor = "multi_thread")]
async fn the_content_of_campaigns_is_off_by_default() {
    let some = ["campaigns", "campaign_content", "campaign_feedback"];
    let runs = start(|account, now| account.populate(2, now));
    let asked = |runs: &Runs<Mailchimp>| runs.simulator.recorder().of("/3.0/campaigns/*").len();
    let runs = runs.source(&json!({"per_campaign": null, "per_member": null}));
    runs.sync().await;
    assert_eq!(asked(&runs), 0);
    let runs = runs.source(&json!({"per_campaign": true}));
    runs.sync().await;
    runs.assert_streams(&some, "asked for");
    let before = asked(&runs);
    runs.sync().await;
    assert_eq!(asked(&runs), before, "not twice a day");
    runs.simulator.with(|account, now| {
        let draft = account.ids("campaigns")[0].clone();
        let content = json!({"html": "<b>new</b>"});
        let of = account.ids("campaign_content");
        let of = of.into_iter().find(|id| id.starts_with(&draft)).unwrap();
        account.update("campaign_content", &of, now, content);
    });
    runs.simulator.clock().advance(DAY);
    runs.sync().await;
    runs.assert_streams(&some, "a day later");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_plan_lacks_is_left_out() {
    let some = ["lists", "automations", "conversations"];
    let runs = reading(&some, |account, now| {
        account.populate(2, now);
        (account.automations, account.inbox) = (false, false);
    });
    runs.sync().await.says("not available on your plan");
    runs.assert_streams(&["lists"], "beside what the plan lacks");
    let check = runs.run(&["check"]).await.exits(0);
    check.says("classic automations").says("the inbox");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_key_is_told_by_check_and_sync() {
    let runs = reading(&["lists"], |account, now| account.populate(1, now));
    let key = "0123456789abcdef0123456789abcdef-us6";
    let runs = runs.source(&json!({ "api_key": key }));
    runs.run(&["check"])
        .await
        .exits(1)
        .says("another data centre");
    let sync = runs.run(&["sync"]).await.exits(1).says("may be revoked");
    assert!(!sync.to_string().contains(key), "the key is shown");
}

/// The end of a key becomes a part of the address that the key is sent to.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_leads_elsewhere_is_a_mistake_in_the_file() {
    for key in ["0123456789abcdef", "0123456789abcdef-evil.example.org/"] {
        let runs = reading(&["lists"], |_, _| ()).source(&json!({ "api_key": key }));
        let validate = runs.run(&["validate"]).await.exits(2);
        let validate = validate.says("names no data centre");
        assert!(!validate.to_string().contains(key), "the key is shown");
    }
}

/// An OAuth token names no data centre, and a wrong one is refused with a success.
#[tokio::test(flavor = "multi_thread")]
async fn an_oauth_token_finds_its_data_center() {
    let runs = reading(&["lists", "campaigns"], |account, now| {
        account.populate(2, now)
    });
    let token = runs.simulator.with(|account, _| account.token());
    let runs = runs.source(&json!({"api_key": null, "access_token": token}));
    runs.run(&["check"]).await.exits(0);
    runs.sync().await;
    runs.assert_streams(&["lists", "campaigns"], "by OAuth");
    runs.simulator.with(|account, _| account.expire_tokens());
    let check = runs
        .run(&["check"])
        .await
        .exits(1)
        .says("does not take the `access_token`");
    assert!(!check.to_string().contains(&token), "the token is shown");
    runs.run(&["sync"])
        .await
        .exits(1)
        .says("expired or revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_date_leaves_older_members_out() {
    let runs = reading(&["list_members"], |account, now| {
        account.fill("lists", 1, now - 200 * DAY, now - 150 * DAY);
        account.fill("list_members", 10, now - 100 * DAY, now - DAY);
        for (index, id) in account.ids("list_members").into_iter().enumerate() {
            let at = now - 100 * DAY + i64::try_from(index).unwrap() * 10 * DAY;
            account.update("list_members", &id, at, json!({}));
        }
    });
    let now = runs.simulator.clock().now();
    let start = format(now - 45 * DAY, "%Y-%m-%d");
    let runs = runs.source(&json!({ "start_date": start }));
    runs.sync().await;
    assert_eq!(runs.count("list_members"), 4);
    let times = ask(
        &runs.file(),
        "SELECT typeof(last_changed) FROM api.list_members LIMIT 1",
    );
    assert_eq!(times, [[Some("TIMESTAMP WITH TIME ZONE".to_owned())]]);
}
