//! Rejected rows once more: those that fit now move into their tables, the others stay.
//!
//! All of it is one load. Rows leave `_tributary.rejected`, go through the decisions of now, and end
//! up in their table or back where they were, all in one commit: so each is tried exactly once, and a
//! run that is killed has changed nothing. // G1 G7
//!
//! A row never comes over a newer one of its key: the destination gives none that was overtaken. // G4
//! Deliberately absent: reading anything. Only the layouts are asked of the source.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use tributary_model::{
    AnyLoad, Change, Commit, LoadPlan, Result, State, StreamCount, StreamName, now,
};

use crate::connection::{Connection, SyncRequest};
use crate::ledger::{Ending, Ledger, add};
use crate::loading::{Copies, new_load_id};
use crate::normalize::{Shaped, Table};
use crate::observer::{Event, Observer};
use crate::plan::{known, selected, table_of, tables, ways_of_now};
use crate::report::SyncReport;

/// Rows that are tried at a time. // G6
const ROWS: usize = 1000;

/// Tries the rejected rows of a connection again.
pub async fn retry_rejected(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
) -> SyncReport {
    let begun = Instant::now();
    let mut ledger = Ledger::default();
    let ending = match run(connection, request, observer, &mut ledger).await {
        Ok(()) => Ending::Complete,
        Err(error) => Ending::Failed(error),
    };
    ledger.close(&connection.options.name, begun, &ending)
}

async fn run(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
    ledger: &mut Ledger,
) -> Result<()> {
    let (state, fence) = connection
        .destination
        .open(&connection.options.name)
        .await?;
    let tables = decide(connection, request, observer, &state, ledger).await?;
    let plan = LoadPlan {
        connection: connection.options.name.clone(),
        load_id: new_load_id(&fence),
        started_at: now(),
        tables: tables
            .values()
            .map(|table| Arc::clone(table.plan()))
            .collect(),
    };
    let mut load = connection.destination.begin(&plan, &fence).await?;
    let mut counts = BTreeMap::new();
    let mut copies = connection.source.counts().then(Copies::default);
    for (stream, table) in &tables {
        let count = again(stream, table, load.as_mut(), copies.as_mut()).await?;
        if count.rows_read > 0 {
            observer.notice(&Event::Read {
                stream,
                rows: count.rows_read,
                bytes: 0,
            });
            counts.insert(stream.clone(), count);
        }
    }
    if counts.is_empty() {
        return Ok(()); // nothing waits: the load is dropped
    }
    commit(&plan, load, state, counts, observer, ledger).await
}

/// The tables of the streams that were asked for and can be kept as the configuration says now.
async fn decide(
    connection: &Connection,
    request: &SyncRequest,
    observer: &dyn Observer,
    state: &State,
    ledger: &mut Ledger,
) -> Result<BTreeMap<StreamName, Table>> {
    let mut streams = selected(connection, request, state).await?;
    streams.retain(|stream| request.asks_for(&stream.name));
    let existing = known(connection, &streams).await?;
    let ways = ways_of_now(&streams);
    let mut kept = BTreeMap::new();
    for (stream, table) in tables(connection, &streams, &existing, &ways, &state.tables) {
        let name = table_of(connection, &stream);
        ledger.enter(&stream, &name);
        match table {
            // Without a table nothing of it can have been rejected.
            Ok(table) if existing.contains_key(&name) && !table.is_provisional() => {
                kept.insert(stream, table);
            }
            Ok(_) => {}
            Err(error) => {
                observer.notice(&Event::StreamFailed {
                    stream: &stream,
                    error: &error,
                });
                ledger.fail(&stream, &error);
            }
        }
    }
    Ok(kept)
}

/// Tries what waits of one stream; `copies` counts equal rows, where the source does.
async fn again(
    stream: &StreamName,
    table: &Table,
    load: &mut dyn AnyLoad,
    mut copies: Option<&mut Copies>,
) -> Result<StreamCount> {
    let mut count = StreamCount::default();
    loop {
        let taken = load.take_rejected(stream, ROWS).await?;
        if taken.is_empty() {
            return Ok(count);
        }
        let Shaped {
            batch, rejected, ..
        } = table.again(taken)?;
        let more = StreamCount {
            rows_read: (batch.ops.len() + rejected.len()) as u64,
            rows_written: batch.ops.len() as u64,
            rows_rejected: rejected.len() as u64,
            bytes_read: 0,
        };
        add(&mut count, &more);
        let batch = match &mut copies {
            Some(copies) => copies.number_again(batch, load).await?,
            None => batch,
        };
        if !batch.ops.is_empty() {
            load.write(Change::Rows(batch)).await?;
        }
        if !rejected.is_empty() {
            load.write(Change::Rejected(rejected)).await?;
        }
    }
}

async fn commit(
    plan: &LoadPlan,
    load: Box<dyn AnyLoad>,
    state: State,
    mut counts: BTreeMap<StreamName, StreamCount>,
    observer: &dyn Observer,
    ledger: &mut Ledger,
) -> Result<()> {
    let begun = Instant::now();
    let commit = Commit {
        before: state.clone(),
        state,
        streams: counts.clone(),
        committed_at: now(),
    };
    let receipt = load.commit(&commit).await?;
    for (stream, rows) in receipt.rejected {
        let count = counts.entry(stream).or_default();
        count.rows_rejected += rows;
        count.rows_written = count.rows_written.saturating_sub(rows);
    }
    ledger.book(&counts);
    observer.notice(&Event::Committed {
        rows: counts.values().map(|count| count.rows_read).sum(),
        load_id: &plan.load_id,
        took: begun.elapsed(),
        started_at: plan.started_at,
        streams: &counts,
        state: &commit.state,
    });
    Ok(())
}
