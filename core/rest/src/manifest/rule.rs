//! What an answer means that is not simply the page that was asked for.

use serde_json::{Map, Value};

use crate::cond::Cond;
use crate::fields::{Fields, count, duration, items, text, texts, truth, word, wrong};
use crate::problem::Log;
use crate::template::Template;
use crate::yaml::{Node, Yaml};

use super::request::template;

/// "When an answer is like this, do that."
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rule {
    on: Vec<Match>,
    pub(crate) outcome: Outcome,
    pub(crate) wait: Wait,
    pub(crate) tries: Option<u32>,
    pub(crate) say: Option<Template>,
}

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The request is made again.
    Retry,
    /// The stream fails; others go on.
    Fail,
    /// The stream is left out of this run, with a warning.
    Skip,
    /// This parent's records are left out.
    SkipSlice,
    /// There are no records.
    Empty,
    /// Everything there is has been read.
    End,
    /// A new token is fetched, and the request made again.
    Reauth,
    /// The page is asked for at half its size.
    Shrink,
    /// The window is asked for at half its length.
    Narrow,
}

/// How long to wait before a request is made again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Wait {
    /// As long as `Retry-After` says, else longer each time.
    #[default]
    Header,
    /// Longer each time.
    Growing,
    /// This many milliseconds.
    Fixed(i64),
}

/// What an answer is like.
#[derive(Clone, Debug, PartialEq)]
enum Match {
    Statuses(Vec<Statuses>),
    /// None came in time.
    Timeout,
    /// This stands somewhere in the body.
    Text(String),
    /// All of these.
    All {
        statuses: Vec<Statuses>,
        header: Option<Cond>,
        body: Option<Cond>,
        json: Option<bool>,
    },
}

/// `429`, or `5xx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Statuses {
    first: u16,
    last: u16,
}

/// An answer, as rules look at it.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    /// `None` where none came.
    pub(crate) status: Option<u16>,
    /// Whether none came in time, though the API was there.
    pub(crate) is_late: bool,
    pub(crate) headers: &'a Map<String, Value>,
    pub(crate) text: &'a str,
    /// The body, where it is JSON.
    pub(crate) json: Option<&'a Value>,
}

const OUTCOMES: [(&str, Outcome); 9] = [
    ("retry", Outcome::Retry),
    ("fail", Outcome::Fail),
    ("skip", Outcome::Skip),
    ("skip_slice", Outcome::SkipSlice),
    ("empty", Outcome::Empty),
    ("end", Outcome::End),
    ("reauth", Outcome::Reauth),
    ("shrink", Outcome::Shrink),
    ("narrow", Outcome::Narrow),
];

impl Rule {
    pub(crate) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a rule", log)?;
        let on = fields.need("on", log).map(|node| {
            let matches = items(node).iter().filter_map(|item| Match::read(item, log));
            matches.collect()
        });
        let outcome = fields
            .need("do", log)
            .and_then(|node| word(node, &OUTCOMES, log));
        let wait = fields.take("wait").and_then(|node| wait(node, log));
        let tries = fields.take("tries").and_then(|node| count(node, log));
        let say = fields.take("say").and_then(|node| template(node, log));
        fields.close(log);
        Some(Self {
            on: on?,
            outcome: outcome?,
            wait: wait.unwrap_or_default(),
            tries,
            say,
        })
    }

    /// What is asked for by its name is not there.
    pub(crate) fn gone() -> Self {
        Self::of([404], Outcome::Empty)
    }

    /// What not every account has.
    pub(crate) fn optional() -> Self {
        Self::of([403, 404], Outcome::Skip)
    }

    fn of<const N: usize>(statuses: [u16; N], outcome: Outcome) -> Self {
        let statuses = statuses.map(|status| Statuses {
            first: status,
            last: status,
        });
        Self {
            on: vec![Match::Statuses(statuses.into())],
            outcome,
            wait: Wait::default(),
            tries: None,
            say: None,
        }
    }

    /// Whether an answer is like that.
    pub(crate) fn is_about(&self, answer: &Answer<'_>) -> bool {
        self.on.iter().any(|one| one.fits(answer))
    }
}

fn wait(node: &Node, log: &mut Log) -> Option<Wait> {
    match node.text() {
        Some("header") => Some(Wait::Header),
        Some("exp") => Some(Wait::Growing),
        _ => duration(node, log).map(Wait::Fixed),
    }
}

