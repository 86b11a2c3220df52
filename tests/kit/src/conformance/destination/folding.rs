//! Many changes of a key in a load leave what applying them one by one would: whatever a source can
//! send in an order, against a model that is too simple to be wrong.
//!
//! The changes are random and the same on every machine. Keys are few, so that they meet; a load is
//! cut into batches, and the changes into loads, at random places.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{RecordBatch, StringArray};
use arrow_schema::{DataType as Arrow, Field, Schema};
use chrono::DateTime;
use tributary_model::{Change, DataType, Deletes, Destination, Mode, TablePlan, TruncateKind};

use super::subject::{Opened, Subject, plan, rows};
use crate::random::Random;
use crate::text;

/// Sequences of changes that are tried for each mode with each treatment of deletes.
const CASES: u64 = 3;
/// Changes in a sequence.
const CHANGES: usize = 24;
/// 2023-11-14, in microseconds: when changes happen, and a little later when loads begin.
const DAY: i64 = 1_700_000_000_000_000;
const LOAD: i64 = 1_000_000;

const VALID_FROM: &str = "_tributary_valid_from";

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// A row is written, `at` where the source says when.
    Put {
        id: u64,
        part: char,
        note: String,
        at: Option<i64>,
    },
    Delete {
        id: u64,
        at: Option<i64>,
    },
    /// The source emptied the table.
    Empty {
        at: Option<i64>,
    },
    /// A snapshot begins from nothing.
    Restart,
    /// The lists of these parts come anew.
    Clear(Vec<char>),
    /// What came since the last one arrives as one batch.
    Cut,
    Commit,
}

/// A version of a row; in other modes than `history` there is one of each key.
#[derive(Clone, Debug)]
struct Version {
    part: char,
    note: String,
    from: i64,
    to: Option<i64>,
    gone: bool,
}

/// The table as it should be.
#[derive(Debug)]
struct Model {
    mode: Mode,
    deletes: Deletes,
    keys: BTreeMap<u64, Vec<Version>>,
    /// Keys that count as deleted unless something else comes of them in this load.
    cleared: Vec<u64>,
    /// When the load began.
    now: i64,
}

pub(super) async fn is_applying_one_by_one<D: Destination>(subject: &Subject<D>, mode: Mode) {
    let kinds: &[Deletes] = match mode {
        Mode::Merge | Mode::History => &[Deletes::Soft, Deletes::Hard, Deletes::Ignore],
        Mode::Replace => &[Deletes::Hard],
        Mode::Append => &[],
    };
    let mut opened = subject.open(&format!("folding {mode:?}")).await;
    for &deletes in kinds {
        for seed in 0..CASES {
            let events = events(seed * 31 + deletes as u64, mode);
            let table = format!("folding_{mode:?}_{deletes:?}_{seed}").to_lowercase();
            let plan = Arc::new(table_of(&table, mode, deletes));
            let expected = apply_all(&mut opened, &plan, &events).await;
            let found = found(&opened, &plan).await;
            assert_eq!(found, expected, "{mode:?} {deletes:?} {seed}: {events:#?}");
        }
    }
}

fn table_of(table: &str, mode: Mode, deletes: Deletes) -> TablePlan {
    let mut columns = vec![("part", DataType::Text), ("note", DataType::Text)];
    if mode == Mode::History {
        columns.push((VALID_FROM, DataType::TimestampTz));
    }
    plan(table, mode, deletes, &columns)
}

