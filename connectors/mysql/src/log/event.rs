//! One event of the log, told apart by its type; nothing is decoded that is not needed.

use mysql_common::binlog::consts::BinlogChecksumAlg;
use mysql_common::binlog::events::{Event as Raw, EventData, GtidEvent};
use tributary_model::{Error, ErrorKind, Result};

use crate::decode::reader::Reader;
use crate::gtid::{DomainGtid, Source};
use crate::log::rows::inflate;

/// What an event says.
#[derive(Debug)]
pub(crate) enum Event {
    /// The log goes on in another file.
    Rotate {
        /// The file's name, as it came.
        file: Vec<u8>,
        /// Where in it.
        offset: u64,
    },
    /// A transaction begins and has this name.
    Gtid(Source, u64),
    /// A transaction begins and has no name.
    AnonymousGtid,
    /// The same on MariaDB.
    MariaGtid {
        /// Its name.
        gtid: DomainGtid,
        /// Whether one single event follows and no commit.
        standalone: bool,
        /// The two-phase transaction that it prepares, as the server writes it in statements.
        prepares: Option<String>,
    },
    /// A statement.
    Query(Query),
    /// A transaction of a transactional engine ends well.
    Xid,
    /// The first half of a two-phase transaction ends; `true` if it is committed in one phase.
    XaPrepare {
        /// Whether it commits right here.
        one_phase: bool,
    },
    /// The layout of the table that row events with this id refer to.
    TableMap,
    /// Rows.
    Rows,
    /// MariaDB's last transaction of each domain before this place.
    GtidList(Vec<DomainGtid>),
    /// The server is alive and has nothing new.
    Heartbeat,
    /// Nothing of interest.
    Other,
}

/// A statement in the log.
#[derive(Debug)]
pub(crate) struct Query {
    /// The session's default database.
    pub(crate) database: String,
    /// The text; bytes that are not UTF-8 are replaced.
    pub(crate) sql: String,
    /// Whether `"` quotes identifiers.
    pub(crate) ansi_quotes: bool,
    /// Whether a backslash is a character like any other.
    pub(crate) no_backslash_escapes: bool,
}

const SQL_MODE_ANSI_QUOTES: u64 = 4;
const SQL_MODE_NO_BACKSLASH_ESCAPES: u64 = 0x10_0000;
const IGNORABLE: u16 = 0x80;
const ARTIFICIAL: u16 = 0x20;

/// Whether the sender made the event up: it is in no file, and its position means nothing.
pub(crate) fn is_artificial(raw: &Raw) -> bool {
    raw.header().flags_raw() & ARTIFICIAL != 0 || raw.header().log_pos() == 0
}

/// Reads an event. Unknown ones that the server does not mark as ignorable stop the reading:
/// each silent skip in such code has been a data loss somewhere.
pub(crate) fn read(raw: &Raw) -> Result<Event> {
    let code = raw.header().event_type_raw();
    let data = raw.data();
    Ok(match code {
        2 => Event::Query(query(data, data.get(13..).unwrap_or_default())?),
        165 => {
            let text = 13 + query_text_offset(data)?;
            let sql = inflate(data.get(text..).unwrap_or_default())?;
            let mut whole = data.get(13..text).unwrap_or_default().to_vec();
            whole.extend_from_slice(&sql);
            Event::Query(query(data, &whole)?)
        }
        4 => Event::Rotate {
            offset: data
                .first_chunk::<8>()
                .map_or(4, |bytes| u64::from_le_bytes(*bytes)),
            file: data.get(8..).unwrap_or_default().to_vec(),
        },
        16 => Event::Xid,
        19 => Event::TableMap,
        23..=25 | 30..=32 | 39 | 166..=171 => Event::Rows,
        26 => return Err(incident()),
        27 | 41 => Event::Heartbeat,
        33 | 42 => gtid(raw)?,
        34 => Event::AnonymousGtid,
        38 => Event::XaPrepare {
            one_phase: data.first() == Some(&1),
        },
        162 => maria_gtid(raw)?,
        163 => Event::GtidList(gtid_list(data)?),
        // Format, previous GTIDs, stop, ignorable, row queries, variables of
        // statements, payloads (their inner events follow), group replication's own, MariaDB's
        // annotations, checkpoints and encryption start.
        0 | 1 | 3 | 5 | 13..=15 | 28 | 29 | 35..=37 | 40 | 160 | 161 | 164 => Event::Other,
        _ if raw.header().flags_raw() & IGNORABLE != 0 => Event::Other,
        _ => return Err(unknown(code)),
    })
}

/// Compares the event's checksum, where it has one.
pub(crate) fn verify(raw: &Raw) -> Result<()> {
    // Events out of a compressed transaction have none: the one that holds them has.
    if !raw.footer().get_checksum_enabled() {
        return Ok(());
    }
    let Ok(Some(alg)) = raw.footer().get_checksum_alg() else {
        return Ok(());
    };
    let Some(written) = raw.checksum() else {
        return Ok(());
    };
    if alg != BinlogChecksumAlg::BINLOG_CHECKSUM_ALG_CRC32
        || raw.calc_checksum(alg) == u32::from_le_bytes(written)
    {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Malformed,
        "an event of the log does not fit its checksum",
    )
    .fix(
        "If it happens again, the log file is damaged on the server or on the way: \
         `mysqlbinlog --verify-binlog-checksum` tells.",
    ))
}

