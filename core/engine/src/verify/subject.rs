//! What is compared: one stream and its table, and how the rows of each side are read.
//!
//! The source's rows go the way that a sync would take with them, through the same
//! [`Table`](crate::normalize::Table): renamed, hidden, typed and excluded columns come out as a load
//! would have written them. The destination's are cast to the same types. From here on both sides are
//! alike.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{ArrayRef, RecordBatch, new_null_array};
use arrow_schema::{DataType as Arrow, Field, Schema, TimeUnit};
use serde_json::Value;
use tokio::task::JoinSet;
use tracing::Instrument;
use tributary_model::{
    AnyOutput, DataType, Error, ErrorKind, Existing, KeyRange, Message, Rejection, Result, Rows,
    ScanRequest, State, Stream, TableColumn, TablePlan, TableScan, View,
};

use crate::beside;
use crate::connection::Connection;
use crate::normalize::{ID, Table, cast_value};
use crate::plan;

use super::canon::Canon;
use super::refuse::{is_counted, kept_otherwise, not_there};

/// The share of the memory limit that rows in flight may take.
const PIPE_SHARE: usize = 32;
/// What the names of our own columns begin with.
const SYSTEM: &str = "_tributary_";

/// Takes a batch of either side, in the columns that are compared.
pub(crate) type Take<'t> = dyn FnMut(RecordBatch) -> Result<()> + Send + 't;

/// A stream that can be compared.
pub(crate) struct Subject<'a> {
    pub(crate) connection: &'a Connection,
    pub(crate) stream: &'a Stream,
    /// What the destination's rows are as of, or are to become as of: with this stream's cursor alone.
    pub(crate) base: State,
    /// The stream's cursor as it is stored.
    pub(crate) stored: Option<Value>,
    /// Whether the base is a place behind a log that expired.
    pub(crate) is_forwarded: bool,
    pub(crate) plan: Arc<TablePlan>,
    /// The columns that are compared: those of the plan that the table has.
    pub(crate) columns: Vec<TableColumn>,
    /// Those that are read: where rows are told apart by their number only, their identity is the last.
    read: Vec<TableColumn>,
    /// Those whose values nobody may see.
    pub(crate) hidden: Vec<String>,
    /// Columns of the plan that the table does not have.
    pub(crate) missing: Vec<String>,
    /// Columns of the table that no source column feeds.
    pub(crate) unknown: Vec<String>,
    pub(crate) canon: Canon,
    existing: Existing,
}

impl<'a> Subject<'a> {
    /// Decides what there is to compare.
    pub(crate) async fn of(
        connection: &'a Connection,
        stream: &'a Stream,
        base: &State,
        stored: &State,
    ) -> Result<Self> {
        let name = plan::table_of(connection, &stream.name);
        let existing = connection
            .destination
            .describe(std::slice::from_ref(&name))
            .await?;
        let base = State {
            streams: base
                .streams
                .get_key_value(&stream.name)
                .map(|(name, cursor)| (name.clone(), cursor.clone()))
                .into_iter()
                .collect(),
            ..base.clone()
        };
        let table = shaper(connection, stream, &existing, &base)?;
        let plan = table.plan().clone();
        let had = existing.get(&name).ok_or_else(|| not_there(&plan))?;
        if !beside::fits(had, plan.mode) {
            return Err(kept_otherwise(&plan));
        }
        let has = |column: &TableColumn| {
            let mut had = had.iter();
            had.any(|had| had.name.eq_ignore_ascii_case(&column.name))
        };
        let own = plan.columns.iter().filter(|column| !is_system(column));
        let (columns, missing): (Vec<_>, Vec<_>) = own.cloned().partition(has);
        let is_fed = |column: &&TableColumn| {
            let mut planned = plan.columns.iter();
            is_system(column) || planned.any(|own| own.name.eq_ignore_ascii_case(&column.name))
        };
        let origins = table.origins();
        let mut read = columns.clone();
        let key = match is_counted(stream) {
            false => plan.key.clone(),
            true => {
                let id = plan.columns.iter().find(|column| column.name == ID);
                read.extend(id.filter(|id| has(id)).cloned());
                columns.iter().map(|column| column.name.clone()).collect()
            }
        };
        Ok(Self {
            canon: Canon::new(&columns, &key)?,
            stored: stored.streams.get(&stream.name).cloned(),
            is_forwarded: base.shared != stored.shared,
            read,
            unknown: had
                .iter()
                .filter(|column| !is_fed(column))
                .map(|column| column.name.clone())
                .collect(),
            missing: missing.into_iter().map(|column| column.name).collect(),
            hidden: origins
                .into_iter()
                .filter(|origin| origin.hidden)
                .map(|origin| origin.name)
                .collect(),
            connection,
            stream,
            base,
            plan,
            columns,
            existing,
        })
    }

