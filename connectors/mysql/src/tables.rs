//! What the reader knows of each selected table.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tributary_model::{PositionRun, Result, Stream, StreamName};

use crate::column::ValueOptions;
use crate::cursor::{Begin, TableCursor, TablePhase};
use crate::decode::RowBuilder;
use crate::filter::{Bound, Filter};
use crate::history::Declared;
use crate::info::TableInfo;
use crate::layout::Layout;
use crate::position::LogPosition;
use crate::snapshot::{JobId, KeyStyle, Segment, key_styles};

/// A table, by its place in [`Tables`].
pub(crate) type TableIndex = usize;

/// A part of a table's copy and the job that is at it.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) segment: Segment,
    pub(crate) job: Option<JobId>,
}

/// How a table stands.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Its copy has not begun; its changes are left out.
    Waiting(Begin),
    /// Its copy goes on.
    Copying {
        /// What is still to be copied.
        parts: Vec<Part>,
        /// Whether a change has been sent since the copy began.
        changed: bool,
        /// How many rows have been sent.
        copied: u64,
    },
    /// It has no key to walk by; a job is at all of it.
    CopyingWhole(JobId, Begin),
    /// The log keeps it.
    Streaming,
    /// It failed, or is gone; its changes are left out.
    Stopped(String),
}

/// Decoded changes that have not been sent. The builder is kept when they have been: growing a new
/// one costs as much as decoding.
pub(crate) struct Pending {
    pub(crate) builder: RowBuilder,
    pub(crate) layout: Arc<Layout>,
    pub(crate) runs: Vec<PositionRun>,
    /// The stream's `where`, for rows of this layout.
    pub(crate) filter: Option<Bound>,
}

/// A selected table.
pub(crate) struct Table {
    pub(crate) stream: StreamName,
    pub(crate) info: Arc<TableInfo>,
    pub(crate) excluded: Vec<String>,
    /// Which of its rows are wanted.
    pub(crate) filter: Option<Filter>,
    /// The key that the engine merges by in this run.
    pub(crate) declared_key: Vec<String>,
    /// As of now, from `information_schema`: what copies select.
    pub(crate) layout: Arc<Layout>,
    pub(crate) phase: Phase,
    /// What the rows in the destination were read with.
    pub(crate) baseline: TableCursor,
    pub(crate) pending: Option<Pending>,
    /// Its columns at the place that the log has reached, where table maps do not name them.
    pub(crate) declared: Option<Declared>,
    /// `info` says what the table is once the log has come to this place, if no statement before it
    /// has changed the table.
    pub(crate) certain_from: Option<LogPosition>,
}

impl Table {
    /// A table at its cursor; without one, its copy is still to come.
    pub(crate) fn new(
        stream: &Stream,
        info: TableInfo,
        cursor: Option<&TableCursor>,
        options: ValueOptions,
    ) -> Result<Self> {
        let layout = Arc::new(Layout::from_info(&info, &stream.excluded, options)?);
        let filter = stream.filter.as_deref().map(Filter::parse).transpose();
        let filter = filter.map_err(|error| error.context("`where`"))?;
        if let Some(filter) = &filter {
            filter.suits(&info)?;
        }
        let asked = filter.as_ref().map(Filter::sql);
        let phase = match cursor.map(|cursor| &cursor.phase) {
            None => Phase::Waiting(Begin::Restart),
            Some(TablePhase::Pending {
                begin: Begin::Restart,
            }) => Phase::Waiting(Begin::Restart),
            // Another `where`: rows that it wants now may never have been read.
            Some(_) if cursor.is_some_and(|cursor| cursor.filter != asked) => {
                tracing::info!(stream = %stream.name, "`where` has changed: the table is copied anew");
                Phase::Waiting(Begin::Deleted)
            }
            // A stopped table has missed changes, deletes among them: only a new copy mends it.
            Some(TablePhase::Stopped { .. }) => Phase::Waiting(Begin::Deleted),
            Some(TablePhase::Pending { begin }) => Phase::Waiting(*begin),
            Some(TablePhase::Streaming) => Phase::Streaming,
            Some(TablePhase::Snapshot {
                remaining,
                changed,
                copied,
            }) => Phase::Copying {
                parts: remaining.iter().cloned().map(Part::from).collect(),
                changed: *changed,
                copied: *copied,
            },
        };
        let baseline = cursor
            .cloned()
            .unwrap_or_else(|| TableCursor::new(TablePhase::Streaming, &layout.schema));
        Ok(Self {
            stream: stream.name.clone(),
            info: Arc::new(info),
            excluded: stream.excluded.clone(),
            filter,
            declared_key: stream.schema.key.clone(),
            layout,
            phase,
            baseline,
            pending: None,
            declared: cursor.and_then(|cursor| cursor.declared.clone()),
            certain_from: None,
        })
    }

