//! What people do to an account: make, change and delete, each with the events that tell of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_model::Row;

use super::account::Account;
use super::collection::Object;
use super::effect;
use super::resource::Resource;
use super::resources;
use crate::random::Random;

impl Account {
    /// Makes an object of a kind, with a parent by chance where it needs one; returns its id.
    ///
    /// # Panics
    /// Panics where there is no such kind, or no parent yet.
    pub fn create(&mut self, stream: &str, now: i64) -> String {
        self.create_with(stream, now, json!({}))
    }

    /// Makes an object whose fields are what the template says, and then what `fields` says.
    ///
    /// # Panics
    /// Panics where there is no such kind, or no parent yet.
    pub fn create_with(&mut self, stream: &str, now: i64, fields: Value) -> String {
        let resource = resources::named(stream);
        let parent = resource.parent.map(|parents| {
            self.any(parents)
                .unwrap_or_else(|| panic!("{stream} need {parents}"))
        });
        self.make(resource, parent, now, fields)
    }

    /// Makes a child of `parent`.
    ///
    /// # Panics
    /// Panics where there is no such kind.
    pub fn create_in(&mut self, stream: &str, parent: &str, now: i64) -> String {
        self.make(
            resources::named(stream),
            Some(parent.to_owned()),
            now,
            json!({}),
        )
    }

    /// Makes `count` objects of a kind, evenly from `from` on up to `to`.
    pub fn fill(&mut self, stream: &str, count: usize, from: i64, to: i64) {
        for index in 0..count {
            let share = i64::try_from(index).unwrap_or(0) * (to - from);
            let at = from + share / i64::try_from(count.max(1)).unwrap_or(1);
            self.create(stream, at);
        }
    }

    fn make(
        &mut self,
        resource: &'static Resource,
        parent: Option<String>,
        now: i64,
        fields: Value,
    ) -> String {
        let id = self.insert(resource, parent.clone(), now, fields);
        for embed in resource
            .embeds
            .iter()
            .filter(|embed| embed.of.ends_with("items"))
        {
            for _ in 0..=self.random.below(2) {
                let child = resources::named(embed.of);
                self.insert(child, Some(id.clone()), now, json!({}));
            }
        }
        effect::of_birth(self, resource, &id, now);
        if let Some(kind) = resource.events.created {
            self.tell(resource, &id, kind, Row::new(), now);
        }
        if let (Some(kind), Some(parents), Some(parent)) =
            (effect::announced(resource.stream), resource.parent, parent)
        {
            self.update_as(parents, &parent, kind, now);
        }
        id
    }