    /// A fresh shaper of this stream's rows.
    pub(crate) fn shaper(&self) -> Result<Table> {
        shaper(self.connection, self.stream, &self.existing, &self.base)
    }

    /// Whether its rows have no key, so that equal ones are counted.
    pub(crate) fn is_counted(&self) -> bool {
        is_counted(self.stream)
    }

    /// The hashes of the keys of rejected rows; fewer than rows where some of these keys can't be told.
    pub(crate) fn keys_of(&self, rejections: &[Rejection]) -> Result<Vec<u128>> {
        if rejections.is_empty() {
            return Ok(Vec::new());
        }
        let place = |&place: &usize| &self.columns[place];
        let key: Vec<&TableColumn> = self.canon.key().iter().map(place).collect();
        let rows = self.shaper()?.values_of(rejections, &key)?;
        let mut keys = Vec::with_capacity(rows.len());
        for row in rows {
            let types = self
                .columns
                .iter()
                .map(|column| column.data_type.to_arrow());
            let mut arrays: Vec<ArrayRef> = types.map(|kind| new_null_array(&kind, 1)).collect();
            for (&place, array) in self.canon.key().iter().zip(row) {
                arrays[place] = array;
            }
            keys.extend(self.canon.keys(&arrays)?);
        }
        Ok(keys)
    }

    /// Whether the first key column is a whole number on both sides.
    pub(crate) fn has_number(&self) -> bool {
        let is_whole = |data_type: DataType| match data_type {
            DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::UInt64 => true,
            DataType::Decimal(_, scale) => scale == 0,
            DataType::Bool
            | DataType::Float32
            | DataType::Float64
            | DataType::Date
            | DataType::Time
            | DataType::Timestamp
            | DataType::TimestampTz
            | DataType::Text
            | DataType::Bytes
            | DataType::Json => false,
        };
        let schema = &self.stream.schema;
        let source = schema.key.first().and_then(|name| schema.position(name));
        let kept = self.canon.key().first();
        source.is_some_and(|place| is_whole(schema.columns[place].data_type))
            && kept.is_some_and(|&place| is_whole(self.columns[place].data_type))
    }

    /// Reads the source's rows; returns those that it could not give.
    pub(crate) async fn source(
        &self,
        range: KeyRange,
        take: &mut Take<'_>,
    ) -> Result<Vec<Rejection>> {
        let (output, mut inbox) = AnyOutput::new(self.connection.options.memory / PIPE_SHARE);
        let mut reading = JoinSet::new(); // ends with us
        let source = self.connection.source.clone();
        let (stream, state) = (self.stream.clone(), self.base.clone());
        let scan = async move {
            let request = ScanRequest {
                stream: &stream,
                state: &state,
                range,
            };
            source.scan(request, output).await
        };
        reading.spawn(scan.in_current_span());
        let mut table = self.shaper()?;
        let mut rejected = Vec::new();
        while let Some(envelope) = inbox.recv().await {
            match envelope.message {
                Message::Rows {
                    rows: Rows::Arrow(batch),
                    ..
                } => {
                    let shaped = table.shape(&batch)?;
                    rejected.extend(shaped.rejected);
                    rejected.extend(shaped.overtaken);
                    if shaped.batch.plan.columns != self.plan.columns {
                        return Err(self.changed());
                    }
                    take(self.compared(&shaped.batch.rows)?)?;
                }
                Message::Rejected(rows) => {
                    let rows = rows.into_iter().map(|row| table.conceal(row));
                    rejected.extend(rows.collect::<Result<Vec<_>>>()?);
                }
                _ => return Err(Error::bug("a scan said something else than rows")),
            }
        }
        match reading.join_next().await {
            Some(Ok(ended)) => ended.map(|()| rejected),
            Some(Err(broken)) => Err(Error::bug("a scan broke down").because(broken)),
            None => Err(Error::bug("a scan was forgotten")),
        }
    }

