//! Preflight: is the credential taken, and what can it read?

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::FutureExt;
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Report, Result, StreamName, Verdict};

use crate::cursor::Place;
use crate::http::{Call, Failure, Fetched};
use crate::manifest::Probe;
use crate::manifest::cursor::CursorSpec;
use crate::manifest::each::Parent;
use crate::manifest::stream::{Origin, StreamSpec};
use crate::read::{Asked, Pages};
use crate::ready::Ready;
use crate::template::{Root, Scope};
use crate::window::{self, Span};

/// Streams that are asked for at the same time.
const SIDE_BY_SIDE: usize = 4;
/// What no record is called.
const NOBODY: &str = "nobody";

/// What was found of one stream.
type Finding = (String, Verdict, String, Option<String>);

/// Asks for a little of everything that is selected.
pub(crate) async fn check(api: &Ready, streams: &[StreamName]) -> Result<Report> {
    let mut report = Report::default();
    for probe in &api.manifest.check {
        if !ask_probe(api, probe, &mut report).await? {
            return Ok(report);
        }
    }
    let specs = asked(api, streams);
    let asking: Vec<_> = specs
        .values()
        .map(|asking| ask_stream(api, *asking).boxed())
        .collect();
    let findings: Vec<Result<Finding>> =
        stream::iter(asking).buffered(SIDE_BY_SIDE).collect().await;
    for finding in findings {
        let (what, verdict, found, fix) = finding?;
        match (verdict, fix) {
            (Verdict::Pass, _) => report.pass(what, found),
            (Verdict::Warn, fix) => report.warn(what, found, fix.unwrap_or_default()),
            (Verdict::Fail, fix) => report.fail(what, found, fix.unwrap_or_default()),
        }
    }
    Ok(report)
}

/// The streams that are asked for: the selected ones, and those and feeds that they come from.
fn asked<'a>(api: &'a Ready, streams: &[StreamName]) -> BTreeMap<&'a str, Asking<'a>> {
    let mut found = BTreeMap::new();
    let selected = streams
        .iter()
        .filter_map(|name| api.manifest.stream(&name.name));
    let all = api.manifest.streams.values();
    let all = all.filter(|spec| streams.is_empty() && !spec.hidden);
    let mut next: Vec<&Arc<StreamSpec>> = selected.chain(all).collect();
    while let Some(spec) = next.pop() {
        // What it comes from has to be read, too.
        let above = spec.driver().into_iter().chain(spec.parents());
        next.extend(above.filter_map(|name| api.manifest.stream(name)));
        if own_request(spec).is_some() {
            let what = "stream";
            found.insert(spec.name.as_str(), Asking { spec, what });
        }
        let feed = spec.feed.as_ref();
        if let Some(feed) = feed.and_then(|feed| api.manifest.feeds.get(&feed.of)) {
            let (spec, what) = (&feed.stream, "feed");
            found.insert(feed.stream.name.as_str(), Asking { spec, what });
        }
    }
    found
}

#[derive(Clone, Copy, Debug)]
struct Asking<'a> {
    spec: &'a StreamSpec,
    what: &'static str,
}

fn own_request(spec: &Arc<StreamSpec>) -> Option<&StreamSpec> {
    (spec.origin == Origin::Own && spec.request.is_some()).then_some(&**spec)
}

async fn ask_probe(api: &Ready, probe: &Probe, report: &mut Report) -> Result<bool> {
    let scope = Scope {
        config: Some(&api.config),
        ..Scope::default()
    };
    let call = Call::new(&api.client.origin, &probe.request, &scope)?;
    let what = probe.proves.clone();
    match api.client.send(&call, &[]).await {
        Ok(Fetched::Page(response)) => {
            let body: Value =
                serde_json::from_slice(&response.body.to_bytes()?).unwrap_or_default();
            match &probe.expect {
                Some(expect) if !expect.holds(&body) => {
                    let fix = "Check `api_url` and the account that the credential belongs to.";
                    report.fail(
                        what,
                        format!("{} answered something else", call.label()),
                        fix,
                    );
                    Ok(false)
                }
                _ => {
                    report.pass(
                        what,
                        format!("{} answered {}", call.label(), response.status),
                    );
                    Ok(true)
                }
            }
        }
        Ok(_) | Err(Failure::Skip(_) | Failure::Slice(_)) => Ok(true),
        // What a key may not see is said of the streams that need it.
        Err(Failure::Stream(error)) if error.kind() == ErrorKind::Access => Ok(true),
        // Something answers that is not quite the API: the streams tell more.
        Err(Failure::Stream(error)) if error.kind() == ErrorKind::Incompatible => {
            let fix = "Check `api_url` and the account that the credential belongs to.";
            report.warn(what, line(&error), error.help().unwrap_or(fix));
            Ok(true)
        }
        Err(Failure::Source(error) | Failure::Stream(error)) => {
            if error.kind() == ErrorKind::Access {
                report.fail(what, line(&error), error.help().unwrap_or_default());
                return Ok(false);
            }
            Err(error)
        }
    }
}

