//! The state of one connection, in a table of its own.
//!
//! Its rows are of four kinds: `fence` (one row: the epoch, and the number and identity of the last
//! load; there from the first opening on), `shared` (the shared cursor), `cursor` (that of a stream)
//! and `table` (what is remembered of a stream's table). A content that is longer than a text of
//! Redshift's may be is in several rows, by `part`.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tributary_model::{
    ConnectionName, Error, ErrorKind, Fence, Remembered, Result, State, StreamName, now,
};

use crate::dialect::TEXT_BYTES;
use crate::session::Session;
use crate::system::Own;
use crate::text::{instant, literal, literals, pieces, values};

/// The version of the layout of the state.
const FORMAT: u64 = 1;
/// Rows of one statement, and bytes after which it ends: Redshift's limit is 16 MB. // G6
const ROWS: usize = 500;
const BYTES: usize = 4 << 20;

const FENCE: &str = "fence";
const SHARED: &str = "shared";
const CURSOR: &str = "cursor";
const TABLE: &str = "table";

/// What is stored of one connection.
#[derive(Debug)]
pub(crate) struct Stored {
    pub(crate) state: State,
    pub(crate) sequence: u64,
    pub(crate) last_load: Option<String>,
}

/// Contents by kind and stream.
type Contents = BTreeMap<(String, String), String>;

/// Raises the connection's epoch; the lock is held.
pub(crate) async fn raise_epoch(session: &mut Session, own: &Own) -> Result<()> {
    let doing = "raising the connection's epoch";
    let (table, at) = (own.state(), instant(now()));
    let raise =
        format!("UPDATE {table} SET epoch = epoch + 1, updated_at = {at} WHERE kind = '{FENCE}'");
    if session.run(&raise, doing).await? == 0 {
        let row = values(&[
            "'*'".to_owned(),
            literal(FENCE),
            "0, NULL, 1, 0, NULL".to_owned(),
            FORMAT.to_string(),
            literal(env!("CARGO_PKG_VERSION")),
            at,
        ]);
        let first = format!("INSERT INTO {table} VALUES {row}");
        session.run(&first, doing).await?;
    }
    Ok(())
}

/// Claims the next load: the first change of its transaction. // G1 G7
pub(crate) async fn claim(
    session: &mut Session,
    own: &Own,
    fence: &Fence,
    load_id: &str,
) -> Result<()> {
    let claim = format!(
        "UPDATE {} SET sequence = sequence + 1, load_id = {} \
         WHERE kind = '{FENCE}' AND epoch = {} AND sequence = {}",
        own.state(),
        literal(load_id),
        fence.epoch,
        fence.sequence
    );
    match session.run(&claim, "claiming the next load").await? {
        1 => Ok(()),
        _ => Err(fenced(&fence.connection)),
    }
}

/// Whether someone else has opened the connection since.
pub(crate) async fn is_taken(session: &mut Session, own: &Own, fence: &Fence) -> Result<bool> {
    let sql = format!(
        "SELECT 1 FROM {} WHERE kind = '{FENCE}' AND epoch > {}",
        own.state(),
        fence.epoch
    );
    Ok(!session.ask(&sql, "looking who writes").await?.is_empty())
}

/// The error of a load whose connection someone else has taken over.
pub(crate) fn fenced(of: &ConnectionName) -> Error {
    Error::new(
        ErrorKind::Fenced,
        format!("another run of the connection `{of}` has taken over; this one wrote nothing"),
    )
    .fix("Let one process at a time run a connection.")
}

/// Reads the connection's state without changing anything; `None` where it was never opened.
pub(crate) async fn peek(session: &mut Session, own: &Own) -> Result<Option<Stored>> {
    if !own.exists(session).await? {
        return Ok(None);
    }
    refuse_newer_format(session, own).await?;
    read(session, own).await
}

/// Fails where a newer version wrote the state.
pub(crate) async fn refuse_newer_format(session: &mut Session, own: &Own) -> Result<()> {
    let sql = format!(
        "SELECT format, written_by FROM {} WHERE kind = '{FENCE}' AND format > {FORMAT}",
        own.state()
    );
    let rows = session.ask(&sql, "reading the state's format").await?;
    let Some(row) = rows.first() else {
        return Ok(());
    };
    let writer = row.optional(1)?.unwrap_or("a newer version");
    Err(Error::new(
        ErrorKind::Incompatible,
        format!(
            "the state in this warehouse has format {}, written by Tributary {writer}; \
             this is version {} and knows format {FORMAT}",
            row.number(0)?,
            env!("CARGO_PKG_VERSION")
        ),
    )
    .fix(format!(
        "Use Tributary {writer} or newer; nothing was changed."
    )))
}

