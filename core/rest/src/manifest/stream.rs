//! A stream as the manifest describes it.

use tributary_model::DataType;

use crate::cond::Cond;
use crate::fields::{Fields, duration, entries, text, texts, truth, word, wrong};
use crate::path::{Path, Records};
use crate::problem::{At, Log};
use crate::template::Template;
use crate::yaml::{Node, Yaml};

use super::cursor::CursorSpec;
use super::pager::Pager;
use super::request::{Pairs, RequestSpec, pairs, template};
use super::rule::Rule;

/// A stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct StreamSpec {
    pub(crate) name: String,
    pub(crate) at: At,
    pub(crate) origin: Origin,
    pub(crate) request: Option<RequestSpec>,
    pub(crate) job: Option<Job>,
    pub(crate) decode: Vec<Decode>,
    pub(crate) records: Records,
    /// Where they stand, too, in a second output.
    pub(crate) elsewhere: Vec<Records>,
    pub(crate) keep: Vec<(String, Keep)>,
    pub(crate) filter: Option<Cond>,
    pub(crate) key: Vec<String>,
    pub(crate) drop: Vec<String>,
    pub(crate) types: Vec<(String, DataType)>,
    pub(crate) null_empty: Vec<String>,
    pub(crate) pages: Pager,
    pub(crate) cursor: Option<CursorSpec>,
    pub(crate) each: Option<Parent>,
    pub(crate) sweeps: Vec<Pairs>,
    pub(crate) feed: Option<FeedUse>,
    pub(crate) delete: Option<Cond>,
    /// The column that names the record whose list it is: where that is read again, so is the list,
    /// and what is not in it any more is gone.
    pub(crate) belongs_to: Option<String>,
    pub(crate) complete: Option<Complete>,
    pub(crate) errors: Vec<Rule>,
    /// The permission that reading it takes, for people.
    pub(crate) needs: Option<String>,
    /// Whether it is there only for what grows out of it.
    pub(crate) hidden: bool,
}

/// Where a stream's records come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// Requests of its own.
    Own,
    /// A list inside each record of another stream.
    Nested { of: String, path: Path },
    /// The bytes of another stream's pages.
    Also { of: String },
}

/// A column that is taken from around a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    /// `^.x`: of the record that the list is in.
    Around(Path),
    /// `$.x`: of the body.
    Body(Path),
    /// A text with gaps.
    Gaps(Template),
}

/// What a body is wrapped in, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decode {
    /// Its files one after the other.
    Zip,
    Gzip,
    Json,
    Ndjson,
    Csv,
}

/// Whose rows a stream is read for, one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// Rows of another stream.
    Stream {
        of: String,
        by: By,
        touched: Vec<Path>,
    },
    /// These values.
    Values(Vec<String>),
    /// Every combination of these, each under its name.
    Cross(Vec<(String, Self)>),
}

/// For which of the parent's rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    All,
    Changed,
}

/// How a stream follows a feed of changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedUse {
    /// The feed's name; where there is only one it need not be said.
    pub(crate) of: String,
    /// Which objects of the feed are records of this stream.
    pub(crate) kind: String,
    /// How a changed record is fetched; without it the feed's own copy is taken.
    pub(crate) refetch: Option<Template>,
    /// Types of events that mean that the object is gone.
    pub(crate) deletes: Vec<String>,
}

/// How often a walk through everything is the whole truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    Always,
    Daily,
    Weekly,
}

/// An export that is ordered, waited for and fetched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) start: RequestSpec,
    pub(crate) poll: RequestSpec,
    pub(crate) done: Cond,
    pub(crate) failed: Option<Cond>,
    /// How long to wait between two questions, milliseconds.
    pub(crate) every: i64,
    /// After how long to give up, milliseconds.
    pub(crate) give_up: i64,
}

/// A feed of changes.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FeedSpec {
    pub(crate) stream: StreamSpec,
    pub(crate) object: Path,
    pub(crate) kind: Path,
    pub(crate) id: Path,
    pub(crate) event: Path,
    pub(crate) event_type: Path,
    /// How long the feed remembers, milliseconds.
    pub(crate) retention: Option<i64>,
}

