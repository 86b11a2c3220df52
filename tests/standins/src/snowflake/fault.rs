//! Failing on purpose.

/// How a request fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection breaks before anything was done.
    LostBefore,
    /// Everything is done, and the connection breaks before the reply is whole.
    LostAfter,
    /// 429: too many requests.
    Throttled,
    /// 503.
    Unavailable,
    /// The token has expired.
    Expired,
    /// It is answered later: the handle has to be asked so often.
    Later(u32),
    /// A statement is refused: the role lacks a right.
    Denied,
    /// `COPY` succeeds and copies nothing.
    Skipped,
    /// A statement fails with this code.
    Refused(&'static str),
}

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plan {
    Once,
    Always,
}

#[derive(Debug, Default)]
pub(super) struct Faults(Vec<(String, Fault, Plan)>);

impl Faults {
    pub(super) fn add(&mut self, text: &str, fault: Fault, plan: Plan) {
        self.0.push((text.to_owned(), fault, plan));
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The fault of a request with these statements.
    pub(super) fn of(&mut self, statements: &str) -> Option<Fault> {
        let place = self
            .0
            .iter()
            .position(|(text, ..)| statements.contains(text.as_str()))?;
        match self.0[place].2 {
            Plan::Once => Some(self.0.remove(place).1),
            Plan::Always => Some(self.0[place].1),
        }
    }
}
