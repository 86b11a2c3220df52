//! Opens the log at its end for a moment: the only proof that we may read it.

use std::time::Duration;

use futures::StreamExt;
use mysql_async::BinlogStreamRequest;
use tributary_model::{ErrorKind, Report, Result};

use super::or_end;
use crate::failure::classify;
use crate::server::{Server, Status};
use crate::session;
use crate::settings::{Settings, random_server_id};

const NAME: &str = "reading the log";
/// The server sends the log's header at once.
const PATIENCE: Duration = Duration::from_secs(10);

/// Notes whether the log can be read.
///
/// Under an id of its own: the configured one may be at work in a sync, which would be thrown out.
pub(super) async fn check(
    settings: &Settings,
    server: &Server,
    status: &Status,
    report: &mut Report,
) -> Result<()> {
    let conn = session::open(settings).await?;
    let request = BinlogStreamRequest::new(random_server_id())
        .with_filename(status.position.file.as_bytes())
        .with_pos(status.position.offset)
        .with_non_blocking();
    let doing = "opening the binary log";
    let opened = async {
        let mut stream = conn.get_binlog_stream(request).await?;
        let first = stream.next().await.transpose()?;
        stream.close().await?;
        Ok::<_, mysql_async::Error>(first.is_some())
    };
    match tokio::time::timeout(PATIENCE, opened).await {
        Ok(Ok(true)) => report.pass(NAME, format!("opened at {}", status.position)),
        Ok(Ok(false)) | Err(_) => report.fail(
            NAME,
            "the server accepted the request for its log and sent nothing",
            "Look into the server's error log; a proxy between here and there may not pass \
             replication on.",
        ),
        Ok(Err(error)) => {
            let error = classify(error, doing);
            match error.kind() {
                // The server calls it a refused login; but we are logged in already.
                ErrorKind::Access => report.fail(
                    NAME,
                    format!(
                        "the user may not read the log ({})",
                        error.why().unwrap_or_default()
                    ),
                    format!("Run on the server: {}", server.replica_grant()),
                ),
                _ => or_end(error, report, NAME)?,
            }
        }
    }
    Ok(())
}
