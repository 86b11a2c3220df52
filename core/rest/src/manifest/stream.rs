//! A stream as the manifest describes it.

use tributary_model::DataType;

use crate::cond::Cond;
use crate::fields::{Fields, entries, text, texts, truth, word};
use crate::path::{Path, Records};
use crate::problem::{At, Log};
use crate::template::Template;
use crate::yaml::Node;

use super::cursor::CursorSpec;
use super::each::{By, Parent};
use super::feed::FeedUse;
use super::job::Job;
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
    /// The columns that name the record whose list it is, as its own key does: where that is read
    /// again, so is the list, and what is not in it any more is gone.
    pub(crate) belongs_to: Vec<String>,
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

/// How often a walk through everything is the whole truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    Always,
    Daily,
    Weekly,
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
    pub(super) fn take(
        name: &str,
        fields: &mut Fields<'_>,
        origin: Origin,
        log: &mut Log,
        inner: &mut Vec<Self>,
    ) -> Option<Self> {
        fields.take("is");
        let at = fields.at;
        let request = RequestSpec::take(fields, log);
        let job = fields.read("job", log, Job::read);
        let (records, elsewhere) = ways(fields, log);
        read_inner(name, fields, log, inner);
        let optional = fields.read("optional", log, truth) == Some(true);
        let mut spec = Self {
            name: name.to_owned(),
            at,
            origin,
            request,
            job,
            records,
            elsewhere,
            key: fields.list("key", log, texts),
            drop: fields.list("drop", log, texts),
            null_empty: fields.list("null_empty", log, texts),
            decode: fields.list("decode", log, decode),
            keep: fields.list("keep", log, keep),
            filter: fields.read("where", log, Cond::read),
            types: fields.list("types", log, types),
            pages: fields.read("pages", log, Pager::read).unwrap_or_default(),
            cursor: fields.read("cursor", log, CursorSpec::read),
            each: fields.read("each", log, Parent::read),
            sweeps: fields.list("sweeps", log, sweeps),
            feed: fields.read("feed", log, FeedUse::read),
            delete: fields.read("delete", log, Cond::read),
            belongs_to: fields.list("belongs_to", log, texts),
            complete: fields.read("complete", log, complete),
            errors: fields.list("errors", log, rules),
            needs: fields.read("needs", log, text),
            hidden: fields.read("hidden", log, truth) == Some(true),
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

/// Where the records are in an answer, and where else they may be.
fn ways(fields: &mut Fields<'_>, log: &mut Log) -> (Records, Vec<Records>) {
    let at = fields.at;
    let ways = fields.list("records", log, texts);
    let mut ways = ways.iter().map(|way| {
        let parsed = Records::parse(way).map_err(|why| log.add(at, why));
        parsed.unwrap_or_default()
    });
    (ways.next().unwrap_or_default(), ways.collect())
}

fn sweeps(node: &Node, log: &mut Log) -> Vec<Pairs> {
    let items = crate::fields::items(node).iter();
    items.map(|item| pairs(Some(item), log)).collect()
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