    /// Takes a new layout over, as of now.
    pub(crate) fn relayout(&mut self, info: TableInfo, options: ValueOptions) -> Result<()> {
        self.layout = Arc::new(Layout::from_info(&info, &self.excluded, options)?);
        self.info = Arc::new(info);
        Ok(())
    }

    /// Notes that the rows in the destination are now of the current layout.
    pub(crate) fn rebase(&mut self) {
        let dropped = std::mem::take(&mut self.baseline.dropped);
        self.baseline = TableCursor::new(TablePhase::Streaming, &self.layout.schema);
        self.baseline.dropped = dropped;
    }

    /// The cursor that says how the table stands; `None` while nothing of it has been sent.
    pub(crate) fn cursor(&self) -> Option<TableCursor> {
        let phase = match &self.phase {
            Phase::Waiting(Begin::Restart) | Phase::CopyingWhole(_, Begin::Restart) => return None,
            Phase::Waiting(begin) | Phase::CopyingWhole(_, begin) => {
                TablePhase::Pending { begin: *begin }
            }
            Phase::Copying {
                parts,
                changed,
                copied,
            } => TablePhase::Snapshot {
                copied: *copied,
                remaining: parts.iter().map(|part| part.segment.clone()).collect(),
                changed: *changed,
            },
            Phase::Streaming => TablePhase::Streaming,
            Phase::Stopped(reason) => TablePhase::Stopped {
                reason: reason.clone(),
            },
        };
        Some(TableCursor {
            phase,
            filter: self.wanted(),
            declared: self.declared.clone(),
            ..self.baseline.clone()
        })
    }

    /// Whether a copy may begin with the table as it is known.
    pub(crate) fn is_certain(&self, at: &LogPosition) -> bool {
        self.certain_from.as_ref().is_none_or(|from| at >= from)
    }

    /// Which of its rows are wanted, as SQL.
    pub(crate) fn wanted(&self) -> Option<String> {
        self.filter.as_ref().map(Filter::sql)
    }

    /// How to walk the table by its key, where that is possible.
    pub(crate) fn walk(&self) -> Option<Vec<KeyStyle>> {
        key_styles(&self.info, &self.layout)
    }

    /// Whether its copy is still to be done or going on.
    pub(crate) fn is_copying(&self) -> bool {
        matches!(
            self.phase,
            Phase::Waiting(_) | Phase::Copying { .. } | Phase::CopyingWhole(..)
        )
    }
}

impl From<Segment> for Part {
    fn from(segment: Segment) -> Self {
        Self { segment, job: None }
    }
}

/// The selected tables.
pub(crate) struct Tables {
    all: Vec<Table>,
    by_name: HashMap<(String, String), TableIndex>,
    /// Tables that nobody selected.
    others: HashSet<(String, String)>,
    ignores_case: bool,
}

impl Tables {
    /// The tables, and the `others` beside them; `ignores_case` says how the server compares names.
    pub(crate) fn new(all: Vec<Table>, others: Vec<TableInfo>, ignores_case: bool) -> Self {
        let mut tables = Self {
            all,
            by_name: HashMap::new(),
            others: HashSet::new(),
            ignores_case,
        };
        let names = others
            .iter()
            .map(|info| tables.key(&info.database, &info.name));
        tables.others = names.collect();
        for index in 0..tables.all.len() {
            let info = &tables.all[index].info;
            let key = tables.key(&info.database, &info.name);
            tables.by_name.insert(key, index);
        }
        tables
    }

    /// The selected table of this name.
    pub(crate) fn find(&self, database: &str, table: &str) -> Option<TableIndex> {
        self.by_name.get(&self.key(database, table)).copied()
    }

    /// Whether a table, selected or not, was there when the reading began.
    pub(crate) fn knows(&self, database: &str, table: &str) -> bool {
        self.find(database, table).is_some() || self.others.contains(&self.key(database, table))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (TableIndex, &Table)> {
        self.all.iter().enumerate()
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    fn key(&self, database: &str, table: &str) -> (String, String) {
        if self.ignores_case {
            (database.to_lowercase(), table.to_lowercase())
        } else {
            (database.to_owned(), table.to_owned())
        }
    }
}

impl std::ops::Index<TableIndex> for Tables {
    type Output = Table;

    fn index(&self, index: TableIndex) -> &Table {
        &self.all[index]
    }
}

impl std::ops::IndexMut<TableIndex> for Tables {
    fn index_mut(&mut self, index: TableIndex) -> &mut Table {
        &mut self.all[index]
    }
}
