//! A table with a heading (CSV) as pages that are lists of objects whose values are texts.

use std::cell::Cell;
use std::collections::HashSet;
use std::io::Read;
use std::rc::Rc;

use serde_json::Value;

use super::emit::Emit;
use super::{MARK, MAX_WHOLE, Unfit};

/// Rows after the heading, a page each time there are `most` bytes of them.
pub(super) fn csv(reader: &mut dyn Read, most: usize, emit: &mut Emit<'_>) -> Result<(), Unfit> {
    let left = Rc::new(Cell::new(MAX_WHOLE));
    let rows = OneRow {
        inner: reader,
        left: left.clone(),
    };
    let mut reader = csv::ReaderBuilder::new().flexible(false).from_reader(rows);
    let names = names(reader.headers().map_err(broken)?);
    let mut page = Vec::new();
    let mut row = csv::StringRecord::new();
    while reader.read_record(&mut row).map_err(broken)? {
        left.set(MAX_WHOLE);
        page.push(if page.is_empty() { b'[' } else { b',' });
        push(&mut page, &names, &row)?;
        if page.len() >= most {
            page.push(b']');
            emit(super::text(std::mem::take(&mut page))?)?;
        }
    }
    if page.is_empty() {
        page.push(b'[');
    }
    page.push(b']');
    emit(super::text(page)?)
}

fn push(page: &mut Vec<u8>, names: &[String], row: &csv::StringRecord) -> Result<(), Unfit> {
    page.push(b'{');
    for (place, (name, text)) in names.iter().zip(row.iter()).enumerate() {
        if place > 0 {
            page.push(b',');
        }
        page.extend_from_slice(name.as_bytes());
        page.push(b':');
        let written = serde_json::to_writer(&mut *page, text);
        written.map_err(|why| Unfit::Broken(why.to_string()))?;
    }
    page.push(b'}');
    Ok(())
}

/// The columns' names as JSON. No two are the same, and none is empty, so that no column hides
/// another. // G5
fn names(heading: &csv::StringRecord) -> Vec<String> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut names = Vec::new();
    for (place, name) in heading.iter().enumerate() {
        let name = match name.trim_start_matches(MARK) {
            name if name.trim().is_empty() => format!("column_{}", place + 1),
            name => name.to_owned(),
        };
        let others = (2..).map(|count| format!("{name}_{count}"));
        let free = std::iter::once(name.clone())
            .chain(others)
            .find(|name| !taken.contains(name));
        let name = free.unwrap_or(name);
        names.push(Value::from(name.as_str()).to_string());
        taken.insert(name);
    }
    names
}

fn broken(why: csv::Error) -> Unfit {
    let text = format!("the answer is not a table: {why}");
    match why.into_kind() {
        csv::ErrorKind::Io(why) => why.into(),
        _ => Unfit::Broken(text),
    }
}

/// Reads no more than one row may have: a quote that is never closed would take in all the rest.
struct OneRow<'r> {
    inner: &'r mut dyn Read,
    left: Rc<Cell<usize>>,
}

impl Read for OneRow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.get().checked_sub(read) {
            Some(left) => self.left.set(left),
            None => {
                let megabytes = MAX_WHOLE >> 20;
                let why = format!("a row of the table has more than {megabytes} MB");
                return Err(std::io::Error::other(Unfit::Refused(why)));
            }
        }
        Ok(read)
    }
}
