//! How objects show themselves: by version, with their lists of children, expanded where asked.

use serde_json::{Value, json};
use tributary_model::Row;

use super::account::Account;
use super::collection::Object;
use super::error::Failure;
use super::resource::{Embed, Resource, Shown};
use super::resources;
use super::version::Version;

/// Children that an embedded list shows.
const EMBEDDED: usize = 10;
/// Fields that one path of `expand` may go through.
const DEPTH: usize = 4;

impl Account {
    /// An object as the API shows it unless asked for more.
    pub(super) fn shown(&self, resource: &Resource, object: &Object, version: &Version) -> Row {
        let mut fields = object.fields.clone();
        for embed in resource.embeds {
            if embed.shown == Shown::Always {
                fields.insert(
                    embed.field.to_owned(),
                    self.embedded(embed, &object.id, version),
                );
            }
        }
        version.trim(resource.object, &mut fields);
        fields
    }

    fn embedded(&self, embed: &Embed, parent: &str, version: &Version) -> Value {
        let resource = resources::named(embed.of);
        let children = self.collection(embed.of);
        let mut children: Vec<_> = children
            .into_iter()
            .flat_map(|all| all.of(parent))
            .collect();
        let (count, url) = (children.len(), url_of(resource, parent));
        children.truncate(EMBEDDED);
        let data: Vec<_> = children
            .iter()
            .map(|child| Value::Object(self.shown(resource, child, version)))
            .collect();
        json!({"object": "list", "data": data, "has_more": count > EMBEDDED,
            "total_count": count, "url": url})
    }

    /// Shows more of `object` at `path`, such as `customer` or `refunds`.
    pub(super) fn expand(
        &self,
        object: &mut Value,
        path: &str,
        version: &Version,
    ) -> Result<(), Failure> {
        let parts: Vec<_> = path.split('.').collect();
        if parts.len() > DEPTH {
            let much = format!("You cannot expand more than {DEPTH} levels of a property: {path}");
            return Err(Failure::invalid(400, much).about("expand"));
        }
        self.expand_parts(object, &parts, path, version)
    }

    fn expand_parts(
        &self,
        object: &mut Value,
        parts: &[&str],
        path: &str,
        version: &Version,
    ) -> Result<(), Failure> {
        let Some((first, rest)) = parts.split_first() else {
            return Ok(());
        };
        if let Value::Array(items) = object {
            for item in items {
                self.expand_parts(item, parts, path, version)?;
            }
            return Ok(());
        }
        let Some(fields) = object.as_object_mut() else {
            return Ok(());
        };
        self.expand_field(fields, first, path, version)?;
        match fields.get_mut(*first) {
            Some(value) => self.expand_parts(value, rest, path, version),
            None => Ok(()),
        }
    }

    fn expand_field(
        &self,
        fields: &mut Row,
        name: &str,
        path: &str,
        version: &Version,
    ) -> Result<(), Failure> {
        let text = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
        let (kind, id) = (text("object").to_owned(), text("id").to_owned());
        let embeds = Self::kind_of(&kind).map_or(&[][..], |resource| resource.embeds);
        if let Some(embed) = embeds.iter().find(|embed| embed.field == name) {
            fields.insert(name.to_owned(), self.embedded(embed, &id, version));
            return Ok(());
        }
        let shown = match fields.get(name) {
            None => {
                let text = format!("This property cannot be expanded ({path}).");
                return Err(Failure::invalid(400, text).about("expand"));
            }
            Some(Value::String(id)) => self.by_id(id, version),
            Some(_) => None,
        };
        if let Some(shown) = shown {
            fields.insert(name.to_owned(), Value::Object(shown));
        }
        Ok(())
    }

    fn by_id(&self, id: &str, version: &Version) -> Option<Row> {
        self.collections.iter().find_map(|(stream, collection)| {
            let object = collection.get(id)?;
            Some(self.shown(resources::named(stream), object, version))
        })
    }
}

/// Where the children of `parent` are listed.
pub(super) fn url_of(resource: &Resource, parent: &str) -> String {
    let inside = resource.lists.iter().find(|path| path.contains("{parent}"));
    match (inside, resource.parent_field) {
        (Some(path), _) => format!("/v1{}", path.replace("{parent}", parent)),
        (None, Some(field)) => format!("/v1{}?{field}={parent}", resource.lists[0]),
        (None, None) => format!("/v1{}", resource.lists[0]),
    }
}
