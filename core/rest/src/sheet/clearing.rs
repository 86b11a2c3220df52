//! Values that say which rows are gone, as rows of their own.

use serde_json::Value;
use tributary_model::{ChangeBatch, Op, PositionRun, Positions, Result};

use crate::json::Raw;

use super::{Layout, Sheet};

/// Rows are gone whose columns have these values.
#[derive(Clone, Debug)]
pub(crate) struct Clearing {
    /// As JSON texts.
    values: Vec<String>,
    place: u64,
}

impl Sheet {
    /// Notes that rows with these values are gone: after all that was taken of them so far, before
    /// those that come.
    pub(crate) fn clearing(&mut self, values: Vec<String>) -> Clearing {
        let place = self.left;
        self.left += 1;
        Clearing { values, place }
    }

    /// As batches that hold nothing but the columns `names`.
    pub(crate) fn batches_of(
        &self,
        names: &[String],
        all: &[Clearing],
    ) -> Result<Vec<ChangeBatch>> {
        let mut sheet = Self::new(&Layout::default(), self.era);
        for clearing in all {
            let named = names.iter().zip(&clearing.values);
            let fields =
                named.map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())));
            let row = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
            sheet.take(Raw::known(&row), Op::Truncate, &[])?;
        }
        let mut batches = sheet.take_batches()?;
        let mut rest = all;
        for batch in &mut batches {
            let (own, others) = rest.split_at(batch.ops.len());
            rest = others;
            let run = |(start, clearing): (usize, &Clearing)| PositionRun {
                start,
                major: self.era,
                minor: 0,
                ordinal: clearing.place,
                committed_at: None,
            };
            batch.positions = Positions(own.iter().enumerate().map(run).collect());
        }
        Ok(batches)
    }
}
