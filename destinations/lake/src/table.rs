//! A table as the log knows it: how it is kept, which files it is made of, and the layout of each.
//!
//! Invariant: layouts are only ever added. A file is read by the layout it was written with, and
//! what the table's newest layout has besides is the column's default there, or NULL.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use tributary_model::{
    DataType, Deletes, Mode, Result, StreamName, TableColumn, TableName, TablePlan,
};
use tributary_sql::{Dialect, Found, FoundColumn, Step, evolve};

use crate::bounds::Bounds;
use crate::config::{Format, MergeBy};
use crate::iceberg::{Part, stored};
use crate::partition::Term;

/// What happened to a row of a change log.
pub(crate) const OP: &str = "_tributary_op";
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
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    /// How it is kept.
    pub definition: Definition,
    /// Its files, by key.
    #[serde(with = "by_key")]
    pub files: BTreeMap<String, DataFile>,
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
    /// Keys of files that go, of data and of deletes.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub removed: BTreeSet<String>,
}

impl Table {
    /// The table after a load.
    pub(crate) fn apply(&mut self, change: &TableChange) {
        self.definition.clone_from(&change.definition);
        self.files.retain(|key, _| !change.removed.contains(key));
        let files = change.added.iter().chain(&change.changed);
        self.files
            .extend(files.map(|file| (file.key.clone(), file.clone())));
    }

    /// A table that a load makes.
    pub(crate) fn from_change(change: &TableChange) -> Self {
        let mut table = Self {
            definition: change.definition.clone(),
            files: BTreeMap::new(),
        };
        table.apply(change);
        table
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
