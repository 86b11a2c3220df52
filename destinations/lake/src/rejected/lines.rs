//! Rejected rows as lines of JSON: in objects of the lake, and in the file of a load.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tributary_model::{ConnectionName, Error, Rejection, Result, StreamName};
use tributary_sql::Line;

use crate::error::unreadable;
use crate::place;
use crate::site::Site;
use crate::system::instant;
use crate::upload::{ReadBack, Sink, Uploading};
use tributary_store::{Pending, local};

/// A row of `_tributary.rejected`.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) load_id: String,
    pub(super) connection: String,
    pub(super) stream: StreamName,
    pub(super) table: Option<String>,
    pub(super) column: Option<String>,
    pub(super) value: Option<String>,
    pub(super) reason: String,
    pub(super) row: Value,
    #[serde(default)]
    pub(super) hidden: Vec<String>,
    #[serde(default)]
    pub(super) key: Option<String>,
    pub(super) rejected_at: String,
}

impl Row {
    pub(super) fn of(site: &Site, line: &Line<'_>) -> Self {
        let rejection = line.rejection;
        Self {
            load_id: site.load.load_id.clone(),
            connection: site.load.connection.to_string(),
            stream: rejection.stream.clone(),
            table: line.table.clone(),
            column: rejection.column.clone(),
            value: rejection.value.clone(),
            reason: rejection.reason.clone(),
            row: rejection.row.clone(),
            hidden: rejection.hidden.clone(),
            key: line.key.clone(),
            rejected_at: instant(site.load.started_at),
        }
    }

    pub(super) fn rejection(self) -> Rejection {
        Rejection {
            stream: self.stream,
            column: self.column,
            value: self.value,
            reason: self.reason,
            row: self.row,
            hidden: self.hidden,
        }
    }
}

/// The rows of some files, one after the other, counted over all of them.
#[derive(Debug)]
pub(super) struct Lines {
    files: Vec<PathBuf>,
    lines: Option<(io::Lines<BufReader<File>>, PathBuf)>,
    count: u64,
}

impl Lines {
    pub(super) fn new(files: &BTreeMap<u64, PathBuf>) -> Self {
        Self {
            files: files.values().rev().cloned().collect(),
            lines: None,
            count: 0,
        }
    }

    fn read(&mut self) -> Result<Option<(u64, Row)>> {
        loop {
            if let Some((lines, path)) = &mut self.lines
                && let Some(line) = lines.next()
            {
                let line = line.map_err(|cause| local(&cause, path))?;
                let row = serde_json::from_str(&line);
                let row = row.map_err(|cause| unreadable("_tributary/rejected", cause))?;
                self.count += 1;
                return Ok(Some((self.count - 1, row)));
            }
            let Some(path) = self.files.pop() else {
                return Ok(None);
            };
            let file = File::open(&path).map_err(|cause| local(&cause, &path))?;
            self.lines = Some((BufReader::new(file).lines(), path));
        }
    }
}

impl Iterator for Lines {
    type Item = Result<(u64, Row)>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// The object of a load, on its way up once there is a row for it.
pub(super) struct Out<'s> {
    site: &'s Arc<Site>,
    key: String,
    upload: Option<(Uploading, Sink)>,
}

impl<'s> Out<'s> {
    pub(super) fn new(site: &'s Arc<Site>, of: &ConnectionName) -> Self {
        Self {
            site,
            key: place::system("rejected", of, site.sequence),
            upload: None,
        }
    }

    pub(super) fn add(&mut self, row: Row) -> Result<()> {
        let (uploading, sink) = self.upload.get_or_insert_with(|| {
            let uploading = Uploading::new(self.site, &self.key, ReadBack::Never);
            (uploading, Sink::default())
        });
        sink.add(&to_line(&row)?);
        uploading.send_full_parts(sink)
    }

    pub(super) fn end(self) -> Result<Option<Pending>> {
        match self.upload {
            Some((uploading, sink)) => Ok(Some(uploading.end(sink)?.seal()?.pending)),
            None => Ok(None),
        }
    }
}

/// A row as a line.
pub(super) fn to_line(row: &Row) -> Result<Vec<u8>> {
    let mut line = serde_json::to_vec(row)
        .map_err(|cause| Error::bug("a row can't be written as JSON").because(cause))?;
    line.push(b'\n');
    Ok(line)
}
