//! From one page to the next. Pure: from a pager, a page and its place to the next place.

use serde_json::{Map, Value};
use tributary_model::{Error, ErrorKind, Result};
use url::Url;

use crate::cursor::Place;
use crate::json::{Envelope, Raw};
use crate::manifest::pager::{Pager, Stop, Way};
use crate::path::Path;

/// What is known of a page once it has been read.
#[derive(Debug)]
pub(crate) struct Facts<'a> {
    pub(crate) records: usize,
    /// What names the last record, where the pager asks for it.
    pub(crate) last: Option<String>,
    pub(crate) envelope: &'a Envelope<'a>,
    pub(crate) headers: &'a Map<String, Value>,
    /// The size that was asked for.
    pub(crate) size: Option<u32>,
}

/// The place of the page after the one at `place`; `None` where that was the last.
pub(crate) fn next(pager: &Pager, place: &Place, facts: &Facts<'_>) -> Result<Option<Place>> {
    if !goes_on(pager, facts) {
        return Ok(None);
    }
    let said = pager.more.is_some();
    let found = match &pager.way {
        Way::None => return Ok(None),
        Way::Cursor { from, .. } => value_at(facts, from).map(Place::Value),
        Way::Header { name, .. } => header(facts, name).map(Place::Value),
        Way::Next { from, take } => value_at(facts, from).and_then(|url| at_url(&url, take)),
        Way::Link { take } => {
            header(facts, "link").and_then(|link| at_url(&next_link(&link)?, take))
        }
        Way::Last { .. } => facts.last.clone().map(Place::Value),
        Way::Offset { .. } => Some(Place::Number(number(place, 0) + facts.records as u64)),
        Way::Page { first, .. } => Some(Place::Number(number(place, u64::from(*first)) + 1)),
    };
    match found {
        // G6: a walk that does not move would never end.
        Some(next) if next == *place => Err(stuck("it names the same page again")),
        Some(next) => Ok(Some(next)),
        None if said || matches!(pager.way, Way::Last { .. }) => {
            Err(stuck("it says that there is more, and not where"))
        }
        None => Ok(None),
    }
}

/// Whether the page says, or looks as if, there is another.
fn goes_on(pager: &Pager, facts: &Facts<'_>) -> bool {
    let more = pager
        .more
        .as_ref()
        .is_none_or(|more| more.holds_of(&|path| facts.envelope.find(path).map(Raw::to_value)));
    let full = match pager.stop {
        None => true,
        Some(Stop::Empty) => facts.records > 0,
        Some(Stop::Short) => facts.size.is_none_or(|size| facts.records >= size as usize),
    };
    more && full
}

fn number(place: &Place, first: u64) -> u64 {
    match place {
        Place::Number(number) => *number,
        Place::Start | Place::Value(_) | Place::Url(_) => first,
    }
}

fn value_at(facts: &Facts<'_>, path: &Path) -> Option<String> {
    let found = facts.envelope.find(path)?.text().into_owned();
    (!found.is_empty()).then_some(found)
}

fn header(facts: &Facts<'_>, name: &str) -> Option<String> {
    let text = facts.headers.get(name)?.as_str()?;
    // Some APIs write the end out.
    (!text.is_empty() && text != "null").then(|| text.to_owned())
}

