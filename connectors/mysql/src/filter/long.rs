//! Questions about texts that are too long for one statement.
//!
//! A server takes no statement longer than its `max_allowed_packet`, and a text is twice as long when
//! it is written as a constant. A longer one is laid down in a variable of the session, piece by
//! piece, and asked about by its name. What is longer than `max_allowed_packet` itself no function of
//! the server can hold: its stream stops.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use tributary_model::{Error, ErrorKind, Result};

use super::answers::hex;
use super::judge::Truth;
use crate::failure::classify;

/// The variable, in our own session.
const NAME: &str = "@tributary_text";
/// Bytes of a text that one statement lays down. // G6
const PIECE: usize = 4 << 20;

/// The longest statement that the server takes from this session, bytes.
pub(super) async fn packet(conn: &mut Conn) -> Result<usize> {
    let row = first(conn, "SELECT @@SESSION.max_allowed_packet".to_owned()).await?;
    let bytes: Option<u64> = row.get_opt(0).and_then(std::result::Result::ok);
    let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok());
    bytes.ok_or_else(|| Error::bug("max_allowed_packet is no number"))
}

/// How long a statement of ours may be where a packet may have so many bytes.
pub(super) fn room(packet: usize) -> usize {
    packet / 4 * 3
}

/// Asks about a text; `about` writes the question about bytes of a name.
pub(super) async fn ask(
    text: &[u8],
    packet: usize,
    conn: &mut Conn,
    about: impl Fn(&str) -> String,
) -> Result<Truth> {
    if text.len() > packet {
        return Err(too_long(text.len(), packet));
    }
    let piece = (room(packet) / 4).clamp(1, PIECE);
    let mut is_first = true;
    for bytes in text.chunks(piece) {
        let bytes = hex(bytes);
        let sql = match std::mem::take(&mut is_first) {
            true => format!("SET {NAME} = {bytes}"),
            false => format!("SET {NAME} = CONCAT({NAME}, {bytes})"),
        };
        run(conn, sql).await?;
    }
    // A text that a function could not hold is NULL from there on.
    let sql = format!("SELECT LENGTH({NAME}), {}", about(NAME));
    let row = first(conn, sql).await?;
    run(conn, format!("SET {NAME} = NULL")).await?;
    let length: Option<u64> = row.get_opt(0).and_then(std::result::Result::ok).flatten();
    if length != Some(text.len() as u64) {
        return Err(too_long(text.len(), packet));
    }
    Ok(truth(&row, 1))
}

/// The only row of an answer.
pub(super) async fn first(conn: &mut Conn, sql: String) -> Result<Row> {
    let row = conn
        .query_first(sql)
        .await
        .map_err(|error| classify(error, DOING))?;
    row.ok_or_else(|| Error::bug("a comparison of texts had no answer"))
}

async fn run(conn: &mut Conn, sql: String) -> Result<()> {
    let run = conn.query_drop(sql).await;
    run.map_err(|error| classify(error, DOING))
}

/// What a column of the answer says.
pub(super) fn truth(row: &Row, index: usize) -> Truth {
    let is: Option<i64> = row
        .get_opt(index)
        .and_then(std::result::Result::ok)
        .flatten();
    is.map_or(Truth::Unknown, |is| Truth::from(is != 0))
}

const DOING: &str = "comparing texts for `where`";

fn too_long(bytes: usize, packet: usize) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!("a text of {bytes} bytes can't be compared for `where`"),
    )
    .because(format!(
        "the server compares texts of {packet} bytes at most (max_allowed_packet)"
    ))
    .fix(
        "Raise max_allowed_packet on the server (SET GLOBAL max_allowed_packet = 1073741824), or take \
         the column out of `where`. The table is copied anew in the next sync.",
    )
}