impl StreamSpec {
    /// Reads a stream of its own; those inside it are added to `inner`.
    pub(crate) fn read(
        name: &str,
        node: &Node,
        log: &mut Log,
        inner: &mut Vec<Self>,
    ) -> Option<Self> {
        let mut fields = Fields::open(node, "a stream", log)?;
        let spec = Self::take(name, &mut fields, Origin::Own, log, inner);
        fields.close(log);
        spec
    }

    /// Takes the words of a stream out of a mapping that may hold more.
    fn take(
        name: &str,
        fields: &mut Fields<'_>,
        origin: Origin,
        log: &mut Log,
        inner: &mut Vec<Self>,
    ) -> Option<Self> {
        fields.take("is");
        let at = fields.at;
        let request = RequestSpec::take(fields, log);
        let job = fields.take("job").and_then(|node| Job::read(node, log));
        let ways = fields
            .take("records")
            .map_or_else(Vec::new, |node| texts(node, log));
        let mut ways = ways.iter().map(|way| {
            let parsed = Records::parse(way).map_err(|why| log.add(at, why));
            parsed.unwrap_or_default()
        });
        let (records, elsewhere) = (ways.next().unwrap_or_default(), ways.collect());
        read_inner(name, fields, log, inner);
        let mut list = |key| {
            fields
                .take(key)
                .map_or_else(Vec::new, |node| texts(node, log))
        };
        let (key, drop, null_empty) = (list("key"), list("drop"), list("null_empty"));
        let optional = fields.take("optional").and_then(|node| truth(node, log)) == Some(true);
        let mut spec = Self {
            name: name.to_owned(),
            at,
            origin,
            request,
            job,
            records,
            elsewhere,
            key,
            drop,
            null_empty,
            decode: fields
                .take("decode")
                .map_or_else(Vec::new, |node| decode(node, log)),
            keep: fields
                .take("keep")
                .map_or_else(Vec::new, |node| keep(node, log)),
            filter: fields.take("where").and_then(|node| Cond::read(node, log)),
            types: fields
                .take("types")
                .map_or_else(Vec::new, |node| types(node, log)),
            pages: fields
                .take("pages")
                .and_then(|node| Pager::read(node, log))
                .unwrap_or_default(),
            cursor: fields
                .take("cursor")
                .and_then(|node| CursorSpec::read(node, log)),
            each: fields.take("each").and_then(|node| Parent::read(node, log)),
            sweeps: fields.take("sweeps").map_or_else(Vec::new, |node| {
                crate::fields::items(node)
                    .iter()
                    .map(|item| pairs(Some(item), log))
                    .collect()
            }),
            feed: fields
                .take("feed")
                .and_then(|node| FeedUse::read(node, log)),
            delete: fields.take("delete").and_then(|node| Cond::read(node, log)),
            belongs_to: fields.take("belongs_to").and_then(|node| text(node, log)),
            complete: fields.take("complete").and_then(|node| complete(node, log)),
            errors: fields
                .take("errors")
                .map_or_else(Vec::new, |node| rules(node, log)),
            needs: fields.take("needs").and_then(|node| text(node, log)),
            hidden: fields.take("hidden").and_then(|node| truth(node, log)) == Some(true),
        };
        if optional {
            spec.errors.push(Rule::optional());
        }
        Some(spec.with_refetch(fields.take("feed"), log))
    }

    /// Where nothing else is said, a changed record is fetched by its name below the list.
    fn with_refetch(mut self, node: Option<&Node>, log: &mut Log) -> Self {
        let said = node.is_some_and(|node| node.get("refetch").is_some());
        if let (Some(feed), Some(request), Some(key), false) =
            (&mut self.feed, &self.request, self.key.first(), said)
        {
            let text = format!("{}/{{row.{key}}}", request.path.source);
            feed.refetch = Template::parse(&text, request.path.at, log);
        }
        self
    }

    /// Whether it is read again only for parents that were touched.
    pub(crate) fn is_gated(&self) -> bool {
        matches!(&self.each, Some(Parent::Stream { touched, .. }) if !touched.is_empty())
    }

