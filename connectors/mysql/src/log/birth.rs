//! When a file of the log was begun: tells a log from another one with the same names.
//!
//! After `RESET BINARY LOGS AND GTIDS`, or on a server restored from a backup, files have the names
//! that they had before and transactions the same numbers, with other contents. Each file begins
//! with the second in which it was made, and the cursor keeps it.

use std::time::Duration;

use chrono::DateTime;
use futures::StreamExt;
use mysql_async::BinlogStreamRequest;
use tributary_model::{Error, ErrorKind, Result};

use crate::failure::classify;
use crate::session;
use crate::settings::{Settings, random_server_id};

/// A file and when it was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    /// Its name.
    pub(crate) file: String,
    /// Seconds since 1970.
    pub(crate) at: u32,
}

/// The event at the beginning of each file.
const FORMAT: u8 = 15;
/// The server sends the beginning of a file at once.
const PATIENCE: Duration = Duration::from_secs(60);

impl Birth {
    /// Whether a file of this name that was begun then is the one that is meant.
    ///
    /// # Errors
    /// [`ErrorKind::Incompatible`] where it is another one.
    pub(crate) fn compare(&self, born: u32) -> Result<()> {
        if born == self.at {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "the server's log is not the one read before: its {} was begun at {}, ours at {}",
                self.file,
                moment(born),
                moment(self.at)
            ),
        )
        .because("it was reset, or the server was restored or replaced; what it holds may be other rows under the same numbers")
        .fix(crate::start::START_OVER))
    }

    /// Asks the server for the beginning of the file.
    ///
    /// # Errors
    /// As for [`Self::compare`]; or why the server could not be asked.
    pub(crate) async fn prove(&self, settings: &Settings) -> Result<()> {
        let conn = session::open(settings).await?;
        // An id of its own: the one of the reading is at work.
        let request = BinlogStreamRequest::new(random_server_id())
            .with_filename(self.file.as_bytes())
            .with_pos(4)
            .with_non_blocking();
        let looking = async {
            let mut stream = conn.get_binlog_stream(request).await?;
            let mut born = None;
            while let (None, Some(event)) = (born, stream.next().await) {
                let event = event?;
                let is_format = event.header().event_type_raw() == FORMAT;
                born = is_format.then(|| event.header().timestamp());
            }
            stream.close().await?;
            Ok::<_, mysql_async::Error>(born)
        };
        let late = |_| {
            Error::new(
                ErrorKind::Unavailable,
                "the server did not send the beginning of a file of its log",
            )
        };
        let born = tokio::time::timeout(PATIENCE, looking)
            .await
            .map_err(late)?
            .map_err(|error| classify(error, "looking at the beginning of a file of the log"))?;
        born.map_or(Ok(()), |born| self.compare(born))
    }
}

fn moment(seconds: u32) -> String {
    DateTime::from_timestamp(i64::from(seconds), 0).map_or_else(
        || seconds.to_string(),
        |at| at.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn another_birthday_is_another_log() {
        let birth = Birth {
            file: "binlog.000001".to_owned(),
            at: 1_700_000_000,
        };
        assert!(birth.compare(1_700_000_000).is_ok());
        let error = birth.compare(1_700_000_001).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Incompatible);
        assert!(error.what().contains("2023-11-14 22:13:21 UTC"), "{error}");
    }
}
