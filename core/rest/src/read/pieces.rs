//! What waits of one stream, in its order: rows, and lists that come anew.
//!
//! The lists of different records may come in any order, so those of one page are cleared together,
//! before the first of their rows. Whatever was taken earlier comes before that: it may be of the
//! same records.

use tributary_model::{ChangeBatch, Result};

use crate::sheet::{Clearing, Sheet};

/// What is sent in one piece.
#[derive(Clone, Debug)]
pub(crate) enum Piece {
    Rows(ChangeBatch),
    /// Rows that agree with these are gone.
    Clear(ChangeBatch),
}

/// What comes before the rows in the sheet.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    before: Vec<Piece>,
    /// The lists whose rows are in the sheet.
    anew: Vec<Clearing>,
}

impl Pieces {
    /// The list of the record that `names` name, as JSON texts, comes anew: its rows follow.
    pub(crate) fn renew(&mut self, sheet: &mut Sheet, names: Vec<String>) -> Result<()> {
        if self.anew.is_empty() {
            let rows = sheet.take_batches()?;
            self.before.extend(rows.into_iter().map(Piece::Rows));
        }
        self.anew.push(sheet.clearing(names));
        Ok(())
    }

    /// Ends a page of lists; `columns` are those that name their records.
    pub(crate) fn seal(&mut self, sheet: &mut Sheet, columns: &[String]) -> Result<()> {
        let anew = std::mem::take(&mut self.anew);
        if anew.is_empty() {
            return Ok(());
        }
        let (cleared, rows) = (sheet.batches_of(columns, &anew)?, sheet.take_batches()?);
        self.before.extend(cleared.into_iter().map(Piece::Clear));
        self.before.extend(rows.into_iter().map(Piece::Rows));
        Ok(())
    }

    /// Everything, the sheet's rows included.
    pub(crate) fn take(&mut self, sheet: &mut Sheet, columns: &[String]) -> Result<Vec<Piece>> {
        self.seal(sheet, columns)?;
        let rows = sheet.take_batches()?;
        let mut all = std::mem::take(&mut self.before);
        all.extend(rows.into_iter().map(Piece::Rows));
        Ok(all)
    }

    /// Forgets all of it.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The bytes that are waiting.
    pub(crate) fn waiting(&self) -> usize {
        let size = |piece: &Piece| match piece {
            Piece::Rows(batch) | Piece::Clear(batch) => batch.columns.get_array_memory_size(),
        };
        self.before.iter().map(size).sum()
    }
}
