//! Objects of one kind, newest first, found by id and by parent.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use serde_json::Value;
use tributary_model::Row;

/// One object.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) id: String,
    /// When it was made, unix seconds.
    pub(super) made: i64,
    pub(super) parent: Option<String>,
    /// What it shows of itself.
    pub(super) fields: Row,
    /// What its list can be narrowed by although it does not show it.
    pub(super) hidden: BTreeMap<&'static str, String>,
}

impl Object {
    pub(super) fn field(&self, name: &str) -> &Value {
        self.fields.get(name).unwrap_or(&Value::Null)
    }

    /// Whether a filter of this name lets it pass.
    pub(super) fn matches(&self, name: &str, wanted: &str) -> bool {
        if let Some(hidden) = self.hidden.get(name) {
            return hidden == wanted;
        }
        match self.field(name) {
            Value::String(text) => text == wanted,
            Value::Object(expanded) => expanded.get("id").and_then(Value::as_str) == Some(wanted),
            other => {
                let text = other.to_string();
                text == wanted
            }
        }
    }
}

/// Newest first; of the same second, by rank, highest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(Reverse<i64>, Reverse<u64>);

/// The objects of one kind.
#[derive(Clone, Debug, Default)]
pub(super) struct Collection {
    objects: BTreeMap<Place, Object>,
    places: HashMap<String, Place>,
    children: HashMap<String, BTreeSet<Place>>,
}

/// Which way to walk from an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Walk {
    /// All of it.
    Whole,
    /// What is older than this place.
    After(Place),
    /// What is newer than this place.
    Before(Place),
}

impl Collection {
    /// Adds an object; `rank` orders objects of the same second.
    pub(super) fn insert(&mut self, object: Object, rank: u64) {
        let place = Place(Reverse(object.made), Reverse(rank));
        if let Some(parent) = &object.parent {
            self.children
                .entry(parent.clone())
                .or_default()
                .insert(place);
        }
        let taken = self.places.insert(object.id.clone(), place);
        assert!(taken.is_none(), "{} is there already", object.id);
        self.objects.insert(place, object);
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Object> {
        let place = self.places.remove(id)?;
        let object = self.objects.remove(&place)?;
        let siblings = object
            .parent
            .as_ref()
            .and_then(|parent| self.children.get_mut(parent));
        if let Some(siblings) = siblings {
            siblings.remove(&place);
        }
        Some(object)
    }

    pub(super) fn get(&self, id: &str) -> Option<&Object> {
        self.objects.get(self.places.get(id)?)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Object> {
        self.objects.get_mut(self.places.get(id)?)
    }

    pub(super) fn place(&self, id: &str) -> Option<Place> {
        self.places.get(id).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// The object at a place of the order; for picking one by chance.
    pub(super) fn nth(&self, index: usize) -> Option<&Object> {
        self.objects.values().nth(index)
    }

    /// All, newest first.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Object> {
        self.objects.values()
    }

    /// Those of a parent, newest first.
    pub(super) fn of<'a>(&'a self, parent: &str) -> impl Iterator<Item = &'a Object> {
        let places = self.children.get(parent).into_iter().flatten();
        places.filter_map(|place| self.objects.get(place))
    }

    /// A walk in the order of `walk`: towards older ones, or for `Before` towards newer ones.
    pub(super) fn walk<'a>(
        &'a self,
        parent: Option<&'a str>,
        walk: Walk,
    ) -> Box<dyn Iterator<Item = &'a Object> + 'a> {
        let bounds = match walk {
            Walk::Whole => (Bound::Unbounded, Bound::Unbounded),
            Walk::After(place) => (Bound::Excluded(place), Bound::Unbounded),
            Walk::Before(place) => (Bound::Unbounded, Bound::Excluded(place)),
        };
        let backwards = matches!(walk, Walk::Before(_));
        match parent {
            Some(parent) => {
                let Some(places) = self.children.get(parent) else {
                    return Box::new(std::iter::empty());
                };
                let places = turned(places.range(bounds), backwards);
                Box::new(places.filter_map(|place| self.objects.get(place)))
            }
            None => {
                let objects = self.objects.range(bounds).map(|(_, object)| object);
                turned(objects, backwards)
            }
        }
    }
}

fn turned<'a, T: 'a>(
    items: impl DoubleEndedIterator<Item = T> + 'a,
    backwards: bool,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if backwards {
        Box::new(items.rev())
    } else {
        Box::new(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(id: &str, made: i64, parent: Option<&str>) -> Object {
        Object {
            id: id.to_owned(),
            made,
            parent: parent.map(str::to_owned),
            fields: Row::new(),
            hidden: BTreeMap::new(),
        }
    }

    fn ids<'a>(objects: impl Iterator<Item = &'a Object>) -> String {
        objects.map(|object| object.id.as_str()).collect()
    }

    #[test]
    fn the_newest_comes_first_and_walks_go_both_ways() {
        let mut all = Collection::default();
        for (rank, (id, made, parent)) in [
            ("a", 1, None),
            ("b", 5, Some("p")),
            ("c", 5, Some("p")),
            ("d", 3, None),
        ]
        .into_iter()
        .enumerate()
        {
            all.insert(object(id, made, parent), rank as u64);
        }
        assert_eq!(ids(all.iter()), "cbda");
        assert_eq!(ids(all.of("p")), "cb");
        let place = all.place("d").unwrap();
        assert_eq!(ids(all.walk(None, Walk::After(place))), "a");
        assert_eq!(ids(all.walk(None, Walk::Before(place))), "bc");
        assert_eq!(ids(all.walk(Some("p"), Walk::Whole)), "cb");
        all.remove("c");
        assert_eq!((ids(all.of("p")), all.len()), ("b".to_owned(), 3));
    }
}
