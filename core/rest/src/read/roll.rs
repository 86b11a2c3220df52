//! Who came, in a list whose items stay the same in number and not in order.
//!
//! Pages of such a list are counted: one who moves to a page that was read already is missed, and
//! somebody who was read moves the other way and comes twice. The number of items does not change; so
//! if none came twice by the end of the list, all of them came. Else the list is read once more.

use std::collections::HashSet;

use crate::http::Unfit;
use crate::json::walk;
use crate::manifest::stream::StreamSpec;
use crate::path::Records;

/// Times that a list is read that moves. // G6
const ROUNDS: u32 = 20;

/// Who came.
#[derive(Debug, Default)]
pub(super) struct Roll {
    came: HashSet<u64>,
    is_twice: bool,
    rounds: u32,
}

impl Roll {
    /// Notes who is on a page, where the manifest says what tells them apart.
    pub(super) fn call(&mut self, spec: &StreamSpec, page: &str) -> Result<(), Unfit> {
        let Some(name) = &spec.pages.once else {
            return Ok(());
        };
        let outermost = Records {
            levels: spec.records.levels.iter().take(1).cloned().collect(),
        };
        walk(page, &outermost, &mut |scanner, _| {
            let named = scanner.value()?.find(name);
            self.is_twice |= named.is_some_and(|name| !self.came.insert(name.digest()));
            Ok(())
        })?;
        Ok(())
    }

    /// Whether someone did: then someone else was missed.
    pub(super) fn came_twice(&self) -> bool {
        self.is_twice
    }

    /// Begins anew; `false` where that has been done too often.
    pub(super) fn begin_again(&mut self) -> bool {
        *self = Self {
            rounds: self.rounds + 1,
            ..Self::default()
        };
        self.rounds < ROUNDS
    }
}
