//! Which streams a run reads and into which tables: decided before anything is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tributary_model::{
    Capabilities, ConnectionOptions, Deletes, Error, ErrorKind, Existing, Mode, Remembered, Result,
    State, Stream, StreamName, StreamOptions, StreamSchema, TableName,
};

use crate::attempt::Progress;
use crate::beside::{self, Facts, Way};
use crate::connection::{Connection, SyncRequest};
use crate::forget::{forget_gone, forget_moved};
use crate::normalize::{self, Table, TableSetup, system, table_name};
use crate::report::ErrorReport;
use crate::unexpected::mixed;

/// What a run would do with one stream.
#[derive(Clone, Debug, Serialize)]
pub struct PlannedStream {
    /// The stream.
    pub stream: StreamName,
    /// Its table, as `schema.table`.
    pub table: String,
    /// How the table is kept.
    pub mode: Mode,
    /// Whether the table is there already.
    pub table_exists: bool,
    /// What becomes of a table that was kept in another mode, or whose rows are not hidden as those to come.
    pub change: Option<String>,
    /// Whether there is a cursor to go on from; without one the stream is read from the beginning.
    pub has_cursor: bool,
    /// How many rows the source thinks it has.
    pub estimated_rows: Option<u64>,
    /// Why the stream can't be read, where it can't.
    pub error: Option<ErrorReport>,
}

/// What a run would do.
#[derive(Clone, Debug, Serialize)]
pub struct SyncPlan {
    /// Each selected stream, by name; also those that are named and that the source does not have.
    pub streams: Vec<PlannedStream>,
}

/// Says what a run would do, and changes nothing.
///
/// # Errors
/// Those of the source's discovery and of the destination.
pub async fn plan(connection: &Connection, request: &SyncRequest) -> Result<SyncPlan> {
    let mut state = connection
        .destination
        .peek(&connection.options.name)
        .await?
        .unwrap_or_default();
    let streams = selected(connection, request, &state).await?;
    forget_moved(&mut state, &streams, connection);
    let existing = if streams.is_empty() || state == State::default() {
        Existing::default()
    } else {
        known(connection, &streams).await?
    };
    forget_gone(&mut state, &streams, connection, &existing);
    let progress = Progress {
        refresh: request.full_refresh,
        has_committed: false,
    };
    let ways = ways(connection, request, &progress, &streams, &state, &existing);
    let tables = tables(connection, &streams, &existing, &ways, &state.tables);
    let is_refreshed = |name: &StreamName| request.full_refresh && request.asks_for(name);
    let describe = |stream: &Stream| {
        let table = table_of(connection, &stream.name);
        let mode = connection.options.of(&stream.name).mode;
        let way = ways.get(&stream.name);
        PlannedStream {
            table: table.to_string(),
            mode,
            change: match (way, tables.get(&stream.name)) {
                (Some(Way::Anew(beside) | Way::GoOn(beside)), _) => beside.says(mode),
                (_, Some(Ok(table))) if !is_refreshed(&stream.name) && mode != Mode::Replace => {
                    let said = mixed(&connection.options.name, &stream.name, table);
                    (!said.is_empty()).then(|| said.join("; "))
                }
                _ => None,
            },
            table_exists: existing.contains_key(&table),
            has_cursor: state.streams.contains_key(&stream.name)
                && !way.is_some_and(Way::forgets)
                && !is_refreshed(&stream.name),
            estimated_rows: stream.estimated_rows,
            error: tables
                .get(&stream.name)
                .and_then(|table| table.as_ref().err())
                .map(Into::into),
            stream: stream.name.clone(),
        }
    };
    let mut planned: Vec<_> = streams.iter().map(describe).collect();
    let absent = missing(&connection.options, request, &streams).into_iter();
    planned.extend(absent.map(|stream| PlannedStream {
        table: table_of(connection, &stream).to_string(),
        mode: connection.options.of(&stream).mode,
        table_exists: false,
        change: None,
        has_cursor: state.streams.contains_key(&stream),
        estimated_rows: None,
        error: Some((&not_there(&stream)).into()),
        stream,
    }));
    planned.sort_by(|a, b| a.stream.cmp(&b.stream));
    Ok(SyncPlan { streams: planned })
}

