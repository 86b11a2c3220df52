//! Rows that a table can't take are set apart, each with its reason; the others go on. // G5

use arrow_array::cast::AsArray;
use arrow_array::types::Time64MicrosecondType;
use arrow_array::{Array, BooleanArray, RecordBatch};
use arrow_select::filter::filter_record_batch;
use serde_json::Value;
use tributary_model::{Batch, DataType, Deletes, Error, Mode, Op, Rejection, Result, TablePlan};

use crate::error::arrow;

/// Microseconds of a day.
const DAY: i64 = 86_400_000_000;

/// What is left of a batch.
#[derive(Debug)]
pub(crate) struct Screened {
    pub(crate) rows: RecordBatch,
    pub(crate) ops: Vec<Op>,
    pub(crate) rejected: Vec<Rejection>,
    /// Which rows of the batch these were.
    pub(crate) at: Vec<usize>,
}

/// Sets apart what can't be loaded, and drops deletes where these are ignored.
pub(crate) fn screen(batch: Batch) -> Result<Screened> {
    let plan = batch.plan;
    check_shape(&plan, &batch.rows, &batch.ops)?;
    let mut keep = vec![true; batch.ops.len()];
    let (mut rejected, mut at) = (Vec::new(), Vec::new());
    for (place, column) in plan.columns.iter().enumerate() {
        for (row, reason) in faults(
            &plan,
            column.data_type,
            &column.name,
            batch.rows.column(place),
        ) {
            if std::mem::replace(&mut keep[row], false) {
                let json = tributary_sql::row(&batch.rows, row);
                at.push(row);
                rejected.push(Rejection {
                    stream: plan.stream.clone(),
                    column: Some(column.name.clone()),
                    value: json.get(&column.name).and_then(text),
                    reason,
                    row: json,
                    hidden: Vec::new(),
                });
            }
        }
    }
    if plan.deletes == Deletes::Ignore {
        for (keep, op) in keep.iter_mut().zip(&batch.ops) {
            *keep &= !matches!(op, Op::Delete | Op::Truncate);
        }
    }
    if !keep.contains(&false) {
        return Ok(Screened {
            rows: batch.rows,
            ops: batch.ops,
            rejected,
            at,
        });
    }
    let ops = batch.ops.iter().zip(&keep).filter(|(_, keep)| **keep);
    let ops = ops.map(|(op, _)| *op).collect();
    let rows = filter_record_batch(&batch.rows, &BooleanArray::from(keep));
    Ok(Screened {
        rows: rows.map_err(arrow("setting rows apart"))?,
        ops,
        rejected,
        at,
    })
}

/// A value as text; `None` for NULL.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The rows of a column that can't be loaded, with the reason.
fn faults(
    plan: &TablePlan,
    data_type: DataType,
    name: &str,
    array: &dyn Array,
) -> Vec<(usize, String)> {
    let mut faults = Vec::new();
    let is_key = plan.mode != Mode::Append && plan.key.iter().any(|key| key == name);
    if is_key && array.null_count() > 0 {
        let nulls = (0..array.len()).filter(|row| array.is_null(*row));
        faults.extend(nulls.map(|row| (row, "the key is NULL".to_owned())));
    }
    if data_type == DataType::Time {
        let times = array.as_primitive::<Time64MicrosecondType>();
        for row in (0..times.len()).filter(|row| times.is_valid(*row)) {
            let time = times.value(row);
            if !(0..DAY).contains(&time) {
                let reason =
                    format!("the value is no time of day: {time} microseconds after midnight");
                faults.push((row, reason));
            }
        }
    }
    faults
}

fn check_shape(plan: &TablePlan, rows: &RecordBatch, ops: &[Op]) -> Result<()> {
    let wanted = plan
        .columns
        .iter()
        .map(|column| column.data_type.to_arrow());
    let given = rows.columns().iter().map(|array| array.data_type().clone());
    if wanted.eq(given) && ops.len() == rows.num_rows() {
        return Ok(());
    }
    Err(Error::bug(format!(
        "rows for {} do not have the shape of their plan",
        plan.table
    )))
}
