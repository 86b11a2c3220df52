//! What is decided about one stream's table, and how it changes when the stream's layout does.

use std::sync::Arc;

use tributary_model::{
    Batch, Capabilities, Change, ChangeBatch, ColumnRule, ConnectionName, DataType, Deletes, Error,
    ErrorKind, Mode, Positions, Remembered, Result, SchemaChanges, Secret, StreamName,
    StreamOptions, StreamSchema, TableColumn, TableName, TablePlan,
};

use crate::observer::ColumnOrigin;

use super::evolve::{self, Target, Wanted};
use super::identity::Cover;
use super::names;
use super::refuse::{refuse_hidden_keys, refuse_unknown_columns};
use super::rejected::Shaped;
use super::remember::{before, owner};
use super::rules::Hide;
use super::shape::{self, Shape, Slot};
use super::system::VALID_FROM;

/// Everything needed to decide about a table.
#[derive(Debug)]
pub(crate) struct TableSetup<'a> {
    pub(crate) stream: &'a StreamName,
    pub(crate) schema: &'a Arc<StreamSchema>,
    pub(crate) options: &'a StreamOptions,
    pub(crate) table: TableName,
    pub(crate) capabilities: &'a Capabilities,
    pub(crate) salt: Option<&'a Secret>,
    /// Columns that say how far the stream has been read.
    pub(crate) cursor: &'a [String],
    /// What is remembered of the stream's table.
    pub(crate) remembered: Option<&'a Remembered>,
    /// The table's columns, where it exists.
    pub(crate) existing: Option<&'a [TableColumn]>,
    /// Whether records may bring columns that the schema does not name.
    pub(crate) is_open: bool,
}

/// The decisions, and the shape made from them for the layout seen last.
#[derive(Debug)]
pub(crate) struct Table {
    pub(super) stream: StreamName,
    name: TableName,
    pub(super) options: StreamOptions,
    capabilities: Capabilities,
    pub(super) salt: Option<Secret>,
    /// What is remembered of the rows that are there.
    pub(super) before: Option<Remembered>,
    /// The columns that were there when the run began.
    pub(super) had: Vec<String>,
    is_new: bool,
    /// Whether the types of its key are still a guess, because no record has been seen: it is made
    /// once one has.
    is_provisional: bool,
    key: Vec<String>,
    pub(super) targets: Vec<Target>,
    pub(super) plan: Arc<TablePlan>,
    shape: (Arc<StreamSchema>, Shape),
}

pub(crate) const ID: &str = "_tributary_id";
pub(crate) const OP: &str = "_tributary_op";
pub(crate) const POSITION: &str = "_tributary_position";
const SYSTEM_PREFIX: &str = "_tributary_";

/// The table of a stream: what the user said, else the stream's namespace (else the connection)
/// and name.
pub(crate) fn table_name(
    stream: &StreamName,
    connection: &ConnectionName,
    options: &StreamOptions,
    capabilities: &Capabilities,
) -> TableName {
    if let Some(table) = &options.table {
        let usual = capabilities
            .schema
            .as_deref()
            .unwrap_or(connection.as_str());
        let schema = if table.schema.is_empty() {
            usual
        } else {
            &table.schema
        };
        return TableName {
            schema: schema.to_owned(),
            table: table.table.clone(),
        };
    }
    let usual = capabilities.schema.as_deref();
    let schema = usual
        .or(stream.namespace.as_deref())
        .unwrap_or(connection.as_str());
    TableName {
        schema: names::legal(schema, [], capabilities),
        table: names::legal(&stream.name, [], capabilities),
    }
}

