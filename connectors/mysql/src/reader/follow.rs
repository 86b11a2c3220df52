//! Statements of the log that change a table without row events.
//!
//! The layout of coming rows needs nothing here: it comes with the rows. What does: rows that the
//! destination already has and that a statement has changed under it. Where it is known what they
//! hold now (a column added with a constant), the destination is told; where it is not, the table
//! is copied anew. Nothing is guessed.

use tokio::time::Instant;
use tributary_model::{
    Column, Error, ErrorKind, Positions, Result, Rows, StreamName, StreamSchema, TruncateKind,
};

use crate::cursor::{Begin, TableCursor};
use crate::ddl::{Context, Statement, Table as Named, classify};
use crate::default::{DefaultValue, constant_default};
use crate::discover;
use crate::info::TableInfo;
use crate::log::event::Query;
use crate::server::Server;
use crate::tables::{Phase, Table, TableIndex};

use super::Reader;
use super::copying::empty;

/// What a change of layout means for the rows in the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Consequence {
    /// They are as they were.
    None,
    /// They have new columns whose values are known.
    Extend,
    /// It is not known what they are now.
    CopyAnew,
}

impl Reader<'_> {
    /// Takes a statement.
    pub(super) async fn statement(&mut self, query: &Query) -> Result<()> {
        let context = Context {
            database: &query.database,
            flavor: self.server.flavor,
            version: self.server.version.number(),
            ansi_quotes: query.ansi_quotes,
            no_backslash_escapes: query.no_backslash_escapes,
            ignores_case: self.server.ignores_case(),
        };
        let statement = classify(query.sql.as_bytes(), &context);
        self.note_newcomer(&statement);
        for index in 0..self.tables.len() {
            let info = &self.tables[index].info;
            let named = named(info, &self.server);
            if statement.touches(&named) && !self.is_left_out(index) {
                self.apply(index, &statement, &query.sql).await?;
            }
        }
        Ok(())
    }

    /// Whether a table has been given up; one that is gone may come back.
    fn is_left_out(&self, index: TableIndex) -> bool {
        matches!(&self.tables[index].phase, Phase::Stopped(reason) if reason != GONE)
    }

    async fn apply(&mut self, index: TableIndex, statement: &Statement, sql: &str) -> Result<()> {
        for running in self
            .progress
            .jobs
            .values_mut()
            .filter(|running| running.table == index)
        {
            running.disturbed = true;
        }
        if !self.evolve(index, statement) {
            return self.relayout_and_copy_anew(index, Begin::Deleted).await;
        }
        match statement {
            Statement::Begin
            | Statement::Commit
            | Statement::Rollback
            | Statement::Savepoint
            | Statement::Xa(_)
            | Statement::Ignorable => Ok(()),
            Statement::Truncate(_) => self.truncate(index).await,
            Statement::Dml(_) if shows_later(&self.tables[index].phase) => Ok(()),
            Statement::Dml(_) => {
                let stream = &self.tables[index].stream;
                let error = by_statement(stream, &self.log.position().to_string());
                self.stop(index, error).await
            }
            Statement::AlterTable(alter)
                if !alter.changes.moves_rows
                    && alter.renamed_to.is_none()
                    && alter.exchanged_with.is_none()
                    && alter.renamed_columns.is_empty()
                    && !alter.changes.converts
                    && !alter.changes.key =>
            {
                let is_edited = alter.edits.as_ref().is_some_and(|edits| !edits.is_empty());
                match (alter.changes.any(), is_edited) {
                    (true, _) => self.relayout(index, sql).await,
                    // Its history has changed, its rows have not.
                    (false, true) => self.send_cursor(index).await,
                    (false, false) => Ok(()),
                }
            }
            // Logged even where the table was there and nothing happened.
            Statement::CreateTable(create)
                if create.if_missing
                    && !create.replaces
                    && !matches!(self.tables[index].phase, Phase::Stopped(_)) =>
            {
                self.relayout(index, sql).await
            }
            // The rows are the same ones with other values.
            Statement::AlterTable(alter)
                if !alter.changes.moves_rows
                    && alter.renamed_to.is_none()
                    && alter.exchanged_with.is_none()
                    && !alter.changes.key =>
            {
                self.relayout_and_copy_anew(index, Begin::Kept).await
            }
            // They may be other rows.
            Statement::AlterTable(_)
            | Statement::CreateTable(_)
            | Statement::DropTables(_)
            | Statement::DropDatabase(_)
            | Statement::RenameTables(_)
            | Statement::Unknown(_) => self.relayout_and_copy_anew(index, Begin::Deleted).await,
        }
    }

    async fn truncate(&mut self, index: TableIndex) -> Result<()> {
        if matches!(self.tables[index].phase, Phase::Waiting(_)) {
            return self.copy_anew(index, Begin::Deleted).await;
        }
        self.send_changes(index).await?;
        // Copies that go on may show rows from before: their parts begin again where they were.
        self.cancel_jobs(index);
        self.note_change(index).await?;
        let stream = self.tables[index].stream.clone();
        let positions = Positions(vec![self.change_at(self.progress.ordinal)]);
        self.progress.waiting.1.get_or_insert_with(Instant::now);
        self.out
            .truncate(&stream, TruncateKind::Change, positions)
            .await
    }

    /// Takes a table's layout over as it is now, and does for the destination's rows what follows.
    async fn relayout(&mut self, index: TableIndex, sql: &str) -> Result<()> {
        self.send_changes(index).await?;
        let Some(info) = self.ask_for(index).await? else {
            return self.gone(index).await;
        };
        let server = self.server.clone();
        let options = self.options;
        let table = &mut self.tables[index];
        let before = table.layout.clone();
        table.relayout(info, options)?;
        require_declared_key(table)?;
        let same_key = table.baseline.key == table.layout.schema.key;
        let consequence = consequence(
            &table.baseline,
            &table.info,
            &table.layout.schema,
            &server,
            sql,
        );
        note_dropped(&mut table.baseline, &table.layout.schema);
        let is_new = before != table.layout;
        match consequence {
            Consequence::None => {
                if is_new {
                    // Rows of copies that go on are of the layout before.
                    self.cancel_jobs(index);
                }
                self.send_cursor(index).await
            }
            _ if !same_key => self.copy_anew(index, Begin::Deleted).await,
            // A copy that goes on has rows of both layouts: simpler and surer to begin again.
            _ if table.is_copying() => self.copy_anew(index, Begin::Kept).await,
            Consequence::CopyAnew => self.copy_anew(index, Begin::Kept).await,
            Consequence::Extend => {
                table.rebase();
                let (stream, batch) = (table.stream.clone(), empty(&table.layout.schema));
                self.out.rows(&stream, Rows::Arrow(batch)).await?;
                self.send_cursor(index).await
            }
        }
    }

    /// Takes a table's layout over as it is now and begins its copy again.
    pub(super) async fn relayout_and_copy_anew(
        &mut self,
        index: TableIndex,
        begin: Begin,
    ) -> Result<()> {
        self.send_changes(index).await?;
        let Some(info) = self.ask_for(index).await? else {
            return self.gone(index).await;
        };
        let options = self.options;
        let table = &mut self.tables[index];
        table.relayout(info, options)?;
        require_declared_key(table)?;
        note_dropped(&mut table.baseline, &table.layout.schema);
        let same_key = table.baseline.key == table.layout.schema.key;
        let begin = if same_key { begin } else { Begin::Deleted };
        self.copy_anew(index, begin).await
    }

    /// An XA transaction has committed that was prepared before this reading began: its rows, of
    /// whatever tables, are nowhere in what was read.
    pub(super) async fn copy_all_anew(&mut self) -> Result<()> {
        tracing::warn!(
            "an XA transaction from before this sync has committed; tables are copied anew"
        );
        for index in 0..self.tables.len() {
            if !matches!(self.tables[index].phase, Phase::Stopped(_)) {
                self.send_changes(index).await?;
                self.copy_anew(index, Begin::Deleted).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn copy_anew(&mut self, index: TableIndex, begin: Begin) -> Result<()> {
        self.cancel_jobs(index);
        let is_known = self.names_columns() || self.tables[index].declared.is_some();
        let table = &mut self.tables[index];
        tracing::info!(stream = %table.stream, "the table is copied anew");
        // Changes of a table whose columns are not known can't be taken meanwhile.
        let begin = if is_known { begin } else { Begin::Deleted };
        table.phase = Phase::Waiting(match table.phase {
            // Nothing of it is there yet, or what is there has been given up before.
            Phase::Waiting(before @ (Begin::Restart | Begin::Deleted)) => before,
            _ => begin,
        });
        // The log's cursor moves on: the table's must say what is still to be done.
        self.send_cursor(index).await
    }

    /// The table is not there any more. Its rows stay in the destination; should it come back, it
    /// is copied from the beginning.
    async fn gone(&mut self, index: TableIndex) -> Result<()> {
        self.cancel_jobs(index);
        let table = &mut self.tables[index];
        tracing::warn!(stream = %table.stream, "the table was dropped or renamed in the source");
        table.phase = Phase::Stopped(GONE.to_owned());
        self.send_cursor(index).await
    }

    /// The table as it is now. A statement that is in the log may not be visible yet, see
    /// [`discover::wait_for`].
    async fn ask_for(&mut self, index: TableIndex) -> Result<Option<TableInfo>> {
        let info = self.tables[index].info.clone();
        discover::wait_for(&mut self.conn, &info.database, &info.name).await?;
        let found = discover::table(&mut self.conn, &info.database, &info.name).await?;
        self.note_asked(index).await?;
        Ok(found)
    }
}

fn named(info: &TableInfo, server: &Server) -> Named {
    let kept = |name: &str| {
        if server.ignores_case() {
            name.to_lowercase()
        } else {
            name.to_owned()
        }
    };
    Named {
        database: kept(&info.database),
        name: kept(&info.name),
    }
}

/// Whether a change of the table is left out because its copy will show it. A copy in one piece that
/// the change may have come too late for has been noted as disturbed, and is opened again.
fn shows_later(phase: &Phase) -> bool {
    match phase {
        Phase::Waiting(Begin::Restart | Begin::Deleted) | Phase::CopyingWhole(..) => true,
        // Rows that are kept depend on the log to tell of those that go.
        Phase::Waiting(Begin::Kept) | Phase::Copying { .. } => false,
        Phase::Streaming | Phase::Stopped(_) => false,
    }
}

/// Why a table is stopped that may come back.
const GONE: &str = "the table was dropped or renamed in the source";

/// The engine merges by the key that the stream had when the run began: another one needs another
/// beginning.
fn require_declared_key(table: &Table) -> Result<()> {
    if table.layout.schema.key == table.declared_key {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unavailable,
        format!("the key of {} changed while it was followed", table.stream),
    )
    .fix("The sync begins again with the new key."))
}

/// Remembers columns that went: should one of that name come again, its values are other ones.
fn note_dropped(baseline: &mut TableCursor, now: &StreamSchema) {
    let gone = baseline
        .columns
        .keys()
        .filter(|name| now.position(name).is_none());
    baseline.dropped.extend(gone.cloned().collect::<Vec<_>>());
    baseline.dropped.retain(|name| now.position(name).is_none());
}

/// Whether the statement that added a column says the default that `information_schema` has now: it
/// may have been changed since, and rows have the one of then.
fn is_stated(default: &DefaultValue, declared: Option<&str>, sql: &str) -> bool {
    let sql = sql.to_lowercase().replace("default null", "");
    match (default, declared) {
        (DefaultValue::Unknown, _) => false,
        (DefaultValue::Constant(value), Some(_)) => {
            sql.contains("default") && sql.contains(&value.to_lowercase())
        }
        (DefaultValue::Constant(_) | DefaultValue::Null, _) => !sql.contains("default"),
    }
}

/// Measures the layout that the destination's rows were read with against the one of now.
fn consequence(
    before: &TableCursor,
    info: &TableInfo,
    now: &StreamSchema,
    server: &Server,
    sql: &str,
) -> Consequence {
    if before.key != now.key {
        return Consequence::CopyAnew;
    }
    let mut extends = false;
    for column in &now.columns {
        if before.dropped.contains(&column.name) {
            return Consequence::CopyAnew;
        }
        match before.columns.get(&column.name) {
            Some(had) if had.join(column.data_type) == Some(column.data_type) => {
                extends |= *had != column.data_type;
            }
            Some(_) => return Consequence::CopyAnew,
            None => {
                let declared = info.columns.iter().find(|known| known.name == column.name);
                let is_known = declared.is_some_and(|known| {
                    let default = constant_default(known, server.flavor);
                    is_stated(&default, known.default.as_deref(), sql)
                });
                if !is_known {
                    return Consequence::CopyAnew;
                }
                extends = true;
            }
        }
    }
    // A statement that drops columns, and none is missing: it has come again since.
    let is_complete = before
        .columns
        .keys()
        .all(|name| now.position(name).is_some());
    // Rows without a key are known by all their values: those that are there would have other ids.
    let is_filled =
        |column: &Column| column.default.is_some() && !before.columns.contains_key(&column.name);
    if now.key.is_empty() && (!is_complete || now.columns.iter().any(is_filled)) {
        return Consequence::CopyAnew;
    }
    let drops = sql.to_lowercase().contains("drop");
    match (extends, drops && is_complete) {
        (_, true) => Consequence::CopyAnew,
        (true, false) => Consequence::Extend,
        (false, false) => Consequence::None,
    }
}

fn by_statement(stream: &StreamName, position: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("rows of {stream} were changed by a logged statement before {position}, not by row events"),
    )
    .fix(
        "Set binlog_format=ROW for every session (SET GLOBAL binlog_format=ROW, then reconnect the \
         writers). The table is copied anew in the next sync.",
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::collections::BTreeMap;

    use tributary_model::DataType;

    use super::*;
    use crate::cursor::TablePhase;
    use crate::info::ColumnInfo;

    fn schema(columns: &[(&str, DataType)]) -> StreamSchema {
        let column = |&(name, data_type): &(&str, DataType)| Column {
            name: name.into(),
            data_type,
            nullable: true,
            default: None,
        };
        StreamSchema {
            columns: columns.iter().map(column).collect(),
            key: vec!["id".into()],
        }
    }

    fn measured(before: &[(&str, DataType)], now: &[(&str, DataType)], extra: &str) -> Consequence {
        let server = Server::assemble("9.7.0".into(), "r@%", BTreeMap::new()).unwrap();
        let info = TableInfo {
            columns: now
                .iter()
                .map(|(name, _)| ColumnInfo {
                    name: (*name).into(),
                    data_type: "int".into(),
                    column_type: "int".into(),
                    nullable: true,
                    extra: extra.into(),
                    ..ColumnInfo::default()
                })
                .collect(),
            ..TableInfo::default()
        };
        let before = TableCursor::new(TablePhase::Streaming, &schema(before));
        consequence(
            &before,
            &info,
            &schema(now),
            &server,
            "ALTER TABLE t ADD COLUMN m INT",
        )
    }

    #[test]
    fn a_logged_statement_stops_no_table_whose_copy_has_not_begun() {
        assert!(shows_later(&Phase::Waiting(Begin::Restart)));
        assert!(shows_later(&Phase::Waiting(Begin::Deleted)));
        assert!(!shows_later(&Phase::Waiting(Begin::Kept)));
        assert!(!shows_later(&Phase::Streaming));
        let copying = Phase::Copying {
            parts: Vec::new(),
            changed: false,
            copied: 0,
        };
        assert!(!shows_later(&copying));
    }

    #[test]
    fn known_values_extend_and_unknown_ones_are_read_again() {
        use DataType::{Int32, Int64, Text};
        let before = [("id", Int32), ("n", Int32)];
        assert_eq!(measured(&before, &before, ""), Consequence::None);
        assert_eq!(measured(&before, &[("id", Int32)], ""), Consequence::None);
        assert_eq!(
            measured(&before, &[("id", Int32), ("n", Int64)], ""),
            Consequence::Extend
        );
        let added = [("id", Int32), ("n", Int32), ("m", Int32)];
        assert_eq!(measured(&before, &added, ""), Consequence::Extend);
        assert_eq!(
            measured(&before, &added, "stored generated"),
            Consequence::CopyAnew
        );
        assert_eq!(
            measured(&before, &[("id", Int32), ("n", Text)], ""),
            Consequence::CopyAnew
        );
        assert_eq!(
            measured(&[("id", Int64)], &[("id", Int32)], ""),
            Consequence::CopyAnew
        );
    }
}
