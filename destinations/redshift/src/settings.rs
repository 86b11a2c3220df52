//! The settings of a Redshift destination as meant: defaults filled in, contradictions refused.
//!
//! Invariant: what is here has been checked; nothing was contacted for it. An address is never
//! repeated, since it may hold a password. // G8

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tributary_model::{Error, ErrorKind, Fault, Result, Secret};
use tributary_store::Access;

use crate::address::{EXAMPLE, Parts, read};
use crate::config::{Config, TlsConfig, TlsMode};

const PORT: u16 = 5439;
const DATABASE: &str = "dev";
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);
/// Bytes of an identifier that Redshift keeps.
pub(crate) const IDENTIFIER_BYTES: usize = 127;

/// What encryption is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tls {
    Disabled,
    /// Whatever the server offers.
    Preferred,
    Required,
    /// A trusted chain; trusted is what the file holds, else what the machine trusts.
    VerifyCa(Option<PathBuf>),
    /// The same, and the server's name.
    VerifyIdentity(Option<PathBuf>),
}

/// The settings of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) user: String,
    pub(crate) password: Option<Secret>,
    pub(crate) database: String,
    pub(crate) schema: Option<String>,
    pub(crate) tls: Tls,
    pub(crate) statement_timeout: Duration,
    pub(crate) application_name: String,
    pub(crate) staging: tributary_store::Settings,
    pub(crate) reader: Reader,
}

/// As whom Redshift reads the bucket.
#[derive(Clone, Debug)]
pub(crate) enum Reader {
    /// The role that the warehouse has as its own.
    OwnRole,
    /// A role, as its ARN.
    Role(String),
    /// An access key.
    Keys {
        id: String,
        secret: Secret,
        token: Option<Secret>,
    },
}

impl Settings {
    /// Where the server is, for messages.
    pub(crate) fn place(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }

    /// Checks what the user wrote and fills in the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the fix.
    pub(crate) fn from_config(config: &Config) -> Result<Self> {
        Self::check(config).map_err(|faults| {
            let first = faults.into_iter().next().map(|fault| fault.error);
            first.unwrap_or_else(|| Error::bug("settings were refused without a reason"))
        })
    }

    /// The same, with all that is wrong.
    fn check(config: &Config) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        Self::gather(config, &mut faults).ok_or(faults)
    }

    /// Looks at every setting before it gives up.
    fn gather(config: &Config, faults: &mut Vec<Fault>) -> Option<Self> {
        let url = config.url.as_ref().map(|url| read(url.expose()));
        let url = keep(faults, url.unwrap_or_else(|| Ok(Parts::default())));
        let schema = keep(faults, schema(config.schema.as_deref()));
        let timeout = keep(faults, timeout(config.statement_timeout.as_deref()));
        let staging = keep(faults, staging(config.staging.as_ref()));
        let reader = keep(faults, reader(config));
        // What stands in an address that can't be read is not known: it is not missed either.
        let url = url?;
        let host = keep(
            faults,
            one("host", config.host.as_deref(), url.host.as_deref()),
        );
        let port = keep(faults, one("port", config.port, url.port));
        let user = keep(
            faults,
            one("user", config.user.as_deref(), url.user.as_deref()),
        );
        let database = one(
            "database",
            config.database.as_deref(),
            url.database.as_deref(),
        );
        let database = keep(faults, database);
        let password = keep(faults, password(config.password.as_ref(), url.password));
        let host = keep(faults, needed("host", host?));
        let user = keep(faults, needed("user", user?));
        let local = host.is_none_or(is_local);
        let tls = keep(faults, tls(config.tls.as_ref().or(url.tls.as_ref()), local));
        let (host, user) = (host?, user?);
        Some(Self {
            host: host.to_owned(),
            port: port?.unwrap_or(PORT),
            database: database?.unwrap_or(DATABASE).to_owned(),
            user: user.to_owned(),
            password: password?,
            schema: schema?,
            tls: tls?,
            statement_timeout: timeout?,
            application_name: config
                .application_name
                .clone()
                .unwrap_or_else(|| "tributary".to_owned()),
            staging: staging?,
            reader: reader?,
        })
    }
}