fn events(seed: u64, mode: Mode) -> Vec<Event> {
    let mut random = Random::new(seed);
    let is_history = mode == Mode::History;
    let event = |number: usize| {
        let id = random.below(4);
        let at = match random.below(4) {
            0 => None,
            _ => Some(DAY + random.below(4).cast_signed()),
        };
        match random.below(100) {
            // Few notes, so that a row often comes as it was.
            0..50 => Event::Put {
                id,
                part: random.pick(&['a', 'b']),
                note: match is_history {
                    true => format!("n{}", random.below(3)),
                    false => format!("n{number}"),
                },
                at,
            },
            50..70 => Event::Delete { id, at },
            70..75 => Event::Empty { at },
            // A history is not begun from nothing: what it would lose is what it is for.
            75..78 if !is_history => Event::Restart,
            75..83 => Event::Clear(
                random
                    .pick(&[&['a'][..], &['b', 'x'], &['a', 'b']])
                    .to_vec(),
            ),
            83..93 => Event::Cut,
            _ => Event::Commit,
        }
    };
    (0..CHANGES).map(event).collect()
}

/// Loads the events, and says what should be there.
async fn apply_all<D: Destination>(
    opened: &mut Opened<D>,
    plan: &Arc<TablePlan>,
    events: &[Event],
) -> Vec<String> {
    let mut model = Model {
        mode: plan.mode,
        deletes: plan.deletes,
        keys: BTreeMap::new(),
        cleared: Vec::new(),
        now: DAY + LOAD,
    };
    let (mut changes, mut lines): (Vec<Change>, Vec<String>) = (Vec::new(), Vec::new());
    for event in events.iter().chain([&Event::Commit]) {
        model.apply(event);
        if let Some(line) = line(plan, event) {
            lines.push(line);
            continue;
        }
        if !lines.is_empty() {
            let batch: Vec<&str> = lines.iter().map(String::as_str).collect();
            changes.push(rows(plan, &batch));
            lines.clear();
        }
        if matches!(event, Event::Commit) {
            let began = DateTime::from_timestamp_micros(model.now).expect("a time of our days");
            opened
                .load_at(began, &[plan], std::mem::take(&mut changes))
                .await;
            model.now += LOAD;
        }
        changes.extend(change(plan, event));
    }
    model.told()
}

/// A row as the suite writes it.
fn line(plan: &TablePlan, event: &Event) -> Option<String> {
    let (op, id, part, note, at) = match event {
        Event::Put { id, part, note, at } => ("u", id, *part, note.as_str(), at),
        Event::Delete { id, at } => ("d", id, 'd', "gone", at),
        _ => return None,
    };
    let at = match (plan.mode, at) {
        (Mode::History, Some(at)) => format!(" {}", text::timestamp(*at).replace(' ', "T")),
        (Mode::History, None) => " ~".to_owned(),
        _ => String::new(),
    };
    Some(format!("{op} {id} {part} {note}{at}"))
}

fn change(plan: &Arc<TablePlan>, event: &Event) -> Option<Change> {
    let plan = plan.clone();
    let truncate = |kind| Change::Truncate {
        plan: plan.clone(),
        kind,
    };
    Some(match event {
        Event::Empty { at } if plan.mode == Mode::History => Change::Close { plan, at: *at },
        Event::Empty { .. } => truncate(TruncateKind::Change),
        Event::Restart => truncate(TruncateKind::Restart),
        Event::Clear(parts) => {
            let schema = Schema::new(vec![Field::new("part", Arrow::Utf8, true)]);
            let values: StringArray = parts.iter().map(|part| Some(part.to_string())).collect();
            let of = RecordBatch::try_new(Arc::new(schema), vec![Arc::new(values)]);
            let of = of.expect("one column of texts");
            Change::Clear { plan, of }
        }
        Event::Put { .. } | Event::Delete { .. } | Event::Cut | Event::Commit => return None,
    })
}

