//! What goes wrong on purpose, and with which statements.

use std::sync::{Mutex, PoisonError};

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection ends before the statement is carried out.
    CutBefore,
    /// It ends in the middle of a `COPY`, when half of the rows are there.
    CutDuring,
    /// The statement is carried out, and the connection ends without a reply.
    CutAfter,
    /// Error 1023: transactions have crossed.
    Serializable,
    /// Another transaction has changed the table meanwhile.
    Conflict,
    /// S3 wants to be asked less often.
    SlowDown,
    /// The user lacks the right.
    Deny,
}

/// The statements that begin with certain words, and what goes wrong with them.
#[derive(Clone, Debug)]
pub struct Rule {
    begins: String,
    fault: Fault,
    skip: u32,
    times: u32,
}

impl Rule {
    /// The next statement that begins with `words` fails so.
    #[must_use]
    pub fn new(words: &str, fault: Fault) -> Self {
        Self {
            begins: words.to_owned(),
            fault,
            skip: 0,
            times: 1,
        }
    }

    /// Only after so many of them.
    #[must_use]
    pub fn after(mut self, count: u32) -> Self {
        self.skip = count;
        self
    }

    /// So many of them.
    #[must_use]
    pub fn times(mut self, count: u32) -> Self {
        self.times = count;
        self
    }
}

/// The plan.
#[derive(Debug, Default)]
pub(super) struct Faults(Mutex<Vec<Rule>>);

impl Faults {
    pub(super) fn add(&self, rule: Rule) {
        self.rules().push(rule);
    }

    pub(super) fn clear(&self) {
        self.rules().clear();
    }

    /// What goes wrong with a statement.
    pub(super) fn of(&self, sql: &str) -> Option<Fault> {
        let mut rules = self.rules();
        let mut found = None;
        for rule in rules
            .iter_mut()
            .filter(|rule| sql.starts_with(&rule.begins))
        {
            match (rule.skip, rule.times) {
                (1.., _) => rule.skip -= 1,
                (0, 1..) if found.is_none() => {
                    rule.times -= 1;
                    found = Some(rule.fault);
                }
                (0, _) => {}
            }
        }
        found
    }

    fn rules(&self) -> std::sync::MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
