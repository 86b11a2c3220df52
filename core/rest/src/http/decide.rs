//! What an answer means. Pure: from rules and an answer to what is done.

use std::time::Duration;

use tributary_model::{Error, ErrorKind};

use crate::manifest::rule::{Answer, Outcome, Rule, Wait};
use crate::template::{Scope, Template};

/// Why a request brought no page.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nothing of the source can be read.
    Source(Error),
    /// This stream can't; others may.
    Stream(Error),
    /// This stream is left out of this run, for this reason.
    Skip(String),
    /// This parent's records are left out, for this reason.
    Slice(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Source(error)
    }
}

/// What is done about an answer that is not simply a page.
#[derive(Debug, PartialEq)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    pub(crate) wait: Wait,
    /// How many times a request is made at most.
    pub(crate) tries: u32,
    /// What the rule says to a person.
    pub(crate) said: Option<String>,
}

/// Tries of a request where no rule says how many. // G6
const TRIES: u32 = 6;
/// Tries of a request that the API asked to make later. // G6
const THROTTLED_TRIES: u32 = 10;

/// Decides by the first rule that is about the answer, then by what its status means everywhere.
/// `None` means that it is a page.
pub(crate) fn decide(
    rules: &[&[Rule]],
    answer: &Answer<'_>,
    renewable: Renewable,
) -> Option<Decision> {
    let rule = rules
        .iter()
        .copied()
        .flatten()
        .find(|rule| rule.is_about(answer));
    if let Some(rule) = rule {
        let tries = match answer.status {
            Some(429) => THROTTLED_TRIES,
            _ => TRIES,
        };
        return Some(Decision {
            outcome: rule.outcome,
            wait: rule.wait,
            tries: rule.tries.unwrap_or(tries),
            said: rule.say.as_ref().and_then(|say| speak(say, answer)),
        });
    }
    let decide = |outcome, tries| Decision {
        outcome,
        wait: Wait::Header,
        tries,
        said: None,
    };
    match answer.status {
        Some(status) if status < 300 => None,
        Some(429) => Some(decide(Outcome::Retry, THROTTLED_TRIES)),
        None | Some(408 | 425 | 500 | 502..=504 | 520..=529) => Some(decide(Outcome::Retry, TRIES)),
        Some(401) if renewable == Renewable::Yes => Some(decide(Outcome::Reauth, TRIES)),
        Some(_) => Some(decide(Outcome::Fail, TRIES)),
    }
}

/// Whether there is a token that can be fetched anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Renewable {
    Yes,
    No,
}

fn speak(say: &Template, answer: &Answer<'_>) -> Option<String> {
    let scope = Scope {
        body: answer.json,
        ..Scope::default()
    };
    say.render(&scope).ok().flatten()
}

/// The kind of the error of a request that failed for good.
pub(crate) fn kind_of(status: Option<u16>, wait: Option<Duration>) -> ErrorKind {
    match status {
        Some(401 | 403) => ErrorKind::Access,
        Some(429) => ErrorKind::Throttled(wait),
        None | Some(408 | 425 | 500..=599) => ErrorKind::Unavailable,
        // The request is not one that this API takes: trying again would not change that.
        Some(_) => ErrorKind::Incompatible,
    }
}

/// What helps against a failure, where that can be said without knowing the API.
pub(crate) fn remedy(status: Option<u16>, host: &str) -> Option<String> {
    let remedy = match status {
        None => format!(
            "See that {host} can be reached from here: `api_url` of the source, the network, and \
             `HTTPS_PROXY` where there is a proxy."
        ),
        Some(401) => {
            "Check that the credential is complete, active and of the right account.".to_owned()
        }
        Some(429) => format!(
            "Run it again later. Everything that uses the same credential shares its limit at {host}."
        ),
        Some(500..=599) => format!("Run it again later: it is {host} that fails."),
        Some(_) => return None,
    };
    Some(remedy)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::problem::Log;

    #[test]
    fn whoever_gets_no_answer_is_told_where_to_look() {
        let told = remedy(None, "127.0.0.1:7").unwrap();
        assert!(
            told.contains("127.0.0.1:7") && told.contains("`api_url`"),
            "{told}"
        );
        for status in [401, 429, 503] {
            assert!(
                remedy(Some(status), "api.example.com").is_some(),
                "{status}"
            );
        }
        // The rules of the API say what its other answers mean.
        assert_eq!(remedy(Some(404), "api.example.com"), None);
    }

    fn outcome(
        rules: &str,
        status: Option<u16>,
        body: &Value,
    ) -> Option<(Outcome, Option<String>)> {
        let mut log = Log::default();
        let node = crate::yaml::read(rules, &mut log).unwrap();
        let rules: Vec<Rule> = crate::fields::items(&node)
            .iter()
            .filter_map(|item| Rule::read(item, &mut log))
            .collect();
        assert!(log.is_empty());
        let answer = Answer {
            status,
            is_late: false,
            headers: &Map::new(),
            text: &body.to_string(),
            json: Some(body),
        };
        let decision = decide(&[&rules], &answer, Renewable::Yes)?;
        Some((decision.outcome, decision.said))
    }

    #[test]
    fn rules_come_first_and_then_what_a_status_means_everywhere() {
        let body = json!({"error": {"message": "no right", "code": "lock"}});
        let outcome = |rules: &str, status| outcome(rules, status, &body).map(|(o, _)| o);
        for (status, expected) in [
            (Some(200), None),
            (Some(204), None),
            (Some(429), Some(Outcome::Retry)),
            (Some(503), Some(Outcome::Retry)),
            (None, Some(Outcome::Retry)),
            (Some(401), Some(Outcome::Reauth)),
            (Some(403), Some(Outcome::Fail)),
            (Some(404), Some(Outcome::Fail)),
            (Some(501), Some(Outcome::Fail)),
            (Some(302), Some(Outcome::Fail)),
        ] {
            assert_eq!(outcome("[]", status), expected, "{status:?}");
        }
        let rules = "[{on: {body: {error.code: lock}}, do: end}, {on: 403, do: skip}]";
        assert_eq!(outcome(rules, Some(403)), Some(Outcome::End));
        assert_eq!(
            outcome(
                "[{on: {status: 200, body: {error: present}}, do: empty}]",
                Some(200)
            ),
            Some(Outcome::Empty)
        );
    }

    #[test]
    fn a_rule_can_say_what_the_api_said() {
        let body = json!({"error": {"message": "no right"}});
        let rules = "[{on: 403, do: skip, say: \"refused: {body.error.message}\"}]";
        let (_, said) = outcome(rules, Some(403), &body).unwrap();
        assert_eq!(said.as_deref(), Some("refused: no right"));
    }
}