/// What is wrong with settings, without contacting anything.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    let settings = match Settings::check(config) {
        Ok(settings) => settings,
        Err(faults) => return faults,
    };
    let (Tls::VerifyCa(Some(path)) | Tls::VerifyIdentity(Some(path))) = &settings.tls else {
        return Vec::new();
    };
    let Err(cause) = std::fs::File::open(path) else {
        return Vec::new();
    };
    // A file that is not there may be where the sync will run.
    let keys: &[&str] = match config.tls.is_some() {
        true => &["tls", "ca_file"],
        false => &["url"],
    };
    let what = "the file of certificates to trust can't be read here, and a sync needs it";
    let error = Error::new(ErrorKind::Config, what).because(cause).fix(
        "Set `tls.ca_file` to the file with the authority's certificate, as PEM; a relative name \
         starts at the directory that the program runs in.",
    );
    vec![Fault::doubt(keys, error)]
}

pub(crate) type Checked<T> = Result<T, Fault>;

fn keep<T>(faults: &mut Vec<Fault>, checked: Checked<T>) -> Option<T> {
    checked.map_err(|fault| faults.push(fault)).ok()
}

/// A mistake in the settings.
pub(crate) fn wrong(
    keys: &'static [&'static str],
    what: impl Into<String>,
    fix: impl Into<String>,
) -> Fault {
    Fault::mistake(keys, Error::new(ErrorKind::Config, what).fix(fix))
}

/// A setting that may stand in the address as well.
fn one<T: PartialEq>(
    key: &'static str,
    beside: Option<T>,
    inside: Option<T>,
) -> Checked<Option<T>> {
    match (beside, inside) {
        (Some(beside), Some(inside)) if beside != inside => Err(wrong(
            &["url"],
            format!("`url` and `{key}` say different things"),
            format!("Keep one of them: `{key}:`, or the part of `url:`."),
        )),
        (beside, inside) => Ok(beside.or(inside)),
    }
}

fn needed<'a>(key: &'static str, value: Option<&'a str>) -> Checked<&'a str> {
    match value.map(str::trim).filter(|value| !value.is_empty()) {
        Some(value) => Ok(value),
        None => Err(wrong(
            &[],
            format!("a Redshift destination needs `{key}`"),
            format!("Add `{key}:`, or give it in `url`. {EXAMPLE}"),
        )),
    }
}

fn password(beside: Option<&Secret>, inside: Option<Secret>) -> Checked<Option<Secret>> {
    match (beside, inside) {
        (Some(_), Some(_)) => Err(wrong(
            &["password"],
            "a password stands in `url` and in `password`",
            "Keep `password: ${...}` and take the one in `url` out.",
        )),
        (beside, inside) => Ok(beside.cloned().or(inside)),
    }
}

fn schema(schema: Option<&str>) -> Checked<Option<String>> {
    let wrong = |what: String, fix: &str| Err(wrong(&["schema"], what, fix));
    match schema {
        Some("") => wrong(
            "`schema` is empty".to_owned(),
            "Name the schema, or take the line out.",
        ),
        Some(name) if name.len() > IDENTIFIER_BYTES => wrong(
            format!("`schema: {name}` is longer than {IDENTIFIER_BYTES} bytes"),
            "Choose a shorter name.",
        ),
        Some(name) if name.starts_with("pg_") || name == "information_schema" => wrong(
            format!("`schema: {name}` belongs to Redshift itself"),
            "Choose another name.",
        ),
        Some("_tributary") => wrong(
            "`schema: _tributary` is where the state is kept".to_owned(),
            "Choose another name for the tables.",
        ),
        other => Ok(other.map(str::to_owned)),
    }
}