/// Streams that the user names, without a pattern, asks for now, and that the source does not have.
pub(crate) fn missing(
    options: &ConnectionOptions,
    request: &SyncRequest,
    found: &[Stream],
) -> Vec<StreamName> {
    let is_exact = |name: &&String| !name.contains(['*', '?', '!']);
    let named = request
        .only
        .0
        .iter()
        .chain(&options.select.0)
        .filter(is_exact);
    let named = named.map(|name| StreamName::from(name.clone()));
    let with_options = options
        .streams
        .keys()
        .filter(|name| options.select.contains(name));
    let mut missing: Vec<_> = named
        .chain(with_options.cloned())
        .filter(|name| request.asks_for(name))
        .filter(|name| !found.iter().any(|stream| stream.name == *name))
        .collect();
    missing.sort();
    missing.dedup();
    missing
}

/// The error of a stream that is not there.
pub(crate) fn not_there(stream: &StreamName) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("the source has no stream {stream}, or may not read it"),
    )
    .fix(
        "Correct the name in `select` or `streams` (`tributary discover SOURCE` lists what there \
             is; views are not streams), or give the user the right to read it.",
    )
}

/// The streams that take part in a run.
pub(crate) async fn selected(
    connection: &Connection,
    request: &SyncRequest,
    state: &State,
) -> Result<Vec<Stream>> {
    let options = &connection.options;
    let catalog = connection.source.discover_after(state).await?;
    // One shared cursor can't move for some streams alone: the others that it has brought so far
    // would miss what lies between. Those that have no cursor yet miss nothing: their copy is to come.
    let is_followed =
        |name: &StreamName| state.shared.is_some() && state.streams.contains_key(name);
    let mut streams: Vec<Stream> = catalog
        .streams
        .into_iter()
        .filter(|stream| options.select.contains(&stream.name))
        .filter(|stream| request.asks_for(&stream.name) || is_followed(&stream.name))
        .collect();
    for stream in &mut streams {
        let chosen = options.of(&stream.name);
        stream.filter.clone_from(&chosen.filter);
        let excluded = chosen.columns.iter().filter(|(_, rule)| rule.exclude);
        stream.excluded = excluded.map(|(name, _)| name.clone()).collect();
    }
    if !streams.iter().any(|stream| request.asks_for(&stream.name)) {
        return Err(nothing_selected(options, request));
    }
    Ok(streams)
}

fn nothing_selected(options: &ConnectionOptions, request: &SyncRequest) -> Error {
    let patterns = if request.only.0.is_empty() {
        &options.select.0
    } else {
        &request.only.0
    };
    Error::new(
        ErrorKind::Config,
        format!(
            "connection {} selects no stream: nothing in the source fits [{}]",
            options.name,
            patterns.join(", ")
        ),
    )
    .fix("List what there is with `tributary discover SOURCE`, then correct `select`.")
}

pub(crate) fn table_of(connection: &Connection, stream: &StreamName) -> TableName {
    let options = connection.options.of(stream);
    let capabilities = connection.destination.capabilities();
    table_name(stream, &connection.options.name, options, &capabilities)
}

/// What is there of the streams' tables, of those beside them, and of the names that they may be
/// kept under.
pub(crate) async fn known(connection: &Connection, streams: &[Stream]) -> Result<Existing> {
    let capabilities = connection.destination.capabilities();
    let mut names: Vec<_> = streams
        .iter()
        .map(|stream| table_of(connection, &stream.name))
        .collect();
    if capabilities.swaps {
        let beside: Vec<_> = names
            .iter()
            .map(|table| beside::next_to(table, &capabilities))
            .collect();
        names.extend(beside);
    }
    let mut existing = connection.destination.describe(&names).await?;
    let keepable: Vec<_> = streams
        .iter()
        .flat_map(|stream| {
            let options = connection.options.of(&stream.name);
            let table = table_of(connection, &stream.name);
            let key = key_names(stream, options, &capabilities);
            beside::keepable(&table, (options.mode, &key), &existing, &capabilities)
        })
        .collect();
    if !keepable.is_empty() {
        existing.extend(connection.destination.describe(&keepable).await?);
    }
    Ok(existing)
}

/// The names that columns of the key may have, where rows of a table that is merged are told apart by
/// them when the stream is read anew.
fn key_names(
    stream: &Stream,
    options: &StreamOptions,
    capabilities: &Capabilities,
) -> Vec<[String; 2]> {
    if options.mode != Mode::Merge || options.deletes == Deletes::Hard {
        return Vec::new();
    }
    let name = |column: &String| {
        let rule = options.columns.get(column);
        let name = rule.and_then(|rule| rule.rename.as_deref());
        normalize::name_forms(name.unwrap_or(column), capabilities)
    };
    match stream.schema.key.as_slice() {
        [] => vec![[normalize::ID.to_owned(), normalize::ID.to_owned()]],
        key => key.iter().map(name).collect(),
    }
}