impl Table {
    /// Decides about a table.
    pub(crate) fn new(setup: &TableSetup<'_>) -> Result<Self> {
        refuse_hidden_keys(setup)?;
        if !setup.is_open {
            refuse_unknown_columns(setup)?;
        }
        let had = setup.existing.unwrap_or_default();
        let targets = had
            .iter()
            .filter(|column| !column.name.starts_with(SYSTEM_PREFIX))
            .map(|column| Target {
                column: column.clone(),
                source: None,
                owner: owner(setup, &column.name),
            })
            .collect();
        let plan = Arc::new(TablePlan {
            stream: setup.stream.clone(),
            table: setup.table.clone(),
            mode: setup.options.mode,
            deletes: match setup.options.mode {
                Mode::Replace => Deletes::Hard, // nothing but what is there now
                Mode::Merge | Mode::Append | Mode::History => setup.options.deletes,
            },
            columns: Vec::new(),
            key: Vec::new(),
        });
        let mut table = Self {
            stream: setup.stream.clone(),
            name: setup.table.clone(),
            options: setup.options.clone(),
            capabilities: setup.capabilities.clone(),
            salt: setup.salt.cloned(),
            before: before(setup).cloned(),
            had: had.iter().map(|column| column.name.clone()).collect(),
            is_new: setup.existing.is_none(),
            is_provisional: setup.is_open
                && setup.existing.is_none()
                && !setup.schema.key.is_empty(),
            key: setup.schema.key.clone(),
            targets,
            plan,
            shape: (setup.schema.clone(), Shape::default()),
        };
        match setup.is_open {
            true => table.follow(&known(setup))?,
            false => table.follow(setup.schema)?,
        }
        Ok(table)
    }

    /// The plan as of the layout seen last.
    pub(crate) fn plan(&self) -> &Arc<TablePlan> {
        &self.plan
    }

    /// Goes on in another table, for one that is built beside or has taken its place.
    pub(crate) fn move_to(&mut self, table: TableName) {
        let plan = TablePlan {
            table,
            ..(*self.plan).clone()
        };
        self.plan = Arc::new(plan);
    }

    /// The plan's columns, and what feeds them.
    pub(crate) fn origins(&self) -> Vec<ColumnOrigin> {
        let origin = |column: &TableColumn| {
            let target = self.targets.iter().find(|t| t.column.name == column.name);
            let source = target.and_then(|target| target.source.clone());
            let rule = source
                .as_ref()
                .and_then(|name| self.options.columns.get(name));
            ColumnOrigin {
                name: column.name.clone(),
                data_type: column.data_type,
                hidden: rule.is_some_and(|rule| rule.hash || rule.mask.is_some()),
                source,
            }
        };
        self.plan.columns.iter().map(origin).collect()
    }

    /// Whether `existing` lacks something of the plan, so that even a load without rows has work.
    pub(crate) fn differs_from(&self, existing: Option<&[TableColumn]>) -> bool {
        let Some(existing) = existing else {
            return true;
        };
        self.plan.columns.iter().any(|wanted| {
            !existing.iter().any(|had| {
                names::same(&had.name, &wanted.name, &self.capabilities)
                    && had.data_type.join(wanted.data_type) == Some(had.data_type)
            })
        })
    }

    /// Whether it can't be made yet.
    pub(crate) fn is_provisional(&self) -> bool {
        self.is_provisional
    }

    /// Shapes a batch for the table; a layout not seen before changes the plan first.
    pub(crate) fn shape(&mut self, batch: &ChangeBatch) -> Result<Shaped> {
        if std::mem::take(&mut self.is_provisional) {
            self.targets.clear();
            self.follow(&batch.schema)?;
        }
        if !Arc::ptr_eq(&self.shape.0, &batch.schema) {
            if *self.shape.0 != *batch.schema {
                self.follow(&batch.schema)?;
            }
            self.shape.0 = batch.schema.clone();
        }
        let (rows, misfits) = self.shape.1.apply(batch, &self.plan)?;
        if !misfits.is_empty() {
            return self.set_apart(batch, rows, misfits);
        }
        let batch = Batch {
            plan: self.plan.clone(),
            ops: batch.ops.clone(),
            presence: batch.presence,
            rows,
        };
        Ok(Shaped {
            batch,
            rejected: Vec::new(),
            overtaken: Vec::new(),
        })
    }

    /// The row that says, in `append`, that the stream was emptied.
    pub(crate) fn truncate_row(&self, positions: Positions) -> Result<Option<Batch>> {
        if self.options.mode != Mode::Append {
            return Ok(None);
        }
        Shape::truncate_row(&self.plan, positions).map(Some)
    }