/// `fixed` is the event's body, `rest` what follows its 13 fixed bytes with the text readable.
fn query(fixed: &[u8], rest: &[u8]) -> Result<Query> {
    let short = || {
        Error::new(
            ErrorKind::Malformed,
            "a statement event of the log is too short",
        )
    };
    let database_len = usize::from(*fixed.get(8).ok_or_else(short)?);
    let status_len = usize::from(u16::from_le_bytes([
        *fixed.get(11).ok_or_else(short)?,
        *fixed.get(12).ok_or_else(short)?,
    ]));
    let status = rest.get(..status_len).ok_or_else(short)?;
    let database = rest
        .get(status_len..status_len + database_len)
        .ok_or_else(short)?;
    let sql = rest
        .get(status_len + database_len + 1..)
        .ok_or_else(short)?;
    let mode = sql_mode(status);
    Ok(Query {
        database: String::from_utf8_lossy(database).into_owned(),
        sql: String::from_utf8_lossy(sql).into_owned(),
        ansi_quotes: mode & SQL_MODE_ANSI_QUOTES != 0,
        no_backslash_escapes: mode & SQL_MODE_NO_BACKSLASH_ESCAPES != 0,
    })
}

fn query_text_offset(data: &[u8]) -> Result<usize> {
    match data {
        [_, _, _, _, _, _, _, _, database, _, _, low, high, ..] => {
            Ok(usize::from(u16::from_le_bytes([*low, *high])) + usize::from(*database) + 1)
        }
        _ => Err(Error::new(
            ErrorKind::Malformed,
            "a statement event of the log is too short",
        )),
    }
}

/// The session's SQL mode: variable 1, which only the four bytes of variable 0 may precede.
fn sql_mode(status: &[u8]) -> u64 {
    let rest = match status {
        [0, _, _, _, _, rest @ ..] => rest,
        rest => rest,
    };
    match rest {
        [1, mode @ ..] => mode
            .first_chunk::<8>()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes)),
        _ => 0,
    }
}

fn gtid(raw: &Raw) -> Result<Event> {
    let broken = || {
        Error::new(
            ErrorKind::Malformed,
            "a GTID event of the log can't be read",
        )
    };
    let Ok(Some(EventData::GtidEvent(event))) = raw.read_data() else {
        return Err(broken());
    };
    let event: GtidEvent = event;
    let tag = event.tag().map(|tag| tag.to_string());
    Ok(Event::Gtid(
        Source {
            uuid: event.sid(),
            tag,
        },
        event.gno(),
    ))
}

fn maria_gtid(raw: &Raw) -> Result<Event> {
    const STANDALONE: u8 = 1;
    const GROUP_COMMIT: u8 = 2;
    const PREPARED_XA: u8 = 64;
    let data = raw.data();
    let (Some(sequence), Some(domain), Some(flags)) = (
        data.first_chunk::<8>(),
        data.get(8..12).and_then(|bytes| bytes.first_chunk::<4>()),
        data.get(12),
    ) else {
        return Err(Error::new(
            ErrorKind::Malformed,
            "a GTID event of the log is too short",
        ));
    };
    let gtid = DomainGtid {
        domain: u32::from_le_bytes(*domain),
        server: raw.header().server_id(),
        sequence: u64::from_le_bytes(*sequence),
    };
    Ok(Event::MariaGtid {
        gtid,
        standalone: flags & STANDALONE != 0,
        prepares: match flags & PREPARED_XA {
            0 => None,
            _ => Some(xid(data, flags & GROUP_COMMIT != 0)?),
        },
    })
}

/// A count, whose upper four bits are flags, and so many names; of one domain the last counts.
fn gtid_list(data: &[u8]) -> Result<Vec<DomainGtid>> {
    let mut rest = Reader::new(data);
    let count = rest.little(4)? & 0x0FFF_FFFF;
    let mut list = Vec::new();
    for _ in 0..count {
        list.push(DomainGtid {
            domain: rest.little(4)? as u32,
            server: rest.little(4)? as u32,
            sequence: rest.little(8)?,
        });
    }
    Ok(list)
}

/// The name of a two-phase transaction in a GTID event of MariaDB, behind the number of its group
/// commit, where it has one: a format, two lengths, and what they measure.
fn xid(data: &[u8], has_group: bool) -> Result<String> {
    let mut rest = Reader::new(data);
    rest.take(if has_group { 13 + 8 } else { 13 })?;
    let format = (rest.little(4)? as u32).cast_signed();
    let lengths = (usize::from(rest.byte()?), usize::from(rest.byte()?));
    let hex = |bytes: &[u8]| {
        let digits = bytes.iter().map(|byte| format!("{byte:02X}"));
        digits.collect::<String>()
    };
    let (global, branch) = (hex(rest.take(lengths.0)?), hex(rest.take(lengths.1)?));
    Ok(format!("X'{global}',X'{branch}',{format}"))
}

fn incident() -> Error {
    Error::new(
        ErrorKind::Expired,
        "the server noted in its log that it lost events there (an incident event)",
    )
    .fix("Changes may be missing from the log: read the tables anew with `--full-refresh`.")
}

fn unknown(code: u8) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("the log holds an event of type {code}, which this version does not know"),
    )
    .fix("Skipping it could lose rows. Please report the server's version and this number.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_two_phase_transaction_is_named_as_in_its_commit() {
        // `XA START 'aB','br',7` of MariaDB 10.11, without and with the number of a group commit.
        let name = [7, 0, 0, 0, 2, 2, b'a', b'B', b'b', b'r'];
        let alone = [&[0; 13][..], &name].concat();
        let in_group = [&[0; 21][..], &name].concat();
        assert_eq!(xid(&alone, false).unwrap(), "X'6142',X'6272',7");
        assert_eq!(xid(&in_group, true).unwrap(), "X'6142',X'6272',7");
        assert!(xid(&alone[..20], false).is_err());
    }
}
