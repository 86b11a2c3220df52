//! One table within a load: which rows are on their way, and what happens to it in which order.
//!
//! Nothing happens to the table's rows before the load commits. Until then a target is a list of
//! *pieces*, in the order of the source: generations of staged rows, each to be folded as one, and
//! statements between them. Rows go to the bucket at once. // G4 G6
//!
//! The statements are written at the commit, when the layout is the last one: what was staged under an
//! older plan is cast into what the table has become.

use std::sync::Arc;

use arrow_array::RecordBatch;
use tributary_model::{
    DataType, Deletes, Error, Mode, Op, Presence, Result, TableColumn, TableName, TablePlan,
    TruncateKind,
};
use tributary_sql::{DELETED, Dialect, Merge, SYNCED_AT, Screened, Staged, Staging};
use tributary_store::staging::{Stage, StagedFile};

use crate::counts::Counts;
use crate::describe::Inventory;
use crate::dialect::{BINARY, Snow};
use crate::files::{self, is_delete};
use crate::layout::{Types, bring};
use crate::merge::Fold;
use crate::script::Script;
use crate::site::Site;

/// A table and what is on its way into it.
#[derive(Debug)]
pub(crate) struct Target {
    plan: Arc<TablePlan>,
    types: Types,
    pieces: Vec<Piece>,
    open: Option<Generation>,
    /// The number of the next staged row.
    next: i64,
    counts: Counts,
}

/// A part of what happens to a table.
#[derive(Debug)]
enum Piece {
    Rows(Box<Generation>),
    Statements(Vec<String>),
    /// Values in files, for a table that statements read.
    Values(Values),
}

/// Rows that are folded as one.
#[derive(Debug)]
struct Generation {
    plan: Arc<TablePlan>,
    name: String,
    stage: Stage,
    files: Vec<StagedFile>,
    kind: Staged,
    /// Whether none of its keys can be in the table.
    absent: bool,
}

/// A small table of values.
#[derive(Debug)]
struct Values {
    create: String,
    name: String,
    files: Vec<StagedFile>,
}

impl Target {
    /// Looks what the table needs, and sees to it.
    pub(crate) async fn prepare(
        site: &mut Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
    ) -> Result<Self> {
        let brought = bring(site, &plan, inventory).await?;
        Ok(Self {
            plan,
            types: brought.types,
            pieces: Vec::new(),
            open: None,
            next: 0,
            counts: match brought.is_new {
                true => Counts::of_nothing(),
                false => Counts::default(),
            },
        })
    }

    /// Goes on under a newer plan.
    pub(crate) async fn follow(
        &mut self,
        site: &mut Site,
        plan: Arc<TablePlan>,
        inventory: &mut Inventory,
    ) -> Result<()> {
        self.settle().await?;
        let brought = bring(site, &plan, inventory).await?;
        self.types = brought.types;
        self.plan = plan;
        // Rows of this load that came before have the defaults of columns that came since.
        if self.pieces.is_empty() {
            return Ok(());
        }
        let dialect = site.dialect();
        let fills = brought.filled.iter().map(|column| {
            let (table, name) = (dialect.table(&self.plan.table), dialect.quote(&column.name));
            let text = column.default.as_deref().unwrap_or_default();
            format!(
                "UPDATE {table} SET {name} = {} WHERE {name} IS NULL AND {} = {}",
                dialect.default_value(text, column.data_type, &column.sql_type),
                dialect.quote(SYNCED_AT),
                site.synced_at()
            )
        });
        let fills: Vec<String> = fills.collect();
        self.say(fills);
        Ok(())
    }

