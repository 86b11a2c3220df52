//! Keeps what tables look like at the place that the log has reached, where the log does not say it.
//!
//! `information_schema` tells how a table is *now*; the log may be read hours behind. What it tells
//! holds at the log's place when the log has come to where it ended after the question, and no
//! statement in between has changed the table ([`Table::certain_from`]). Until then no copy begins,
//! and changes are left out: the copy's view will show them.
//!
//! [`Table::certain_from`]: crate::tables::Table::certain_from

use tributary_model::Result;

use crate::ddl::Statement;
use crate::history::Declared;
use crate::server::status;
use crate::tables::TableIndex;

use super::Reader;

impl Reader<'_> {
    /// Notes that the table is, at this boundary, what is known of it.
    pub(super) fn declare(&mut self, index: TableIndex) {
        // Maps that came while it was not known have no layout.
        self.forget_maps(index);
        let is_needed = !self.names_columns();
        let since = self.log.position().clone();
        let table = &mut self.tables[index];
        table.declared = is_needed.then(|| Declared::of(&table.info, since));
        table.certain_from = None;
    }

    /// Takes what a statement does to a table's columns into its history; tells whether they are
    /// still known.
    pub(super) fn evolve(&mut self, index: TableIndex, statement: &Statement) -> bool {
        self.forget_maps(index);
        // All others begin the table anew, or leave its columns as they are.
        let Statement::AlterTable(alter) = statement else {
            return true;
        };
        let edits = alter.edits.as_deref();
        // Of options, the charset of columns that come later.
        let is_edited = edits.is_some_and(|edits| !edits.is_empty());
        if !alter.changes.layout && !alter.changes.converts && !is_edited {
            return true;
        }
        let since = self.log.position().clone();
        // Inside a transaction the table's cursor could be stored before the log's.
        let is_boundary = self.log.is_boundary();
        let table = &mut self.tables[index];
        let before = table.declared.take().filter(|_| is_boundary);
        table.declared = before
            .zip(edits)
            .and_then(|(before, edits)| before.altered(edits, since));
        table.declared.is_some() || self.names_columns()
    }

    /// Whether the maps of the log name columns, as far as it has been read.
    pub(super) fn names_columns(&self) -> bool {
        self.server.names_columns() && !self.progress.has_unnamed
    }

    /// A table has been asked for: from the log's present end on that is what it is.
    pub(super) async fn note_asked(&mut self, index: TableIndex) -> Result<()> {
        if !self.names_columns() {
            let now = status(&mut self.conn, &self.server).await?.position;
            self.tables[index].certain_from = Some(now);
        }
        Ok(())
    }

    /// The next map of the table is looked at again, though it is as before.
    fn forget_maps(&mut self, index: TableIndex) {
        self.progress
            .mapped
            .retain(|_, mapped| mapped.table != Some(index));
    }
}
