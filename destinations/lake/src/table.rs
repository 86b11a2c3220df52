//! A table as the log knows it: how it is kept, which files it is made of, and the layout of each.
//!
//! Invariant: layouts are only ever added. A file is read by the layout it was written with, and
//! what the table's newest layout has besides is the column's default there, or NULL.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tributary_model::{
    DataType, Deletes, Mode, Result, StreamName, TableColumn, TableName, TablePlan,
};
use tributary_sql::{DELETED, Dialect, Found, FoundColumn, SYNCED_AT, Step, evolve};

use crate::bounds::Bounds;
use crate::config::{Format, MergeBy};
use crate::iceberg::{Part, stored};
use crate::partition::Term;
use crate::place;

/// What happened to a row of a change log.
pub(crate) const OP: &str = "_tributary_op";
/// What names of the system's columns begin with.
const SYSTEM: &str = "_tributary_";
/// The place of a row in a change log: the number of its load, and within it.
pub(crate) const ORDER: &str = "_tributary_order";

/// A file of rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DataFile {
    /// Its key.
    pub key: String,
    /// Its folder below the table's: empty or ending in a slash.
    pub partition: String,
    /// Its rows.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// Which of the table's layouts it was written with.
    pub layout: usize,
    /// Where the first column of the key lies; anywhere if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// For Iceberg: which part of the table it is, where the table is divided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    /// For Iceberg: which of its rows are no more; none if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Deleted>,
    /// The number of the entry that brought it; not said by the entry itself.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub since: u64,
}

/// A file of keys: rows that have one of them are no more, in files that are older than it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct EqualityDeletes {
    /// Its key in the store.
    pub key: String,
    /// The columns that are compared.
    pub columns: Vec<String>,
    /// How many keys it holds.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
    /// The number of the entry that brought it; not said by the entry itself.
    #[serde(default, skip_serializing_if = "is_unsaid")]
    pub since: u64,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out references
fn is_unsaid(since: &u64) -> bool {
    *since == 0
}

/// A file that names, by their places, the rows of one data file that are no more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Deleted {
    /// Its key.
    pub key: String,
    /// How many rows it names.
    pub rows: u64,
    /// Its size.
    pub bytes: u64,
}

impl DataFile {
    /// The keys of everything that its rows are told from.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        let deleted = self.deleted.as_ref().map(|deleted| &deleted.key);
        std::iter::once(&self.key).chain(deleted)
    }
}

/// How a table is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Definition {
    /// The table.
    pub table: TableName,
    /// Its stream.
    pub stream: StreamName,
    /// Its mode.
    pub mode: Mode,
    /// What deletes do.
    pub deletes: Deletes,
    /// The names of the key's columns.
    pub key: Vec<String>,
    /// The columns of its files, from the first layout to the newest.
    pub layouts: Vec<Vec<TableColumn>>,
    /// Counts how often the table was begun anew.
    pub generation: u64,
    /// How it is changed.
    pub merge: MergeBy,
    /// Of a change log: all rows that came before this place count as deleted.
    pub marked_before: i64,
    /// By what its files are divided into folders.
    pub partitions: Vec<Term>,
    /// Of a table that is built beside another one, and that nobody sees: that one, by whose
    /// settings it is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<TableName>,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// How it is kept.
    pub definition: Definition,
    /// Its files, by key.
    #[serde(with = "by_key")]
    pub files: BTreeMap<String, DataFile>,
    /// For Iceberg: keys of rows that are no more, the oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equality_deletes: Vec<EqualityDeletes>,
}

/// What one load does to a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableChange {
    /// How it is kept from then on.
    pub definition: Definition,
    /// Whether that is another way than before.
    #[serde(default)]
    pub redefined: bool,
    /// Files that come.
    pub added: Vec<DataFile>,
    /// Files that stay, and of which other rows are deleted than before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changed: Vec<DataFile>,
    /// Files of keys that come.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub equality_deletes: Vec<EqualityDeletes>,
    /// Keys of files that go, of data and of deletes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<String>,
    /// Whether the table is no more.
    #[serde(default, skip_serializing_if = "is_not")]
    pub dropped: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde hands out references
fn is_not(dropped: &bool) -> bool {
    !dropped
}

impl Table {
    /// The table after the entry of that number.
    pub(crate) fn apply(&mut self, change: &TableChange, entry: u64) {
        self.definition.clone_from(&change.definition);
        self.files.retain(|key, _| !change.removed.contains(key));
        self.equality_deletes
            .retain(|deletes| !change.removed.contains(&deletes.key));
        let added = change.added.iter().map(|file| DataFile {
            since: entry,
            ..file.clone()
        });
        let files = added.chain(change.changed.iter().cloned());
        self.files
            .extend(files.map(|file| (file.key.clone(), file)));
        let deletes = change.equality_deletes.iter();
        self.equality_deletes
            .extend(deletes.map(|deletes| EqualityDeletes {
                since: entry,
                ..deletes.clone()
            }));
    }

    /// A table that the entry of that number makes.
    pub(crate) fn from_change(change: &TableChange, entry: u64) -> Self {
        let mut table = Self {
            definition: change.definition.clone(),
            files: BTreeMap::new(),
            equality_deletes: Vec::new(),
        };
        table.apply(change, entry);
        table
    }

    /// The keys of everything that its rows are told from.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &String> {
        let deletes = self.equality_deletes.iter().map(|deletes| &deletes.key);
        self.files.values().flat_map(DataFile::keys).chain(deletes)
    }
}

