//! Turns among the log's events: something is due once in so many of them.
//!
//! Invariant: a turn that comes in the middle of a transaction is not lost but taken behind it. A count
//! that had to be a multiple at a boundary would never be, where transactions are all of one length.

/// Counts events since the last turn.
#[derive(Debug)]
pub(super) struct Turns {
    every: u32,
    since: u32,
}

impl Turns {
    pub(super) fn every(every: u32) -> Self {
        Self { every, since: 0 }
    }

    /// Notes an event.
    pub(super) fn count(&mut self) {
        self.since = self.since.saturating_add(1);
    }

    /// Takes the turn, if it has come.
    pub(super) fn take(&mut self) -> bool {
        let is_due = self.since >= self.every;
        if is_due {
            self.since = 0;
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn transactions_of_any_length_let_others_have_their_turn() {
        for length in 1..200 {
            let mut turns = Turns::every(64);
            let mut taken = 0;
            // From the second event on: out of step with the transactions.
            for event in 1..=6400 {
                turns.count();
                let is_boundary = event % length == 1 % length;
                taken += usize::from(is_boundary && turns.take());
            }
            assert!(taken >= 6400 / (64 + length) - 1, "{length}: {taken}");
        }
    }
}
