//! The settings of a MySQL source as meant: defaults filled in, contradictions refused.
//!
//! Invariant: what is here has been checked; nothing was contacted for it.

use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tributary_model::{Error, ErrorKind, Result, Secret};

use crate::address::{self, UrlParts};
use crate::column::{ValueOptions, ZeroDates};
use crate::config::{Config, SnapshotMode, TlsConfig, TlsMode};
use crate::names::is_system_database;
use crate::server::Flavor;

const DEFAULT_PORT: u16 = 3306;
const DEFAULT_PARALLELISM: usize = 2;
const MAX_PARALLELISM: usize = 64;
const DEFAULT_CHUNK_ROWS: u64 = 100_000;

/// Where the server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    /// A TCP address.
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// A Unix socket.
    Socket(PathBuf),
}

impl Endpoint {
    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        match self {
            Self::Socket(_) => true,
            Self::Tcp { host, .. } => {
                host.eq_ignore_ascii_case("localhost")
                    || host
                        .parse::<std::net::IpAddr>()
                        .is_ok_and(|address| address.is_loopback())
            }
        }
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Socket(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What encryption is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    /// None.
    Disabled,
    /// Whatever the server offers.
    Preferred,
    /// Encryption without verification.
    Required,
    /// Encryption and a trusted chain; trusted is what the file holds, else what browsers trust.
    VerifyCa(Option<PathBuf>),
    /// The same, and the server's name.
    VerifyIdentity(Option<PathBuf>),
}

/// The settings of a source.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where the server is.
    pub(crate) endpoint: Endpoint,
    /// The user to log in as.
    pub(crate) user: String,
    /// Its password.
    pub(crate) password: Option<Secret>,
    /// Encryption.
    pub(crate) tls: Tls,
    /// The databases to read; empty for all.
    pub(crate) databases: Vec<String>,
    /// When tables are copied.
    pub(crate) snapshot: SnapshotMode,
    /// What becomes of impossible dates.
    pub(crate) zero_dates: ZeroDates,
    /// The replica id under which the log is read.
    pub(crate) server_id: u32,
    /// Whether the user chose `server_id`.
    pub(crate) server_id_chosen: bool,
    /// Connections that copy tables at the same time.
    pub(crate) parallelism: usize,
    /// Rows copied at a time.
    pub(crate) chunk_rows: u64,
    /// Found out at the first connection: a server without TLS is not asked again.
    pub(crate) offers_no_tls: AtomicBool,
}

impl Settings {
    /// The choices that decide what values become.
    pub(crate) fn values(&self, flavor: Flavor) -> ValueOptions {
        ValueOptions {
            zero_dates: self.zero_dates,
            flavor,
        }
    }

    /// Checks what the user wrote and fills in the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the fix.
    pub(crate) fn from_config(config: Config) -> Result<Self> {
        let url = match &config.url {
            Some(url) => address::read(url.expose())?,
            None => UrlParts::default(),
        };
        let endpoint = endpoint(&config, &url)?;
        let tls = tls(config.tls.or(url.tls), endpoint.is_local())?;
        let user = one_of("user", config.user, url.user)?
            .filter(|user| !user.is_empty())
            .ok_or_else(|| {
                wrong(
                    "a MySQL source needs `user`",
                    "Add `user:`, such as `user: reader`.",
                )
            })?;
        Ok(Self {
            endpoint,
            user,
            password: password(config.password, url.password)?,
            tls,
            databases: databases(config.databases, url.database)?,
            snapshot: config.snapshot,
            zero_dates: config.zero_dates,
            server_id: server_id(config.server_id)?,
            server_id_chosen: config.server_id.is_some(),
            parallelism: parallelism(config.parallelism)?,
            chunk_rows: chunk_rows(config.chunk_rows)?,
            offers_no_tls: AtomicBool::new(false),
        })
    }
}

fn wrong(what: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what).fix(fix)
}

fn endpoint(config: &Config, url: &UrlParts) -> Result<Endpoint> {
    let places = [
        ("url", config.url.is_some()),
        ("host", config.host.is_some()),
        ("socket", config.socket.is_some()),
    ];
    let named: Vec<&str> = places
        .iter()
        .filter(|place| place.1)
        .map(|place| place.0)
        .collect();
    match named.as_slice() {
        [_] => {}
        [] => {
            return Err(wrong(
                "a MySQL source needs the server's address",
                "Add `host:` (and `port:`), `socket:`, or `url: mysql://user@host:3306`.",
            ));
        }
        several => {
            return Err(wrong(
                format!(
                    "`{}` are given, each of which says where the server is",
                    several.join("` and `")
                ),
                "Keep one of them.",
            ));
        }
    }
    if config.port.is_some() && config.host.is_none() {
        return Err(wrong(
            "`port` is given without `host`",
            "Add `host:`, or write the port into `url:`.",
        ));
    }
    if let Some(socket) = config.socket.clone().or_else(|| url.socket.clone()) {
        return Ok(Endpoint::Socket(socket));
    }
    let host = config
        .host
        .clone()
        .or_else(|| url.host.clone())
        .unwrap_or_default();
    if host.trim().is_empty() || host.contains(['/', ' ', '@']) {
        return Err(wrong(
            format!("`{host}` is not the name of a host"),
            "Write the name or address alone, such as `host: db.internal`; a whole address goes into `url:`.",
        ));
    }
    let port = config.port.or(url.port).unwrap_or(DEFAULT_PORT);
    if port == 0 {
        return Err(wrong(
            "`port` is 0",
            "Write the server's port, usually 3306.",
        ));
    }
    Ok(Endpoint::Tcp { host, port })
}