    /// The plan that the table follows.
    pub(crate) fn plan(&self) -> &Arc<TablePlan> {
        &self.plan
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.stage.memory())
    }

    /// Gives memory back.
    pub(crate) async fn shed(&mut self) -> Result<()> {
        match &mut self.open {
            Some(open) => open.stage.shed().await,
            None => Ok(()),
        }
    }

    /// Takes rows of the plan.
    pub(crate) async fn take(
        &mut self,
        site: &mut Site,
        rows: Screened,
        presence: Presence,
    ) -> Result<()> {
        if rows.ops.is_empty() {
            return Ok(());
        }
        if self.plan.mode != Mode::Append && rows.ops.contains(&Op::Truncate) {
            return Err(Error::bug("a truncate came as a row of a merged table"));
        }
        self.counts.note(&self.plan, &rows)?;
        let first = self.next;
        self.next += i64::try_from(rows.ops.len()).unwrap_or(i64::MAX);
        let has_deletes = rows.ops.iter().any(|op| is_delete(*op));
        let open = self.generation(site)?;
        open.absent &= presence == Presence::Absent && !has_deletes;
        if has_deletes {
            open.kind = Staged::Deletes;
        }
        let carried = files::carry_staged(open.stage.schema(), &rows.rows, &rows.ops, first)?;
        open.stage.write(&carried).await
    }

    fn generation(&mut self, site: &mut Site) -> Result<&mut Generation> {
        if self.open.is_none() {
            let schema = files::staged_schema(site.dialect(), &self.plan);
            self.open = Some(Generation {
                plan: self.plan.clone(),
                name: site.name(),
                stage: site.room.stage(&schema),
                files: Vec::new(),
                kind: Staged::Upserts,
                absent: true,
            });
        }
        let open = self.open.as_mut();
        open.ok_or_else(|| Error::bug("a generation of rows was not begun"))
    }

    /// Ends the generation: what comes later comes after all of it.
    pub(crate) async fn settle(&mut self) -> Result<()> {
        if let Some(mut open) = self.open.take() {
            open.files = open.stage.finish().await?;
            self.pieces.push(Piece::Rows(Box::new(open)));
        }
        Ok(())
    }

    /// Forgets what is on its way into the table.
    pub(crate) fn abandon(&mut self) {
        self.open = None;
        self.pieces.clear();
    }

    fn say(&mut self, statements: Vec<String>) {
        if !statements.is_empty() {
            self.pieces.push(Piece::Statements(statements));
        }
    }

    /// Rows that agree with one of `of` are gone at this point of the order.
    pub(crate) async fn clear(&mut self, site: &mut Site, of: &RecordBatch) -> Result<()> {
        if self.plan.mode == Mode::Append || self.plan.deletes == Deletes::Ignore {
            return Ok(());
        }
        self.settle().await?;
        self.counts.forget();
        let plan = self.plan.clone();
        let schema = of.schema();
        let names: Vec<&str> = schema.fields().iter().map(|f| f.name().as_str()).collect();
        let values = values(site, &plan, &names, of).await?;
        let fold = values.name.clone();
        self.pieces.push(Piece::Values(values));
        let rows = match plan.mode {
            Mode::History => {
                let seq = self.next;
                self.next += 1;
                let open = self.generation(site)?;
                open.kind = Staged::Deletes;
                open.absent = false;
                Some((open.name.clone(), seq))
            }
            Mode::Merge | Mode::Replace | Mode::Append => None,
        };
        let mut statements = self.merge(
            site,
            &plan,
            (rows.as_ref().map_or("", |rows| &rows.0), &fold),
            |merge| match &rows {
                Some((_, seq)) => merge.clear_history(&names, *seq),
                None => merge.clear(&names),
            },
        );
        // Tables go when the load has committed.
        statements.retain(|statement| !statement.starts_with("DROP TABLE "));
        self.say(statements);
        Ok(())
    }

    /// How many rows of the table, which has no key, there are of each hash that are not marked as
    /// deleted. What this load has taken is known; the rest is what the table holds, which nobody else
    /// changes until this load has committed.
    pub(crate) async fn copies(
        &mut self,
        site: &Site,
        hashes: &[String],
    ) -> Result<Option<Vec<u64>>> {
        let table = site.dialect().table(&self.plan.table);
        self.counts.of(site, &self.types, &table, hashes).await
    }

    /// Empties the table at this point of the order.
    pub(crate) async fn truncate(&mut self, site: &mut Site, kind: TruncateKind) -> Result<()> {
        match (kind, self.plan.mode, self.plan.deletes) {
            // A history of changes keeps what was there; the change itself came as a row.
            (TruncateKind::Change | TruncateKind::Anew, Mode::Append, _)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Ignore) => return Ok(()),
            (TruncateKind::Change | TruncateKind::Anew, Mode::History, _) => {
                return self.close(site, None).await;
            }
            (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Soft) => self.settle().await?,
            (TruncateKind::Restart, ..)
            | (TruncateKind::Change | TruncateKind::Anew, _, Deletes::Hard) => self.abandon(),
        }
        self.counts = Counts::of_nothing();
        let plan = self.plan.clone();
        let statements = self.merge(site, &plan, ("", ""), |merge| merge.truncate(kind));
        self.say(statements);
        Ok(())
    }

    /// Ends every current version of a history at this point of the order.
    pub(crate) async fn close(&mut self, site: &mut Site, at: Option<i64>) -> Result<()> {
        self.settle().await?;
        let plan = self.plan.clone();
        let statements = self.merge(site, &plan, ("", ""), |merge| merge.close(at));
        self.say(statements);
        Ok(())
    }

    /// Goes on with what was built beside, another history.
    pub(crate) async fn continue_with(
        &mut self,
        site: &mut Site,
        beside: &TableName,
    ) -> Result<()> {
        self.settle().await?;
        let plan = self.plan.clone();
        let open = self.generation(site)?;
        open.kind = Staged::Deletes;
        open.absent = false;
        let name = open.name.clone();
        let stage = self.merge(site, &plan, (&name, ""), |merge| {
            merge.stage_continuation(beside)
        })?;
        self.say(vec![stage]);
        self.settle().await
    }

    /// Adds a statement at this point of the order.
    pub(crate) async fn then(&mut self, statements: Vec<String>) -> Result<()> {
        self.settle().await?;
        self.say(statements);
        Ok(())
    }

    /// Empties the table first: one that is built anew.
    pub(crate) fn begin_empty(&mut self, site: &Site) {
        self.abandon();
        self.counts = Counts::of_nothing();
        let table = site.dialect().table(&self.plan.table);
        self.say(vec![format!("DELETE FROM {table}")]);
    }

    /// Writes everything that happens to the table into the load's script.
    pub(crate) fn write(&mut self, site: &mut Site, script: &mut Script) -> Result<()> {
        for piece in std::mem::take(&mut self.pieces) {
            match piece {
                Piece::Statements(statements) => script.inside.extend(statements),
                Piece::Values(values) => {
                    script.stage(site, &values.name, values.create, &values.files);
                }
                Piece::Rows(rows) if rows.plan.mode == Mode::History => {
                    self.write_history(site, &rows, script)?;
                }
                Piece::Rows(rows) => self.write_rows(site, &rows, script)?,
            }
        }
        Ok(())
    }

    fn write_rows(&self, site: &Site, rows: &Generation, script: &mut Script) -> Result<()> {
        let dialect = site.dialect();
        let create = create(dialect, &rows.name, rows.plan.columns.iter(), &OWN)?;
        script.stage(site, &rows.name, create, &rows.files);
        let synced_at = site.synced_at();
        let fold = Fold {
            dialect,
            plan: &rows.plan,
            staged: &rows.name,
            types: &|name| self.types.of(dialect, name),
            unmarks: self.types.has(dialect, DELETED) && rows.plan.deletes != Deletes::Soft,
            synced_at: &synced_at,
        };
        script
            .inside
            .push(match rows.absent || rows.plan.mode == Mode::Append {
                true => fold.insert(),
                false => fold.merge(rows.kind),
            });
        Ok(())
    }

    /// The versions of a history are compared with rows in the types of the table. So rows whose types
    /// a file can't carry go through a table more.
    fn write_history(&self, site: &mut Site, rows: &Generation, script: &mut Script) -> Result<()> {
        let dialect = site.dialect();
        let mut plan = (*rows.plan).clone();
        for column in &mut plan.columns {
            column.data_type = self
                .types
                .of(dialect, &column.name)
                .unwrap_or(column.data_type);
        }
        let fold = site.name();
        let pair = (rows.name.as_str(), fold.as_str());
        let create_typed = self.merge(site, &plan, pair, |merge| merge.create_staging())?;
        let create_typed = format!("{create_typed} {BINARY}");
        let create_carried = create(dialect, &rows.name, rows.plan.columns.iter(), &OWN)?;
        match create_typed == create_carried {
            true => script.stage(site, &rows.name, create_typed, &rows.files),
            false => {
                let carried = site.name();
                let create = create(dialect, &carried, rows.plan.columns.iter(), &OWN)?;
                script.stage(site, &carried, create, &rows.files);
                script.stage(site, &rows.name, create_typed, &[]);
                script
                    .before
                    .push(cast(dialect, &rows.plan, &plan, &carried, &rows.name));
                script.count(&dialect.quote(&rows.name), &rows.files);
            }
        }
        let (events, end, insert) = self.merge(site, &plan, pair, |merge| {
            (merge.events(), merge.end_current(), merge.insert_versions())
        });
        let fold_name = dialect.quote(&fold);
        // As the question itself would make it, but empty: a transaction can't make tables.
        let create =
            format!("CREATE TRANSIENT TABLE IF NOT EXISTS {fold_name} AS {events} LIMIT 0");
        script.stage(site, &fold, create, &[]);
        script
            .inside
            .push(format!("INSERT INTO {fold_name} {events}"));
        script.inside.extend([end, insert]);
        Ok(())
    }

    fn merge<T>(
        &self,
        site: &Site,
        plan: &TablePlan,
        (rows, fold): (&str, &str),
        ask: impl FnOnce(Merge<'_, Snow>) -> T,
    ) -> T {
        ask(Merge {
            dialect: &site.dialect(),
            plan,
            staging: &Staging {
                rows: rows.to_owned(),
                fold: fold.to_owned(),
            },
            synced_at: &site.synced_at(),
        })
    }
}

