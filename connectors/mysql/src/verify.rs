//! The rows of a table as they are now, for a comparison.
//!
//! # Why the rows are those that the log speaks of
//!
//! A comparison knows the destination as of a boundary `P` of the log and asks the log afterwards
//! which keys were touched behind `P`. For every other key the rows from here must be those at `P`:
//!
//! 1. The fence waits until a query sees every transaction up to `P` (see [`crate::snapshot`]).
//!    What a query sees once, every later query sees too.
//! 2. Each chunk is a statement with a read view of its own. What it shows of a key is the key's row
//!    after some transaction `T`; all up to `P` are in it, so either `T ≤ P` is the last that
//!    touched the key, or the key was touched behind `P`, in a transaction that was in the log
//!    before the statement ended. Whoever reads the log up to its end afterwards finds it. ∎
//!
//! The settings that hold copies back hold this back too.
//!
//! So no view is held open from chunk to chunk, and nothing is locked: only on a MySQL without
//! GTIDs whose user may not lock tables the rows of a chunk are read under shared locks, as the copy
//! does, for as long as one statement takes.

mod forward;

use std::collections::BTreeMap;
use std::sync::Arc;

use mysql_async::Conn;
use tributary_model::{
    ChangeBatch, Error, ErrorKind, KeyRange, Op, Output, Positions, Presence, Result, Rows,
    ScanRequest, Stream, StreamName,
};

use crate::column::ValueOptions;
use crate::cursor::{Cursor, TableCursor, TablePhase};
use crate::discover;
use crate::failure::classify;
use crate::layout::Layout;
use crate::link::{self, Link};
use crate::requirements::require;
use crate::server::Server;
use crate::session;
use crate::settings::Settings;
use crate::snapshot::{
    Arriving, Fence, KeyStyle, KeyValue, Locking, Low, Pace, Query, Segment, Shape, View, all_rows,
    next_rows,
};
use crate::source::split;
use crate::start::{Start, resume};
use crate::tables::Table;

pub(crate) use forward::forward;

/// Rows that are read under locks in one statement.
const LOCKED_ROWS: u64 = 2_000;

/// Sends the rows of a table.
pub(crate) async fn scan(
    settings: &Settings,
    request: ScanRequest<'_, Cursor>,
    out: &Output<Cursor>,
) -> Result<()> {
    let mut conn = session::open(settings).await?;
    let server = Server::read(&mut conn).await?;
    require(&server)?;
    let (log, cursors) = split(request.state)?;
    let cursor = followed(&request.stream.name, &cursors)?;
    let log = log.ok_or_else(|| not_followed(&request.stream.name, "has not been copied yet"))?;
    let start = resume(&mut conn, &server, log).await?;
    let options = settings.values(server.flavor);
    let table = table(&mut conn, settings, request.stream, cursor, options).await?;
    let mut link = link::open(settings).await?;
    let locking = wait_for(&mut link, &server, &table, start).await?;
    let walk = Walk {
        table: &table,
        server: &server,
        pace: Pace::new(settings.limits),
        options,
        out,
        locking,
        chunk: match locking {
            Locking::None => settings.chunk_rows,
            Locking::Share => LOCKED_ROWS.min(settings.chunk_rows),
        },
    };
    walk.run(&mut link, request.range).await
}

/// The cursor of a table that the log keeps up to date.
fn followed<'c>(
    stream: &StreamName,
    cursors: &BTreeMap<&StreamName, &'c TableCursor>,
) -> Result<&'c TableCursor> {
    match cursors.get(stream) {
        None => Err(not_followed(stream, "has not been copied yet")),
        Some(cursor) => match &cursor.phase {
            TablePhase::Streaming => Ok(cursor),
            TablePhase::Snapshot { .. } => Err(not_followed(stream, "is being copied")),
            TablePhase::Pending { .. } => Err(not_followed(stream, "is to be copied anew")),
            TablePhase::Stopped { reason } => {
                Err(not_followed(stream, &format!("was stopped ({reason})")))
            }
        },
    }
}

fn not_followed(stream: &StreamName, how: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("{stream} {how}, so there is nothing to compare"),
    )
    .fix("Run `tributary sync` first.")
}

/// The table as it is now.
async fn table(
    conn: &mut Conn,
    settings: &Settings,
    stream: &Stream,
    cursor: &TableCursor,
    options: ValueOptions,
) -> Result<Table> {
    let infos = discover::tables(conn, &settings.databases).await?;
    let info = infos
        .into_iter()
        .find(|info| StreamName::within(&info.database, &info.name) == stream.name)
        .ok_or_else(|| not_followed(&stream.name, "is not in the source any more"))?;
    if info.key != cursor.key {
        return Err(not_followed(&stream.name, "has another key than it had"));
    }
    let table = Table::new(stream, info, Some(cursor), options)?;
    if table.wanted() != cursor.filter {
        return Err(not_followed(
            &stream.name,
            "has another `where` than it had",
        ));
    }
    Ok(table)
}

/// Waits until queries see everything up to `start`; says how rows must then be read.
async fn wait_for(
    link: &mut Link,
    server: &Server,
    table: &Table,
    start: Start,
) -> Result<Locking> {
    let low = Low {
        position: start.position,
        gtids: start.gtids,
    };
    match Fence::of(server)
        .open(link, server, &table.info, &low)
        .await?
    {
        View::Locks => Ok(Locking::Share),
        View::Open(_) => {
            // The view has shown that the wait is over; it need not be kept.
            let ended = link.run("COMMIT").await;
            ended.map_err(|error| classify(error, "ending a consistent view"))?;
            Ok(Locking::None)
        }
    }
}