impl Definition {
    /// A table that is not there yet.
    pub(crate) fn new(plan: &TablePlan) -> Self {
        Self {
            table: plan.table.clone(),
            stream: plan.stream.clone(),
            mode: plan.mode,
            deletes: plan.deletes,
            key: plan.key.clone(),
            layouts: Vec::new(),
            generation: 0,
            merge: MergeBy::default(),
            marked_before: 0,
            partitions: Vec::new(),
            beside: None,
        }
    }

    /// Whether nobody sees it yet.
    pub(crate) fn is_beside(&self) -> bool {
        self.beside.is_some()
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> String {
        match self.is_beside() {
            true => place::beside(&self.table),
            false => place::folder(&self.table),
        }
    }

    /// The plan that the table is at.
    pub(crate) fn plan(&self) -> TablePlan {
        let own = |name: &str| name != SYNCED_AT && name != DELETED;
        let columns = self.columns().iter().filter(|column| own(&column.name));
        TablePlan {
            stream: self.stream.clone(),
            table: self.table.clone(),
            mode: self.mode,
            deletes: self.deletes,
            columns: columns.cloned().collect(),
            key: self.key.clone(),
        }
    }

    /// Begins with the columns of another table, less those of the system that the plan has not.
    pub(crate) fn begin_like(&mut self, other: &Self, plan: &TablePlan) {
        self.layouts.clone_from(&other.layouts);
        let is_wanted = |column: &&TableColumn| match column.name.as_str() {
            SYNCED_AT => true,
            DELETED => self.deletes() == Deletes::Soft,
            name if name.starts_with(SYSTEM) => plan.columns.iter().any(|c| c.name == name),
            _ => true,
        };
        let columns: Vec<_> = self.columns().iter().filter(is_wanted).cloned().collect();
        if columns != self.columns() {
            self.layouts.push(columns);
        }
    }

    /// The columns that the table has now.
    pub(crate) fn columns(&self) -> &[TableColumn] {
        self.layouts.last().map_or(&[], Vec::as_slice)
    }

    /// Which layout new files are written with.
    pub(crate) fn newest(&self) -> usize {
        self.layouts.len().saturating_sub(1)
    }

    /// Whether the files hold changes, of which only a view makes rows.
    pub(crate) fn is_change_log(&self) -> bool {
        self.mode != Mode::Append && self.merge == MergeBy::ChangeLog
    }

    /// What deletes do; a table that is replaced has nothing but what is there now.
    pub(crate) fn deletes(&self) -> Deletes {
        match self.mode {
            Mode::Replace => Deletes::Hard,
            Mode::Merge | Mode::Append | Mode::History => self.deletes,
        }
    }

    /// Follows `plan`, and says what that changed.
    ///
    /// # Errors
    /// Fails where a column can't become what the plan needs.
    pub(crate) fn follow(&mut self, plan: &TablePlan, format: Format) -> Result<Vec<Step>> {
        self.stream.clone_from(&plan.stream);
        self.key.clone_from(&plan.key);
        (self.mode, self.deletes) = (plan.mode, plan.deletes);
        let mut plan = stored_as(plan, format);
        if self.is_change_log() {
            // Rows from before it was one are the oldest.
            plan.columns
                .push(column(OP, DataType::Text, Some("r".to_owned())));
            plan.columns
                .push(column(ORDER, DataType::Int64, Some("0".to_owned())));
        }
        let found = Found {
            schema: true,
            columns: (!self.layouts.is_empty()).then(|| self.columns().iter().map(found).collect()),
        };
        let steps = evolve(&Types, &plan, &found)?;
        let mut columns = self.columns().to_vec();
        for step in &steps {
            match step {
                Step::CreateSchema { .. } => {}
                Step::CreateTable { columns: all, .. } => {
                    columns = all
                        .iter()
                        .map(|c| column(&c.name, c.data_type, None))
                        .collect();
                }
                Step::AddColumn { column: new, .. } => {
                    columns.push(column(&new.name, new.data_type, new.default.clone()));
                }
                Step::WidenType { column: wide, .. } => {
                    let same = |c: &&mut TableColumn| Types.same_name(&c.name, &wide.name);
                    if let Some(column) = columns.iter_mut().find(same) {
                        column.data_type = wide.data_type;
                    }
                }
            }
        }
        if self.columns() != columns {
            self.layouts.push(columns);
        }
        Ok(steps)
    }
}

/// The plan with the types that files of the format have.
fn stored_as(plan: &TablePlan, format: Format) -> TablePlan {
    let mut plan = plan.clone();
    if format == Format::Iceberg {
        for column in &mut plan.columns {
            column.data_type = stored(column.data_type);
        }
    }
    plan
}

fn column(name: &str, data_type: DataType, default: Option<String>) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        data_type,
        default,
    }
}

fn found(column: &TableColumn) -> FoundColumn {
    FoundColumn {
        name: column.name.clone(),
        data_type: Some(column.data_type),
        sql_type: column.data_type.to_string(),
    }
}

/// The digits of a decimal that readers of Parquet agree on.
pub(crate) const DECIMAL_DIGITS: u8 = 38;

/// A dialect that is only asked for the names of types: a lake has no statements.
struct Types;

impl Dialect for Types {
    fn type_name(&self, data_type: DataType) -> Option<String> {
        match data_type {
            DataType::Decimal(digits, _) if digits > DECIMAL_DIGITS => None,
            other => Some(other.to_string()),
        }
    }
}

/// Files are a list where they are stored: each knows its own key.
mod by_key {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::DataFile;

    pub(super) fn serialize<S: Serializer>(
        files: &BTreeMap<String, DataFile>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(files.values())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<String, DataFile>, D::Error> {
        let files = Vec::<DataFile>::deserialize(deserializer)?;
        Ok(files
            .into_iter()
            .map(|file| (file.key.clone(), file))
            .collect())
    }
}