/// Reads the connection's state; `None` where it was never opened.
pub(crate) async fn read(session: &mut Session, own: &Own) -> Result<Option<Stored>> {
    let sql = format!(
        "SELECT epoch, sequence, load_id FROM {} WHERE kind = '{FENCE}'",
        own.state()
    );
    let fences = session.ask(&sql, "reading the state").await?;
    let Some(fence) = fences.first() else {
        return Ok(None);
    };
    let mut state = State {
        epoch: fence.number(0)?,
        ..State::default()
    };
    for ((kind, stream), content) in contents(session, own).await? {
        match kind.as_str() {
            SHARED => state.shared = cursor(&content)?,
            CURSOR => {
                let cursor = cursor(&content)?;
                state
                    .streams
                    .extend(cursor.map(|cursor| (StreamName::from(stream), cursor)));
            }
            // What can't be read is not remembered: nothing depends on it but names of later columns.
            TABLE => {
                let known = serde_json::from_str(&content).ok().and_then(remembered);
                state
                    .tables
                    .extend(known.map(|known| (StreamName::from(stream), known)));
            }
            _ => {}
        }
    }
    Ok(Some(Stored {
        state,
        sequence: fence.number(1)?,
        last_load: fence.optional(2)?.map(str::to_owned),
    }))
}

async fn contents(session: &mut Session, own: &Own) -> Result<Contents> {
    let sql = format!(
        "SELECT kind, stream, content FROM {} WHERE kind <> '{FENCE}' ORDER BY kind, stream, part",
        own.state()
    );
    let mut contents = Contents::new();
    for row in session.ask(&sql, "reading the state").await? {
        let of = (row.text(0)?.to_owned(), row.text(1)?.to_owned());
        let content = contents.entry(of).or_default();
        content.push_str(row.optional(2)?.unwrap_or_default());
    }
    Ok(contents)
}

fn cursor(text: &str) -> Result<Option<Value>> {
    match serde_json::from_str(text) {
        Ok(Value::Null) => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(cause) => Err(Error::new(
            ErrorKind::Incompatible,
            "a cursor in the state of this connection is not JSON",
        )
        .because(cause)
        .fix("Undo what was changed there by hand, or start again with `tributary state reset`.")),
    }
}

fn remembered(value: Value) -> Option<Remembered> {
    let part = |name: &str| value.get(name).cloned().unwrap_or_default();
    Some(Remembered {
        table: serde_json::from_value(part("table")).ok()?,
        names: serde_json::from_value(part("names")).unwrap_or_default(),
        ways: serde_json::from_value(part("ways")).unwrap_or_default(),
    })
}

/// What the table is to hold.
fn wanted(state: &State) -> Contents {
    let mut wanted = Contents::new();
    if let Some(shared) = &state.shared {
        wanted.insert((SHARED.to_owned(), "*".to_owned()), shared.to_string());
    }
    for (stream, cursor) in &state.streams {
        wanted.insert((CURSOR.to_owned(), stream.to_string()), cursor.to_string());
    }
    for (stream, known) in &state.tables {
        let known = json!({"table": known.table, "names": known.names, "ways": known.ways});
        wanted.insert((TABLE.to_owned(), stream.to_string()), known.to_string());
    }
    wanted
}

/// Writes what differs from what is stored; part of the load's transaction. // G1
pub(crate) async fn advance(session: &mut Session, own: &Own, state: &State) -> Result<()> {
    let (wanted, stored) = (wanted(state), contents(session, own).await?);
    let differs = |of: &&(String, String)| wanted.get(*of) != stored.get(*of);
    let keys: BTreeSet<&(String, String)> = wanted.keys().chain(stored.keys()).collect();
    let changed: Vec<&(String, String)> = keys.into_iter().filter(differs).collect();
    delete(session, own, &changed).await?;
    let at = instant(now());
    let mut rows = Vec::new();
    for of in changed {
        let Some(content) = wanted.get(of) else {
            continue;
        };
        for (part, piece) in pieces(content, TEXT_BYTES).into_iter().enumerate() {
            rows.push(values(&[
                literal(&of.1),
                literal(&of.0),
                part.to_string(),
                literal(piece),
                "NULL, NULL, NULL".to_owned(),
                FORMAT.to_string(),
                literal(env!("CARGO_PKG_VERSION")),
                at.clone(),
            ]));
        }
    }
    insert(session, &own.state(), &rows, "writing the state").await
}

async fn delete(session: &mut Session, own: &Own, keys: &[&(String, String)]) -> Result<()> {
    for kind in [SHARED, CURSOR, TABLE] {
        let streams = keys.iter().filter(|(of, _)| of == kind);
        let streams: Vec<&String> = streams.map(|(_, stream)| stream).collect();
        for streams in streams.chunks(ROWS) {
            let gone = format!(
                "DELETE FROM {} WHERE kind = '{kind}' AND stream IN ({})",
                own.state(),
                literals(streams)
            );
            session.run(&gone, "writing the state").await?;
        }
    }
    Ok(())
}

/// Inserts rows, as many at a time as a statement may hold.
pub(crate) async fn insert(
    session: &mut Session,
    table: &str,
    rows: &[String],
    doing: &str,
) -> Result<()> {
    let mut rest = rows;
    while !rest.is_empty() {
        let mut bytes = 0;
        let fits = rest.iter().take(ROWS).take_while(|row| {
            bytes += row.len();
            bytes <= BYTES
        });
        let count = fits.count().max(1);
        let (now, later) = rest.split_at(count);
        let insert = format!("INSERT INTO {table} VALUES {}", now.join(", "));
        session.run(&insert, doing).await?;
        rest = later;
    }
    Ok(())
}