/// Puts values into the bucket that a table of their own will hold.
async fn values(
    site: &mut Site,
    plan: &TablePlan,
    names: &[&str],
    of: &RecordBatch,
) -> Result<Values> {
    let dialect = site.dialect();
    let named = names.iter().map(|name| {
        let column = plan.columns.iter().find(|column| column.name == *name);
        column.ok_or_else(|| Error::bug(format!("nothing is called {name}")))
    });
    let columns: Vec<&TableColumn> = named.collect::<Result<_>>()?;
    let schema = files::schema_of(dialect, columns.iter().copied());
    let mut stage = site.room.stage(&schema);
    stage.write(&files::carry(&schema, of)?).await?;
    let name = site.name();
    Ok(Values {
        create: create(dialect, &name, columns.into_iter(), &[])?,
        name,
        files: stage.finish().await?,
    })
}

/// Our own columns of a staging table.
const OWN: [(&str, &str); 2] = [
    (tributary_sql::STAGED_SEQ, "BIGINT"),
    (tributary_sql::STAGED_DELETE, "BOOLEAN"),
];

/// The statement that makes a table which files are copied into.
fn create<'c>(
    dialect: Snow,
    name: &str,
    columns: impl Iterator<Item = &'c TableColumn>,
    own: &[(&str, &str)],
) -> Result<String> {
    let columns = columns.map(|column| {
        let sql_type = files::staged_type(dialect, column.data_type)?;
        Ok(format!("{} {sql_type}", dialect.quote(&column.name)))
    });
    let mut columns: Vec<String> = columns.collect::<Result<_>>()?;
    let own = own
        .iter()
        .map(|(name, sql_type)| format!("{} {sql_type}", dialect.quote(name)));
    columns.extend(own);
    Ok(format!(
        "{} ({}) {BINARY}",
        dialect.create_temporary(name),
        columns.join(", ")
    ))
}

/// The statement that takes rows from one staging table into another, in its types.
fn cast(dialect: Snow, from: &TablePlan, to: &TablePlan, carried: &str, typed: &str) -> String {
    let pairs = from.columns.iter().zip(&to.columns);
    let values = pairs.map(|(old, new): (&TableColumn, &TableColumn)| {
        let name = dialect.quote(&old.name);
        let (old, new): (DataType, DataType) = (old.data_type, new.data_type);
        (name.clone(), dialect.unstaged(&name, old, new))
    });
    let own = OWN
        .iter()
        .map(|(name, _)| (dialect.quote(name), dialect.quote(name)));
    let (names, values): (Vec<String>, Vec<String>) = values.chain(own).unzip();
    format!(
        "INSERT INTO {} ({}) SELECT {} FROM {}",
        dialect.quote(typed),
        names.join(", "),
        values.join(", "),
        dialect.quote(carried)
    )
}