    /// The streams whose rows it is read for.
    pub(crate) fn parents(&self) -> Vec<&str> {
        fn of(parent: &Parent) -> Vec<&str> {
            match parent {
                Parent::Stream { of, .. } => vec![of],
                Parent::Values(_) => Vec::new(),
                Parent::Cross(named) => named.iter().flat_map(|(_, parent)| of(parent)).collect(),
            }
        }
        self.each.as_ref().map(of).unwrap_or_default()
    }

    /// The stream whose walk brings its records, where that is another.
    pub(crate) fn driver(&self) -> Option<&str> {
        match (&self.origin, &self.each) {
            (Origin::Nested { of, .. } | Origin::Also { of }, _) => Some(of),
            (
                Origin::Own,
                Some(Parent::Stream {
                    of,
                    by: By::Changed,
                    ..
                }),
            ) => Some(of),
            (Origin::Own, _) => None,
        }
    }
}

/// Streams that come out of this one's records or pages.
fn read_inner(name: &str, fields: &mut Fields<'_>, log: &mut Log, inner: &mut Vec<StreamSpec>) {
    let nested = fields
        .take("nested")
        .map_or(&[][..], |node| entries(node, log));
    for (key, node) in nested {
        let Some(mut fields) = Fields::open(node, "a nested stream", log) else {
            continue;
        };
        let path = fields.need("path", log).and_then(|node| text(node, log));
        let origin = Origin::Nested {
            of: name.to_owned(),
            path: Path::parse(&path.unwrap_or_default()),
        };
        let spec = StreamSpec::take(&key.name, &mut fields, origin, log, inner);
        fields.close(log);
        inner.extend(spec);
    }
    let also = fields
        .take("also")
        .map_or(&[][..], |node| entries(node, log));
    for (key, node) in also {
        let Some(mut fields) = Fields::open(node, "a second output", log) else {
            continue;
        };
        let origin = Origin::Also {
            of: name.to_owned(),
        };
        let spec = StreamSpec::take(&key.name, &mut fields, origin, log, inner);
        fields.close(log);
        inner.extend(spec);
    }
}

pub(crate) fn rules(node: &Node, log: &mut Log) -> Vec<Rule> {
    let items = crate::fields::items(node);
    items
        .iter()
        .filter_map(|item| Rule::read(item, log))
        .collect()
}

fn decode(node: &Node, log: &mut Log) -> Vec<Decode> {
    let words = [
        ("zip", Decode::Zip),
        ("gzip", Decode::Gzip),
        ("json", Decode::Json),
        ("ndjson", Decode::Ndjson),
        ("csv", Decode::Csv),
    ];
    let items = crate::fields::items(node);
    let found: Vec<Decode> = items
        .iter()
        .filter_map(|item| word(item, &words, log))
        .collect();
    let is_format = |step: &Decode| matches!(step, Decode::Json | Decode::Ndjson | Decode::Csv);
    if found.iter().skip(1).any(|step| *step == Decode::Zip) {
        log.add(node.at, "`zip` comes first: nothing can be around it");
    }
    if found.iter().rev().skip(1).any(is_format) {
        log.add(
            node.at,
            "`json`, `ndjson` or `csv` comes last: nothing can be inside it",
        );
    }
    found
}

fn keep(node: &Node, log: &mut Log) -> Vec<(String, Keep)> {
    let mut kept = Vec::new();
    for (key, value) in entries(node, log) {
        let from = match value.text() {
            Some(text) if text.starts_with("^.") => Some(Keep::Around(Path::parse(&text[2..]))),
            Some(text) if text.starts_with("$.") => Some(Keep::Body(Path::parse(&text[2..]))),
            _ => template(value, log).map(Keep::Gaps),
        };
        kept.extend(from.map(|from| (key.name.clone(), from)));
    }
    kept
}

