//! Row events: inserts, updates and deletes of one table.
//!
//! A body is a header, the number of columns, which of them are present (twice for updates), and
//! row images end to end. Only full images are read: one without all columns can't become a whole
//! row, and is an error that says which setting to change.

use std::borrow::Cow;
use std::io::Read;

use flate2::bufread::ZlibDecoder;
use tributary_model::{Error, ErrorKind, Op, Result};

use crate::decode::RowBuilder;
use crate::decode::reader::{Reader, big, malformed};
use crate::filter::Bound;
use crate::layout::{ImageColumn, Layout};

mod partial;

/// The largest row image that an inflated event may hold: the server's own limit of a packet.
const LARGEST: usize = 1 << 30;
/// The type of an update in which JSON columns may come as changes.
const PARTIAL_UPDATE: u8 = 39;
/// A flag of the event: the last one of its statement.
const STATEMENT_END: u16 = 1;

/// What a row event does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RowsKind {
    /// Inserts.
    Write,
    /// Updates: each row twice, before and after.
    Update,
    /// Deletes.
    Delete,
}

/// How a type of row event is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Style {
    kind: RowsKind,
    /// Whether extra data stands before the number of columns.
    extra: bool,
    compressed: bool,
    /// Whether JSON columns may come as changes of what they were.
    partial: bool,
}

/// A row event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RowsEvent<'a> {
    /// The table map it refers to.
    pub(crate) table_id: u64,
    /// What it does.
    pub(crate) kind: RowsKind,
    /// Whether it is the last one of its statement: table maps before it are void then.
    pub(crate) ends_statement: bool,
    /// How many columns the table has.
    width: usize,
    images: Cow<'a, [u8]>,
    partial: bool,
}

fn style(event_type: u8) -> Result<Option<Style>> {
    let (first, extra, compressed) = match event_type {
        23..=25 => (23, false, false),
        30..=32 => (30, true, false),
        166..=168 => (166, false, true),
        169..=171 => (169, true, true),
        // As the update of 31, with changes of JSON in its after images.
        PARTIAL_UPDATE => (PARTIAL_UPDATE - 1, true, false),
        172 => {
            return Err(Error::new(
                ErrorKind::Incompatible,
                "the log holds rows in fragments",
            )
            .fix("Raise binlog_row_event_fragment_threshold on the source, then read the table again with `tributary state reset`."));
        }
        _ => return Ok(None),
    };
    let kind = match event_type - first {
        0 => RowsKind::Write,
        1 => RowsKind::Update,
        _ => RowsKind::Delete,
    };
    Ok(Some(Style {
        kind,
        extra,
        compressed,
        partial: event_type == PARTIAL_UPDATE,
    }))
}

impl<'a> RowsEvent<'a> {
    /// The table that the rows belong to, without reading further.
    ///
    /// # Errors
    /// Fails where the body is too short.
    pub(crate) fn table_id(body: &[u8]) -> Result<u64> {
        Reader::new(body).little(6)
    }

    /// Reads an event's body.
    ///
    /// # Errors
    /// `Incompatible` where columns are missing, `Malformed` where it is no row event.
    pub(crate) fn parse(event_type: u8, body: &'a [u8]) -> Result<Self> {
        let style = style(event_type)?
            .ok_or_else(|| malformed(format!("an event of type {event_type} has no rows")))?;
        let mut reader = Reader::new(body);
        let table_id = reader.little(6)?;
        let flags = reader.little(2)? as u16;
        if style.extra {
            let length = reader.little(2)? as usize;
            // The length counts itself.
            reader.take(length.saturating_sub(2))?;
        }
        // A bit each, checked against what is left just below.
        let width = usize::try_from(reader.length_encoded()?).unwrap_or(usize::MAX);
        present(&mut reader, width)?;
        if style.kind == RowsKind::Update {
            present(&mut reader, width)?;
        }
        let images = if style.compressed && !reader.is_empty() {
            Cow::Owned(inflate(reader.rest())?)
        } else {
            Cow::Borrowed(reader.rest())
        };
        if width == 0 && !images.is_empty() {
            return Err(malformed("a row event has rows without columns"));
        }
        Ok(Self {
            table_id,
            kind: style.kind,
            ends_statement: flags & STATEMENT_END != 0,
            width,
            images,
            partial: style.partial,
        })
    }
}

impl RowsEvent<'_> {
    /// The event with whole rows: changes of JSON documents are applied to what the documents were.
    ///
    /// # Errors
    /// Fails where the rows are not of the layout, or a change does not fit its document.
    pub(crate) fn whole(self, layout: &Layout) -> Result<Self> {
        if !self.partial {
            return Ok(self);
        }
        require_width(&self, layout)?;
        let mut images = self.images();
        let mut whole = Vec::with_capacity(self.images.len());
        while !images.is_empty() {
            let before = images.rest();
            skip(layout, &mut images)?;
            let before = &before[..before.len() - images.rest().len()];
            whole.extend_from_slice(before);
            partial::after(layout, before, &mut images, &mut whole)?;
        }
        Ok(Self {
            images: Cow::Owned(whole),
            partial: false,
            ..self
        })
    }

    /// The row images, end to end.
    pub(crate) fn images(&self) -> Reader<'_> {
        Reader::new(&self.images)
    }
}

