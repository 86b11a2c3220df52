//! What is wrong with a manifest whose words are all right: names that lead nowhere, gaps without a
//! value, things that can't be meant together.

use crate::problem::{At, Log, instead};
use crate::template::{Root, Template};

use super::Manifest;
use super::cursor::CursorSpec;
use super::each::{By, Parent};
use super::stream::{Keep, Origin, StreamSpec};

/// Notes everything of that sort.
pub(super) fn vet(manifest: &Manifest, log: &mut Log) {
    for template in manifest.shared_templates() {
        check_gaps(manifest, template, &[Root::Config, Root::Token], log);
    }
    for stream in manifest.streams.values() {
        vet_stream(manifest, stream, log);
    }
    for feed in manifest.feeds.values() {
        vet_stream(manifest, &feed.stream, log);
    }
}

impl Manifest {
    fn shared_templates(&self) -> Vec<&Template> {
        let mut found = vec![&self.base];
        found.extend(self.auth.iter().flat_map(|auth| auth.templates()));
        found.extend(self.headers.iter().map(|(_, template)| template));
        found.extend(self.limits.iter().filter_map(|limit| limit.rate.as_ref()));
        found.extend(self.realm.as_ref());
        found
    }
}

fn vet_stream(manifest: &Manifest, stream: &StreamSpec, log: &mut Log) {
    let at = stream.at;
    if stream.origin == Origin::Own && stream.request.is_none() {
        log.add(
            at,
            format!("the stream `{}` needs `get` or `post`", stream.name),
        );
    }
    let removes = stream.delete.is_some() || stream.feed.is_some() || stream.complete.is_some();
    if removes && stream.key.is_empty() {
        let what = format!("`{}` can't remove rows without a `key`", stream.name);
        log.help(
            at,
            what,
            "Name the fields that tell its rows apart: `key: [id]`.",
        );
    }
    if stream.complete.is_some() && matches!(stream.cursor, Some(CursorSpec::Token(_))) {
        log.add(at, "a walk that goes on from a token is never `complete`");
    }
    if !stream.elsewhere.is_empty() && !matches!(stream.origin, Origin::Also { .. }) {
        log.add(
            at,
            "only a stream of `also` has `records` at several places",
        );
    }
    vet_parent(manifest, stream, log);
    vet_list(manifest, stream, log);
    if let Some(feed) = &stream.feed
        && !manifest.feeds.contains_key(&feed.of)
    {
        let known = manifest.feeds.keys().map(String::as_str);
        log.help(
            at,
            format!("there is no feed `{}`", feed.of),
            instead(&feed.of, known),
        );
    }
    vet_window(stream, log);
    vet_gaps(manifest, stream, log);
}

fn vet_parent(manifest: &Manifest, stream: &StreamSpec, log: &mut Log) {
    for of in stream.parents() {
        if manifest.streams.contains_key(of) {
            vet_circle(manifest, stream, of, log);
        } else {
            let known = manifest.streams.keys().map(String::as_str);
            let what = format!("there is no stream `{of}`");
            log.help(stream.at, what, instead(of, known));
        }
    }
    if let Some(Parent::Cross(named)) = &stream.each {
        let changed = |parent: &Parent| {
            matches!(
                parent,
                Parent::Stream {
                    by: By::Changed,
                    ..
                }
            )
        };
        if named.iter().any(|(_, parent)| changed(parent)) {
            log.add(
                stream.at,
                "combinations are gone through with `by: all` only",
            );
        }
    }
}

fn vet_circle(manifest: &Manifest, stream: &StreamSpec, of: &str, log: &mut Log) {
    let mut known = vec![stream.name.as_str()];
    let mut next = vec![of];
    while let Some(name) = next.pop() {
        if name == stream.name {
            log.add(stream.at, format!("`{}` is its own parent", stream.name));
            return;
        }
        if known.contains(&name) {
            continue;
        }
        known.push(name);
        let Some(spec) = manifest.stream(name) else {
            continue;
        };
        next.extend(spec.parents());
        if let Origin::Nested { of, .. } | Origin::Also { of } = &spec.origin {
            next.push(of);
        }
    }
}

