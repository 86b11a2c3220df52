//! Transactions whose rows are not true when they come.
//!
//! A two-phase transaction (XA) is in the log when it is prepared, and its outcome is told later: in
//! another sync, or never. Its rows are left out when they come, and only their place is kept, in the
//! cursor. Should it commit, they are read there a second time, over a connection of their own, and
//! count from the commit on: what commits at this place is what the server shows from this place on.
//! So nothing has to be kept aside, however large the transaction is. // G6
//!
//! Rows that were sent and then rolled back (a server logs that only where it can't do otherwise)
//! can't be told from others any more: their tables are copied anew.

use std::collections::BTreeSet;

use tributary_model::{ErrorKind, Result};

use crate::cursor::Begin;
use crate::log::stream::{LogStream, Step};
use crate::position::LogPosition;
use crate::settings::random_server_id;
use crate::start::{Road, Start};
use crate::tables::Phase;

use super::Reader;

impl Reader<'_> {
    /// Reads the rows of a two-phase transaction that has committed here.
    pub(super) async fn replay(&mut self, from: LogPosition) -> Result<()> {
        self.progress.ordinal = 0;
        match self.read_again(&from).await {
            Err(error) if error.kind() == ErrorKind::Expired => {
                tracing::warn!(%error, "the rows of an XA transaction are no longer in the log");
                self.copy_all_anew().await
            }
            outcome => outcome,
        }
    }

    async fn read_again(&mut self, from: &LogPosition) -> Result<()> {
        let start = Start {
            position: from.clone(),
            gtids: None,
            era: self.progress.era,
            prepared: BTreeSet::new(),
            withheld: std::collections::BTreeMap::new(),
            road: Road::Position,
            birth: None,
        };
        // Two replicas of one id throw each other out.
        let id = random_server_id();
        let mut log = LogStream::open_as(id, &self.settings, &self.server, &start).await?;
        loop {
            match log.next().await? {
                Step::TableMap(raw) => self.map(&raw).await?,
                Step::Rows(raw) => self.rows(&raw).await?,
                Step::Prepared | Step::Committed | Step::Replay(_) | Step::RolledBack => {
                    return Ok(());
                }
                Step::Statement(_) | Step::RolledBackTo | Step::UnknownXa | Step::Nothing => {}
            }
        }
    }

    /// Copies the tables anew of which this transaction has sent rows that never happened.
    pub(super) async fn doubt(&mut self) -> Result<()> {
        for index in std::mem::take(&mut self.progress.touched) {
            let table = &self.tables[index];
            if matches!(table.phase, Phase::Stopped(_)) {
                continue;
            }
            tracing::warn!(
                stream = %table.stream,
                "a transaction was rolled back after parts of it had been logged"
            );
            self.send_changes(index).await?;
            self.copy_anew(index, Begin::Deleted).await?;
        }
        Ok(())
    }
}
