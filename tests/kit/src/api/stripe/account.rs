//! One account: its objects, its events, and what it is allowed to use.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tributary_model::Row;

use super::collection::{Collection, Object};
use super::features::Feature;
use super::resource::Resource;
use super::resources;
use super::version::Version;
use crate::api::template::Filler;
use crate::random::Random;

/// An account of Stripe.
#[derive(Clone, Debug)]
pub struct Account {
    /// `acct_..`.
    pub id: String,
    /// Whether it holds real money.
    pub livemode: bool,
    /// The API version that requests get that ask for none, and that events are written in.
    pub version: Version,
    /// The products it is set up for; all of them at first.
    pub features: BTreeSet<Feature>,
    /// Itself, as it shows itself.
    pub(super) own: Row,
    pub(super) collections: BTreeMap<&'static str, Collection>,
    pub(super) events: Collection,
    /// Ids of what was deleted, by kind.
    pub(super) gone: BTreeMap<String, &'static str>,
    pub(super) random: Random,
    pub(super) made: u64,
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Account {
    pub(super) fn new(id: &str, seed: u64, now: i64) -> Self {
        let mut account = Self {
            id: id.to_owned(),
            livemode: false,
            version: Version::new("2024-06-20"),
            features: Feature::ALL.into_iter().collect(),
            own: Row::new(),
            collections: BTreeMap::new(),
            events: Collection::default(),
            gone: BTreeMap::new(),
            random: Random::new(seed),
            made: 0,
        };
        let mut own = account.filled(super::template("account"), json!(id), Value::Null, now);
        own.insert("created".to_owned(), json!(now));
        own.shift_insert(0, "object".to_owned(), json!("account"));
        own.shift_insert(0, "id".to_owned(), json!(id));
        account.own = own;
        account
    }

    /// How many objects of a kind there are.
    #[must_use]
    pub fn count(&self, stream: &str) -> usize {
        self.collection(stream).map_or(0, Collection::len)
    }

    /// The ids of all objects of a kind, newest first.
    #[must_use]
    pub fn ids(&self, stream: &str) -> Vec<String> {
        let objects = self
            .collection(stream)
            .into_iter()
            .flat_map(Collection::iter);
        objects.map(|object| object.id.clone()).collect()
    }

    /// Some object of a kind.
    pub fn any(&mut self, stream: &str) -> Option<String> {
        let mut random = self.random.clone();
        let found = self.some(stream, &mut random);
        self.random = random;
        found
    }

    pub(super) fn collection(&self, stream: &str) -> Option<&Collection> {
        self.collections.get(stream)
    }

    pub(super) fn collection_mut(&mut self, stream: &'static str) -> &mut Collection {
        self.collections.entry(stream).or_default()
    }

    pub(super) fn object(&self, stream: &str, id: &str) -> Option<&Object> {
        self.collection(stream)?.get(id)
    }

    /// Whether an object's parent, if it has one, is still there.
    pub(super) fn can_be_seen(&self, resource: &Resource, object: &Object) -> bool {
        match (resource.parent, &object.parent) {
            (Some(parents), Some(parent)) => self.object(parents, parent).is_some(),
            (None, _) | (_, None) => true,
        }
    }

    /// An id that was never given before.
    pub(super) fn id_for(&mut self, prefix: &str) -> String {
        let tail: String = (0..16)
            .map(|_| char::from(ALPHABET[usize::try_from(self.random.below(62)).unwrap_or(0)]))
            .collect();
        self.made += 1;
        format!("{prefix}_1{tail}{:04}", self.made)
    }

    /// A template filled in; `null` parents stay null.
    pub(super) fn filled(&mut self, template: &Value, id: Value, parent: Value, now: i64) -> Row {
        let mut random = self.random.clone();
        let refer = |kind: &str, random: &mut Random| {
            self.some(kind, random).map_or(Value::Null, |id| json!(id))
        };
        let mut filler = Filler {
            random: &mut random,
            now,
            id,
            parent,
            refer: &refer,
        };
        let filled = filler.fill(template);
        self.random = random;
        match filled {
            Value::Object(fields) => fields,
            other => panic!("a template makes {other}, which is no object"),
        }
    }

    fn some(&self, stream: &str, random: &mut Random) -> Option<String> {
        let collection = self.collection(stream)?;
        // Among the newest, so that old objects come to rest.
        let index = random.below(collection.len().min(50) as u64);
        let object = collection.nth(usize::try_from(index).ok()?)?;
        Some(object.id.clone())
    }

    /// Whether the account may use what `resource` belongs to.
    pub(super) fn lacks(&self, resource: &Resource) -> Option<Feature> {
        let needed = resource.feature.or_else(|| {
            (resource.stream == "usage_record_summaries").then_some(Feature::LegacyMetering)
        })?;
        (!self.features.contains(&needed)).then_some(needed)
    }

    /// The kind of an object by its name in the API, as in `"object": "charge"`.
    pub(super) fn kind_of(object: &str) -> Option<&'static Resource> {
        resources::all().find(|resource| resource.object == object)
    }
}
