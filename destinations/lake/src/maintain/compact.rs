//! Small files become larger ones, and rows that are only said to be gone really go.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tributary_model::{ConnectionName, LoadPlan, Report, Result, TableName, now};
use uuid::Uuid;

use super::note;
use crate::apply::apply;
use crate::destination::Lake;
use crate::error::blocking;
use crate::log::{Appended, Body, Log, Rewritten, Snapshot};
use crate::site::Site;
use crate::table::{DataFile, Table, TableChange};
use crate::target::Target;
use crate::upload::give_up;

/// Files smaller than this are small.
const SMALL: u64 = 32 << 20;
/// So many small files of one folder are worth being written anew.
const WORTH_IT: usize = 5;
/// A file is written anew where one row of so many is gone.
const MOST_GONE: u64 = 10;
/// How often an entry is put while loads go on. // G6
const TRIES: u32 = 5;

/// Compacts every table of a connection, an entry for each. Gives back the connection as it is
/// then.
pub(super) async fn all(
    lake: &Lake,
    of: &ConnectionName,
    mut snapshot: Snapshot,
    report: &mut Report,
) -> Result<Snapshot> {
    snapshot.unapplied.clear();
    let tables = snapshot.tables.values();
    // Tables that nobody sees yet are short-lived.
    let tables = tables.filter(|table| !table.definition.is_beside());
    let tables: Vec<TableName> = tables.map(|table| table.definition.table.clone()).collect();
    for table in tables {
        let (done, after) = {
            let (lake, of, name) = (lake.clone(), of.clone(), table.clone());
            blocking(move || Ok(one(&lake, &of, &name, snapshot))).await?
        };
        note(report, &table, done);
        snapshot = after;
    }
    Ok(snapshot)
}

/// Compacts one table.
fn one(
    lake: &Lake,
    of: &ConnectionName,
    name: &TableName,
    mut snapshot: Snapshot,
) -> (Result<Option<String>>, Snapshot) {
    let outcome = rewrite(lake, of, name, &mut snapshot);
    (outcome, snapshot)
}

fn rewrite(
    lake: &Lake,
    of: &ConnectionName,
    name: &TableName,
    snapshot: &mut Snapshot,
) -> Result<Option<String>> {
    let Some(table) = snapshot.tables.get(name).cloned() else {
        return Ok(None);
    };
    let mut chosen = small_ones(&table);
    chosen.extend(full_of_deletes(&table));
    if chosen.is_empty() && table.equality_deletes.is_empty() {
        return Ok(None);
    }
    let site = Arc::new(site(lake, of, snapshot)?);
    let plan = Arc::new(table.definition.plan());
    let mut target = Target::prepare(&site, &plan, Some(table.clone()))?;
    target.fold()?;
    target.renew(|file: &DataFile| chosen.contains(&file.key))?;
    let outcome = target.finish()?;
    let Some(change) = outcome.change else {
        return Ok(None);
    };
    let done = said(&table, &change);
    let rewritten = Rewritten {
        tables: vec![change],
        uploads: outcome.uploads,
    };
    match commit(&site, lake, of, snapshot, &table, &rewritten) {
        Ok(true) => Ok(Some(done)),
        Ok(false) => {
            rewritten
                .uploads
                .iter()
                .for_each(|pending| give_up(&site, &pending.upload));
            Ok(Some(
                "loads were faster; it is left for another time".to_owned(),
            ))
        }
        // Whether the entry is there is not known: its uploads must stay.
        Err(error) => Err(error),
    }
}

/// What a change has done, for people.
fn said(table: &Table, change: &TableChange) -> String {
    let count =
        |keys: BTreeSet<&String>| change.removed.iter().filter(|k| keys.contains(k)).count();
    let before = count(table.files.keys().collect());
    let folded = count(table.equality_deletes.iter().map(|it| &it.key).collect());
    let mut said = Vec::new();
    if before > 0 {
        said.push(format!("{before} files became {}", change.added.len()));
    }
    if folded > 0 {
        said.push(format!("{folded} files of equality deletes were folded"));
    }
    said.join(", ")
}

/// Puts the entry and applies it. False where loads have changed the same files meanwhile.
fn commit(
    site: &Site,
    lake: &Lake,
    of: &ConnectionName,
    snapshot: &mut Snapshot,
    table: &Table,
    rewritten: &Rewritten,
) -> Result<bool> {
    let log = Log::new(lake.store.clone(), of.clone());
    for _ in 0..TRIES {
        let body = Body::Rewrite(Box::new(rewritten.clone()));
        let entry = Arc::new(Log::entry(
            snapshot,
            snapshot.epoch,
            snapshot.applied(),
            body,
        ));
        if site.wait(log.append(&entry))? == Appended::Ours {
            let iceberg = lake.iceberg.as_deref();
            snapshot.replay(&entry)?;
            site.wait(apply(&lake.store, iceberg, of, &entry, snapshot))?;
            snapshot.unapplied.clear();
            return Ok(true);
        }
        let Some(newer) = site.wait(log.read())? else {
            return Ok(false);
        };
        *snapshot = newer;
        site.wait(lake.catch_up(of, snapshot))?;
        snapshot.unapplied.clear();
        if !rewritten
            .tables
            .iter()
            .all(|change| still_fits(snapshot, table, change))
        {
            return Ok(false);
        }
    }
    Ok(false)
}

/// Whether the files that go or change are all there still as they were read, no other rows are gone,
/// and nothing else has changed about the table.
fn still_fits(snapshot: &Snapshot, read: &Table, change: &TableChange) -> bool {
    let Some(table) = snapshot.tables.get(&change.definition.table) else {
        return false;
    };
    let changed = change.changed.iter().map(|file| &file.key);
    let mut touched = change.removed.iter().chain(changed);
    table.definition == change.definition
        && table.equality_deletes == read.equality_deletes
        && touched.all(|key| table.files.get(key) == read.files.get(key))
}

/// Files of which so many rows are gone that readers had better not skip them any more.
fn full_of_deletes(table: &Table) -> impl Iterator<Item = String> {
    let is_full = |file: &&DataFile| {
        let gone = file.deleted.as_ref().map_or(0, |deleted| deleted.rows);
        gone * MOST_GONE >= file.rows && gone > 0
    };
    let full = table.files.values().filter(is_full);
    full.map(|file| file.key.clone())
}

/// The small files of folders that have many of them.
fn small_ones(table: &Table) -> BTreeSet<String> {
    let mut folders: BTreeMap<&str, Vec<&DataFile>> = BTreeMap::new();
    for file in table.files.values().filter(|file| file.bytes < SMALL) {
        folders.entry(&file.partition).or_default().push(file);
    }
    folders
        .into_values()
        .filter(|files| files.len() >= WORTH_IT)
        .flatten()
        .map(|file| file.key.clone())
        .collect()
}

fn site(lake: &Lake, of: &ConnectionName, snapshot: &Snapshot) -> Result<Site> {
    let load = LoadPlan {
        connection: of.clone(),
        load_id: format!("maintain-{}", Uuid::new_v4().simple()),
        started_at: now(),
        tables: Vec::new(),
    };
    let (store, config, iceberg) = (
        lake.store.clone(),
        lake.config.clone(),
        lake.iceberg.clone(),
    );
    Site::new(store, config, iceberg, load, snapshot.sequence)
}
