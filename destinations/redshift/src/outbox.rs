//! Rows of one table that are in files of the bucket and not yet in the warehouse.

use arrow_array::ArrayRef;
use tributary_model::Result;
use tributary_sql::Dialect;
use tributary_store::staging::{Room, Stage};

use crate::copy::copy;
use crate::dialect::DIALECT;
use crate::rows::Freight;
use crate::transaction::Site;

/// Where rows go, and as what.
#[derive(Debug)]
pub(crate) struct Way {
    /// The table's full name, quoted.
    pub(crate) table: String,
    /// Whether that is the table that people read.
    pub(crate) is_straight: bool,
    pub(crate) freight: Freight,
    /// Values that are the same in every row.
    pub(crate) same: Vec<(&'static str, String)>,
}

/// Rows on one way.
#[derive(Debug)]
pub(crate) struct Outbox {
    /// The name of the temporary table that files are copied into.
    copied: String,
    held: Option<(Way, Stage)>,
}

impl Outbox {
    pub(crate) fn new(copied: String) -> Self {
        Self { copied, held: None }
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.held.as_ref().map_or(0, |(_, stage)| stage.memory())
    }

    /// Gives memory back.
    pub(crate) async fn shed(&mut self) -> Result<()> {
        match &mut self.held {
            Some((_, stage)) => stage.shed().await,
            None => Ok(()),
        }
    }

    /// Whether what it holds goes into the table that people read.
    pub(crate) fn goes_straight(&self) -> bool {
        self.held.as_ref().is_some_and(|(way, _)| way.is_straight)
    }

    /// Whether it holds rows that go another way than that.
    pub(crate) fn goes_another_way(&self, way: &Way) -> bool {
        self.held.as_ref().is_some_and(|(held, _)| {
            held.table != way.table || held.freight.schema() != way.freight.schema()
        })
    }

    /// Takes rows that go the way of those it holds.
    pub(crate) async fn push(&mut self, room: &Room, way: Way, columns: &[ArrayRef]) -> Result<()> {
        let rows = way.freight.load(columns)?;
        let (_, stage) = self.held.get_or_insert_with(|| {
            let stage = room.stage(way.freight.schema());
            (way, stage)
        });
        stage.write(&rows).await
    }

    /// Copies everything into the warehouse, and from there to where it goes.
    pub(crate) async fn send(&mut self, site: &mut Site) -> Result<()> {
        let Some((way, mut stage)) = self.held.take() else {
            return Ok(());
        };
        let files = stage.finish().await?;
        if files.is_empty() {
            return Ok(());
        }
        let (copied, name) = (DIALECT.quote(&self.copied), &self.copied);
        let create = way.freight.create(name);
        let doing = "making room for copied rows";
        site.session.run(&create, doing).await?;
        copy(&mut site.session, &site.room, &site.reader, &copied, &files).await?;
        let statements = [
            way.freight.insert(&way.table, name, &way.same),
            format!("DROP TABLE {copied}"),
        ];
        let doing = format!("taking copied rows into {}", way.table);
        site.session.run_all(&statements, &doing).await
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.held = None;
    }
}
