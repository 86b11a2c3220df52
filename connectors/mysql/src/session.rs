//! Opens connections on which every value means the same, whatever the server's defaults.
//!
//! Invariant: a connection from here is encrypted as the settings ask, in UTC and utf8mb4, without
//! SQL modes, read-only, and its server is one that we know. Deliberately absent: a pool. Each user
//! of a connection holds it for long and ends it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, DriverError, Error as ClientError, OptsBuilder, SslOpts};
use tributary_model::{Error, ErrorKind, Result};

use crate::failure::{classify, server_code};
use crate::server;
use crate::settings::{Endpoint, Settings, Tls};

mod bridge;
mod tls;

/// A server that does not answer within this time is away.
pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// An idle connection asks after the other side this often.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(30);
/// The largest packet that we take, the protocol's limit: one row may be that long.
pub(crate) const MAX_PACKET: usize = 1 << 30;
/// How long the server keeps an idle connection, seconds.
const WAIT_TIMEOUT: usize = 28_800;
/// Statements prepared at the same time: some for each table.
const STATEMENTS: usize = 256;

/// What makes all sessions alike.
///
/// Comments for one flavor or version hide a variable from those that don't know it: MariaDB skips
/// `/*!50700` to `/*!99999`, MySQL skips `/*M!`.
pub(crate) const SESSION: [&str; 3] = [
    "SET NAMES utf8mb4",
    "SET SESSION time_zone = '+00:00', sql_mode = '', net_write_timeout = 3600, \
     net_read_timeout = 3600, wait_timeout = 28800, lock_wait_timeout = 30 \
     /*M!100100 , max_statement_time = 0 */ /*!50708 , max_execution_time = 0 */ \
     /*!80003 , information_schema_stats_expiry = 0 */ \
     /*!80030 , show_gipk_in_create_table_and_information_schema = ON */",
    "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
];

/// Opens a connection.
///
/// # Errors
/// [`ErrorKind::Access`] for a refused login, [`ErrorKind::Config`] for what the settings can't
/// reach (encryption, another product), [`ErrorKind::Unavailable`] for a server that is away.
pub(crate) async fn open(settings: &Settings) -> Result<Conn> {
    let mut conn = connect(settings).await?;
    match prepare(&mut conn).await {
        Ok(()) => Ok(conn),
        // Products that only speak MySQL's protocol may refuse the variables.
        Err(error) => match server::unsupported_product(&mut conn).await {
            Some(refusal) => Err(refusal),
            None => Err(error),
        },
    }
}

/// `connecting to db.internal:3306 as reader`.
fn doing(settings: &Settings) -> String {
    format!("connecting to {} as {}", settings.endpoint, settings.user)
}

async fn prepare(conn: &mut Conn) -> Result<()> {
    for statement in SESSION {
        conn.query_drop(statement)
            .await
            .map_err(|error| classify(error, "preparing the session"))?;
    }
    Ok(())
}

async fn connect(settings: &Settings) -> Result<Conn> {
    let local_socket = matches!(settings.endpoint, Endpoint::Socket(_));
    let encrypt = match &settings.tls {
        // Nothing leaves the machine through a socket.
        _ if local_socket => None,
        Tls::Disabled => None,
        Tls::Preferred if settings.offers_no_tls.load(Ordering::Relaxed) => None,
        Tls::Preferred | Tls::Required | Tls::VerifyCa(_) | Tls::VerifyIdentity(_) => {
            Some(tls::options(&settings.tls).await?)
        }
    };
    let verifies_chain_only = matches!(settings.tls, Tls::VerifyCa(_));
    if verifies_chain_only && settings.has_another_name.load(Ordering::Relaxed) {
        let bridged = bridged(settings).await;
        return bridged.map_err(|refused| refused.explain(settings));
    }
    match attempt(settings, encrypt).await {
        Err(Refused::Client(ClientError::Driver(DriverError::NoClientSslFlagFromServer)))
            if settings.tls == Tls::Preferred =>
        {
            settings.offers_no_tls.store(true, Ordering::Relaxed);
            attempt(settings, None)
                .await
                .map_err(|refused| refused.explain(settings))
        }
        // The chain has been verified by the time a name is compared, and is again by us.
        Err(refused) if verifies_chain_only && refused.text().contains("not valid for") => {
            settings.has_another_name.store(true, Ordering::Relaxed);
            bridged(settings)
                .await
                .map_err(|refused| refused.explain(settings))
        }
        outcome => outcome.map_err(|refused| refused.explain(settings)),
    }
}

/// Why there is no connection.
pub(crate) enum Refused {
    /// Nothing came in time.
    Late,
    /// An error did.
    Client(ClientError),
}

