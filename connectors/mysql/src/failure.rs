//! What a failed call means: who must act, and what helps.
//!
//! Every error of the client library passes through [`classify`], at the place where it occurs.
//! The server's own error stays underneath as the cause, so that [`server_code`] finds it again.

use std::io;

use mysql_async::{DriverError, Error as ClientError, IoError, ServerError};
use tributary_model::{Error, ErrorKind};

mod dump;

/// Turns an error of the client library into ours; `doing` is what was tried, such as `reading
/// shop.orders`.
pub(crate) fn classify(error: ClientError, doing: impl Into<String>) -> Error {
    let classified = match error {
        ClientError::Server(error) => of_server(error),
        ClientError::Io(IoError::Io(error)) => of_io(error),
        ClientError::Io(IoError::Tls(error)) => of_tls(&error.to_string()).because(error),
        ClientError::Driver(error) => of_driver(error),
        ClientError::Url(error) => {
            Error::bug("the client library refused an address").because(error)
        }
        ClientError::Other(error) => away("the connection failed").because(error),
    };
    classified.context(doing)
}

/// The number of the server's error underneath, where there is one.
pub(crate) fn server_code(error: &Error) -> Option<u16> {
    std::error::Error::source(error)?
        .downcast_ref::<ServerError>()
        .map(|error| error.code)
}

/// Whether a table was altered under a consistent read (1412): open the read again.
pub(crate) fn is_definition_changed(error: &Error) -> bool {
    server_code(error) == Some(1412)
}

fn away(what: &str) -> Error {
    Error::new(ErrorKind::Unavailable, what)
}

fn of_server(error: ServerError) -> Error {
    let message = error.message.clone();
    let classified = match error.code {
        1045 | 1698 => access("the server refused the user or its password").fix(
            "Check `user` and `password`, and that the user may log in from this machine: \
             SELECT user, host FROM mysql.user;",
        ),
        1044 | 1142 | 1143 | 1227 | 1370 => missing_grant(&message),
        1130 => access("the server lets nobody log in from this machine")
            .fix("Create the user for this machine's address or for '%', and check the firewall."),
        1129 => away("the server has blocked this machine after too many failed connections").fix(
            "Run FLUSH HOSTS (or TRUNCATE TABLE performance_schema.host_cache) on the server.",
        ),
        1820 | 1862 => access("the user's password has expired")
            .fix("Run ALTER USER … IDENTIFIED BY … with a new password, and configure that."),
        3118 | 4151 => {
            access("the user's account is locked").fix("Run ALTER USER … ACCOUNT UNLOCK.")
        }
        3159 => Error::new(
            ErrorKind::Config,
            "the server accepts encrypted connections only",
        )
        .fix("Set `tls: {mode: required}` or stricter."),
        1049 => Error::new(ErrorKind::Config, "there is no such database")
            .fix("Check `databases`; SHOW DATABASES lists what the user can see."),
        1146 => Error::new(ErrorKind::Incompatible, "there is no such table")
            .fix("Take it out of `select`, or give the user SELECT on it."),
        1040 | 1203 | 1226 => away("the server has no connection left for us")
            .fix("Raise max_connections (or the user's limit), or lower `parallelism`."),
        1236 | 4052 => dump::classify(error.code, &message),
        1412 => away("the table was altered while it was read"),
        1205
        | 1213
        | 1053
        | 1927
        | 1317
        | 3024
        | 1969
        | 1158..=1161
        | 2006
        | 2013
        | 3169
        | 4031 => away("the server ended the statement or the connection"),
        _ => Error::new(ErrorKind::Malformed, "the server refused a statement"),
    };
    classified.because(error)
}

fn access(what: &str) -> Error {
    Error::new(ErrorKind::Access, what)
}

/// 1044, 1142, 1143, 1227, 1370: the message says what is missing, and mostly for whom.
fn missing_grant(message: &str) -> Error {
    let account = account_in(message).unwrap_or_else(|| "'<user>'@'<host>'".to_owned());
    let grant = if message.contains("REPLICATION CLIENT") || message.contains("BINLOG MONITOR") {
        "REPLICATION CLIENT ON *.*"
    } else if message.contains("REPLICATION SLAVE") {
        "REPLICATION SLAVE ON *.*"
    } else {
        "SELECT ON *.*"
    };
    access("the user lacks a privilege").fix(format!(
        "Run on the server: GRANT {grant} TO {account}; \
         (what Tributary needs in all: SELECT, REPLICATION SLAVE, REPLICATION CLIENT)"
    ))
}

/// `… denied to user 'reader'@'%' for table …` holds `'reader'@'%'`.
fn account_in(message: &str) -> Option<String> {
    let from = message.split_once("user '")?.1;
    let (user, rest) = from.split_once("'@'")?;
    let (host, _) = rest.split_once('\'')?;
    Some(format!("'{user}'@'{host}'"))
}