/// A walk over a table.
struct Walk<'a> {
    table: &'a Table,
    server: &'a Server,
    pace: Pace,
    options: ValueOptions,
    out: &'a Output<Cursor>,
    locking: Locking,
    chunk: u64,
}

impl Walk<'_> {
    async fn run(&self, link: &mut Link, range: KeyRange) -> Result<()> {
        let columns = self.table.layout.select_list();
        let wanted = self.table.wanted();
        let wanted = wanted.as_deref();
        let Some(styles) = self.table.walk() else {
            let all = all_rows(&self.table.info, &columns, wanted, self.locking);
            return self.send(link, &all, &[]).await.map(drop);
        };
        let Some(mut segment) = segment(range) else {
            return Ok(());
        };
        let places: Vec<_> = self.places().into_iter().zip(styles.clone()).collect();
        loop {
            self.pace.wait_for_calm(link, self.server).await?;
            let (info, chunk) = (&self.table.info, self.chunk);
            let locking = self.locking;
            let query = next_rows(info, &columns, wanted, &styles, &segment, chunk, locking);
            let (count, last) = self.send(link, &query, &places).await?;
            if count < chunk {
                return Ok(());
            }
            segment.after = last;
        }
    }

    /// The key's columns among those that are selected.
    fn places(&self) -> Vec<usize> {
        let place = |name: &String| {
            let mut columns = self.table.layout.columns.iter();
            columns.position(|column| column.name == *name)
        };
        self.table.info.key.iter().filter_map(place).collect()
    }

    /// Sends what a query finds; tells how many rows those were, and the last one's key.
    async fn send(
        &self,
        link: &mut Link,
        query: &Query,
        places: &[(usize, KeyStyle)],
    ) -> Result<(u64, Option<Vec<KeyValue>>)> {
        let stream = &self.table.stream;
        let shape = Shape {
            stream: stream.clone(),
            layout: self.table.layout.clone(),
            options: self.options,
            key: places.to_vec(),
        };
        let mut arriving = Arriving::open(link, query, &shape).await?;
        let mut last = None;
        while let Some(batch) = arriving.next().await? {
            if !batch.rejections.is_empty() {
                self.out.rejected(batch.rejections).await?;
            }
            last = batch.last;
            let count = batch.rows.num_rows();
            let rows = change_batch(&self.table.layout, batch.rows);
            self.out.rows(stream, Rows::Arrow(rows)).await?;
            self.pace.read(count).await;
        }
        Ok((arriving.count(), last))
    }
}

fn change_batch(layout: &Arc<Layout>, rows: arrow_array::RecordBatch) -> ChangeBatch {
    ChangeBatch {
        schema: layout.schema.clone(),
        ops: vec![Op::Read; rows.num_rows()],
        positions: Positions::at(0, 0),
        presence: Presence::Possible,
        columns: rows,
    }
}

/// The range as the server compares it; `None` where none of its numbers can be a key.
fn segment(range: KeyRange) -> Option<Segment> {
    let key = |value: i128| {
        let signed = i64::try_from(value).map(KeyValue::Int);
        signed.or_else(|_| u64::try_from(value).map(KeyValue::Uint))
    };
    let from = match range.from.map(key) {
        Some(Err(_)) if range.from > Some(0) => return None,
        Some(Err(_)) | None => None,
        Some(Ok(value)) => Some(value),
    };
    let to = match range.below.map(key) {
        Some(Err(_)) if range.below < Some(0) => return None,
        Some(Err(_)) | None => None,
        Some(Ok(value)) => Some(value),
    };
    Some(Segment {
        after: None,
        from,
        to,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_what_a_key_can_be() {
        let of = |from, below| segment(KeyRange { from, below });
        assert_eq!(of(None, None), Some(Segment::ALL));
        let wide = of(Some(-1), Some(i128::from(u64::MAX))).unwrap();
        assert_eq!(wide.from, Some(KeyValue::Int(-1)));
        assert_eq!(wide.to, Some(KeyValue::Uint(u64::MAX)));
        let beyond = i128::from(u64::MAX) + 1;
        assert_eq!(of(None, Some(beyond)), Some(Segment::ALL));
        assert_eq!(of(Some(beyond), None), None);
        assert_eq!(of(Some(i128::MIN), Some(i128::MIN + 1)), None);
    }

    #[test]
    fn only_a_table_that_the_log_keeps_can_be_compared() {
        let name = StreamName::within("shop", "orders");
        let with = |phase| TableCursor::new(phase, &tributary_model::StreamSchema::default());
        let streaming = with(TablePhase::Streaming);
        let cursors = BTreeMap::from([(&name, &streaming)]);
        assert!(followed(&name, &cursors).is_ok());
        let copying = with(TablePhase::Snapshot {
            remaining: vec![Segment::ALL],
            changed: false,
            copied: 3,
        });
        for cursors in [BTreeMap::new(), BTreeMap::from([(&name, &copying)])] {
            let error = followed(&name, &cursors).unwrap_err();
            assert!(error.to_string().contains("tributary sync"), "{error}");
        }
    }
}
