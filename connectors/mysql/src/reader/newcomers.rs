//! Tables that come to be while the log is followed without end.
//!
//! Which tables are selected is the engine's to know, and it asks before a reading begins. So a
//! reading that goes on until it is stopped ends well at a boundary when it has seen a new table in
//! its databases; the next begins where it ended, with the new table if it is selected. The others
//! lose nothing but the moment that takes.

use std::time::Duration;

use tributary_model::Until;

use crate::ddl::{Statement, Table as Named};
use crate::names::{is_helper_table, is_system_database};

use super::Reader;

/// A server that makes tables all the time must not keep the log from being read. // G6
const LEAST: Duration = Duration::from_secs(10);

impl Reader<'_> {
    /// Notes a table that was not there when the reading began.
    pub(super) fn note_newcomer(&mut self, statement: &Statement) {
        if self.until != Until::Stopped || self.progress.has_newcomer {
            return;
        }
        self.progress.has_newcomer = match statement {
            Statement::CreateTable(create) => self.is_new(&create.table),
            Statement::RenameTables(renames) => {
                renames.iter().any(|rename| self.is_new(&rename.to))
            }
            Statement::AlterTable(alter) => {
                alter.renamed_to.as_ref().is_some_and(|to| self.is_new(to))
            }
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Savepoint
            | Statement::Xa(_)
            | Statement::DropTables(_)
            | Statement::DropDatabase(_)
            | Statement::Truncate(_)
            | Statement::Dml(_)
            | Statement::Ignorable
            | Statement::Unknown(_) => false,
        };
    }

    fn is_new(&self, table: &Named) -> bool {
        let databases = &self.settings.databases;
        let is_ours = databases.is_empty()
            || databases
                .iter()
                .any(|name| name.eq_ignore_ascii_case(&table.database));
        is_ours
            && !is_system_database(&table.database)
            && !is_helper_table(&table.name)
            && !self.tables.knows(&table.database, &table.name)
    }

    /// Whether the reading should end so that the next finds the new table.
    pub(super) fn should_look_again(&self) -> bool {
        self.progress.has_newcomer && self.progress.began.elapsed() >= LEAST
    }
}
