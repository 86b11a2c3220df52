//! Rows of a table into files: one open file for each folder, a new one when it is large enough.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use tributary_model::Result;

use crate::partition::Partitions;
use crate::site::Site;
use crate::writer::{Ended, FileWriter, Shape};

/// The size at which a file ends, bytes.
const FILE_BYTES: usize = 128 << 20;
/// Files of a table that are open at the same time. // G6
const OPEN_FILES: usize = 32;
/// Memory of all open files of a table. // G6
const MEMORY: usize = 40 << 20;

/// Into which folders rows go.
#[derive(Debug)]
pub(crate) enum Folders {
    /// Those of their values.
    Divided(Partitions),
    /// All into this one, where they were before.
    Fixed(String),
}

/// The files of a table that are being written.
#[derive(Debug)]
pub(crate) struct Roller {
    site: Arc<Site>,
    folders: Folders,
    /// As of every file, save for its folder.
    shape: Shape,
    open: BTreeMap<String, FileWriter>,
    ended: Vec<Ended>,
}

impl Roller {
    /// Nothing is open yet.
    pub(crate) fn new(site: &Arc<Site>, folders: Folders, shape: Shape) -> Self {
        Self {
            site: site.clone(),
            folders,
            shape,
            open: BTreeMap::new(),
            ended: Vec::new(),
        }
    }

    /// Takes rows of the layout.
    pub(crate) fn write(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let parts = match &self.folders {
            Folders::Divided(partitions) => partitions.split(rows)?,
            Folders::Fixed(folder) => vec![(folder.clone(), rows.clone())],
        };
        for (folder, rows) in parts {
            self.write_to(&folder, &rows)?;
        }
        self.bound_memory()
    }

    /// Bytes in memory.
    pub(crate) fn memory(&self) -> usize {
        self.open.values().map(FileWriter::memory).sum()
    }

    /// Gives some memory back: ends the row group of the largest file, or the file.
    pub(crate) fn shed(&mut self) -> Result<()> {
        let largest = self.open.iter_mut().max_by_key(|(_, file)| file.memory());
        match largest {
            None => Ok(()),
            Some((_, file)) if file.is_mostly_open() => file.flush(),
            Some((folder, _)) => {
                let folder = folder.clone();
                self.end(&folder)
            }
        }
    }

    /// Ends all files and hands them out.
    pub(crate) fn finish(&mut self) -> Result<Vec<Ended>> {
        while let Some((_, file)) = self.open.pop_first() {
            self.ended.push(file.finish()?);
        }
        Ok(std::mem::take(&mut self.ended))
    }

    fn write_to(&mut self, folder: &str, rows: &RecordBatch) -> Result<()> {
        if !self.open.contains_key(folder) {
            if self.open.len() >= OPEN_FILES {
                self.end_largest()?;
            }
            let shape = Shape {
                partition: folder.to_owned(),
                ..self.shape.clone()
            };
            self.open
                .insert(folder.to_owned(), FileWriter::start(&self.site, shape)?);
        }
        let Some(file) = self.open.get_mut(folder) else {
            return Ok(());
        };
        file.write(rows)?;
        if file.size() >= FILE_BYTES {
            self.end(folder)?;
        }
        Ok(())
    }

    fn bound_memory(&mut self) -> Result<()> {
        while self.memory() > MEMORY {
            self.shed()?;
        }
        Ok(())
    }

    fn end_largest(&mut self) -> Result<()> {
        let largest = self.open.iter().max_by_key(|(_, file)| file.size());
        let folder = largest
            .map(|(folder, _)| folder.clone())
            .unwrap_or_default();
        self.end(&folder)
    }

    fn end(&mut self, folder: &str) -> Result<()> {
        if let Some(file) = self.open.remove(folder) {
            self.ended.push(file.finish()?);
        }
        Ok(())
    }
}