/// The address with `rel="next"` in a `Link` header.
fn next_link(text: &str) -> Option<String> {
    text.split(',').find_map(|link| {
        let (url, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters.split(';').any(|parameter| {
            let parameter = parameter.trim().replace(' ', "");
            matches!(parameter.as_str(), "rel=\"next\"" | "rel=next")
        });
        is_next.then(|| url.to_owned())
    })
}

/// The place that an address stands for: one parameter of it, or all of it.
fn at_url(url: &str, take: &Option<String>) -> Option<Place> {
    let Some(name) = take else {
        return Some(Place::Url(url.to_owned()));
    };
    // Only the query counts, wherever the address leads.
    let base = Url::parse("http://localhost").ok()?;
    let whole = base.join(url).ok()?;
    let mut pairs = whole.query_pairs();
    let found = pairs.find(|(key, _)| key == name)?;
    Some(Place::Value(found.1.into_owned()))
}

fn stuck(why: &str) -> Error {
    Error::new(ErrorKind::Malformed, "the API's pages do not go on")
        .because(why.to_owned())
        .fix("Ask the API's support, or correct `pages` in the manifest.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::json::walk;
    use crate::path::Records;
    use crate::problem::Log;

    fn turn(pager: &str, place: Place, body: &Value, link: &str) -> Result<Option<Place>> {
        let mut log = Log::default();
        let node = crate::yaml::read(pager, &mut log).unwrap();
        let pager = Pager::read(&node, &mut log).unwrap();
        assert!(log.is_empty(), "{}", log.close("p"));
        let text = body.to_string();
        let mut records = 0;
        let mut last = None;
        let list = Records::parse("data[]").unwrap();
        let envelope = walk(&text, &list, &mut |scanner, _| {
            last = scanner
                .value()?
                .find(&Path::parse("id"))
                .map(|id| id.text().into_owned());
            records += 1;
            Ok(())
        });
        next(
            &pager,
            &place,
            &Facts {
                records,
                last,
                envelope: &envelope.unwrap(),
                headers: json!({"link": link, "x-next": "null"}).as_object().unwrap(),
                size: Some(2),
            },
        )
    }

    #[test]
    fn every_way_finds_the_next_page_and_the_end() {
        let value = |text: &str| Some(Place::Value(text.to_owned()));
        let two = json!({"data": [{"id": "a"}, {"id": "b"}], "more": true, "next": "c1",
                         "url": "https://x.example/v1?after=7&z=1"});
        let one = json!({"data": [{"id": "a"}], "more": false, "next": null});
        let link = "<https://x/2>; rel=\"prev\", <https://x/3>; rel=\"next\"";
        for (pager, place, body, expected) in [
            (
                "{last: id, to: after, more: more}",
                Place::Start,
                &two,
                value("b"),
            ),
            (
                "{last: id, to: after, more: more}",
                Place::Start,
                &one,
                None,
            ),
            (
                "{cursor: next, to: cursor}",
                Place::Start,
                &two,
                value("c1"),
            ),
            ("{cursor: next, to: cursor}", Place::Start, &one, None),
            (
                "{cursor: {header: X-Next}, to: cursor}",
                Place::Start,
                &two,
                None,
            ),
            ("{next: url, take: after}", Place::Start, &two, value("7")),
            ("{next: url}", Place::Start, &one, None),
            (
                "{next: link}",
                Place::Start,
                &two,
                Some(Place::Url("https://x/3".to_owned())),
            ),
            (
                "{offset: o, size: {n: 2}, stop: short}",
                Place::Number(4),
                &two,
                Some(Place::Number(6)),
            ),
            (
                "{offset: o, size: {n: 2}, stop: short}",
                Place::Number(4),
                &one,
                None,
            ),
            (
                "{page: p, size: {n: 2}, stop: empty}",
                Place::Start,
                &one,
                Some(Place::Number(2)),
            ),
            (
                "{page: p, first: 0, more: more}",
                Place::Start,
                &two,
                Some(Place::Number(1)),
            ),
            (
                "{page: p, more: {more: {not: true}}}",
                Place::Number(3),
                &two,
                None,
            ),
            ("none", Place::Start, &two, None),
        ] {
            let next = turn(pager, place, body, link).unwrap();
            assert_eq!(next, expected, "{pager}");
        }
    }

    #[test]
    fn a_walk_that_does_not_move_is_refused() {
        let page = json!({"data": [{"id": "a"}], "more": true, "next": "c1"});
        for (pager, place) in [
            ("{cursor: next, to: cursor}", Place::Value("c1".to_owned())),
            (
                "{last: id, to: after, more: more}",
                Place::Value("a".to_owned()),
            ),
            ("{cursor: none, to: cursor, more: more}", Place::Start),
        ] {
            assert!(turn(pager, place, &page, "").is_err(), "{pager}");
        }
        let empty = json!({"data": [], "more": true});
        let pager = "{last: id, to: after, more: more}";
        assert!(turn(pager, Place::Start, &empty, "").is_err());
    }
}