    /// Adds an object that nothing tells of.
    fn insert(
        &mut self,
        resource: &'static Resource,
        parent: Option<String>,
        now: i64,
        changes: Value,
    ) -> String {
        let id = match changes.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => self.id_for(resource.prefix),
        };
        let shown_parent = parent.as_ref().map_or(Value::Null, |id| json!(id));
        let template = super::template(resource.stream);
        let filled = self.filled(template, json!(id), shown_parent, now);
        let mut fields = Row::new();
        fields.insert("id".to_owned(), json!(id));
        fields.insert(
            "object".to_owned(),
            json!(effect::object_of(resource, &mut self.random)),
        );
        if let Some(name) = resource.dated {
            fields.insert(name.to_owned(), json!(now));
        }
        fields.insert("livemode".to_owned(), json!(self.livemode));
        fields.extend(filled);
        if let Value::Object(changes) = changes {
            fields.extend(changes);
        }
        if let (Some(field), Some(parent)) = (resource.parent_field, &parent)
            && fields.contains_key(field)
        {
            fields.insert(field.to_owned(), json!(parent));
        }
        let (made, rank) = (now, self.made);
        let object = Object {
            id: id.clone(),
            made,
            parent,
            fields,
            hidden: BTreeMap::new(),
        };
        self.made += 1;
        self.collection_mut(resource.stream).insert(object, rank);
        id
    }

    /// Changes fields and tells of it, if the kind has an event for that.
    ///
    /// # Panics
    /// Panics where there is no such object.
    pub fn update(&mut self, stream: &str, id: &str, now: i64, fields: Value) {
        let resource = resources::named(stream);
        let before = self.edit(stream, id, fields);
        if let Some(kind) = resource.events.updated.first() {
            self.tell(resource, id, kind, before, now);
        }
    }

    /// Changes what an event of type `kind` tells of, and tells it.
    ///
    /// # Panics
    /// Panics where there is no such object.
    pub fn update_as(&mut self, stream: &str, id: &str, kind: &str, now: i64) {
        let resource = resources::named(stream);
        let patch = effect::of(kind, now).unwrap_or_else(|| self.nudge(resource, id, now));
        let before = self.edit(stream, id, Value::Object(patch));
        self.tell(resource, id, kind, before, now);
    }

    /// Changes fields without a word; returns what they were.
    ///
    /// # Panics
    /// Panics where there is no such object.
    pub fn edit(&mut self, stream: &str, id: &str, fields: Value) -> Row {
        let resource = resources::named(stream);
        let object = self.collection_mut(resource.stream).get_mut(id);
        let object = object.unwrap_or_else(|| panic!("there is no {id} in {stream}"));
        let mut before = Row::new();
        if let Value::Object(fields) = fields {
            for (name, value) in fields {
                let old = object.fields.insert(name.clone(), value);
                before.insert(name, old.unwrap_or(Value::Null));
            }
        }
        before
    }

    /// Deletes an object and tells of it. Its children can't be seen any more.
    ///
    /// # Panics
    /// Panics where there is no such object.
    pub fn delete(&mut self, stream: &str, id: &str, now: i64) {
        let resource = resources::named(stream);
        effect::of_death(self, resource, id, now);
        let object = self.object(stream, id);
        let object = object.unwrap_or_else(|| panic!("there is no {id} in {stream}"));
        let shown = self.shown(resource, object, &self.version);
        self.collection_mut(resource.stream).remove(id);
        self.gone.insert(id.to_owned(), resource.stream);
        if let Some(kind) = resource.events.deleted {
            self.emit(kind, shown, Row::new(), now);
        }
    }

    /// Takes a child out of the list of its parent, and tells of the parent.
    ///
    /// # Panics
    /// Panics where there is no such object, or nothing tells of its parent.
    pub fn take_out(&mut self, stream: &str, id: &str, now: i64) {
        let resource = resources::named(stream);
        let parent = self
            .object(stream, id)
            .and_then(|object| object.parent.clone());
        let (Some(kind), Some(parents), Some(parent)) =
            (effect::announced(stream), resource.parent, parent)
        else {
            panic!("nothing tells when {id} leaves its list in {stream}");
        };
        self.collection_mut(resource.stream).remove(id);
        self.gone.insert(id.to_owned(), resource.stream);
        self.update_as(parents, &parent, kind, now);
    }

    /// Writes an event about an object as it is now.
    pub(super) fn tell(
        &mut self,
        resource: &Resource,
        id: &str,
        kind: &str,
        before: Row,
        now: i64,
    ) {
        let object = self.object(resource.stream, id);
        let object = object.unwrap_or_else(|| panic!("there is no {id} in {}", resource.stream));
        let shown = self.shown(resource, object, &self.version);
        self.emit(kind, shown, before, now);
    }

    /// Another value for one field that the template leaves open.
    fn nudge(&mut self, resource: &Resource, id: &str, now: i64) -> Row {
        let template = super::template(resource.stream);
        let open = |value: &Value| {
            value.as_str().is_some_and(|text| {
                text.starts_with('$') && !text.starts_with("$ref") && text != "$parent"
            })
        };
        let fields: Vec<_> = template
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| open(value))
            .collect();
        if fields.is_empty() {
            return Row::new();
        }
        let (name, value) = self.random.pick(&fields);
        let one = json!({ name.as_str(): value });
        self.filled(&one, json!(id), Value::Null, now)
    }

    /// Chance, for scripts.
    pub(super) fn random(&mut self) -> &mut Random {
        &mut self.random
    }
}
