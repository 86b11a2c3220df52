//! Why a server ends or refuses to send its log: error 1236, told apart by its text.

use tributary_model::{Error, ErrorKind};

/// What a text of error 1236 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// What comes next was deleted from the log.
    Purged,
    /// The server lacks what was read from it before: restored, or another server.
    Replaced,
    /// The place is behind the end of the file: the log was made anew.
    Recreated,
    /// The place is inside an event, or the file is damaged.
    Damaged,
    /// Another replica logged in with the same id.
    SameId,
    /// The log is off.
    Off,
    /// Something else.
    Other,
}

/// MySQL's and MariaDB's wordings of all ages; the first that occurs counts.
const TEXTS: [(&str, Reason); 17] = [
    ("same server_uuid/server_id", Reason::SameId),
    ("same server_uuid", Reason::SameId),
    ("same server_id", Reason::SameId),
    ("same `server_id`", Reason::SameId),
    ("Could not find first log file name", Reason::Purged),
    ("purged required binary logs", Reason::Purged),
    ("purged binary logs containing GTIDs", Reason::Purged),
    ("Could not find GTID state requested", Reason::Purged),
    ("has been purged", Reason::Purged),
    ("more GTIDs than the", Reason::Replaced),
    ("which is not in the master's binlog", Reason::Replaced),
    ("position > file size", Reason::Recreated),
    ("impossible position", Reason::Recreated),
    ("exceeded max_allowed_packet", Reason::Damaged),
    ("truncated in the middle of event", Reason::Damaged),
    ("bogus data in log event", Reason::Damaged),
    ("Binary log is not open", Reason::Off),
];

fn reason(code: u16, message: &str) -> Reason {
    if code == 4052 {
        return Reason::SameId;
    }
    TEXTS
        .iter()
        .find(|(text, _)| message.contains(text))
        .map_or(Reason::Other, |&(_, reason)| reason)
}

/// The choices where changes are lost for good.
const CHOICES: &str = "Changes between the last one read and now can't be recovered from the log. \
     Choose: `tributary sync CONNECTION --full-refresh` reads the tables again; \
     `snapshot: when_needed` makes that happen by itself from now on; \
     to go on without them, `tributary state reset CONNECTION` with `snapshot: no_data`.";

/// The choice where the log is not the one that we have read: somebody must look first.
const OTHER_LOG: &str = "Check that `host` is the right server. If it is, \
     `tributary sync CONNECTION --full-refresh` reads the tables again.";

/// Error 1236 (and MariaDB's 4052) as ours.
pub(super) fn classify(code: u16, message: &str) -> Error {
    match reason(code, message) {
        Reason::Purged => Error::new(
            ErrorKind::Expired,
            "the server no longer has the log from where we stopped",
        )
        .fix(format!(
            "{CHOICES} To keep it from happening again, let the server keep its log longer: \
             SET GLOBAL binlog_expire_logs_seconds = 604800 (RDS and Aurora: \
             CALL mysql.rds_set_configuration('binlog retention hours', 168);)."
        )),
        Reason::Replaced => Error::new(
            ErrorKind::Incompatible,
            "the server lacks transactions that we have read from it: it was restored, or is another one",
        )
        .fix(OTHER_LOG),
        Reason::Recreated => Error::new(
            ErrorKind::Incompatible,
            "the server's log ends before the place where we stopped: it was made anew",
        )
        .fix(OTHER_LOG),
        Reason::Damaged => Error::new(
            ErrorKind::Malformed,
            "the server can't read an event of its log where we stopped",
        )
        .fix(
            "Look for damage with mysqlbinlog --verify-binlog-checksum on the server. If the log \
             is sound, this is a mistake in Tributary; please report it with this line.",
        ),
        Reason::SameId => Error::new(
            ErrorKind::Unavailable,
            "another replica reads the log with the same server_id",
        )
        .fix("Give each its own `server_id`, or take the line out to get a random one."),
        Reason::Off => Error::new(ErrorKind::Config, "the server writes no binary log")
            .fix("Set log_bin on the server and restart it."),
        Reason::Other => Error::new(ErrorKind::Unavailable, "the server ended its log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_both_flavors_are_told_apart() {
        let cases = [
            (
                "Could not find first log file name in binary log index file",
                Reason::Purged,
            ),
            (
                "Cannot replicate because the source purged required binary logs. Replicate the \
                 missing transactions from elsewhere",
                Reason::Purged,
            ),
            (
                "The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the \
                 master has purged binary logs containing GTIDs that the slave requires.",
                Reason::Purged,
            ),
            (
                "Could not find GTID state requested by slave in any binlog files. Probably the \
                 slave state is too old and required binlog files have been purged.",
                Reason::Purged,
            ),
            (
                "Replica has more GTIDs than the source has, using the source's SERVER_UUID.",
                Reason::Replaced,
            ),
            (
                "Error: connecting slave requested to start from GTID 0-1-9, which is not in the \
                 master's binlog",
                Reason::Replaced,
            ),
            (
                "Client requested source to start replication from position > file size",
                Reason::Recreated,
            ),
            (
                "Client requested master to start replication from impossible position",
                Reason::Recreated,
            ),
            (
                "binlog truncated in the middle of event; consider out of disk space on source",
                Reason::Damaged,
            ),
            (
                "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master",
                Reason::Damaged,
            ),
            (
                "A replica with the same server_uuid/server_id as this replica has connected to \
                 the source; the first event 'binlog.000003' at 157",
                Reason::SameId,
            ),
            (
                "bogus data in log event; the first event 'binlog.000001' at 130",
                Reason::Damaged,
            ),
            ("Binary log is not open", Reason::Off),
            ("something new", Reason::Other),
        ];
        for (text, expected) in cases {
            assert_eq!(reason(1236, text), expected, "{text}");
        }
        assert_eq!(reason(4052, "anything"), Reason::SameId);
    }

    #[test]
    fn lost_changes_spell_the_choices_out() {
        let error = classify(
            1236,
            "Could not find first log file name in binary log index file",
        );
        assert_eq!(error.kind(), ErrorKind::Expired);
        for choice in [
            "--full-refresh",
            "when_needed",
            "no_data",
            "binlog_expire_logs_seconds",
        ] {
            assert!(error.to_string().contains(choice), "{choice}: {error}");
        }
    }
}
