//! What goes wrong, and at which request: a plan that a test writes and may change at any time.
//!
//! Each rule counts the requests that match it, from when it was added; the first rule that is due
//! decides. Deliberately absent: chance. A fault happens at the same request each time.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use glob::Pattern;

use super::exchange::Request;

/// What happens to a request instead of its answer, or to the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An error in the vendor's own words.
    Status(u16),
    /// An error that is plain text.
    Plain(u16, &'static str),
    /// An error that is a page for people.
    Page(u16, &'static str),
    /// 429 in the vendor's own words, with the seconds to wait where given.
    Throttled(Option<u64>),
    /// The answer breaks off after so many bytes of its body.
    Cut(usize),
    /// The connection breaks without an answer; the request had its effect.
    Silent,
    /// The answer comes so much later: one half of the time passes before it, one within it.
    Slow(Duration),
    /// No answer, ever.
    Hang,
    /// All access tokens expire just before the request is looked at.
    ExpireTokens,
}

/// At which requests.
#[derive(Clone, Debug)]
pub struct When {
    path: Option<Pattern>,
    method: Option<&'static str>,
    /// Matching requests that pass first.
    skip: u64,
    /// Matching requests that are hit after those; `None` for ever.
    times: Option<u64>,
    /// Of those, each how-manieth.
    every: u64,
}

/// Times in a row that one request is hit by rules that go on for ever and pass some: trying again
/// must be able to help.
const IN_A_ROW: u32 = 3;

impl When {
    /// At the request with this number, counted from 1.
    #[must_use]
    pub fn nth(number: u64) -> Self {
        Self {
            skip: number.saturating_sub(1),
            ..Self::first(1)
        }
    }

    /// At the next `times` requests.
    #[must_use]
    pub fn first(times: u64) -> Self {
        Self {
            times: Some(times),
            ..Self::always()
        }
    }

    /// At each request.
    #[must_use]
    pub fn always() -> Self {
        Self::every(1)
    }

    /// At each `step`th request.
    #[must_use]
    pub fn every(step: u64) -> Self {
        Self {
            path: None,
            method: None,
            skip: 0,
            times: None,
            every: step.max(1),
        }
    }

    /// Counting only requests whose path matches, such as `/v1/customers/*`.
    ///
    /// # Panics
    /// Panics where that is no pattern.
    #[must_use]
    pub fn on(mut self, path: &str) -> Self {
        self.path = Some(Pattern::new(path).expect("a pattern of paths"));
        self
    }

    /// Counting only requests of this method.
    #[must_use]
    pub fn method(mut self, method: &'static str) -> Self {
        self.method = Some(method);
        self
    }

    fn counts(&self, request: &Request) -> bool {
        let path = self.path.as_ref();
        path.is_none_or(|pattern| pattern.matches(&request.path))
            && self.method.is_none_or(|method| method == request.method)
    }

    /// Whether it is a storm: it goes on for ever, and lets some pass.
    fn storms(&self) -> bool {
        self.times.is_none() && self.every > 1
    }

    /// Whether the request that makes the count `seen` is hit.
    fn hits(&self, seen: u64) -> bool {
        let Some(after) = seen.checked_sub(self.skip + 1) else {
            return false;
        };
        self.times.is_none_or(|times| after < times) && (after + 1).is_multiple_of(self.every)
    }
}

/// The plan.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Plan>);

#[derive(Debug, Default)]
struct Plan {
    rules: Vec<Rule>,
    /// How many times in a row each request was hit by a storm.
    hit: HashMap<Name, u32>,
    /// Requests that were refused for their token, and have not been answered since.
    turned_away: HashSet<Name>,
}

/// What tells a request from others, and knows it again when it is made once more.
type Name = (String, Vec<(String, String)>);

fn name(request: &Request) -> Name {
    (request.path.clone(), request.query.clone())
}

#[derive(Debug)]
struct Rule {
    when: When,
    fault: Fault,
    seen: u64,
    hit: u64,
}

impl Faults {
    /// Adds a rule.
    pub fn add(&self, when: When, fault: Fault) {
        let rule = Rule {
            when,
            fault,
            seen: 0,
            hit: 0,
        };
        self.plan(|plan| plan.rules.push(rule));
    }

    /// Forgets all rules.
    pub fn clear(&self) {
        self.plan(|plan| *plan = Plan::default());
    }

    /// How many requests were hit since the rules were added.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.plan(|plan| plan.rules.iter().map(|rule| rule.hit).sum())
    }

    /// What happens to this request.
    pub(super) fn strike(&self, request: &Request) -> Option<Fault> {
        self.plan(|plan| {
            let hit = plan.hit.entry(name(request)).or_default();
            let turned_away = &plan.turned_away;
            let (mut struck, mut in_a_row) = (None, 0);
            for rule in plan
                .rules
                .iter_mut()
                .filter(|rule| rule.when.counts(request))
            {
                rule.seen += 1;
                // Tokens that expire do so for everybody: who came with an old one gets through
                // before they expire again, or it could be turned away for ever.
                let waits = rule.fault == Fault::ExpireTokens && !turned_away.is_empty();
                let spares = rule.when.storms() && (*hit >= IN_A_ROW || waits);
                if struck.is_none() && rule.when.hits(rule.seen) && !spares {
                    rule.hit += 1;
                    in_a_row = *hit + 1;
                    struck = Some(rule.fault.clone());
                }
            }
            *hit = in_a_row;
            struck
        })
    }

    /// Takes note of how a request was answered.
    pub(super) fn answered(&self, request: &Request, status: u16) {
        self.plan(|plan| match status {
            401 => plan.turned_away.insert(name(request)),
            _ => plan.turned_away.remove(&name(request)),
        });
    }

    fn plan<R>(&self, change: impl FnOnce(&mut Plan) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(faults: &Faults, path: &str) -> bool {
        let request = Request {
            path: path.to_owned(),
            ..Request::default()
        };
        faults.strike(&request).is_some()
    }

    fn pattern(when: When) -> String {
        let faults = Faults::default();
        faults.add(when, Fault::Silent);
        let mark = |hit| if hit { 'x' } else { '.' };
        (0..6).map(|_| mark(struck(&faults, "/a"))).collect()
    }

    #[test]
    fn rules_count_the_requests_that_match() {
        assert_eq!(pattern(When::nth(3)), "..x...");
        assert_eq!(pattern(When::first(2)), "xx....");
        assert_eq!(pattern(When::every(2)), ".x.x.x");
        assert_eq!(pattern(When::always()), "xxxxxx");
        assert_eq!(pattern(When::always().on("/b")), "......");
        assert_eq!(pattern(When::always().method("POST")), "......");
    }

    #[test]
    fn the_first_rule_that_is_due_decides() {
        let faults = Faults::default();
        faults.add(When::nth(2).on("/a"), Fault::Silent);
        faults.add(When::always(), Fault::Hang);
        assert!(struck(&faults, "/a") && struck(&faults, "/a"));
        assert_eq!(faults.hits(), 2);
        faults.clear();
        assert!(!struck(&faults, "/a"));
    }

    #[test]
    fn tokens_do_not_expire_again_before_everybody_got_through() {
        let faults = Faults::default();
        faults.add(When::every(2), Fault::ExpireTokens);
        let turned_away = Request {
            path: "/b".to_owned(),
            ..Request::default()
        };
        assert!(!struck(&faults, "/a") && struck(&faults, "/a"));
        faults.answered(&turned_away, 401);
        assert!(!struck(&faults, "/a") && !struck(&faults, "/a"));
        faults.answered(&turned_away, 200);
        assert!(!struck(&faults, "/a") && struck(&faults, "/a"));
    }
}