fn timeout(text: Option<&str>) -> Checked<Duration> {
    let Some(text) = text else {
        return Ok(STATEMENT_TIMEOUT);
    };
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let seconds = match unit.trim() {
        "s" => Some(1),
        "m" | "min" => Some(60),
        "h" => Some(3600),
        "d" => Some(86_400),
        _ => None,
    };
    // The server counts milliseconds in 31 bits.
    let most = u64::from(i32::MAX.unsigned_abs()) / 1000;
    let read = number.parse::<u64>().ok().zip(seconds);
    let read = read.and_then(|(number, unit)| number.checked_mul(unit));
    match read.filter(|seconds| (1..=most).contains(seconds)) {
        Some(seconds) => Ok(Duration::from_secs(seconds)),
        None => Err(wrong(
            &["statement_timeout"],
            format!("`statement_timeout: {text}` is not a time from one second to 24 days"),
            "Write a number and a unit, e.g. `90s`, `30m` or `2h`.",
        )),
    }
}

fn tls(config: Option<&TlsConfig>, local: bool) -> Checked<Tls> {
    let TlsConfig { mode, ca_file } = config.cloned().unwrap_or_default();
    match (mode, ca_file) {
        (Some(TlsMode::VerifyCa), ca_file) => Ok(Tls::VerifyCa(ca_file)),
        (Some(TlsMode::VerifyIdentity), ca_file) => Ok(Tls::VerifyIdentity(ca_file)),
        // Who names an authority wants the server verified.
        (None, Some(ca_file)) => Ok(Tls::VerifyIdentity(Some(ca_file))),
        (Some(TlsMode::Disabled | TlsMode::Required), Some(_)) => Err(wrong(
            &["tls", "ca_file"],
            "`tls.ca_file` is given, and `tls.mode` verifies nothing",
            "Set `tls.mode` to `verify_identity` or `verify_ca`, or take `ca_file` out.",
        )),
        (Some(TlsMode::Disabled), None) => Ok(Tls::Disabled),
        (Some(TlsMode::Required), None) => Ok(Tls::Required),
        (None, None) if local => Ok(Tls::Preferred),
        (None, None) => Ok(Tls::Required),
    }
}

/// The bucket, which nothing goes without.
fn staging(access: Option<&Access>) -> Checked<tributary_store::Settings> {
    let Some(access) = access else {
        return Err(wrong(
            &[],
            "a Redshift destination needs `staging`: the bucket that rows go through",
            "Add `staging: {url: s3://bucket/prefix}`, a bucket in the region of the warehouse.",
        ));
    };
    tributary_store::Settings::new(access).map_err(|error| Fault::mistake(&["staging"], error))
}

/// As whom Redshift reads: never as us, whose own credentials it must not be given.
fn reader(config: &Config) -> Checked<Reader> {
    let staging = config.staging.clone().unwrap_or_default();
    match (config.iam_role.as_deref().map(str::trim), staging) {
        (Some("default"), _) => Ok(Reader::OwnRole),
        (Some(arn), _) if is_role(arn) => Ok(Reader::Role(arn.to_owned())),
        (Some(_), _) => Err(wrong(
            &["iam_role"],
            "`iam_role` is not the ARN of a role",
            "Write it like `arn:aws:iam::123456789012:role/redshift-reads-staging`, or `default`.",
        )),
        (
            None,
            Access {
                access_key_id: Some(id),
                secret_access_key: Some(secret),
                session_token: token,
                ..
            },
        ) => Ok(Reader::Keys { id, secret, token }),
        // What is missing is said of the bucket.
        (None, Access { url, .. }) if url.is_empty() => Ok(Reader::OwnRole),
        (None, _) => Err(wrong(
            &[],
            "Redshift has no right to read the staging bucket",
            "Add `iam_role: arn:aws:iam::...:role/...`, a role of the warehouse that may read it; or give \
             `staging` an `access_key_id` and a `secret_access_key`.",
        )),
    }
}

/// One role, or a chain of them.
fn is_role(arn: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || ":/_+=,.@-".contains(c);
    !arn.is_empty()
        && arn.chars().all(is_plain)
        && arn
            .split(',')
            .all(|arn| arn.starts_with("arn:") && arn.contains(":role/"))
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