impl Refused {
    fn text(&self) -> String {
        match self {
            Self::Late => String::new(),
            Self::Client(error) => error.to_string(),
        }
    }

    /// Whether the server did not believe the password.
    fn is_a_denial(&self) -> bool {
        const DENIED: u16 = 1045;
        matches!(self, Self::Client(ClientError::Server(error)) if error.code == DENIED)
    }

    /// What to tell after a second try: what the server said last. That our own means fail on this
    /// machine would hide that it has refused us.
    fn or(self, second: Self) -> Self {
        match second {
            Self::Client(ClientError::Server(_)) => second,
            Self::Client(_) | Self::Late => self,
        }
    }

    /// The error with what helps.
    pub(crate) fn explain(self, settings: &Settings) -> Error {
        match self {
            Self::Late => Error::new(
                ErrorKind::Unavailable,
                format!("no answer within {} seconds", CONNECT_TIMEOUT.as_secs()),
            )
            .fix("Check `host` and `port`, and the firewall or security group between here and there.")
            .context(doing(settings)),
            Self::Client(error) => {
                let error = classify(error, doing(settings));
                match server_code(&error) {
                    Some(1045 | 1698) => error.fix(login_fix(settings)),
                    _ => error,
                }
            }
        }
    }
}

fn login_fix(settings: &Settings) -> String {
    let given = match settings.password {
        Some(_) => "Check `user` and `password`",
        None => "Check `user`; no `password` is configured",
    };
    format!(
        "{given}. On the server: SELECT user, host FROM mysql.user WHERE user = '{user}'; and, if \
         need be, ALTER USER '{user}'@'%' IDENTIFIED BY '…';",
        user = settings.user
    )
}

/// Logs in. A refusal is believed the second time: of a server's 32 random bytes the library leaves out a
/// zero at the end, so with `ed25519` it signs the wrong thing once in 256 logins. We do not. (Nothing
/// tells before which way the user logs in; and a login that we gave up half way would count against our
/// machine, where a refused one does not.)
async fn attempt(settings: &Settings, encrypt: Option<SslOpts>) -> Result<Conn, Refused> {
    match log_in(settings, encrypt).await {
        Err(refused) if refused.is_a_denial() => {
            bridged(settings).await.map_err(|second| refused.or(second))
        }
        outcome => outcome,
    }
}

/// Logs in by our own means, for the library.
async fn bridged(settings: &Settings) -> Result<Conn, Refused> {
    let connecting = bridge::connect(settings, options(settings, None));
    match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
        Ok(outcome) => outcome.map_err(Refused::Client),
        Err(_elapsed) => Err(Refused::Late),
    }
}

async fn log_in(settings: &Settings, encrypt: Option<SslOpts>) -> Result<Conn, Refused> {
    let options = options(settings, encrypt);
    match tokio::time::timeout(CONNECT_TIMEOUT, Conn::new(options)).await {
        Ok(outcome) => outcome.map_err(Refused::Client),
        Err(_elapsed) => Err(Refused::Late),
    }
}

fn options(settings: &Settings, encrypt: Option<SslOpts>) -> OptsBuilder {
    let options = OptsBuilder::default()
        .user(Some(&settings.user))
        .pass(settings.password.as_ref().map(|password| password.expose()))
        .ssl_opts(encrypt)
        // Or else the library moves to the socket that the server names, on whatever machine.
        .prefer_socket(false)
        .tcp_keepalive(Some(KEEPALIVE))
        .tcp_nodelay(true)
        .max_allowed_packet(Some(MAX_PACKET))
        .wait_timeout(Some(WAIT_TIMEOUT))
        .stmt_cache_size(STATEMENTS)
        .connect_attribute("program_name", "tributary");
    match &settings.endpoint {
        Endpoint::Tcp { host, port } => options.ip_or_hostname(host).tcp_port(*port),
        Endpoint::Socket(path) => options.socket(Some(path.to_string_lossy())),
    }
}

#[cfg(test)]
mod tests {
    use mysql_async::{IoError, ServerError};

    use super::*;

    fn by_server(code: u16) -> Refused {
        Refused::Client(ClientError::Server(ServerError {
            code,
            message: String::new(),
            state: String::new(),
        }))
    }

    #[test]
    fn a_second_try_that_fails_by_itself_hides_no_refusal() {
        let no_socket = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let no_socket = Refused::Client(ClientError::Io(IoError::Io(no_socket)));
        assert!(by_server(1045).or(no_socket).is_a_denial());
        assert!(by_server(1045).or(Refused::Late).is_a_denial());
        assert!(!by_server(1045).or(by_server(1040)).is_a_denial());
    }
}
