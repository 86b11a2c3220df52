#![allow(clippy::unwrap_used)]

use chrono::{DateTime, Utc};
use tributary_model::Vault;

use super::*;
use crate::alerts::{Outbox, Remembered, Waiting};
use crate::view::{RunRecord, RunStatus, Trigger};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_225_600 + seconds, 0).unwrap()
}

fn run(id: &str, started: i64) -> RunRecord {
    RunRecord {
        id: id.to_owned(),
        connection: "shop".to_owned(),
        trigger: Trigger::Schedule,
        streams: vec!["!shop.slow".to_owned()],
        started_at: at(started),
        ended_at: None,
        status: None,
        loads: 0,
        records_read: 0,
        records_written: 0,
        records_rejected: 0,
        bytes_read: 0,
        error: None,
    }
}

async fn in_memory() -> Store {
    Store::open(Place::Memory).await.unwrap()
}

async fn what_is_noted_is_remembered(store: &Store) {
    let begun = run("a", 1);
    store.run_started(&begun, &[String::new()]).await.unwrap();
    store.set_paused("shop", Some(at(5))).await.unwrap();
    store.set_paused("shop", Some(at(9))).await.unwrap();
    let history = store.histories().await.unwrap().remove("shop").unwrap();
    assert_eq!(history.paused_at, Some(at(5)));
    assert_eq!(history.last_starts[""], at(1));
    assert!(history.runs.is_empty(), "it has not ended");
    let ended = RunRecord {
        ended_at: Some(at(3)),
        status: Some(RunStatus::Succeeded),
        records_written: 7,
        ..begun
    };
    store.run_ended(&ended).await.unwrap();
    store.set_paused("shop", None).await.unwrap();
    let history = store.histories().await.unwrap().remove("shop").unwrap();
    assert_eq!((history.paused_at, history.runs), (None, vec![ended]));
}

#[tokio::test]
async fn history_is_bounded() {
    let store = in_memory().await;
    for number in 0..250 {
        let ended = RunRecord {
            status: Some(RunStatus::Failed),
            ..run(&number.to_string(), number)
        };
        store.run_ended(&ended).await.unwrap();
    }
    let count = sqlx::query_scalar::<_, i64>("SELECT COUNT(*) FROM tributary_runs");
    assert_eq!(count.fetch_one(&store.pool).await.unwrap(), 200);
    let shop = store.histories().await.unwrap().remove("shop").unwrap();
    assert_eq!((shop.runs.len(), shop.runs[0].id.as_str()), (20, "249"));
}

async fn an_alert_stays_until_it_has_left(store: &Store) {
    let waiting = |id: &str, target: &str| Waiting {
        id: id.to_owned(),
        target: target.to_owned(),
        body: "{}".to_owned(),
        queued_at: at(0),
        due_at: at(0),
        tries: 0,
    };
    let told = Remembered {
        target: "ops".to_owned(),
        connection: "shop".to_owned(),
        memory: "1".to_owned(),
    };
    let alerts = [waiting("1", "ops"), waiting("2", "ops")];
    store.put(&told, &alerts).await.unwrap();
    store.put(&told, &alerts).await.unwrap();
    assert_eq!(Outbox::remembered(store).await.unwrap(), [told]);
    assert_eq!(store.due("ops", at(0), 9).await.unwrap(), alerts);
    store.postpone(&alerts[0], at(60)).await.unwrap();
    assert!(store.due("ops", at(59), 9).await.unwrap().is_empty());
    assert_eq!(store.next_due().await.unwrap(), Some(at(60)));
    let due = store.due("ops", at(60), 9).await.unwrap();
    assert_eq!((due[0].tries, due[1].tries), (1, 0));
    store.done("1").await.unwrap();
    store.keep_only(&["ops".to_owned()]).await.unwrap();
    assert_eq!(store.due("ops", at(60), 9).await.unwrap().len(), 1);
    store.keep_only(&[]).await.unwrap();
    assert_eq!(store.next_due().await.unwrap(), None);
    assert!(Outbox::remembered(store).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_file_is_for_its_user_alone_and_for_one_leader() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b/control?.sqlite");
    let store = Store::open(Place::File(path.clone())).await.unwrap();
    store.ping().await.unwrap();
    store.run_ended(&run("a", 1)).await.unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = Store::open(Place::File(path)).await.unwrap();
    let lead = store.try_lead().await.unwrap();
    assert!(lead.is_some() && again.try_lead().await.unwrap().is_none());
    drop(lead);
    assert!(again.try_lead().await.unwrap().is_some());
}

#[tokio::test]
async fn a_store_that_cannot_be_used_says_what_helps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control.sqlite");
    std::fs::write(
        &path,
        "this is no database, but long enough to look like one",
    )
    .unwrap();
    let error = Store::open(Place::File(path)).await.unwrap_err();
    assert!(error.to_string().contains("daemon.store"), "{error}");
}

#[test]
fn a_password_is_never_shown() {
    let place = Place::read(&Secret::new(
        "postgres://me:hunter2@db:5432/control?sslmode=require",
    ));
    assert_eq!(place.to_string(), "postgres://db:5432/control");
    assert!(!format!("{place:?}").contains("hunter2"));
}

async fn secrets_replace_each_other(store: &Store) {
    let vault = store.vault();
    assert!(vault.get("zendesk").await.unwrap().is_none());
    for text in ["one", "two"] {
        vault.put("zendesk", &Secret::new(text)).await.unwrap();
        let kept = vault.get("zendesk").await.unwrap().unwrap();
        assert_eq!(kept.expose(), text);
    }
}

async fn keeps_everything(store: &Store) {
    what_is_noted_is_remembered(store).await;
    an_alert_stays_until_it_has_left(store).await;
    secrets_replace_each_other(store).await;
}

#[tokio::test]
async fn sqlite_keeps_everything() {
    keeps_everything(&in_memory().await).await;
}

#[tokio::test]
async fn postgres_keeps_everything_and_knows_one_leader() {
    let server = tributary_testkit::postgres::Postgres::start();
    let place = || Place::read(&Secret::new(server.url()));
    let store = Store::open(place()).await.unwrap();
    keeps_everything(&store).await;
    let again = Store::open(place()).await.unwrap();
    let mut lead = store.try_lead().await.unwrap().unwrap();
    assert!(lead.holds().await && again.try_lead().await.unwrap().is_none());
    drop(lead);
    again.lead().await;
    // A name that somebody holds is waited for.
    let held = store.vault().hold("zendesk").await.unwrap();
    let other = again.vault();
    let waiting = tokio::spawn(async move { other.hold("zendesk").await.map(drop) });
    assert!(!waiting.is_finished());
    drop(held);
    waiting.await.unwrap().unwrap();
    let wrong = server.url().replace("sesame", "other");
    let error = Store::open(Place::read(&Secret::new(wrong)))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access, "{error}");
    assert!(!error.to_string().contains("other-open"), "{error}");
}
