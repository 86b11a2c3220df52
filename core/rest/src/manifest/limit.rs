//! How often an API may be asked, as the manifest says it.

use crate::fields::{Fields, count, text};
use crate::problem::Log;
use crate::template::Template;
use crate::yaml::{Node, Yaml};

use super::request::{Method, template};

/// How often, and how many at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct LimitSpec {
    /// Which requests count, as method and path with stars; all where there is none.
    pub(crate) matches: Option<(Method, String)>,
    /// Such as `20/s` or `9/min`.
    pub(crate) rate: Option<Template>,
    /// How many may be made at once after a rest.
    pub(crate) burst: Option<u32>,
    pub(crate) parallel: Option<Parallel>,
    pub(crate) follow: Option<Follow>,
}

/// How many requests at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parallel {
    /// At first.
    pub(crate) from: u32,
    /// At most, where nothing is refused. The same where the number is fixed.
    pub(crate) to: u32,
}

/// The headers in which an API says what is left of a limit. One may say all of it:
/// `total=10; remaining=9; resets=43`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Follow {
    /// How many requests there are in all.
    pub(crate) limit: Option<String>,
    /// How many are left.
    pub(crate) left: String,
    /// When all of them are there again: in so many seconds, or a time.
    pub(crate) reset: Option<String>,
}

impl LimitSpec {
    pub(super) fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let mut fields = Fields::open(node, "a limit", log)?;
        let matches = fields
            .take("match")
            .and_then(|node| request_match(node, log));
        let rate = fields.take("rate").and_then(|node| template(node, log));
        let burst = fields.take("burst").and_then(|node| count(node, log));
        let parallel = fields.take("parallel");
        let parallel = parallel.and_then(|node| Parallel::read(node, log));
        let follow = fields.take("follow");
        let follow = follow.and_then(|node| Follow::read(node, log));
        fields.close(log);
        Some(Self {
            matches,
            rate,
            burst,
            parallel,
            follow,
        })
    }
}

impl Parallel {
    /// `8`, or `{from: 4, to: 8}`.
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let Yaml::Map(_) = &node.value else {
            let fixed = count(node, log)?;
            let (from, to) = (fixed, fixed);
            return Some(Self { from, to });
        };
        let mut fields = Fields::open(node, "`parallel`", log)?;
        let from = fields.need("from", log).and_then(|node| count(node, log));
        let to = fields.need("to", log).and_then(|node| count(node, log));
        fields.close(log);
        let (from, to) = (from?, to?);
        if from == 0 || from > to {
            log.add(node.at, "`from` is at least 1 and at most `to`");
            return None;
        }
        Some(Self { from, to })
    }
}

impl Follow {
    /// The name of one header that says everything, or one name for each of them.
    fn read(node: &Node, log: &mut Log) -> Option<Self> {
        let small = |text: String| text.to_ascii_lowercase();
        let Yaml::Map(_) = &node.value else {
            let all = small(text(node, log)?);
            return Some(Self {
                limit: Some(all.clone()),
                left: all.clone(),
                reset: Some(all),
            });
        };
        let mut fields = Fields::open(node, "`follow`", log)?;
        let limit = fields.take("limit").and_then(|node| text(node, log));
        let left = fields.need("left", log).and_then(|node| text(node, log));
        let reset = fields.take("reset").and_then(|node| text(node, log));
        fields.close(log);
        Some(Self {
            limit: limit.map(small),
            left: small(left?),
            reset: reset.map(small),
        })
    }
}

/// `GET /files*`.
fn request_match(node: &Node, log: &mut Log) -> Option<(Method, String)> {
    let text = text(node, log)?;
    let found = match text.split_once(' ') {
        Some(("GET", path)) => Some((Method::Get, path.to_owned())),
        Some(("POST", path)) => Some((Method::Post, path.to_owned())),
        _ => None,
    };
    if found.is_none() {
        log.add(node.at, "write the method and the path: `GET /files*`");
    }
    found
}
