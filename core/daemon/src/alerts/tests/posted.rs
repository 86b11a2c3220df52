//! What webhooks get, through their faults and ours.

use std::sync::Arc;

use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tributary_config::{AlertFormat, AlertPlan};
use tributary_model::{Secret, now};
use tributary_rest::Hook;

use super::kept::Kept;
use super::receiver::{Answer, Receiver};
use super::{error, load, run, target, view};
use crate::alerts::deliver::deliver;
use crate::alerts::{Alerts, Outbox, Remembered, Waiting, run as run_alerts, shape, sign};
use crate::{Board, Bus, Notice};

/// A daemon, as far as alerts go.
struct Daemon {
    board: Arc<Board>,
    bus: Bus,
    kept: Arc<Kept>,
    targets: watch::Sender<Arc<Vec<AlertPlan>>>,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Daemon {
    fn start(kept: &Arc<Kept>, targets: Vec<AlertPlan>) -> Self {
        let board = Arc::new(Board::default());
        board.put(view(&json!({})));
        let bus = Bus::default();
        let (targets, of_targets) = watch::channel(Arc::new(targets));
        let (stop, stopping) = watch::channel(false);
        let alerts = Alerts {
            board: board.clone(),
            bus: bus.clone(),
            outbox: kept.clone(),
            targets: of_targets,
            stopping,
        };
        let task = tokio::spawn(async move { run_alerts(alerts).await.unwrap() });
        Self {
            board,
            bus,
            kept: kept.clone(),
            targets,
            stop,
            task,
        }
    }

    /// Waits until the webhooks know of the connection: what happens from now on is told.
    async fn ready(&self) {
        while self.kept.remembered().await.is_ok_and(|all| all.is_empty()) {
            assert!(!self.task.is_finished(), "it ended");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    /// Waits until every webhook said yes to what waited for it.
    async fn posted(&self) {
        while !self.kept.waiting().is_empty() {
            assert!(!self.task.is_finished(), "it ended");
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    fn change(&self, changes: &serde_json::Value) {
        self.board.put(view(changes));
        self.bus.tell(Notice::Changed {
            connection: "shop".into(),
        });
    }

    /// Ends it without a word, as `kill -9` does.
    async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

fn failed_now() -> serde_json::Value {
    let mut failed = run(0, "failed");
    failed["ended_at"] = json!(now());
    json!({"runs": [failed], "loads": [load(-60, 0)]})
}

fn waiting(id: &str, target: &str) -> Waiting {
    Waiting {
        id: id.to_owned(),
        target: target.to_owned(),
        body: json!({"id": id}).to_string(),
        queued_at: now(),
        due_at: now(),
        tries: 0,
    }
}

async fn put(kept: &Kept, alerts: &[Waiting]) {
    let remembered = Remembered {
        target: "ops".to_owned(),
        connection: "shop".to_owned(),
        memory: "{}".to_owned(),
    };
    kept.put(&remembered, alerts).await.unwrap();
}

#[tokio::test]
async fn a_failure_reaches_the_webhook_with_its_id_and_a_signature() {
    let receiver = Receiver::with(&[]).await;
    let signed = AlertPlan {
        secret: Some(Secret::new("pepper")),
        ..target("ops", &receiver.address)
    };
    let daemon = Daemon::start(&Arc::new(Kept::default()), vec![signed]);
    daemon.ready().await;
    daemon.change(&failed_now());
    let got = &receiver.wait(1).await[0];
    let alert = got.json();
    assert_eq!(alert["event"], "failed");
    assert_eq!(alert["connection"], "shop");
    assert_eq!(
        alert["summary"],
        "shop failed: the server refused the password"
    );
    assert_eq!(alert["error"]["fix"], "Set SHOP_PASSWORD");
    assert_eq!(got.header("tributary-alert-id"), alert["id"]);
    assert_eq!(got.header("content-type"), "application/json");
    // The receiver computes the same from what it got.
    let signature = got.header("tributary-signature");
    let moment = signature.split([',', '=']).nth(1).unwrap();
    let moment = chrono::DateTime::from_timestamp(moment.parse().unwrap(), 0).unwrap();
    let expected = sign::signature(&Secret::new("pepper"), moment, &got.body);
    assert_eq!(signature, expected);
    // It leaves the outbox once the answer arrived: a stop before that has it posted again.
    daemon.posted().await;
    daemon.stop.send(true).unwrap();
    daemon.task.await.unwrap();
}

#[tokio::test]
async fn a_daemon_that_is_killed_before_the_answer_posts_it_again_under_the_same_id() {
    let receiver = Receiver::with(&[Answer::Silence]).await;
    let kept = Arc::new(Kept::default());
    let targets = vec![target("ops", &receiver.address)];
    let daemon = Daemon::start(&kept, targets.clone());
    daemon.ready().await;
    daemon.change(&failed_now());
    let first = receiver.wait(1).await[0].clone();
    daemon.kill().await;
    assert_eq!(kept.waiting().len(), 1);

    let next = Daemon::start(&kept, targets);
    let got = receiver.wait(2).await;
    assert_eq!(got[1].body, first.body);
    // The same failure, seen by the next one, is not another alert.
    next.change(&failed_now());
    next.change(&json!({"state": "stuck", "error": error("the same", 0)}));
    let mut well = run(0, "succeeded");
    well["ended_at"] = json!(now());
    next.change(&json!({"runs": [well]}));
    let got = receiver.wait(3).await;
    assert_eq!(got[2].json()["event"], "recovered");
    assert_eq!(receiver.got().len(), 3);
}

#[tokio::test]
async fn faults_of_the_webhook_are_outlasted() {
    let faults = [
        Answer::Status(500),
        Answer::Lost,
        Answer::Wait(7),
        Answer::Status(403),
        Answer::Elsewhere,
    ];
    let receiver = Receiver::with(&faults).await;
    let targets = [target("ops", &receiver.address)];
    let kept = Kept::default();
    put(&kept, &[waiting("a", "ops"), waiting("b", "ops")]).await;
    let hook = Hook::new().unwrap();
    for tried in 1..=faults.len() {
        let next = deliver(&hook, &kept, &targets).await.unwrap().unwrap();
        assert!(next > now(), "it waits before it tries again");
        let left = kept.waiting();
        assert_eq!(left.len(), 2, "nothing is lost");
        assert_eq!(left[0].tries as usize, tried);
        assert_eq!(left[1].tries, 0, "the other keeps its turn");
        assert!(left[1].due_at >= left[0].due_at, "and does not overtake it");
        assert_eq!(receiver.got().len(), tried, "one request, no redirect");
        kept.later(now());
    }
    assert_eq!(deliver(&hook, &kept, &targets).await.unwrap(), None);
    let ids: Vec<String> = receiver
        .wait(faults.len() + 2)
        .await
        .iter()
        .map(|got| got.header("tributary-alert-id").to_owned())
        .collect();
    assert_eq!(ids[faults.len()..], ["a", "b"]);
}

#[tokio::test]
async fn an_alert_that_is_refused_for_good_does_not_hold_up_the_others() {
    let receiver = Receiver::with(&[Answer::Status(400)]).await;
    let kept = Kept::default();
    put(&kept, &[waiting("a", "ops"), waiting("b", "ops")]).await;
    let targets = [target("ops", &receiver.address)];
    deliver(&Hook::new().unwrap(), &kept, &targets)
        .await
        .unwrap();
    assert!(kept.waiting().is_empty());
    assert_eq!(receiver.got().len(), 2);
}

#[tokio::test]
async fn a_webhook_that_is_away_does_not_hold_up_another() {
    let receiver = Receiver::with(&[]).await;
    let kept = Kept::default();
    put(&kept, &[waiting("a", "away"), waiting("b", "ops")]).await;
    // A port that nobody listens at.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}/secret-path", listener.local_addr().unwrap());
    drop(listener);
    let targets = [target("away", &away), target("ops", &receiver.address)];
    deliver(&Hook::new().unwrap(), &kept, &targets)
        .await
        .unwrap();
    assert_eq!(receiver.wait(1).await.len(), 1);
    let left: Vec<String> = kept.waiting().into_iter().map(|left| left.target).collect();
    assert_eq!(left, ["away"]);
}

#[tokio::test]
async fn what_is_said_about_a_webhook_does_not_hold_its_address() {
    let receiver = Receiver::with(&[Answer::Status(500), Answer::Lost]).await;
    let hook = Hook::new().unwrap();
    for address in [
        &receiver.address,
        &receiver.address,
        "http://127.0.0.1:9/secret-path",
        "secret-path",
    ] {
        let sent = hook.post(&Secret::new(address), &[], "{}".to_owned()).await;
        let said = sent.unwrap_err().to_string();
        assert!(!said.contains("secret-path"), "{said}");
    }
}

#[tokio::test]
async fn a_store_that_fails_delays_alerts_and_loses_none() {
    let receiver = Receiver::with(&[]).await;
    let kept = Arc::new(Kept::default());
    let daemon = Daemon::start(&kept, vec![target("ops", &receiver.address)]);
    daemon.ready().await;
    kept.fail(2);
    daemon.change(&failed_now());
    while kept.waiting().is_empty() && receiver.got().is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(receiver.wait(1).await[0].json()["event"], "failed");
    daemon.kill().await;
}

#[tokio::test]
async fn a_webhook_that_leaves_the_configuration_is_forgotten() {
    let receiver = Receiver::with(&[]).await;
    let kept = Arc::new(Kept::default());
    put(&kept, &[waiting("old", "gone")]).await;
    let daemon = Daemon::start(&kept, vec![target("ops", &receiver.address)]);
    daemon.ready().await;
    while kept
        .waiting()
        .iter()
        .any(|waiting| waiting.target == "gone")
    {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    // And a new one hears of what happens from now on.
    let other = Receiver::with(&[]).await;
    let both = vec![
        target("ops", &receiver.address),
        target("more", &other.address),
    ];
    daemon.targets.send(Arc::new(both)).unwrap();
    daemon.change(&failed_now());
    assert_eq!(receiver.wait(1).await[0].json()["event"], "failed");
    daemon.kill().await;
}

#[test]
fn slack_gets_text_that_mentions_nobody() {
    let mut memory = crate::alerts::watch::Memory::new(super::noon(0));
    let seen =
        view(&json!({"state": "stuck", "error": error("<!channel> & <https://evil|here>", 1)}));
    let alerts = crate::alerts::watch::look(&target("ops", ""), &seen, &mut memory, super::noon(2));
    let body = shape::body(AlertFormat::Slack, &alerts[0]);
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        body["text"],
        ":red_circle: shop failed: &lt;!channel&gt; &amp; &lt;https://evil|here&gt;"
    );
    let text = body["blocks"][0]["text"]["text"].as_str().unwrap();
    assert!(
        text.contains("*Because* ERROR 1045\n*Try* Set SHOP_PASSWORD"),
        "{text}"
    );
    let told = body["blocks"][1]["elements"][0]["text"].as_str().unwrap();
    assert!(told.ends_with(&alerts[0].id), "{told}");
}
