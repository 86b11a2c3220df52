//! Turns a batch of the source's layout into one of the table's plan.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::{
    ArrayRef, RecordBatch, RecordBatchOptions, StringArray, TimestampMicrosecondArray,
    new_null_array,
};
use arrow_schema::{DataType as Arrow, Field, Schema, SchemaRef};
use tributary_model::{
    Batch, ChangeBatch, Error, ErrorKind, Op, Positions, Presence, Result, TableColumn, TablePlan,
};

use super::evolve::Target;
use super::exact::{self, Cast};
use super::identity::{Cover, row_ids};
use super::rules::{Hide, hide};
use super::system::VALID_FROM;
use super::table::{ID, OP, POSITION};

/// Where the values of one of the plan's columns come from.
#[derive(Clone, Debug)]
pub(crate) enum Slot {
    /// A column of the batch.
    Column {
        /// Its place in the batch.
        index: usize,
        /// How it is hidden.
        hide: Option<Hide>,
    },
    /// The batch's layout does not have the column: what rows held before it existed.
    Default(Option<String>),
    /// `_tributary_id`.
    Id,
    /// `_tributary_op`.
    Op,
    /// `_tributary_position`.
    Position,
    /// `_tributary_valid_from`.
    ValidFrom,
}

/// A value that the plan's type can't hold.
#[derive(Clone, Debug)]
pub(crate) struct Misfit {
    /// Its row in the batch.
    pub(crate) row: usize,
    /// Its column in the plan.
    pub(crate) column: usize,
    /// The value, as text.
    pub(crate) value: String,
}

/// One slot for each column of a plan.
#[derive(Debug)]
pub(crate) struct Shape {
    slots: Vec<Slot>,
    schema: SchemaRef,
    cover: Cover,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            schema: Arc::new(Schema::empty()),
            cover: Cover::default(),
        }
    }
}

impl Shape {
    /// The shape for a layout: `fed` says for each target which column of the layout feeds it.
    pub(crate) fn new(
        fed: Vec<Option<Slot>>,
        targets: &[Target],
        plan: &TablePlan,
        cover: Cover,
    ) -> Self {
        let mut by_name: HashMap<&str, Slot> = targets
            .iter()
            .zip(fed)
            .map(|(target, slot)| {
                let missing = || Slot::Default(target.column.default.clone());
                (target.column.name.as_str(), slot.unwrap_or_else(missing))
            })
            .collect();
        let slot = |name: &str| match name {
            ID => Slot::Id,
            OP => Slot::Op,
            POSITION => Slot::Position,
            VALID_FROM => Slot::ValidFrom,
            name => by_name.remove(name).unwrap_or(Slot::Default(None)),
        };
        let slots = plan
            .columns
            .iter()
            .map(|column| column.name.as_str())
            .map(slot)
            .collect();
        Self {
            slots,
            schema: arrow_schema_of(plan),
            cover,
        }
    }

    /// The batch in the plan's columns and types, and the values that do not fit these: NULL stands
    /// in their places.
    pub(crate) fn apply(
        &self,
        batch: &ChangeBatch,
        plan: &TablePlan,
    ) -> Result<(RecordBatch, Vec<Misfit>)> {
        let mut arrays = Vec::with_capacity(self.slots.len());
        let mut misfits = Vec::new();
        for (column, (slot, field)) in self.slots.iter().zip(self.schema.fields()).enumerate() {
            let filled = fill(slot, batch, field, &self.cover).map_err(|error| {
                error.context(format!("column `{}` of {}", field.name(), plan.stream))
            })?;
            if let Slot::Column { index, .. } = slot {
                let source = batch.columns.column(*index);
                for row in filled.misfits {
                    let value = exact::text(source, row)?.unwrap_or_default();
                    misfits.push(Misfit { row, column, value });
                }
            }
            arrays.push(filled.array);
        }
        let rows = assemble(self.schema.clone(), arrays, batch.columns.num_rows())?;
        Ok((rows, misfits))
    }

    /// Rows with op `t` that hold nothing but these columns: what agrees with one of them is gone.
    pub(crate) fn marker_rows(
        plan: &Arc<TablePlan>,
        named: &[(&TableColumn, ArrayRef)],
        of: &ChangeBatch,
    ) -> Result<Batch> {
        let (schema, count) = (arrow_schema_of(plan), of.ops.len());
        let arrays = schema.fields().iter().map(|field| {
            let known = named
                .iter()
                .find(|(column, _)| column.name == *field.name());
            match (known, field.name().as_str()) {
                (Some((_, array)), _) => array.clone(),
                (None, OP) => texts_of(std::iter::repeat_n(Op::Truncate.letter(), count)),
                (None, POSITION) => position_texts(&of.positions, count),
                (None, _) => new_null_array(field.data_type(), count),
            }
        });
        Ok(Batch {
            plan: plan.clone(),
            ops: vec![Op::Truncate; count],
            presence: Presence::Possible,
            rows: assemble(schema.clone(), arrays.collect(), count)?,
        })
    }

