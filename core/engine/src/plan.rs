//! Which streams a run reads and into which tables: decided before anything is read.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;
use tributary_model::{
    Capabilities, ConnectionOptions, Error, ErrorKind, Existing, Mode, Result, State, Stream,
    StreamName, StreamOptions, StreamSchema, TableName,
};

use crate::connection::{Connection, SyncRequest};
use crate::normalize::{Table, TableSetup, table_name};
use crate::report::ErrorReport;

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
    /// Each selected stream, by name.
    pub streams: Vec<PlannedStream>,
}

/// Says what a run would do, and changes nothing.
///
/// # Errors
/// Those of the source's discovery and of the destination.
pub async fn plan(connection: &Connection, request: &SyncRequest) -> Result<SyncPlan> {
    let state = connection
        .destination
        .peek(&connection.options.name)
        .await?
        .unwrap_or_default();
    let streams = selected(connection, request, &state).await?;
    let existing = if streams.is_empty() || state == State::default() {
        Existing::default()
    } else {
        let names: Vec<_> = streams
            .iter()
            .map(|stream| table_of(connection, &stream.name))
            .collect();
        connection.destination.describe(&names).await?
    };
    let tables = tables(connection, &streams, &existing);
    let describe = |stream: &Stream| {
        let table = table_of(connection, &stream.name);
        PlannedStream {
            table: table.to_string(),
            mode: connection.options.of(&stream.name).mode,
            table_exists: existing.contains_key(&table),
            has_cursor: state.streams.contains_key(&stream.name)
                && !(request.full_refresh && request.asks_for(&stream.name)),
            estimated_rows: stream.estimated_rows,
            error: tables
                .get(&stream.name)
                .and_then(|table| table.as_ref().err())
                .map(Into::into),
            stream: stream.name.clone(),
        }
    };
    Ok(SyncPlan {
        streams: streams.iter().map(describe).collect(),
    })
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

/// Decides about every stream's table; a stream that can't be kept as asked fails alone.
pub(crate) fn tables(
    connection: &Connection,
    streams: &[Stream],
    existing: &Existing,
) -> BTreeMap<StreamName, Result<Table>> {
    let capabilities = connection.destination.capabilities();
    let mut owners: HashMap<TableName, StreamName> = HashMap::new();
    let mut tables = BTreeMap::new();
    for stream in streams {
        let name = table_of(connection, &stream.name);
        let options = connection.options.of(&stream.name);
        let owner = owners
            .entry(name.clone())
            .or_insert_with(|| stream.name.clone());
        let table = check(stream, owner, &name, options, &capabilities).and_then(|()| {
            Table::new(&TableSetup {
                stream: &stream.name,
                schema: &Arc::new(StreamSchema::clone(&stream.schema)),
                options,
                existing: existing.get(&name).map(Vec::as_slice),
                table: name,
                capabilities: &capabilities,
                salt: connection.options.salt.as_ref(),
                is_open: stream.is_open,
            })
        });
        tables.insert(stream.name.clone(), table);
    }
    tables
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
    if !capabilities.modes.contains(&options.mode) {
        let word = |mode: &Mode| format!("{mode:?}").to_lowercase();
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
