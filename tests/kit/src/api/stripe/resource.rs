//! What there is to know of one kind of object: where it is listed, what it takes, which events
//! tell of it, and what remains of it when it is deleted.

use super::features::Feature;

/// One kind of object.
#[derive(Clone, Copy, Debug)]
pub struct Resource {
    /// The name of its stream and of its template.
    pub stream: &'static str,
    pub(super) object: &'static str,
    pub(super) prefix: &'static str,
    /// Where it is listed, after `/v1`; `{parent}` stands for the parent's id.
    pub(super) lists: &'static [&'static str],
    /// The collection that its parents are in.
    pub(super) parent: Option<&'static str>,
    /// The field, and parameter of its list, that hold the parent's id.
    pub(super) parent_field: Option<&'static str>,
    /// The field that holds when it was made.
    pub(super) dated: Option<&'static str>,
    pub(super) window: Window,
    /// Parameters that narrow its list to equal fields.
    pub(super) filters: &'static [&'static str],
    /// Parameters that its list can't do without.
    pub(super) required: &'static [&'static str],
    pub(super) events: Events,
    pub(super) gone: Gone,
    pub(super) feature: Option<Feature>,
    pub(super) paging: Paging,
    pub(super) retrieval: Retrieval,
    pub(super) embeds: &'static [Embed],
    pub(super) versions: Versions,
}

/// Whether its list takes `created`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Window {
    Never,
    Always,
    /// From this API version on.
    Since(&'static str),
}

/// Which API versions know its paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Versions {
    All,
    Since(&'static str),
    Before(&'static str),
}

/// The events that tell of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Events {
    pub(super) created: Option<&'static str>,
    pub(super) updated: &'static [&'static str],
    pub(super) deleted: Option<&'static str>,
}

/// What a request for a deleted one gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gone {
    /// 404.
    Missing,
    /// `{"id": .., "object": .., "deleted": true}`.
    Stub,
}

/// Whether its list takes `limit` and cursors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Paging {
    Cursors,
    None,
}

/// Whether one can be asked for by its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retrieval {
    ById,
    Never,
}

/// A list of children inside of the object.
#[derive(Clone, Copy, Debug)]
pub(super) struct Embed {
    pub(super) field: &'static str,
    pub(super) of: &'static str,
    pub(super) shown: Shown,
}

/// When an embedded list is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Always,
    /// Only where `expand[]` asks for it.
    Expanded,
}

/// An embedded list that is always there.
pub(super) const fn shown(field: &'static str, of: &'static str) -> Embed {
    let shown = Shown::Always;
    Embed { field, of, shown }
}

/// An embedded list that must be asked for.
pub(super) const fn expanded(field: &'static str, of: &'static str) -> Embed {
    let shown = Shown::Expanded;
    Embed { field, of, shown }
}

/// A kind of object with a `created` field, listed with a `created` window.
pub(super) const fn timed(
    stream: &'static str,
    object: &'static str,
    prefix: &'static str,
    lists: &'static [&'static str],
) -> Resource {
    Resource {
        window: Window::Always,
        dated: Some("created"),
        ..plain(stream, object, prefix, lists)
    }
}

/// A kind of object with no time of making.
pub(super) const fn plain(
    stream: &'static str,
    object: &'static str,
    prefix: &'static str,
    lists: &'static [&'static str],
) -> Resource {
    Resource {
        stream,
        object,
        prefix,
        lists,
        parent: None,
        parent_field: None,
        dated: None,
        window: Window::Never,
        filters: &[],
        required: &[],
        events: Events {
            created: None,
            updated: &[],
            deleted: None,
        },
        gone: Gone::Missing,
        feature: None,
        paging: Paging::Cursors,
        retrieval: Retrieval::ById,
        embeds: &[],
        versions: Versions::All,
    }
}

impl Resource {
    /// With a `created` field that its list can't be narrowed by.
    pub(super) const fn dated(mut self) -> Self {
        self.dated = Some("created");
        self
    }

    pub(super) const fn of(mut self, parent: &'static str, field: &'static str) -> Self {
        self.parent = Some(parent);
        self.parent_field = Some(field);
        self
    }

    /// Children that do not name their parent.
    pub(super) const fn inside(mut self, parent: &'static str) -> Self {
        self.parent = Some(parent);
        self
    }

    pub(super) const fn filters(mut self, filters: &'static [&'static str]) -> Self {
        self.filters = filters;
        self
    }

    pub(super) const fn required(mut self, required: &'static [&'static str]) -> Self {
        self.required = required;
        self
    }

    pub(super) const fn created(mut self, event: &'static str) -> Self {
        self.events.created = Some(event);
        self
    }

    pub(super) const fn updated(mut self, events: &'static [&'static str]) -> Self {
        self.events.updated = events;
        self
    }

    pub(super) const fn deleted(mut self, event: &'static str) -> Self {
        self.events.deleted = Some(event);
        self
    }

    pub(super) const fn embeds(mut self, embeds: &'static [Embed]) -> Self {
        self.embeds = embeds;
        self
    }

    pub(super) const fn needs(mut self, feature: Feature) -> Self {
        self.feature = Some(feature);
        self
    }

    pub(super) const fn unretrievable(mut self) -> Self {
        self.retrieval = Retrieval::Never;
        self
    }

    /// The name of the permission that a restricted key needs.
    pub(super) fn permission(&self) -> String {
        format!("rak_{}_read", self.object.replace('.', "_"))
    }
}
