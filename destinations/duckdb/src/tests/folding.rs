//! Folding staged rows is the same as applying them one by one.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use tributary_model::{Change, Deletes, Mode, Presence, TablePlan, TruncateKind};

use super::fixture::{Fixture, orders, rows, truncate};

#[derive(Clone, Debug)]
enum Event {
    Row(char, i64),
    Truncate(TruncateKind),
    /// The rows since the last cut arrive as one batch.
    Cut,
    Commit,
}

/// The table as it should be: by key the note and whether it is marked as deleted.
type Model = BTreeMap<i64, (String, bool)>;

fn apply(model: &mut Model, deletes: Deletes, event: &Event, note: &str) {
    match (event, deletes) {
        (Event::Row('d', _) | Event::Truncate(TruncateKind::Change), Deletes::Ignore) => {}
        (Event::Row('d', id), Deletes::Hard) => drop(model.remove(id)),
        (Event::Row('d', id), Deletes::Soft) => {
            model
                .entry(*id)
                .or_insert_with(|| (note.to_owned(), true))
                .1 = true;
        }
        (Event::Row(_, id), _) => drop(model.insert(*id, (note.to_owned(), false))),
        (Event::Truncate(TruncateKind::Change), Deletes::Soft) => {
            model.values_mut().for_each(|row| row.1 = true);
        }
        (Event::Truncate(_), _) => model.clear(),
        (Event::Cut | Event::Commit, _) => {}
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        12 => (prop_oneof![Just('c'), Just('u'), Just('d')], 0..4_i64).prop_map(|(op, id)| Event::Row(op, id)),
        3 => Just(Event::Cut),
        1 => Just(Event::Commit),
        1 => prop_oneof![Just(TruncateKind::Change), Just(TruncateKind::Restart)].prop_map(Event::Truncate),
    ];
    prop::collection::vec(event, 1..30)
}

async fn load(plan: &Arc<TablePlan>, events: &[Event], first: Presence) -> Model {
    let mut fixture = Fixture::new().await;
    let mut changes: Vec<Change> = Vec::new();
    let mut held: Vec<(char, i64, String)> = Vec::new();
    if first == Presence::Absent {
        changes.push(rows(plan, &[('r', 0, "before 0"), ('r', 1, "before 1")]));
    }
    for (index, event) in events.iter().enumerate() {
        if let Event::Row(op, id) = event {
            held.push((*op, *id, format!("note {index}")));
            continue;
        }
        flush(plan, &mut held, &mut changes);
        match event {
            Event::Truncate(kind) => changes.push(truncate(plan, *kind)),
            Event::Commit => fixture.load(&[plan], std::mem::take(&mut changes)).await,
            Event::Row(..) | Event::Cut => {}
        }
    }
    flush(plan, &mut held, &mut changes);
    fixture.load(&[plan], changes).await;
    stored(&fixture, plan.deletes).await
}

fn flush(plan: &Arc<TablePlan>, held: &mut Vec<(char, i64, String)>, changes: &mut Vec<Change>) {
    let batch: Vec<(char, i64, &str)> = held
        .iter()
        .map(|(op, id, note)| (*op, *id, note.as_str()))
        .collect();
    if !batch.is_empty() {
        changes.push(rows(plan, &batch));
    }
    held.clear();
}

async fn stored(fixture: &Fixture, deletes: Deletes) -> Model {
    let marked = if deletes == Deletes::Soft {
        "_tributary_deleted"
    } else {
        "false"
    };
    let found = fixture
        .rows(&format!("SELECT id, note, {marked} FROM shop.orders"))
        .await;
    let count = found.len();
    let model: Model = found
        .into_iter()
        .map(|row| {
            let note = row[1].as_str().unwrap().to_owned();
            (row[0].as_i64().unwrap(), (note, row[2].as_bool().unwrap()))
        })
        .collect();
    assert_eq!(model.len(), count, "a key has one row");
    model
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn folding_is_applying_one_by_one(events in events(), filled in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for deletes in [Deletes::Soft, Deletes::Hard, Deletes::Ignore] {
            let plan = Arc::new(orders(Mode::Merge, deletes));
            let mut model = Model::new();
            if filled {
                model.extend([0, 1].map(|id| (id, (format!("before {id}"), false))));
            }
            for (index, event) in events.iter().enumerate() {
                apply(&mut model, deletes, event, &format!("note {index}"));
            }
            let first = if filled { Presence::Absent } else { Presence::Possible };
            let stored = runtime.block_on(load(&plan, &events, first));
            prop_assert_eq!(stored, model, "{:?}", deletes);
        }
    }
}
