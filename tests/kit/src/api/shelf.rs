//! The records of an account: of each kind, in the order in which they were made.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;
use tributary_model::Row;

use crate::random::Random;

/// One record.
#[derive(Clone, Debug)]
pub(super) struct Record {
    /// Its id as text.
    pub(super) id: String,
    /// The id of what it belongs to, as text.
    pub(super) parent: Option<String>,
    /// When it was made, unix seconds.
    pub(super) made: i64,
    /// When anything about it changed last, whether it shows that or not.
    pub(super) touched: i64,
    pub(super) fields: Row,
    pub(super) state: State,
}

/// Where a record is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Live,
    /// Out of sight of ordinary lists.
    Archived,
    /// Deleted, and shown as such where the vendor does.
    Deleted,
}

impl Record {
    pub(super) fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn set(&mut self, name: &str, value: impl Into<Value>) -> Value {
        self.fields
            .insert(name.to_owned(), value.into())
            .unwrap_or(Value::Null)
    }
}

/// The records of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    records: Vec<Record>,
    places: HashMap<String, usize>,
}

impl Shelf {
    pub(super) fn add(&mut self, record: Record) {
        let taken = self.places.insert(record.id.clone(), self.records.len());
        assert!(taken.is_none(), "{} is there already", record.id);
        self.records.push(record);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Record> {
        self.records.get(*self.places.get(id)?)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Record> {
        self.records.get_mut(*self.places.get(id)?)
    }

    /// Removes a record as if it had never been.
    pub(super) fn remove(&mut self, id: &str) -> Option<Record> {
        let place = self.places.remove(id)?;
        let record = self.records.remove(place);
        for later in self.places.values_mut().filter(|later| **later > place) {
            *later -= 1;
        }
        Some(record)
    }

    /// All, oldest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.records.iter()
    }

    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// One of the newest.
    pub(super) fn some(&self, random: &mut Random) -> Option<&Record> {
        let back = random.below(self.len().min(50) as u64);
        self.records.iter().rev().nth(usize::try_from(back).ok()?)
    }
}

/// The records of all kinds, by stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelves(BTreeMap<&'static str, Shelf>);

impl Shelves {
    pub(super) fn add(&mut self, stream: &'static str, record: Record) {
        self.0.entry(stream).or_default().add(record);
    }

    pub(super) fn count(&self, stream: &str) -> usize {
        self.0.get(stream).map_or(0, Shelf::len)
    }

    /// All of a kind, oldest first.
    pub(super) fn of(&self, stream: &str) -> impl Iterator<Item = &Record> {
        self.0.get(stream).into_iter().flat_map(Shelf::iter)
    }

    /// Their ids, oldest first.
    pub(super) fn ids(&self, stream: &str) -> Vec<String> {
        self.of(stream).map(|record| record.id.clone()).collect()
    }

    pub(super) fn get(&self, stream: &str, id: &str) -> Option<&Record> {
        self.0.get(stream)?.get(id)
    }

    /// # Panics
    /// Panics where there is no such record.
    pub(super) fn get_mut(&mut self, stream: &str, id: &str) -> &mut Record {
        let record = self.0.get_mut(stream).and_then(|shelf| shelf.get_mut(id));
        record.unwrap_or_else(|| panic!("there is no {id} in {stream}"))
    }

    /// Removes a record as if it had never been.
    pub(super) fn remove(&mut self, stream: &str, id: &str) -> Option<Record> {
        self.0.get_mut(stream)?.remove(id)
    }

    /// One of the newest of a kind.
    pub(super) fn some(&self, stream: &str, random: &mut Random) -> Option<&Record> {
        self.0.get(stream)?.some(random)
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Shelf> {
        self.0.values_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_found_after_others_have_gone() {
        let mut shelf = Shelf::default();
        for id in ["a", "b", "c"] {
            shelf.add(Record {
                id: id.to_owned(),
                parent: None,
                made: 0,
                touched: 0,
                fields: Row::new(),
                state: State::Live,
            });
        }
        assert_eq!(shelf.remove("a").unwrap().id, "a");
        assert_eq!(shelf.get("c").unwrap().id, "c");
        shelf.get_mut("b").unwrap().set("x", 1);
        assert_eq!(
            shelf.iter().map(|r| r.id.as_str()).collect::<String>(),
            "bc"
        );
        assert_eq!((shelf.len(), shelf.get("a").is_none()), (2, true));
    }
}