/// How the rows of each stream are to be taken.
pub(crate) fn ways(
    connection: &Connection,
    request: &SyncRequest,
    progress: &Progress,
    streams: &[Stream],
    state: &State,
    existing: &Existing,
) -> BTreeMap<StreamName, Way> {
    let capabilities = connection.destination.capabilities();
    let names = || streams.iter().map(|stream| &stream.name);
    let way = |stream: &Stream| {
        let name = &stream.name;
        let options = connection.options.of(name);
        let (table, mode) = (table_of(connection, name), options.mode);
        let is_known = state.streams.contains_key(name)
            || (state.streams.is_empty() && state.shared.is_some());
        let is_refreshed = progress.refresh && request.asks_for(name);
        let facts = Facts {
            table: &table,
            mode,
            deletes: options.deletes,
            existing,
            has_cursor: is_known && !is_refreshed,
            begins: mode == Mode::Replace && request.asks_for(name) && !progress.has_committed,
            is_void: is_refreshed
                || is_void(state, name, &table)
                || was_of_another(state, names(), name, (&table, &capabilities)),
            is_hidden_alike: {
                let known = remembered(state, name, &table).and_then(normalize::beside);
                known == normalize::hiding(options, connection.options.salt.as_ref()).as_deref()
            },
        };
        (name.clone(), facts.way(&capabilities))
    };
    streams.iter().map(way).collect()
}

/// Whether what a table has may go: its first copy is known not to be complete, or nothing is known of
/// any table. Else one that is not remembered for the stream stays: it was kept elsewhere since, or
/// has another name now.
pub(crate) fn is_void(state: &State, stream: &StreamName, table: &TableName) -> bool {
    match remembered(state, stream, table) {
        Some(known) => normalize::is_void(known),
        None => state.tables.is_empty(),
    }
}

/// Whether a table was last kept for another stream, which is there still: what it holds are that
/// one's rows.
pub(crate) fn was_of_another<'s>(
    state: &State,
    streams: impl IntoIterator<Item = &'s StreamName>,
    stream: &StreamName,
    (table, capabilities): (&TableName, &Capabilities),
) -> bool {
    let table = table.to_string();
    let others = streams.into_iter().filter(|other| *other != stream);
    let mut kept = others.filter_map(|other| state.tables.get(other));
    kept.any(|known| normalize::is_same_name(&known.table, &table, capabilities))
}

/// What is remembered of this very table.
fn remembered<'s>(
    state: &'s State,
    stream: &StreamName,
    table: &TableName,
) -> Option<&'s Remembered> {
    let known = state.tables.get(stream);
    known.filter(|known| known.table == table.to_string())
}

/// That the rows of each stream go into the table that is there.
pub(crate) fn ways_of_now(streams: &[Stream]) -> BTreeMap<StreamName, Way> {
    let way = |stream: &Stream| (stream.name.clone(), Way::Direct);
    streams.iter().map(way).collect()
}

/// Decides about every stream's table; a stream that can't be kept as asked fails alone.
pub(crate) fn tables(
    connection: &Connection,
    streams: &[Stream],
    existing: &Existing,
    ways: &BTreeMap<StreamName, Way>,
    remembered: &BTreeMap<StreamName, Remembered>,
) -> BTreeMap<StreamName, Result<Table>> {
    let capabilities = connection.destination.capabilities();
    let mut owners: HashMap<TableName, StreamName> = HashMap::new();
    let mut tables = BTreeMap::new();
    for stream in streams {
        let name = table_of(connection, &stream.name);
        let options = connection.options.of(&stream.name);
        // What is built beside goes on with the columns that it has.
        let columns = match ways.get(&stream.name) {
            Some(Way::GoOn(_)) => existing.get(&beside::next_to(&name, &capabilities)),
            Some(Way::Anew(_) | Way::Direct | Way::Again) | None => existing.get(&name),
        };
        let owner = owners
            .entry(as_one(&name, &capabilities))
            .or_insert_with(|| stream.name.clone());
        let checked = check(stream, owner, &name, options, &capabilities);
        let checked = checked.and_then(|()| refuse_foreign(stream, &name, existing));
        let table = checked.and_then(|()| {
            Table::new(&TableSetup {
                stream: &stream.name,
                schema: &Arc::new(StreamSchema::clone(&stream.schema)),
                options,
                existing: columns.map(Vec::as_slice),
                table: name,
                capabilities: &capabilities,
                salt: connection.options.salt.as_ref(),
                cursor: &stream.cursor,
                remembered: remembered.get(&stream.name),
                is_open: stream.is_open,
            })
        });
        tables.insert(stream.name.clone(), table);
    }
    tables
}

