//! The settings of a MySQL source as meant: defaults filled in, contradictions refused.
//!
//! Invariant: what is here has been checked; nothing was contacted for it.

use std::hash::{BuildHasher, Hasher};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use tributary_model::{Error, ErrorKind, Fault, Result, Secret};

use crate::address::UrlParts;
use crate::column::{Geometries, ValueOptions, ZeroDates};
use crate::config::{Config, SnapshotMode};
use crate::server::Flavor;

mod rules;

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

/// What copies must not do to the server; `None` is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Rows a second, all copies together.
    pub(crate) rows_per_second: Option<u64>,
    /// Statements that run at the same time, ours included.
    pub(crate) threads_running: Option<u64>,
    /// Seconds that the server may be behind its own primary.
    pub(crate) replica_lag: Option<u64>,
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
    /// What becomes of geometries.
    pub(crate) geometry: Geometries,
    /// The replica id under which the log is read.
    pub(crate) server_id: u32,
    /// Whether the user chose `server_id`.
    pub(crate) server_id_chosen: bool,
    /// Connections that copy tables at the same time.
    pub(crate) parallelism: usize,
    /// Rows copied at a time.
    pub(crate) chunk_rows: u64,
    /// What copies must not do to the server.
    pub(crate) limits: Limits,
    /// Found out at the first connection: a server without TLS is not asked again.
    pub(crate) offers_no_tls: AtomicBool,
    /// Likewise: its certificate has another name than ours for it, which only `verify_ca` lets pass.
    pub(crate) has_another_name: AtomicBool,
}

impl Settings {
    /// The choices that decide what values become.
    pub(crate) fn values(&self, flavor: Flavor) -> ValueOptions {
        ValueOptions {
            zero_dates: self.zero_dates,
            geometry: self.geometry,
            flavor,
        }
    }

    /// Checks what the user wrote and fills in the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the fix.
    pub(crate) fn from_config(config: Config) -> Result<Self> {
        Self::check(&config).map_err(|faults| {
            let first = faults.into_iter().next().map(|fault| fault.error);
            first.unwrap_or_else(|| Error::bug("settings were refused without a reason"))
        })
    }

    /// The same, with all that is wrong.
    ///
    /// # Errors
    /// At least one fault.
    pub(crate) fn check(config: &Config) -> Checked<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        Self::gather(config, &mut faults).ok_or(faults)
    }

    /// Looks at every setting before it gives up.
    fn gather(config: &Config, faults: &mut Vec<Fault>) -> Option<Self> {
        let url = config.url.as_ref().map(|url| rules::read_url(url.expose()));
        let url = keep(faults, url.unwrap_or_else(|| Ok(UrlParts::default())));
        let place = keep(faults, rules::one_place(config));
        let server_id = keep(faults, rules::server_id(config.server_id));
        let parallelism = keep(faults, rules::parallelism(config.parallelism));
        let chunk_rows = keep(faults, rules::chunk_rows(config.chunk_rows));
        let limits = keep(faults, rules::limits(config));
        // What stands in an address that can't be read is not known: it is not missed either.
        let url = url?;
        let endpoint = place.and_then(|()| keep(faults, rules::endpoint(config, &url)));
        let local = endpoint.as_ref().is_none_or(Endpoint::is_local);
        let tls = keep(faults, rules::tls(config.tls.clone().or(url.tls), local));
        let user = keep(faults, rules::user(config.user.clone(), url.user));
        let password = rules::password(config.password.clone(), url.password);
        let password = keep(faults, password);
        let databases = rules::databases(config.databases.clone(), url.database);
        let databases = keep(faults, databases);
        Some(Self {
            endpoint: endpoint?,
            user: user?,
            password: password?,
            tls: tls?,
            databases: databases?,
            snapshot: config.snapshot,
            zero_dates: config.zero_dates,
            geometry: config.geometry,
            server_id: server_id?,
            server_id_chosen: config.server_id.is_some(),
            parallelism: parallelism?,
            chunk_rows: chunk_rows?,
            limits: limits?,
            offers_no_tls: AtomicBool::new(false),
            has_another_name: AtomicBool::new(false),
        })
    }
}

/// What is wrong with settings, without contacting anything.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    match Settings::check(config) {
        Ok(settings) => missing_authority(config, &settings).into_iter().collect(),
        Err(faults) => faults,
    }
}

/// A file that is not there may be where the sync will run.
fn missing_authority(config: &Config, settings: &Settings) -> Option<Fault> {
    let (Tls::VerifyCa(Some(path)) | Tls::VerifyIdentity(Some(path))) = &settings.tls else {
        return None;
    };
    let cause = std::fs::File::open(path).err()?;
    let keys: &[&str] = match config.tls.is_some() {
        true => &["tls", "ca_file"],
        false => &["url"],
    };
    let what = "the file of certificates to trust can't be read here, and a sync needs it";
    let error = Error::new(ErrorKind::Config, what).because(cause);
    Some(Fault::doubt(keys, error.fix(
        "Set `tls.ca_file` to the file with the authority's certificate, as PEM; a relative name \
         starts at the directory that the program runs in.",
    )))
}

/// A setting, or what is wrong with it.
type Checked<T, E = Fault> = std::result::Result<T, E>;

/// Notes what is wrong, so that the rest can be looked at too.
fn keep<T>(faults: &mut Vec<Fault>, checked: Checked<T>) -> Option<T> {
    checked.map_err(|fault| faults.push(fault)).ok()
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

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