fn of_io(error: io::Error) -> Error {
    use io::ErrorKind as Io;
    let text = error.to_string();
    // A server that dies, or ends a session, takes no leave of the encryption: nothing is wrong with it.
    if error.kind() == Io::UnexpectedEof || text.contains("close_notify") {
        let broke = away("the server ended the connection").because(error);
        return match text.contains("handshake") {
            true => broke.fix(TLS_VERSIONS),
            false => broke,
        };
    }
    if text.contains("certificate") || text.contains("TLS") || text.contains("fatal alert") {
        return of_tls(&text).because(error);
    }
    let (what, fix) = match error.kind() {
        Io::ConnectionRefused => (
            "nothing listens at this address",
            "Check `host` and `port`, that the server runs, and its bind_address.",
        ),
        Io::TimedOut | Io::HostUnreachable | Io::NetworkUnreachable => (
            "the server can't be reached",
            "Check `host` and `port`, and the firewall or security group between here and there.",
        ),
        Io::NotFound => (
            "the server's socket is not there",
            "Check `socket`, and that the server runs: SELECT @@socket;",
        ),
        Io::PermissionDenied => (
            "the server's socket may not be opened",
            "Give this user of the operating system the right to open the file.",
        ),
        _ if text.contains("resolve") || text.contains("lookup") || text.contains("not known") => (
            "the host's name can't be resolved",
            "Check `host` for typing errors, and the name server of this machine.",
        ),
        _ => return away("the connection to the server broke").because(error),
    };
    away(what).fix(fix).because(error)
}

fn of_tls(text: &str) -> Error {
    let config = |what: &str, fix: &str| Error::new(ErrorKind::Config, what).fix(fix);
    if text.contains("not valid for any names") {
        return config(
            "the server's certificate holds no name (subjectAltName) to verify",
            "Give the server a certificate with its name in subjectAltName (those that MySQL makes \
             for itself have none), or set `tls: {mode: verify_ca}` to verify its authority alone.",
        );
    }
    if text.contains("not valid for name") || text.contains("NotValidForName") {
        return config(
            "the server's certificate is for another name",
            "Use the name in the certificate as `host`, or set `tls: {mode: verify_ca}`.",
        );
    }
    if text.contains("UnknownIssuer") || text.contains("CaUsedAsEndEntity") {
        return config(
            "the server's certificate comes from an authority that is not trusted",
            "Set `tls.ca_file` to the authority's certificate (RDS, Cloud SQL and Azure publish \
             theirs; of a MySQL of your own it is ca.pem in its data folder), or set \
             `tls: {mode: required}` to encrypt without verifying.",
        );
    }
    if text.contains("expired") || text.contains("Expired") || text.contains("NotValidYet") {
        return config(
            "the server's certificate is not valid at this time",
            "Renew the certificate on the server, and check the clock of this machine.",
        );
    }
    if text.contains("certificate") || text.contains("pem") || text.contains("PEM") {
        return config(
            "the certificates can't be used",
            "Check that `tls.ca_file` holds the authority's certificate as PEM, and that the \
             server has sent a certificate of version 3; `tls: {mode: required}` encrypts without \
             verifying.",
        );
    }
    config("encryption could not be agreed on", TLS_VERSIONS)
}

const TLS_VERSIONS: &str =
    "The server must offer TLS 1.2 or 1.3: SHOW VARIABLES LIKE 'tls_version';";

fn of_driver(error: DriverError) -> Error {
    let classified = match &error {
        DriverError::ConnectionClosed => away("the server closed the connection"),
        DriverError::NoClientSslFlagFromServer => {
            Error::new(ErrorKind::Config, "the server offers no encryption").fix(
                "Set ssl_cert and ssl_key on the server, or accept an unencrypted connection \
                 with `tls: {mode: disabled}`.",
            )
        }
        DriverError::UnknownAuthPlugin { .. }
        | DriverError::CleartextPluginDisabled
        | DriverError::MysqlOldPasswordDisabled => {
            access("the user logs in by a method that is not supported").fix(
                "Give the user caching_sha2_password, mysql_native_password or ed25519: \
                 ALTER USER … IDENTIFIED WITH caching_sha2_password BY '…';",
            )
        }
        DriverError::CantParseServerVersion { .. } => Error::new(
            ErrorKind::Incompatible,
            "this is not a MySQL server that is known",
        ),
        DriverError::PacketOutOfOrder
        | DriverError::UnexpectedPacket { .. }
        | DriverError::PacketTooLarge
        | DriverError::BadCompressedPacketHeader
        | DriverError::InvalidParsecSalt => Error::new(
            ErrorKind::Malformed,
            "the server sent what the protocol does not know",
        ),
        DriverError::FromValue { .. } | DriverError::FromRow { .. } => Error::new(
            ErrorKind::Malformed,
            "the server sent a value of another type than asked for",
        ),
        DriverError::Params(_)
        | DriverError::MixedParams
        | DriverError::NestedTransaction
        | DriverError::PoolDisconnected
        | DriverError::ReadOnlyTransNotSupported
        | DriverError::StmtParamsMismatch { .. }
        | DriverError::StmtParamsNumberExceedsLimit { .. }
        | DriverError::NamedPipesDisabled
        | DriverError::LocalInfile(_)
        | DriverError::NoKeyFound
        | DriverError::BulkExecute(_) => Error::bug("the client library was used wrongly"),
    };
    // A cause that shows a packet or a row could show data: only these texts are harmless.
    match error {
        DriverError::FromRow { .. } | DriverError::FromValue { .. } => classified,
        error => classified.because(error),
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