/// A table of somebody else is refused before anything is begun, so that other streams go on.
fn refuse_foreign(stream: &Stream, table: &TableName, existing: &Existing) -> Result<()> {
    if existing
        .get(table)
        .is_none_or(|columns| beside::is_ours(columns))
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "the table {table} exists already and was not made by Tributary (it has no column `{}`)",
            system::SYNCED_AT
        ),
    )
    .fix(format!(
        "Rename that table, or choose another one for the stream: \
         `streams: {{{}: {{table: {}.{}_synced}}}}`.",
        stream.name, table.schema, table.table
    )))
}

/// The same for names that are one table in the destination.
fn as_one(table: &TableName, capabilities: &Capabilities) -> TableName {
    let fold = |name: &str| match capabilities.case_insensitive {
        true => name.to_lowercase(),
        false => name.to_owned(),
    };
    TableName {
        schema: fold(&table.schema),
        table: fold(&table.table),
    }
}

/// A name that the user chose is never made to fit.
fn check_length(stream: &Stream, table: &TableName, capabilities: &Capabilities) -> Result<()> {
    let most = capabilities.identifier_bytes;
    let long = [&table.schema, &table.table]
        .into_iter()
        .find(|name| name.len() > most);
    let Some(long) = long else { return Ok(()) };
    Err(Error::new(
        ErrorKind::Config,
        format!(
            "the name `{long}` has {} bytes, and this destination takes {most} at most",
            long.len()
        ),
    )
    .fix(format!("Choose a shorter `table` for {}.", stream.name)))
}

fn check(
    stream: &Stream,
    owner: &StreamName,
    table: &TableName,
    options: &StreamOptions,
    capabilities: &Capabilities,
) -> Result<()> {
    if *owner != stream.name {
        return Err(Error::new(
            ErrorKind::Config,
            format!("{} and {owner} would both be kept in {table}", stream.name),
        )
        .fix(format!(
            "Give one of them a table of its own: `table: …` under `{}`.",
            stream.name
        )));
    }
    check_length(stream, table, capabilities)?;
    if !capabilities.modes.contains(&options.mode) {
        let word = |mode: &Mode| beside::word(*mode);
        return Err(Error::new(
            ErrorKind::Config,
            format!("{} asks for `mode: {}`", stream.name, word(&options.mode)),
        )
        .fix(format!(
            "This destination keeps tables as {}: choose one of these.",
            capabilities
                .modes
                .iter()
                .map(word)
                .collect::<Vec<_>>()
                .join(" or ")
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_table_has_may_go_only_where_that_is_known() {
        let stream = StreamName::plain("orders");
        let [first, other] = ["first", "other"].map(|table| TableName {
            schema: "shop".to_owned(),
            table: table.to_owned(),
        });
        let mut known = Remembered {
            table: first.to_string(),
            ..Remembered::default()
        };
        let state = |known: &Remembered| State {
            tables: BTreeMap::from([(stream.clone(), known.clone())]),
            ..State::default()
        };
        let before = StreamName::plain("orders_of_before");
        let rules = Capabilities {
            modes: &[Mode::Merge],
            identifier_bytes: 63,
            case_insensitive: true,
            decimal_digits: 38,
            reserved: &[],
            swaps: true,
            schema: None,
        };
        let shouted = TableName {
            table: "FIRST".to_owned(),
            ..first.clone()
        };
        let kept = state(&known);
        let of_another = |streams: &[&StreamName]| {
            was_of_another(&kept, streams.iter().copied(), &before, (&shouted, &rules))
        };
        assert!(of_another(&[&stream, &before]), "both are there");
        assert!(!of_another(&[&before]), "it was renamed");
        assert!(is_void(&State::default(), &stream, &first));
        assert!(!is_void(&state(&known), &before, &first), "it was renamed");
        assert!(!is_void(&state(&known), &stream, &first));
        normalize::set_void(&mut known, true);
        assert!(is_void(&state(&known), &stream, &first));
        assert!(
            !is_void(&state(&known), &stream, &other),
            "left for another one once"
        );
    }
}