    /// The change that says which rows are gone; `None` where the table has no column to tell them by.
    pub(crate) fn clear(&mut self, of: &ChangeBatch) -> Result<Option<Change>> {
        if self.is_provisional {
            return Ok(None);
        }
        let mut places = Vec::new();
        for column in &of.schema.columns {
            let rule = self.options.columns.get(&column.name);
            let hide = rule.map_or(Ok(None), |rule| self.hide(rule))?;
            let data_type = match &hide {
                Some(hide) => hide.data_type(column.data_type),
                None => column.data_type,
            };
            let Some(place) = self.place_of(&column.name, data_type)? else {
                return Ok(None);
            };
            places.push((place, hide));
        }
        let mut named = Vec::new();
        for ((place, hide), array) in places.iter().zip(of.columns.columns()) {
            let target = &self.targets[*place].column;
            named.push((target, shape::value(array, hide.as_ref(), target)?));
        }
        let change = match self.options.mode {
            Mode::Append => Change::Rows(Shape::marker_rows(&self.plan, &named, of)?),
            Mode::Merge | Mode::Replace | Mode::History => Change::Clear {
                plan: self.plan.clone(),
                of: shape::columns(named, of.ops.len())?,
            },
        };
        Ok(Some(change))
    }

    /// The place of the column that a source's column feeds, or fed before this run.
    fn place_of(&mut self, source: &str, data_type: DataType) -> Result<Option<usize>> {
        let takes = |target: &Target| {
            let own = target.column.data_type;
            own.join(data_type) == Some(own)
        };
        let fed = |target: &Target| target.source.as_deref() == Some(source) && takes(target);
        if let Some(place) = self.targets.iter().position(fed) {
            return Ok(Some(place));
        }
        let rule = self.options.columns.get(source);
        let name = rule
            .and_then(|rule| rule.rename.as_deref())
            .unwrap_or(source);
        let capabilities = &self.capabilities;
        let had = |target: &Target| {
            let same = names::same(&target.column.name, name, capabilities);
            target.source.is_none() && same && takes(target)
        };
        let Some(place) = self.targets.iter().position(had) else {
            return Ok(None);
        };
        self.targets[place].source = Some(source.to_owned());
        let schema = self.shape.0.clone();
        self.follow(&schema)?;
        Ok(Some(place))
    }

    /// Takes a layout into the decisions.
    fn follow(&mut self, schema: &Arc<StreamSchema>) -> Result<()> {
        self.claim(schema);
        let mut slots = vec![None; self.targets.len()];
        for (index, column) in schema.columns.iter().enumerate() {
            let rule = self
                .options
                .columns
                .get(&column.name)
                .cloned()
                .unwrap_or_default();
            if rule.exclude {
                continue;
            }
            let hide = self.hide(&rule)?;
            let data_type = match (&hide, rule.data_type) {
                (Some(hide), _) => hide.data_type(column.data_type),
                (None, Some(chosen)) => chosen,
                (None, None) => column.data_type,
            };
            let wanted = Wanted {
                source: &column.name,
                rename: rule.rename.as_deref(),
                data_type,
                default: column.default.as_deref().filter(|_| hide.is_none()),
            };
            if self.leaves_out(&wanted)? {
                continue;
            }
            let target = evolve::place(&mut self.targets, &wanted, &self.capabilities);
            slots.resize(self.targets.len(), None);
            slots[target] = Some(Slot::Column { index, hide });
        }
        self.replan(&slots);
        let shape = Shape::new(slots, &self.targets, &self.plan, self.cover(schema)?);
        self.shape = (schema.clone(), shape);
        Ok(())
    }

    /// What the identity of a row must not give away.
    fn cover(&self, schema: &StreamSchema) -> Result<Cover> {
        let mut cover = Cover::default();
        for (place, column) in schema.columns.iter().enumerate() {
            let Some(rule) = self.options.columns.get(&column.name) else {
                continue;
            };
            match self.hide(rule)? {
                _ if rule.exclude => cover.left_out.push(place),
                Some(how) => cover.hidden.push((place, how)),
                None => {}
            }
        }
        let key = |salt: &Secret| {
            blake3::derive_key("tributary: identities of rows", salt.expose().as_bytes())
        };
        cover.key = self.salt.as_ref().map(key);
        Ok(cover)
    }

    /// Leaves the columns that are there to whom they belong by name, those with a name of their own
    /// before those that were given one.
    fn claim(&mut self, schema: &StreamSchema) {
        let rename = |name: &str| {
            let rule = self.options.columns.get(name)?;
            rule.rename.clone()
        };
        let names = schema.columns.iter().map(|column| &column.name);
        let (renamed, own): (Vec<_>, Vec<_>) = names
            .map(|name| (name, rename(name)))
            .partition(|(_, base)| base.is_some());
        for (name, base) in own.into_iter().chain(renamed) {
            let base = base.as_deref().unwrap_or(name);
            evolve::claim(&mut self.targets, name, base, &self.capabilities);
        }
    }

