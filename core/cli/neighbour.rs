//! The daemon that runs beside this command and may hold a file that the command wants to read.
//!
//! A DuckDB file is open in one process at a time. While the daemon has it, commands that only look
//! ask the daemon, at the address and with the token that the configuration says.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tributary_config::{ConnectionPlan, Plan};
use tributary_model::{Answer, Error, ErrorKind, Place};

use crate::registry;

/// The longest that an answer may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The largest answer, bytes. // G6
const LARGEST: u64 = 256 << 20;

/// What the daemon says of a connection; `None` where no daemon can be asked.
pub(crate) async fn connection(plan: &Plan, name: &str) -> Option<Value> {
    let path = format!("/api/v1/connections/{name}");
    let (status, body) = ask(plan, "GET", &path, None).await?;
    (status == 200).then_some(body)
}

/// The daemon's answer to a question that `held`, the error of asking directly, kept from an answer.
pub(crate) async fn query(
    plan: &Plan,
    name: &str,
    sql: &str,
    held: Error,
) -> Result<Answer, Error> {
    if held.kind() != ErrorKind::Unavailable {
        return Err(held);
    }
    let path = format!("/api/v1/destinations/{name}/query");
    let Some((status, body)) = ask(plan, "POST", &path, Some(&json!({ "sql": sql }))).await else {
        return Err(held);
    };
    if status == 200 {
        return serde_json::from_value(body)
            .map_err(|why| Error::bug("the daemon's answer can't be read").because(why));
    }
    if matches!(status, 401 | 403) {
        return Err(held.fix(
            "The daemon holds it: set `daemon.token`, and questions go through the daemon. Or pause \
             the connection, or end the daemon.",
        ));
    }
    let text = |key: &str| body["error"][key].as_str().map(ToOwned::to_owned);
    let error = Error::new(ErrorKind::Config, text("what").unwrap_or_default());
    let error = match text("why") {
        Some(why) => error.because(why),
        None => error,
    };
    Err(error.fix(text("fix").unwrap_or_default()))
}

/// Says who has the file that a connection is written to and a command could not open, where that is
/// the daemon: it never ends by itself, so to wait for it would be in vain.
pub(crate) async fn tell(plan: &Plan, of: &ConnectionPlan, kind: ErrorKind, message: &str) {
    let is_about = |file: &str| kind == ErrorKind::Unavailable && message.contains(file);
    if !file_of(plan, of).is_some_and(|file| is_about(&file)) {
        return;
    }
    let name = of.options.name.as_str();
    if connection(plan, name).await.is_some() {
        tracing::warn!(
            "the daemon at http://{address} keeps connection {name} and may have the file open. It runs \
             what is asked of it: curl -X POST -H \"Authorization: Bearer $TOKEN\" \
             http://{address}/api/v1/connections/{name}/sync. For anything else pause the connection there, \
             or end the daemon.",
            address = plan.daemon.listen
        );
    }
}

/// The name of the file in which a connection's destination keeps everything, where it is one.
fn file_of(plan: &Plan, of: &ConnectionPlan) -> Option<String> {
    let end = plan.destinations.get(&of.destination)?;
    let kinds = registry::kinds().destinations;
    let kind = kinds.iter().find(|kind| kind.name == end.kind)?;
    match kind.place(&end.settings)? {
        Place::File(path) => Some(path.file_name()?.to_string_lossy().into_owned()),
        Place::Folder(_) => None,
    }
}

/// One request; `None` where nobody answers, or nobody who speaks our language.
async fn ask(plan: &Plan, method: &str, path: &str, body: Option<&Value>) -> Option<(u16, Value)> {
    let asking = exchange(plan, method, path, body);
    let answer = tokio::time::timeout(PATIENCE, asking).await.ok()?.ok()?;
    let head = answer.split(|byte| *byte == b'\n').next()?;
    let status = String::from_utf8_lossy(head);
    let status = status.split_whitespace().nth(1)?.parse().ok()?;
    let begin = answer.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let body = serde_json::from_slice(&answer[begin..]).ok()?;
    Some((status, body))
}

async fn exchange(
    plan: &Plan,
    method: &str,
    path: &str,
    body: Option<&Value>,
) -> std::io::Result<Vec<u8>> {
    let address = plan.daemon.listen;
    let mut stream = TcpStream::connect(address).await?;
    let body = body.map(Value::to_string).unwrap_or_default();
    // G8: the token goes to the address that the configuration names, and nowhere else.
    let token = plan.daemon.token.as_ref();
    let shown = token
        .filter(|_| method == "POST")
        .map(|token| format!("authorization: Bearer {}\r\n", token.expose()));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{}content-length: \
         {}\r\n\r\n{body}",
        shown.unwrap_or_default(),
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(LARGEST).read_to_end(&mut answer).await?;
    Ok(answer)
}