impl Model {
    fn apply(&mut self, event: &Event) {
        let now = self.now;
        match event {
            Event::Put { id, part, note, at } => {
                self.cleared.retain(|cleared| cleared != id);
                self.put(*id, *part, note, at.unwrap_or(now));
            }
            Event::Delete { id, at } => {
                if self.deletes == Deletes::Ignore {
                    return;
                }
                self.cleared.retain(|cleared| cleared != id);
                self.delete(*id, at.unwrap_or(now));
            }
            Event::Empty { at } => {
                self.settle();
                if self.deletes != Deletes::Ignore {
                    let ids: Vec<u64> = self.keys.keys().copied().collect();
                    ids.iter().for_each(|id| self.end(*id, at.unwrap_or(now)));
                }
            }
            Event::Restart => self.keys.clear(),
            Event::Clear(parts) => {
                self.settle();
                if self.deletes == Deletes::Ignore {
                    return;
                }
                let of = |(id, versions): (&u64, &Vec<Version>)| {
                    let is_of = |version: &&Version| parts.contains(&version.part);
                    versions.last().filter(is_of).map(|_| *id)
                };
                self.cleared = self.keys.iter().filter_map(of).collect();
                if self.mode != Mode::History {
                    self.settle();
                }
            }
            Event::Cut => {}
            Event::Commit => self.settle(),
        }
    }

    fn settle(&mut self) {
        for id in std::mem::take(&mut self.cleared) {
            self.end(id, self.now);
        }
    }

    fn put(&mut self, id: u64, part: char, note: &str, at: i64) {
        let versions = self.keys.entry(id).or_default();
        let at = begins(versions, at);
        let same = |last: &Version| last.to.is_none() && last.part == part && last.note == note;
        if self.mode != Mode::History {
            versions.clear();
        } else if versions.last().is_some_and(same) {
            return;
        } else if let Some(last) = versions.last_mut() {
            last.to.get_or_insert(at);
        }
        versions.push(Version {
            part,
            note: note.to_owned(),
            from: at,
            to: None,
            gone: false,
        });
    }

    fn delete(&mut self, id: u64, at: i64) {
        // A row that is deleted before it was ever seen is known only so.
        if self.mode == Mode::Merge && self.deletes == Deletes::Soft && !self.keys.contains_key(&id)
        {
            self.put(id, 'd', "gone", at);
        }
        self.end(id, at);
    }

    fn end(&mut self, id: u64, at: i64) {
        let Some(versions) = self.keys.get_mut(&id) else {
            return;
        };
        let at = begins(versions, at);
        match (self.mode, self.deletes) {
            (Mode::History, _) => {
                if let Some(last) = versions.last_mut().filter(|last| last.to.is_none()) {
                    last.to = Some(at);
                    last.gone = true;
                }
            }
            (_, Deletes::Soft) => versions.iter_mut().for_each(|last| last.gone = true),
            (_, Deletes::Hard | Deletes::Ignore) => drop(self.keys.remove(&id)),
        }
    }

    fn told(&self) -> Vec<String> {
        let time = |at: i64| text::timestamp(at).replace(' ', "T");
        let mut told = Vec::new();
        for (id, version) in self
            .keys
            .iter()
            .flat_map(|(id, of)| of.iter().map(move |v| (id, v)))
        {
            let mut row = format!("{id} {} {}", version.part, version.note);
            if self.mode == Mode::History {
                let to = version.to.map_or_else(|| "~".to_owned(), time);
                row += &format!(" {} {to} {}", time(version.from), version.to.is_none());
            }
            if self.deletes == Deletes::Soft {
                row += if version.gone { " gone" } else { " live" };
            }
            told.push(row);
        }
        told.sort();
        told
    }
}

/// When a key's next version begins that would begin at `at`: behind what is known of it.
fn begins(versions: &[Version], at: i64) -> i64 {
    let known = versions.last().map(|last| last.to.unwrap_or(last.from));
    known.map_or(at, |known| at.max(known + 1))
}

async fn found<D: Destination>(opened: &Opened<D>, plan: &TablePlan) -> Vec<String> {
    match plan.mode {
        Mode::History => opened.versions(plan).await,
        Mode::Merge | Mode::Append | Mode::Replace => opened.rows(plan).await,
    }
}