    /// One row of NULLs with op `t`.
    pub(crate) fn truncate_row(plan: &Arc<TablePlan>, positions: Positions) -> Result<Batch> {
        let schema = arrow_schema_of(plan);
        let arrays = schema
            .fields()
            .iter()
            .map(|field| match field.name().as_str() {
                OP => texts_of(std::iter::once(Op::Truncate.letter())),
                POSITION => position_texts(&positions, 1),
                _ => new_null_array(field.data_type(), 1),
            });
        let rows = assemble(schema.clone(), arrays.collect(), 1)?;
        Ok(Batch {
            plan: plan.clone(),
            ops: vec![Op::Truncate],
            presence: Presence::Possible,
            rows,
        })
    }
}

/// A column's values as the table's column has them.
pub(crate) fn value(
    array: &ArrayRef,
    how: Option<&Hide>,
    column: &TableColumn,
) -> Result<ArrayRef> {
    match how {
        Some(how) => cast(&hide(array, how)?, &column.data_type.to_arrow()),
        None => cast(array, &column.data_type.to_arrow()),
    }
}

/// Rows of some of a table's columns.
pub(crate) fn columns(named: Vec<(&TableColumn, ArrayRef)>, rows: usize) -> Result<RecordBatch> {
    let field = |(column, array): &(&TableColumn, ArrayRef)| {
        Field::new(&column.name, array.data_type().clone(), true)
    };
    let schema = Arc::new(Schema::new(named.iter().map(field).collect::<Vec<_>>()));
    assemble(
        schema,
        named.into_iter().map(|(_, array)| array).collect(),
        rows,
    )
}

pub(super) fn arrow_schema_of(plan: &TablePlan) -> SchemaRef {
    let field = |column: &tributary_model::TableColumn| {
        Field::new(&column.name, column.data_type.to_arrow(), true)
    };
    Arc::new(Schema::new(
        plan.columns.iter().map(field).collect::<Vec<_>>(),
    ))
}

pub(super) fn assemble(
    schema: SchemaRef,
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, arrays, &options)
        .map_err(|cause| Error::bug("columns do not fit their plan").because(cause))
}

fn fill(slot: &Slot, batch: &ChangeBatch, field: &Field, cover: &Cover) -> Result<Cast> {
    let rows = batch.columns.num_rows();
    let array = match slot {
        Slot::Column { index, hide: None } => {
            return exact::cast(batch.columns.column(*index), field.data_type());
        }
        Slot::Column {
            index,
            hide: Some(how),
        } => {
            // A mask of NULLs keeps the column's type, which may have widened.
            let hidden = hide(batch.columns.column(*index), how)?;
            return exact::cast(&hidden, field.data_type());
        }
        Slot::Default(None) => new_null_array(field.data_type(), rows),
        Slot::Default(Some(text)) => {
            let texts: ArrayRef =
                Arc::new(std::iter::repeat_n(Some(text.as_str()), rows).collect::<StringArray>());
            cast(&texts, field.data_type())?
        }
        Slot::Id => row_ids(&batch.columns, cover)?,
        Slot::Op => texts_of(batch.ops.iter().map(|op| op.letter())),
        Slot::Position => position_texts(&batch.positions, rows),
        Slot::ValidFrom => {
            let times: TimestampMicrosecondArray = {
                let told = batch.positions.times(rows);
                told.chain(std::iter::repeat(None)).take(rows).collect()
            };
            Arc::new(times.with_timezone("UTC"))
        }
    };
    Ok(Cast {
        array,
        misfits: Vec::new(),
    })
}

/// As `exact::cast`, where each value must fit.
fn cast(array: &ArrayRef, to: &Arrow) -> Result<ArrayRef> {
    let cast = exact::cast(array, to)?;
    match cast.misfits.is_empty() {
        true => Ok(cast.array),
        false => Err(Error::new(
            ErrorKind::Incompatible,
            format!("a value does not fit the type {to}"),
        )
        .fix("Remove the `type` chosen for this column, or choose a wider one.")),
    }
}

fn texts_of<'a>(letters: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(letters.map(Some).collect::<StringArray>())
}

fn position_texts(positions: &Positions, rows: usize) -> ArrayRef {
    let mut texts = StringBuilder::with_capacity(rows, rows * 52);
    positions.texts(rows, |text| texts.append_value(text));
    Arc::new(texts.finish())
}