    /// Reads the destination's rows.
    pub(crate) async fn destination(
        &self,
        view: &dyn View,
        range: KeyRange,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let scan = TableScan {
            plan: self.plan.clone(),
            columns: self.read.clone(),
            range,
        };
        let mut batches = view.scan(&scan).await?;
        while let Some(batch) = batches.recv().await {
            take(self.cast(&batch?)?)?;
        }
        Ok(())
    }

    /// The stream has changed its layout under the comparison.
    pub(crate) fn changed(&self) -> Error {
        Error::new(
            ErrorKind::Incompatible,
            format!(
                "the layout of {} has changed since the last sync",
                self.stream.name
            ),
        )
        .fix("Run `tributary sync`, then compare again.")
    }

    /// Rows without a key have changed behind the place that syncs are to go on from.
    pub(crate) fn busy(&self) -> Error {
        let name = &self.stream.name;
        Error::new(
            ErrorKind::Incompatible,
            format!(
                "{name} has no key, and was written to while it was repaired behind an expired log"
            ),
        )
        .fix(format!(
            "Repair once more while nobody writes to it, or read it anew: \
             `tributary sync CONNECTION:{name} --full-refresh`."
        ))
    }

    /// Those columns of a shaped batch that are read.
    fn compared(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let schema = rows.schema();
        let place = |column: &TableColumn| schema.index_of(&column.name);
        let places: std::result::Result<Vec<usize>, _> = self.read.iter().map(place).collect();
        places
            .and_then(|places| rows.project(&places))
            .map_err(|cause| Error::bug("a shaped batch lacks a column").because(cause))
    }

    /// Rows of the destination in the types that are compared.
    fn cast(&self, rows: &RecordBatch) -> Result<RecordBatch> {
        let fields = self.read.iter();
        let fields = fields.map(|c| Field::new(&c.name, c.data_type.to_arrow(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let pairs = rows.columns().iter().zip(&self.read);
        let arrays = pairs
            .map(|(array, column)| match_type(array, column))
            .collect::<Result<Vec<_>>>()?;
        RecordBatch::try_new(schema, arrays)
            .map_err(|cause| Error::bug("a scan has other columns than asked for").because(cause))
    }
}

fn match_type(array: &ArrayRef, column: &TableColumn) -> Result<ArrayRef> {
    if let (Arrow::Timestamp(TimeUnit::Microsecond, _), Arrow::Timestamp(_, zone)) =
        (array.data_type(), column.data_type.to_arrow())
    {
        // Microseconds since 1970 whatever the zone is called.
        let plain = array.as_primitive::<TimestampMicrosecondType>().clone();
        return Ok(Arc::new(plain.with_timezone_opt(zone)));
    }
    cast_value(array, None, column)
        .map_err(|error| error.context(format!("column `{}`", column.name)))
}

fn shaper(
    connection: &Connection,
    stream: &Stream,
    existing: &Existing,
    base: &State,
) -> Result<Table> {
    let streams = std::slice::from_ref(stream);
    let ways = std::collections::BTreeMap::new();
    let mut tables = plan::tables(connection, streams, existing, &ways, &base.tables);
    tables
        .remove(&stream.name)
        .unwrap_or_else(|| Err(Error::bug("nothing was decided about a stream")))
}

fn is_system(column: &TableColumn) -> bool {
    column.name.starts_with(SYSTEM)
}