/// A value that may stand beside `url` or in it.
fn one_of(key: &str, beside: Option<String>, inside: Option<String>) -> Result<Option<String>> {
    match (beside, inside) {
        (Some(beside), Some(inside)) if beside != inside => Err(wrong(
            format!("`{key}` is `{beside}` and `url` says `{inside}`"),
            format!("Keep one of them: `{key}:`, or the part of `url:`."),
        )),
        (beside, inside) => Ok(beside.or(inside)),
    }
}

fn password(beside: Option<Secret>, inside: Option<Secret>) -> Result<Option<Secret>> {
    if beside.is_some() && inside.is_some() {
        return Err(wrong(
            "a password stands in `url` and in `password`",
            "Keep `password: ${...}` and take the one in `url` out.",
        ));
    }
    Ok(beside.or(inside))
}

fn tls(config: Option<TlsConfig>, local: bool) -> Result<Tls> {
    let TlsConfig { mode, ca_file } = config.unwrap_or_default();
    match (mode, ca_file) {
        (Some(TlsMode::VerifyCa), ca_file) => Ok(Tls::VerifyCa(ca_file)),
        (Some(TlsMode::VerifyIdentity), ca_file) => Ok(Tls::VerifyIdentity(ca_file)),
        // Who names an authority wants the server verified.
        (None, Some(ca_file)) => Ok(Tls::VerifyIdentity(Some(ca_file))),
        (Some(TlsMode::Disabled | TlsMode::Required), Some(_)) => Err(wrong(
            "`tls.ca_file` is given, and `tls.mode` verifies nothing",
            "Set `tls.mode` to `verify_identity` or `verify_ca`, or take `ca_file` out.",
        )),
        (Some(TlsMode::Disabled), None) => Ok(Tls::Disabled),
        (Some(TlsMode::Required), None) => Ok(Tls::Required),
        (None, None) if local => Ok(Tls::Preferred),
        (None, None) => Ok(Tls::Required),
    }
}

fn databases(listed: Option<Vec<String>>, in_url: Option<String>) -> Result<Vec<String>> {
    let mut names = match (listed, in_url) {
        (Some(listed), Some(in_url)) if listed != [in_url.as_str()] => {
            return Err(wrong(
                format!("`databases` is given, and `url` names the database `{in_url}`"),
                "Keep one of them.",
            ));
        }
        (Some(listed), _) if listed.is_empty() => {
            return Err(wrong(
                "`databases` is empty",
                "Name at least one, or take the line out to read all of them.",
            ));
        }
        (Some(listed), _) => listed,
        (None, in_url) => in_url.into_iter().collect(),
    };
    for name in &names {
        check_database(name)?;
    }
    names.sort();
    names.dedup();
    Ok(names)
}

fn check_database(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(wrong("`databases` holds an empty name", "Take it out."));
    }
    if name.contains('*') {
        return Err(wrong(
            format!("`{name}` in `databases` is a pattern"),
            "Name the databases one by one; patterns go into `select` of a connection.",
        ));
    }
    if name.contains('.') {
        return Err(wrong(
            format!("the database `{name}` has a dot in its name"),
            "Such a database can't be read, since a dot ends the database in the name of a stream; rename it. To choose tables, use `select` of a connection.",
        ));
    }
    if is_system_database(name) {
        return Err(wrong(
            format!("`{name}` is a database of the server itself"),
            "Take it out of `databases`.",
        ));
    }
    Ok(())
}

fn server_id(chosen: Option<u32>) -> Result<u32> {
    match chosen {
        Some(0) => Err(wrong(
            "`server_id` is 0",
            "Choose a number that no other replica of the server uses, or take the line out.",
        )),
        Some(id) => Ok(id),
        None => Ok(random_server_id()),
    }
}

/// A replica id far above those that people choose.
///
/// Random and not derived from the settings: two connections may read one source at the same time,
/// and a server ends the older of two replicas with the same id.
pub(crate) fn random_server_id() -> u32 {
    const LOWEST: u64 = 1_000_000_000;
    const COUNT: u64 = u32::MAX as u64 - LOWEST;
    let random = std::hash::RandomState::new().build_hasher().finish();
    u32::try_from(LOWEST + random % COUNT).unwrap_or(u32::MAX - 1)
}

fn parallelism(chosen: Option<usize>) -> Result<usize> {
    let parallelism = chosen.unwrap_or(DEFAULT_PARALLELISM);
    if (1..=MAX_PARALLELISM).contains(&parallelism) {
        return Ok(parallelism);
    }
    Err(wrong(
        format!("`parallelism` is {parallelism}"),
        format!("Choose a number from 1 to {MAX_PARALLELISM}."),
    ))
}

fn chunk_rows(chosen: Option<u64>) -> Result<u64> {
    match chosen {
        Some(0) => Err(wrong(
            "`chunk_rows` is 0",
            format!("Choose at least 1; the default is {DEFAULT_CHUNK_ROWS}."),
        )),
        chosen => Ok(chosen.unwrap_or(DEFAULT_CHUNK_ROWS)),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