/// Checks that all columns are present.
fn present(reader: &mut Reader<'_>, width: usize) -> Result<()> {
    let bits = reader.take(width.div_ceil(8))?;
    let full = (0..width).all(|index| bits[index / 8] >> (index % 8) & 1 == 1);
    if full {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        "the log holds rows without all their columns",
    )
    .fix("Run SET GLOBAL binlog_row_image=FULL, let running sessions reconnect, then read the table again with `tributary state reset`."))
}

/// MariaDB's compressed rows: a byte with the size of the length, the length, big endian, zlib.
pub(crate) fn inflate(compressed: &[u8]) -> Result<Vec<u8>> {
    let mut reader = Reader::new(compressed);
    let first = reader.byte()?;
    let length = big(reader.take(usize::from(first & 7).min(4))?) as usize;
    if first & 0xf0 != 0x80 || length > LARGEST {
        return Err(malformed(format!(
            "compressed rows begin with {first:#x} and announce {length} bytes"
        )));
    }
    // The announced length is not believed before it has arrived.
    let mut rows = Vec::new();
    let read = ZlibDecoder::new(reader.rest())
        .take(length as u64 + 1)
        .read_to_end(&mut rows);
    match read {
        Ok(inflated) if inflated == length => Ok(rows),
        Ok(inflated) => Err(malformed(format!(
            "compressed rows have {inflated} bytes instead of {length}"
        ))),
        Err(cause) => Err(malformed("compressed rows can't be inflated").because(cause)),
    }
}

/// Adds the rows of `event` to `builder`; says how many rows that were. An update that keeps the
/// key is one row, one that changes it (or has none) a delete and an insert.
///
/// # Errors
/// Fails where the rows are not of the builder's layout; rows before the bad one stay.
pub(crate) fn decode(
    event: &RowsEvent<'_>,
    builder: &mut RowBuilder,
    filter: Option<&mut Bound>,
) -> Result<usize> {
    let layout = builder.layout().clone();
    require_width(event, layout.as_ref())?;
    let before = builder.len();
    let mut images = event.images();
    match event.kind {
        RowsKind::Write => each(&layout, &mut images, builder, filter, Op::Create)?,
        RowsKind::Delete => each(&layout, &mut images, builder, filter, Op::Delete)?,
        RowsKind::Update => updates(&layout, &mut images, builder, filter)?,
    }
    Ok(builder.len() - before)
}

fn require_width(event: &RowsEvent<'_>, layout: &Layout) -> Result<()> {
    if event.width == layout.image.len() {
        return Ok(());
    }
    Err(malformed(format!(
        "a row event has {} columns, its table map {}",
        event.width,
        layout.image.len()
    )))
}

fn each(
    layout: &Layout,
    images: &mut Reader<'_>,
    builder: &mut RowBuilder,
    mut filter: Option<&mut Bound>,
    op: Op,
) -> Result<()> {
    while !images.is_empty() {
        if wants(&mut filter, images)? {
            builder.push_image(images, op)?;
        } else {
            skip(layout, images)?;
        }
    }
    Ok(())
}

/// Whether the row that goes on here is one of those asked for.
fn wants(filter: &mut Option<&mut Bound>, image: &Reader<'_>) -> Result<bool> {
    filter
        .as_mut()
        .map_or(Ok(true), |filter| filter.wants(*image))
}

fn skip(layout: &Layout, images: &mut Reader<'_>) -> Result<()> {
    scan(&layout.image, images, usize::MAX, |_| {})
}

/// A row that an update moves out of the filter is deleted, one that it moves in is created.
fn updates(
    layout: &Layout,
    images: &mut Reader<'_>,
    builder: &mut RowBuilder,
    mut filter: Option<&mut Bound>,
) -> Result<()> {
    let keys = layout.key.len();
    let mut old_key = Vec::with_capacity(keys);
    let mut new_key = Vec::with_capacity(keys);
    while !images.is_empty() {
        let mut before = *images;
        old_key.clear();
        scan(&layout.image, images, usize::MAX, |value| {
            old_key.push(value);
        })?;
        new_key.clear();
        scan(&layout.image, &mut images.clone(), keys, |value| {
            new_key.push(value);
        })?;
        match (wants(&mut filter, &before)?, wants(&mut filter, images)?) {
            (true, true) if keys > 0 && old_key == new_key => {
                builder.push_image(images, Op::Update)?;
            }
            (true, true) => {
                builder.push_image(&mut before, Op::Delete)?;
                builder.push_image(images, Op::Create)?;
            }
            (true, false) => {
                builder.push_image(&mut before, Op::Delete)?;
                skip(layout, images)?;
            }
            (false, true) => builder.push_image(images, Op::Create)?,
            (false, false) => skip(layout, images)?,
        }
    }
    Ok(())
}

/// Walks over one image and hands out the values of its key; stops behind so many of them.
fn scan<'a>(
    columns: &[ImageColumn],
    image: &mut Reader<'a>,
    mut keys: usize,
    mut found: impl FnMut(&'a [u8]),
) -> Result<()> {
    let nulls = image.take(columns.len().div_ceil(8))?;
    for (index, column) in columns.iter().enumerate() {
        if keys == 0 {
            return Ok(());
        }
        let null = nulls[index / 8] >> (index % 8) & 1 == 1;
        let value = if null {
            &[][..]
        } else {
            column.wire.take(image)?
        };
        if column.in_key {
            keys -= 1;
            found(value);
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "rows_tests.rs"]
mod tests;