impl Match {
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        match &node.value {
            Yaml::Map(_) => Self::read_all(node, log),
            Yaml::Text(text) if text == "timeout" => Some(Self::Timeout),
            _ => {
                let text = text(node, log)?;
                Some(match Statuses::parse(&text) {
                    Some(statuses) => Self::Statuses(vec![statuses]),
                    None => Self::Text(text),
                })
            }
        }
    }

    fn read_all(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a match", log)?;
        let mut statuses = Vec::new();
        if let Some(node) = fields.take("status") {
            for text in texts(node, log) {
                match Statuses::parse(&text) {
                    Some(known) => statuses.push(known),
                    None => return wrong(node, "a status such as 429 or 5xx", log),
                }
            }
        }
        let header = fields.take("header").and_then(|node| Cond::read(node, log));
        let body = fields.take("body").and_then(|node| Cond::read(node, log));
        let json = fields.take("json").and_then(|node| truth(node, log));
        fields.close(log);
        Some(Self::All {
            statuses,
            header,
            body,
            json,
        })
    }

    fn fits(&self, answer: &Answer<'_>) -> bool {
        let has = |statuses: &[Statuses]| {
            let status = answer.status;
            status.is_some_and(|status| statuses.iter().any(|known| known.contains(status)))
        };
        match self {
            Self::Statuses(statuses) => has(statuses),
            Self::Timeout => answer.is_late,
            // Only failures are looked through: a page may quote anything.
            Self::Text(text) => {
                answer.status.is_some_and(|status| status >= 400) && answer.text.contains(text)
            }
            Self::All {
                statuses,
                header,
                body,
                json,
            } => {
                // A good answer is only looked at by a rule that says so.
                let failed = answer.status.is_none_or(|status| status >= 400);
                (has(statuses) || (statuses.is_empty() && failed))
                    && header
                        .as_ref()
                        .is_none_or(|cond| holds_of_headers(cond, answer.headers))
                    && body
                        .as_ref()
                        .is_none_or(|cond| answer.json.is_some_and(|json| cond.holds(json)))
                    && json.is_none_or(|json| json == answer.json.is_some())
            }
        }
    }
}

fn holds_of_headers(cond: &Cond, headers: &Map<String, Value>) -> bool {
    match cond {
        Cond::All(all) => all.iter().all(|one| holds_of_headers(one, headers)),
        Cond::Any(any) => any.iter().any(|one| holds_of_headers(one, headers)),
        Cond::At(path, test) => test.holds(headers.get(&path.to_string().to_lowercase())),
    }
}

impl Statuses {
    fn parse(text: &str) -> Option<Self> {
        if let Some(class) = text.strip_suffix("xx") {
            let class: u16 = class.parse().ok().filter(|class| (1..=5).contains(class))?;
            return Some(Self {
                first: class * 100,
                last: class * 100 + 99,
            });
        }
        let status: u16 = text
            .parse()
            .ok()
            .filter(|status| (100..600).contains(status))?;
        Some(Self {
            first: status,
            last: status,
        })
    }

    fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn about(rule: &str, status: u16, body: &str) -> bool {
        let mut log = Log::default();
        let node = crate::yaml::read(rule, &mut log).unwrap();
        let rule = Rule::read(&node, &mut log).unwrap();
        assert!(log.is_empty());
        let headers = json!({"x-kind": "soft"});
        let json = serde_json::from_str(body).ok();
        rule.is_about(&Answer {
            status: (status > 0).then_some(status),
            is_late: status == 0,
            headers: headers.as_object().unwrap(),
            text: body,
            json: json.as_ref(),
        })
    }

    #[test]
    fn rules_are_about_what_they_say() {
        let gone = r#"{"error": {"code": "gone"}}"#;
        for (rule, status, body, expected) in [
            ("{on: 429, do: retry}", 429, "", true),
            ("{on: [5xx, timeout], do: retry}", 503, "", true),
            ("{on: [5xx, timeout], do: retry}", 0, "", true),
            ("{on: 5xx, do: retry}", 429, "", false),
            ("{on: aged out, do: end}", 400, "it aged out", true),
            ("{on: aged out, do: end}", 200, "it aged out", false),
            (
                "{on: {body: {error.code: gone}}, do: skip}",
                404,
                gone,
                true,
            ),
            (
                "{on: {status: 404, body: {error.code: x}}, do: skip}",
                404,
                gone,
                false,
            ),
            ("{on: {header: {X-Kind: soft}}, do: skip}", 400, "", true),
            ("{on: {header: {X-Kind: soft}}, do: skip}", 200, "", false),
            (
                "{on: {status: 200, header: {X-Kind: soft}}, do: skip}",
                200,
                "",
                true,
            ),
            (
                "{on: {status: 403, json: false}, do: retry}",
                403,
                "<html>",
                true,
            ),
            (
                "{on: {status: 403, json: false}, do: retry}",
                403,
                "{}",
                false,
            ),
        ] {
            assert_eq!(about(rule, status, body), expected, "{rule} {status}");
        }
    }
}
