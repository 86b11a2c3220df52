//! Lists: newest first, in pages, narrowed by parameters, each of which must be known.

use serde_json::{Value, json};
use tributary_model::Row;

use super::account::Account;
use super::collection::{Collection, Object, Place, Walk};
use super::error::Failure;
use super::resource::{Paging, Resource, Window};
use super::version::Version;
use crate::api::exchange::Request;

/// What a list request asks for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) limit: usize,
    cursor: Option<Cursor>,
    pub(super) window: Vec<(Bound, i64)>,
    pub(super) filters: Vec<(String, String)>,
    pub(super) expand: Vec<String>,
}

#[derive(Debug)]
enum Cursor {
    After(String),
    Before(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    Above,
    From,
    Below,
    UpTo,
    At,
}

/// What a list takes besides paging.
#[derive(Clone, Debug)]
pub(super) struct Allowed {
    pub(super) filters: Vec<&'static str>,
    pub(super) window: bool,
    pub(super) paging: Paging,
}

impl Allowed {
    pub(super) fn of(resource: &Resource, version: &Version) -> Self {
        let mut filters = [resource.filters, resource.required].concat();
        filters.extend(resource.parent_field);
        let window = match resource.window {
            Window::Never => false,
            Window::Always => true,
            Window::Since(since) => !version.is_before(since),
        };
        Self {
            filters,
            window,
            paging: resource.paging,
        }
    }
}

impl Question {
    pub(super) fn parse(request: &Request, allowed: &Allowed) -> Result<Self, Failure> {
        let mut question = Self {
            limit: 10,
            cursor: None,
            window: Vec::new(),
            filters: Vec::new(),
            expand: Vec::new(),
        };
        for (name, value) in &request.query {
            question.take(name, value, allowed)?;
        }
        Ok(question)
    }

    fn take(&mut self, name: &str, value: &str, allowed: &Allowed) -> Result<(), Failure> {
        let (stem, inner) = name.split_once('[').unwrap_or((name, ""));
        let inner = inner.trim_end_matches(']');
        let paged = allowed.paging == Paging::Cursors;
        match stem {
            "expand" => self.expand.push(value.to_owned()),
            "limit" if paged => self.limit = limit(value)?,
            "starting_after" if paged => self.point(Cursor::After(value.to_owned()))?,
            "ending_before" if paged => self.point(Cursor::Before(value.to_owned()))?,
            "created" if allowed.window => {
                let bound = bound(inner).ok_or_else(|| unknown(name))?;
                let at = value.parse().map_err(|_| integer("created", value))?;
                self.window.push((bound, at));
            }
            known if allowed.filters.contains(&known) => {
                self.filters.push((known.to_owned(), value.to_owned()));
            }
            _ => return Err(unknown(stem)),
        }
        Ok(())
    }

    fn point(&mut self, cursor: Cursor) -> Result<(), Failure> {
        if self.cursor.is_some() {
            let text = "You may only specify one of these parameters: starting_after, \
                        ending_before.";
            return Err(Failure::invalid(400, text));
        }
        self.cursor = Some(cursor);
        Ok(())
    }

    /// The value of a filter.
    pub(super) fn filter(&self, name: &str) -> Option<&str> {
        let found = self.filters.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Takes a filter out.
    pub(super) fn take_filter(&mut self, name: &str) -> Option<String> {
        let index = self.filters.iter().position(|(key, _)| key == name)?;
        Some(self.filters.remove(index).1)
    }

    pub(super) fn in_window(&self, at: i64) -> bool {
        self.window.iter().all(|(bound, limit)| match bound {
            Bound::Above => at > *limit,
            Bound::From => at >= *limit,
            Bound::Below => at < *limit,
            Bound::UpTo => at <= *limit,
            Bound::At => at == *limit,
        })
    }

    /// Where to walk; `missing` says what is wrong with a cursor that is not there.
    pub(super) fn walk(
        &self,
        collection: Option<&Collection>,
        missing: impl Fn(&str, &str) -> Failure,
    ) -> Result<Walk, Failure> {
        let place = |id: &String, param: &str| -> Result<Place, Failure> {
            let place = collection.and_then(|collection| collection.place(id));
            place.ok_or_else(|| missing(id, param))
        };
        Ok(match &self.cursor {
            None => Walk::Whole,
            Some(Cursor::After(id)) => Walk::After(place(id, "starting_after")?),
            Some(Cursor::Before(id)) => Walk::Before(place(id, "ending_before")?),
        })
    }

    /// The page that `objects`, in the order of the walk, begin with.
    pub(super) fn page<'a>(
        &self,
        objects: impl Iterator<Item = &'a Object>,
    ) -> (Vec<&'a Object>, bool) {
        let limit = match self.limit {
            0 => usize::MAX,
            limit => limit,
        };
        let mut page: Vec<_> = objects.take(limit.saturating_add(1)).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        if matches!(self.cursor, Some(Cursor::Before(_))) {
            page.reverse();
        }
        (page, more)
    }

