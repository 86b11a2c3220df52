//! The protocol against a store that loses requests and replies.

use tributary_model::State;

use super::flaky::{Fate, Flaky};
use super::*;

fn shop() -> ConnectionName {
    ConnectionName::new("shop")
}

fn commit(snapshot: &Snapshot, load_id: &str) -> Arc<Entry> {
    let committed = Committed {
        load_id: load_id.to_owned(),
        sequence: snapshot.sequence + 1,
        started_at: now(),
        committed_at: now(),
        before: snapshot.state.clone(),
        state: State {
            shared: Some(load_id.into()),
            ..State::default()
        },
        streams: std::collections::BTreeMap::new(),
        tables: Vec::new(),
        schema_changes: Vec::new(),
        uploads: Vec::new(),
        rejected: false,
        rejected_gone: std::collections::BTreeSet::new(),
    };
    let body = Body::Commit(Box::new(committed));
    Arc::new(Log::entry(
        snapshot,
        snapshot.epoch,
        snapshot.applied(),
        body,
    ))
}

/// How a commit ends after these misfortunes, and whose load the log has then.
async fn outcome(fates: &[Fate]) -> (Result<Appended>, Option<String>) {
    let dir = tempfile::tempdir().unwrap();
    let start = Snapshot::default();
    let rival = to_bytes(&*commit(&start, "theirs")).unwrap();
    let log = Log::new(Arc::new(Flaky::new(dir.path(), fates, rival)), shop());
    let appended = log.append(&commit(&start, "ours")).await;
    let last = log
        .read()
        .await
        .unwrap()
        .and_then(|snapshot| snapshot.last_load);
    (appended, last)
}

#[tokio::test]
async fn a_lost_reply_is_settled_by_reading() {
    use Fate::{Beaten, Lost, Refused, Unheard};
    let cases: [(&[Fate], Option<Appended>, Option<&str>); 8] = [
        (&[], Some(Appended::Ours), Some("ours")),
        (&[Unheard], Some(Appended::Ours), Some("ours")),
        (&[Lost], Some(Appended::Ours), Some("ours")),
        (&[Lost, Lost, Unheard], Some(Appended::Ours), Some("ours")),
        (&[Beaten], Some(Appended::Taken), Some("theirs")),
        (&[Lost, Beaten], Some(Appended::Taken), Some("theirs")),
        (&[Refused], None, None),
        (&[Lost; TRIES as usize], None, None),
    ];
    for (fates, expected, last) in cases {
        let (appended, there) = outcome(fates).await;
        match (&appended, expected) {
            (Err(error), None) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{fates:?}"),
            (Ok(found), Some(expected)) => assert_eq!(*found, expected, "{fates:?}"),
            _ => panic!("{fates:?} ended as {appended:?}"),
        }
        assert_eq!(there.as_deref(), last, "{fates:?}");
    }
}

#[tokio::test]
async fn of_many_writers_one_gets_each_number() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::new(Arc::new(crate::folder::Folder::new(dir.path())), shop());
    let writers = (0..8).map(|writer| {
        let log = log.clone();
        tokio::spawn(async move {
            let mut won = Vec::new();
            let mut snapshot = Snapshot::default();
            for load in 0..10 {
                let entry = commit(&snapshot, &format!("{writer}-{load}"));
                if log.append(&entry).await.unwrap() == Appended::Ours {
                    won.push(entry.number);
                }
                snapshot = log.read().await.unwrap().unwrap();
            }
            won
        })
    });
    let mut numbers = Vec::new();
    for writer in writers.collect::<Vec<_>>() {
        numbers.extend(writer.await.unwrap());
    }
    numbers.sort_unstable();
    let last = log.read().await.unwrap().unwrap().number;
    assert!(last >= 10);
    assert_eq!(
        numbers,
        (1..=last).collect::<Vec<_>>(),
        "each number has one writer"
    );
}

#[tokio::test]
async fn a_checkpoint_stands_for_the_entries_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(crate::folder::Folder::new(dir.path()));
    let log = Log::new(store.clone(), shop());
    let mut snapshot = Snapshot::default();
    for load in 0..3 * CHECKPOINT_EVERY {
        let entry = commit(&snapshot, &load.to_string());
        assert_eq!(log.append(&entry).await.unwrap(), Appended::Ours);
        snapshot.replay(&entry).unwrap();
        snapshot.unapplied.clear();
        log.checkpoint(&snapshot).await.unwrap();
    }
    let there = store
        .list(&place::checkpoints(&shop()), None, 10)
        .await
        .unwrap();
    assert_eq!(there.len(), 2, "older ones are gone");
    // Entries before the checkpoint are not read any more.
    store.delete(&place::log_entry(&shop(), 7)).await.unwrap();
    let read = log.read().await.unwrap().unwrap();
    assert_eq!(
        (read.number, read.sequence, read.last_load),
        (192, 192, Some("191".to_owned()))
    );
    assert_eq!(read.state.shared, snapshot.state.shared);
    let loads = log.loads(2).await.unwrap();
    assert_eq!(
        loads.iter().map(|load| load.sequence).collect::<Vec<_>>(),
        [192, 191]
    );
}

#[test]
fn what_the_log_has_not_called_done_is_to_be_done() {
    let mut snapshot = Snapshot::default();
    let first = commit(&snapshot, "first");
    snapshot.replay(&first).unwrap();
    assert_eq!((snapshot.applied(), snapshot.unapplied.len()), (0, 1));
    // Somebody opens the connection, and has done what the first asks for.
    let epoch = Arc::new(Log::entry(&snapshot, 1, 1, Body::Epoch));
    snapshot.replay(&epoch).unwrap();
    assert_eq!(
        (snapshot.applied(), snapshot.unapplied.len(), snapshot.epoch),
        (2, 0, 1)
    );
    assert!(
        snapshot.replay(&first).is_err(),
        "an entry does not come twice"
    );
}

#[test]
fn a_newer_format_is_refused_with_its_version() {
    let text = br#"{"format": 99, "written_by": "7.1.0", "body": "merger"}"#;
    let error = parse::<Entry>("log/1.json", text).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Incompatible);
    assert!(
        error.to_string().contains("Use Tributary 7.1.0 or newer"),
        "{error}"
    );
    let error = parse::<Entry>("log/1.json", b"{}").unwrap_err();
    assert!(error.to_string().contains("log/1.json"), "{error}");
}