async fn ask_stream(api: &Ready, asking: Asking<'_>) -> Result<Finding> {
    let Asking { spec, what } = asking;
    let name = format!("{what} {}", spec.name);
    if spec.job.is_some() {
        let found = "not asked: an export would have to be made".to_owned();
        return Ok((name, Verdict::Pass, found, None));
    }
    Ok(match ask_once(api, spec).await {
        Ok(()) => (name, Verdict::Pass, "can be read".to_owned(), None),
        Err(Failure::Skip(why)) => {
            let needs = spec.needs.as_ref();
            let needs = needs.map_or_else(String::new, |needs| format!("It takes {needs}. "));
            let fix = format!(
                "{needs}Leave it out with `select: [\"!{}\"]`, or enable it there.",
                spec.name
            );
            (name, Verdict::Warn, format!("left out: {why}"), Some(fix))
        }
        Err(Failure::Slice(_)) => (name, Verdict::Pass, "can be read".to_owned(), None),
        // There is no such record: who may not read it is told so first.
        Err(Failure::Stream(error))
            if nobody(spec).is_some() && error.kind() == ErrorKind::Incompatible =>
        {
            let found = "can be read; asked for a record that is not there".to_owned();
            (name, Verdict::Pass, found, None)
        }
        Err(Failure::Source(error)) if error.kind() != ErrorKind::Access => return Err(error),
        Err(Failure::Source(error) | Failure::Stream(error)) => (
            name,
            Verdict::Fail,
            line(&error),
            Some(fix_of(spec, &error)),
        ),
    })
}

/// A record that is not there, for a request that is made for each record of another stream.
fn nobody(spec: &StreamSpec) -> Option<Value> {
    let parents = spec
        .each
        .as_ref()
        .filter(|each| !matches!(each, Parent::Values(_)));
    let request = spec.request.as_ref().filter(|_| parents.is_some())?;
    let mut each = Value::Null;
    for template in request.templates() {
        for gap in template.gaps().filter(|gap| gap.root == Root::Each) {
            let mut at = &mut each;
            for step in gap.path.steps() {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                at = &mut at[step.as_str()];
            }
            *at = Value::from(NOBODY);
        }
    }
    Some(each)
}

async fn ask_once(api: &Ready, spec: &StreamSpec) -> Result<(), Failure> {
    let now = tributary_model::now().timestamp_millis();
    let each = match &spec.each {
        Some(Parent::Values(values)) => values.first().map(|value| Value::from(value.as_str())),
        Some(Parent::Stream { .. } | Parent::Cross(_)) => nobody(spec),
        None => None,
    };
    let asked = match &spec.cursor {
        Some(CursorSpec::Window(window)) => {
            let grain = window.grain();
            let to = crate::point::above(now, grain);
            let from = crate::point::floor(now - window.window.unwrap_or(grain), grain);
            Some((window, window::ask(Span { from, to }, window)))
        }
        _ => None,
    };
    let scope = Scope {
        config: Some(&api.config),
        each: each.as_ref(),
        from: asked.as_ref().map(|(_, (from, _))| from.as_str()),
        to: asked.as_ref().and_then(|(_, (_, to))| to.as_deref()),
        ..Scope::default()
    };
    let Some(request) = &spec.request else {
        return Ok(());
    };
    let mut call = Call::new(&api.client.origin, request, &scope)?;
    if let Some((window, (from, to))) = &asked {
        if let Some(target) = &window.from {
            call.append(target, from);
        }
        if let (Some(target), Some(to)) = (&window.to, to) {
            call.append(target, to);
        }
    }
    if let Some(CursorSpec::Token(token)) = &spec.cursor {
        call.add(&token.first, &scope)?;
    }
    match Pages::new(&api.client, spec, call, Place::Start)
        .ask()
        .await?
    {
        Asked::Page(_) | Asked::Nothing | Asked::TooLong(_) => Ok(()),
    }
}

fn line(error: &Error) -> String {
    match error.why() {
        Some(why) => format!("{} ({why})", error.what()),
        None => error.what(),
    }
}

fn fix_of(spec: &StreamSpec, error: &Error) -> String {
    match (&spec.needs, error.kind()) {
        (Some(needs), ErrorKind::Access) => format!(
            "Give the credential the permission `{needs}`, or leave the stream out: \
             `select: [\"!{}\"]`.",
            spec.name
        ),
        _ => error.help().map_or_else(
            || format!("Leave the stream out: `select: [\"!{}\"]`.", spec.name),
            str::to_owned,
        ),
    }
}