/// A list can be replaced as a set only where it comes with the record that it belongs to.
fn vet_list(manifest: &Manifest, stream: &StreamSpec, log: &mut Log) {
    if stream.belongs_to.is_empty() {
        return;
    }
    let parent = stream.driver().and_then(|parent| manifest.stream(parent));
    let Some(parent) = parent else {
        let what = format!(
            "`{}` is not read for each record of another stream",
            stream.name
        );
        let help = "`belongs_to` is for `nested`, `also`, and `each` with `by: changed`.";
        log.help(stream.at, what, help);
        return;
    };
    if stream.key.is_empty() {
        let what = format!(
            "`{}` can't be replaced as a list without a `key`",
            stream.name
        );
        log.help(
            stream.at,
            what,
            "Name the fields that tell its rows apart: `key: [id]`.",
        );
    }
    if parent.key.len() != stream.belongs_to.len() {
        let what = format!(
            "`{}` can't name a record of `{}`, whose key is `{}`",
            stream.belongs_to.join(", "),
            parent.name,
            parent.key.join(", ")
        );
        let help = "Name a column for each field of that key, in its order.";
        log.help(stream.at, what, help);
    }
}

fn vet_window(stream: &StreamSpec, log: &mut Log) {
    let Some(CursorSpec::Window(window)) = &stream.cursor else {
        return;
    };
    let asks = |root| {
        let own = stream
            .request
            .as_ref()
            .is_some_and(|request| request.uses(root));
        let job = stream.job.as_ref().is_some_and(|job| job.start.uses(root));
        own || job
    };
    if window.from.is_none() && !asks(Root::From) {
        let help = "Write `from: parameter`, or use `{from}` in the request.";
        log.help(
            stream.at,
            format!("nothing tells the API where `{}` begins", stream.name),
            help,
        );
    }
    let has_end = window.to.is_some() || asks(Root::To);
    if window.window.is_some() && !has_end {
        log.add(stream.at, "a `window` needs an end: write `to: parameter`");
    }
}

/// Every gap must be one that has a value where it stands.
fn vet_gaps(manifest: &Manifest, stream: &StreamSpec, log: &mut Log) {
    let mut roots = vec![Root::Config, Root::Token, Root::From, Root::To, Root::Size];
    if stream.each.is_some() {
        roots.push(Root::Each);
    }
    if matches!(stream.origin, Origin::Nested { .. }) {
        roots.push(Root::Row);
    }
    if let Some(job) = &stream.job {
        for template in job.start.templates() {
            check_gaps(manifest, template, &roots, log);
        }
        roots.push(Root::Job);
        for template in job.poll.templates() {
            check_gaps(manifest, template, &roots, log);
        }
    }
    let request = stream
        .request
        .iter()
        .flat_map(super::request::RequestSpec::templates);
    for template in request.chain(stream.sweeps.iter().flatten().map(|(_, t)| t)) {
        check_gaps(manifest, template, &roots, log);
    }
    roots.push(Root::Row);
    for (_, keep) in &stream.keep {
        if let Keep::Gaps(template) = keep {
            check_gaps(manifest, template, &roots, log);
        }
    }
    if let Some(refetch) = stream.feed.as_ref().and_then(|feed| feed.refetch.as_ref()) {
        check_gaps(manifest, refetch, &[Root::Config, Root::Row], log);
    }
}

fn check_gaps(manifest: &Manifest, template: &Template, roots: &[Root], log: &mut Log) {
    for gap in template.gaps() {
        if !roots.contains(&gap.root) {
            log.add(
                template.at,
                format!("`{{{}}}` has no value here", gap.name()),
            );
        } else if gap.root == Root::Config {
            check_setting(manifest, gap.path.steps().first(), template.at, log);
        }
    }
}

fn check_setting(manifest: &Manifest, name: Option<&String>, at: At, log: &mut Log) {
    let name = name.map_or("", String::as_str);
    if !manifest.settings.iter().any(|(known, _)| known == name) {
        let known = manifest.settings.iter().map(|(known, _)| known.as_str());
        let what = format!("`{{config.{name}}}` is not among the settings under `config`");
        log.help(at, what, instead(name, known));
    }
}