    /// The paths below the items of the list that are to be expanded.
    pub(super) fn expansions(&self) -> Result<Vec<&str>, Failure> {
        let inside = |path: &'_ String| {
            let text = format!("This property cannot be expanded ({path}).");
            Failure::invalid(400, text).about("expand")
        };
        let paths = self.expand.iter();
        paths
            .map(|path| path.strip_prefix("data.").ok_or_else(|| inside(path)))
            .collect()
    }
}

fn bound(text: &str) -> Option<Bound> {
    Some(match text {
        "" => Bound::At,
        "gt" => Bound::Above,
        "gte" => Bound::From,
        "lt" => Bound::Below,
        "lte" => Bound::UpTo,
        _ => return None,
    })
}

fn limit(text: &str) -> Result<usize, Failure> {
    let value: i64 = text.parse().map_err(|_| integer("limit", text))?;
    let wrong = |words: &str| {
        let text = format!("This value must be {words}.");
        Failure::invalid(400, text)
            .coded("parameter_invalid_integer")
            .about("limit")
    };
    match value {
        ..1 => Err(wrong("greater than or equal to 1")),
        101.. => Err(wrong("less than or equal to 100")),
        _ => Ok(usize::try_from(value).unwrap_or(10)),
    }
}

fn integer(param: &str, value: &str) -> Failure {
    let text = format!("Invalid integer: {value}");
    Failure::invalid(400, text)
        .coded("parameter_invalid_integer")
        .about(param)
}

pub(super) fn unknown(param: &str) -> Failure {
    let text = format!("Received unknown parameter: {param}");
    Failure::invalid(400, text)
        .coded("parameter_unknown")
        .about(param)
}

impl Account {
    /// A page of a list.
    pub(super) fn list(
        &self,
        resource: &Resource,
        parent: Option<&str>,
        request: &Request,
        version: &Version,
    ) -> Result<Value, Failure> {
        let mut question = Question::parse(request, &Allowed::of(resource, version))?;
        for required in resource.required {
            if question.filter(required).is_none() {
                let text = format!("Missing required param: {required}.");
                return Err(Failure::invalid(400, text)
                    .coded("parameter_missing")
                    .about(required));
            }
        }
        if resource.paging == Paging::None {
            question.limit = 0;
        }
        let named = resource
            .parent_field
            .and_then(|field| question.take_filter(field));
        let parent = parent.or(named.as_deref());
        self.check_parent(resource, parent, &question)?;
        let collection = self.collection(resource.stream);
        let walk = question.walk(collection, |id, param| missing_cursor(resource, id, param))?;
        let objects = collection
            .into_iter()
            .flat_map(|all| all.walk(parent, walk));
        let passing = objects.filter(|object| self.passes(resource, parent, object, &question));
        let (page, more) = question.page(passing);
        let mut data = Vec::with_capacity(page.len());
        for object in page {
            let mut shown = Value::Object(self.shown(resource, object, version));
            for path in question.expansions()? {
                self.expand(&mut shown, path, version)?;
            }
            data.push(shown);
        }
        Ok(document(data, more, &request.path))
    }

    fn passes(
        &self,
        resource: &Resource,
        parent: Option<&str>,
        object: &Object,
        question: &Question,
    ) -> bool {
        let ended = |object: &Object| object.matches("status", "canceled");
        let status = question.filter("status");
        let by_kind = match resource.stream {
            // Who does not ask for ended ones does not get them.
            "subscriptions" if status.is_none() => !ended(object),
            "subscriptions" if status == Some("all") => true,
            // Without a customer only those that belong to nobody.
            "payment_methods" if parent.is_none() => object.parent.is_none(),
            _ => true,
        };
        let mut filters = question.filters.iter().filter(|(name, value)| {
            !(resource.stream == "subscriptions" && name == "status" && value == "all")
        });
        by_kind
            && self.can_be_seen(resource, object)
            && question.in_window(object.made)
            && filters.all(|(name, value)| object.matches(name, value))
    }

    fn check_parent(
        &self,
        resource: &Resource,
        parent: Option<&str>,
        question: &Question,
    ) -> Result<(), Failure> {
        if let (Some(stream), Some(id)) = (resource.parent, parent)
            && self.object(stream, id).is_none()
        {
            let kind = super::resources::named(stream).object;
            return Err(Failure::missing(
                404,
                kind,
                id,
                resource.parent_field.unwrap_or("id"),
            ));
        }
        super::refusal::of_list(self, resource, parent, question)
    }
}

fn missing_cursor(resource: &Resource, id: &str, param: &str) -> Failure {
    let object = match resource.stream {
        "invoice_line_items" => "invoice item",
        _ => resource.object,
    };
    Failure::missing(400, object, id, param)
}

/// A list as the API writes it.
pub(super) fn document(data: Vec<Value>, more: bool, url: &str) -> Value {
    json!({"object": "list", "data": data, "has_more": more, "url": url})
}

/// Rows of a page of events, by the parameters that only they have.
pub(super) fn rows(page: &[&Object]) -> Vec<Value> {
    page.iter()
        .map(|object| Value::Object(Row::clone(&object.fields)))
        .collect()
}