    /// Whether `schema_changes` keeps a column out that the table does not have.
    fn leaves_out(&self, wanted: &Wanted<'_>) -> Result<bool> {
        if self.is_new || self.options.schema_changes == SchemaChanges::Follow {
            return Ok(false);
        }
        let mut trial = self.targets.clone();
        let place = evolve::place(&mut trial, wanted, &self.capabilities);
        let before = self
            .targets
            .get(place)
            .map(|target| target.column.data_type);
        if before == Some(trial[place].column.data_type) {
            return Ok(false);
        }
        let is_new = !evolve::has_column(&self.targets, wanted, &self.capabilities);
        match self.options.schema_changes {
            // Values of another type are no new column: they would be lost without one of their own.
            SchemaChanges::IgnoreNew if is_new => Ok(true),
            SchemaChanges::Follow | SchemaChanges::IgnoreNew => Ok(false),
            SchemaChanges::Freeze => Err(Error::new(
                ErrorKind::Incompatible,
                format!(
                    "column `{}` of {} is new or wider than in {}, and `schema_changes: freeze` \
                     forbids the change",
                    wanted.source, self.stream, self.name
                ),
            )
            .fix(format!(
                "Set `schema_changes: follow` for {}, or `{}: exclude` under its `columns`.",
                self.stream, wanted.source
            ))),
        }
    }

    pub(super) fn hide(&self, rule: &ColumnRule) -> Result<Option<Hide>> {
        if rule.hash {
            let salt = self.salt.clone().ok_or_else(|| {
                Error::new(
                    ErrorKind::Config,
                    "`hash` needs a secret `salt` on the connection",
                )
                .fix("Add `salt: ${TRIBUTARY_SALT}` to the connection.")
            })?;
            return Ok(Some(Hide::Hash(salt)));
        }
        Ok(rule.mask.clone().map(Hide::Mask))
    }

    /// Makes the plan from the targets that some source column feeds.
    fn replan(&mut self, slots: &[Option<Slot>]) {
        let fed = |target: &&Target| target.source.is_some();
        let mut columns: Vec<_> = self
            .targets
            .iter()
            .filter(fed)
            .map(|target| target.column.clone())
            .collect();
        debug_assert!(slots.len() == self.targets.len());
        let mut key = self.key_columns(slots);
        let system = |name: &str| TableColumn {
            name: name.to_owned(),
            data_type: DataType::Text,
            default: None,
        };
        if self.key.is_empty() {
            columns.push(system(ID));
            key = vec![ID.to_owned()];
        }
        match self.options.mode {
            Mode::Append => columns.extend([OP, POSITION].map(system)),
            Mode::History => columns.push(TableColumn {
                data_type: DataType::TimestampTz,
                ..system(VALID_FROM)
            }),
            Mode::Merge | Mode::Replace => {}
        }
        let plan = TablePlan {
            columns,
            key,
            ..(*self.plan).clone()
        };
        if plan != *self.plan {
            self.plan = Arc::new(plan);
        }
    }

    /// The table's columns for the stream's key.
    fn key_columns(&self, slots: &[Option<Slot>]) -> Vec<String> {
        let feeds = |name: &String| {
            let of = |(target, slot): (&Target, &Option<Slot>)| {
                (slot.is_some() && target.source.as_ref() == Some(name))
                    .then(|| target.column.name.clone())
            };
            self.targets.iter().zip(slots).find_map(of)
        };
        self.key.iter().filter_map(feeds).collect()
    }
}

/// The schema of a stream whose records say what its columns are: its key has the types that the
/// table knows already, since before a record was seen they are a guess.
fn known(setup: &TableSetup<'_>) -> Arc<StreamSchema> {
    let mut schema = StreamSchema::clone(setup.schema);
    let existing = setup.existing.unwrap_or_default();
    for column in &mut schema.columns {
        let rule = setup.options.columns.get(&column.name);
        let kept = rule.and_then(|rule| rule.rename.as_deref());
        let name = kept.unwrap_or(&column.name);
        let had = existing
            .iter()
            .find(|had| names::same(&had.name, name, setup.capabilities));
        if let Some(had) = had.filter(|_| schema.key.contains(&column.name)) {
            column.data_type = had.data_type;
        }
    }
    Arc::new(schema)
}
