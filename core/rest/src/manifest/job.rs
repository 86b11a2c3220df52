//! Exports that are ordered, waited for and fetched.

use crate::cond::Cond;
use crate::fields::{Fields, duration};
use crate::problem::Log;
use crate::yaml::Node;

use super::request::RequestSpec;

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

impl Job {
    pub(super) fn read(node: &Node, log: &mut Log) -> Option<Self> {
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