/// `{json: [metadata], float64: [percent_off]}`.
fn types(node: &Node, log: &mut Log) -> Vec<(String, DataType)> {
    let mut types = Vec::new();
    for (key, value) in entries(node, log) {
        match key.name.parse::<DataType>() {
            Ok(data_type) => {
                let names = texts(value, log).into_iter();
                types.extend(names.map(|name| (name, data_type)));
            }
            Err(why) => log.add(key.at, why),
        }
    }
    types
}

fn complete(node: &Node, log: &mut Log) -> Option<Complete> {
    let words = [
        ("always", Complete::Always),
        ("daily", Complete::Daily),
        ("weekly", Complete::Weekly),
    ];
    word(node, &words, log)
}

impl Parent {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        if let Yaml::List(_) = node.value {
            return Some(Self::Values(texts(node, log)));
        }
        if let (Yaml::Map(named), None) = (&node.value, node.get("of"))
            && named
                .iter()
                .all(|(_, value)| matches!(value.value, Yaml::Map(_) | Yaml::List(_)))
        {
            let read = |(key, value): &(crate::yaml::Key, Node)| {
                Some((key.name.clone(), Self::read(value, log)?))
            };
            return Some(Self::Cross(named.iter().filter_map(read).collect()));
        }
        let mut fields = Fields::open(node, "`each`", log)?;
        let of = fields.need("of", log).and_then(|node| text(node, log));
        let words = [("all", By::All), ("changed", By::Changed)];
        let by = fields.take("by").and_then(|node| word(node, &words, log));
        let touched = fields
            .take("touched")
            .map_or_else(Vec::new, |node| texts(node, log));
        fields.close(log);
        Some(Self::Stream {
            of: of?,
            by: by.unwrap_or(By::All),
            touched: touched.iter().map(|path| Path::parse(path)).collect(),
        })
    }
}

impl FeedUse {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "`feed`", log)?;
        let of = fields.take("of").and_then(|node| text(node, log));
        let kind = fields.need("kind", log).and_then(|node| text(node, log));
        let refetch = fields
            .take("refetch")
            .filter(|node| node.text() != Some("none"));
        let refetch = refetch.and_then(|node| template(node, log));
        let deletes = fields
            .take("deletes")
            .map_or_else(Vec::new, |node| texts(node, log));
        fields.close(log);
        Some(Self {
            of: of.unwrap_or_default(),
            kind: kind?,
            refetch,
            deletes,
        })
    }
}

impl Job {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a job", log)?;
        let start = fields
            .need("start", log)
            .and_then(|node| RequestSpec::read(node, log));
        let poll = fields
            .need("poll", log)
            .and_then(|node| RequestSpec::read(node, log));
        let done = fields
            .need("done", log)
            .and_then(|node| Cond::read(node, log));
        let failed = fields.take("failed").and_then(|node| Cond::read(node, log));
        let every = fields.take("every").and_then(|node| duration(node, log));
        let give_up = fields.take("give_up").and_then(|node| duration(node, log));
        fields.close(log);
        Some(Self {
            start: start?,
            poll: poll?,
            done: done?,
            failed,
            every: every.unwrap_or(10_000),
            give_up: give_up.unwrap_or(7_200_000),
        })
    }
}

impl FeedSpec {
    pub(crate) fn read(name: &str, node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a feed", log)?;
        let mut path = |key| {
            let found = fields.need(key, log).and_then(|node| text(node, log));
            Path::parse(&found.unwrap_or_default())
        };
        let (object, kind, id) = (path("object"), path("kind"), path("id"));
        let (event, event_type) = (path("event"), path("type"));
        let retention = fields
            .take("retention")
            .and_then(|node| duration(node, log));
        let mut inner = Vec::new();
        let stream = StreamSpec::take(name, &mut fields, Origin::Own, log, &mut inner)?;
        let at = fields.at;
        fields.close(log);
        if !matches!(stream.cursor, Some(CursorSpec::Window(_))) || !inner.is_empty() {
            let node = Node {
                at,
                value: Yaml::Null,
            };
            return wrong(
                &node,
                "a feed with a `cursor` on a field, and nothing inside it",
                log,
            );
        }
        Some(Self {
            stream,
            object,
            kind,
            id,
            event,
            event_type,
            retention,
        })
    }
}
