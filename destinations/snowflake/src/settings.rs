//! The settings of a Snowflake destination as meant: defaults filled in, contradictions refused.
//!
//! Invariant: what is here has been checked; nothing was contacted for it.

use std::time::Duration;

use tributary_model::{Error, ErrorKind, Fault, Result, Secret};
use tributary_store::Settings as Bucket;
use url::Url;

use crate::config::{Config, Identifiers};
use crate::key::Key;

const STATEMENT_TIMEOUT: Duration = Duration::from_secs(3600);
/// Bytes of an identifier.
pub(crate) const IDENTIFIER_BYTES: usize = 255;

/// How to log in.
#[derive(Clone, Debug)]
pub(crate) enum Credentials {
    /// With a private key, as PEM.
    Key(Secret),
    /// With a key that stands in a file.
    KeyFile(std::path::PathBuf),
    /// With a token.
    Token(Secret),
}

/// The stage through which files are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// One that exists, by its full name as the user wrote it.
    Named(String),
    /// One that we make, with this integration; without any only for a bucket that anyone may read.
    Made(Option<String>),
}

/// The settings of a destination.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) account: String,
    pub(crate) url: String,
    pub(crate) user: Option<String>,
    pub(crate) credentials: Credentials,
    pub(crate) role: Option<String>,
    pub(crate) warehouse: Option<String>,
    pub(crate) database: String,
    pub(crate) schema: Option<String>,
    pub(crate) bucket: Bucket,
    pub(crate) bucket_url: String,
    pub(crate) stage: Stage,
    pub(crate) identifiers: Identifiers,
    pub(crate) query_tag: String,
    pub(crate) statement_timeout: Duration,
}

type Checked<T> = Result<T, Fault>;

impl Settings {
    /// Checks what the user wrote and fills in the rest.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the fix.
    pub(crate) fn from_config(config: &Config) -> Result<Self> {
        let mut faults = Vec::new();
        Self::gather(config, &mut faults).ok_or_else(|| {
            let first = faults.into_iter().next().map(|fault| fault.error);
            first.unwrap_or_else(|| Error::bug("settings were refused without a reason"))
        })
    }

    /// Looks at every setting before it gives up.
    fn gather(config: &Config, faults: &mut Vec<Fault>) -> Option<Self> {
        let account = keep(faults, account(config));
        let url = keep(faults, address(config));
        let credentials = keep(faults, credentials(config));
        let database = keep(faults, named(&["database"], config.database.as_deref()));
        let schema = keep(faults, optional(&["schema"], config.schema.as_deref()));
        let bucket =
            Bucket::new(&config.staging).map_err(|error| Fault::mistake(&["staging"], error));
        let bucket = keep(faults, bucket);
        let stage = keep(faults, stage(config));
        let timeout = keep(faults, timeout(config.statement_timeout.as_deref()));
        Some(Self {
            account: account?,
            url: url?,
            user: config.user.clone(),
            credentials: credentials?,
            role: config.role.clone(),
            warehouse: config.warehouse.clone(),
            database: database?,
            schema: schema?,
            bucket: bucket?,
            bucket_url: config.staging.url.trim_end_matches('/').to_owned(),
            stage: stage?,
            identifiers: config.identifiers.unwrap_or_default(),
            query_tag: config
                .query_tag
                .clone()
                .unwrap_or_else(|| "tributary".to_owned()),
            statement_timeout: timeout?,
        })
    }

    /// The key that logs in, where a key does.
    pub(crate) fn key(&self) -> Result<Option<Key>> {
        match &self.credentials {
            Credentials::Token(_) => Ok(None),
            Credentials::Key(pem) => Key::read(pem.expose()).map(Some),
            Credentials::KeyFile(path) => {
                let pem = std::fs::read_to_string(path).map_err(|cause| {
                    Error::new(
                        ErrorKind::Config,
                        format!("the private key in {} can't be read", path.display()),
                    )
                    .because(cause)
                    .fix("Correct `private_key_file`, or let this user read that file.")
                })?;
                Key::read(&pem).map(Some)
            }
        }
    }
}

/// What is wrong with settings, without contacting anything.
pub(crate) fn faults(config: &Config) -> Vec<Fault> {
    let mut faults = Vec::new();
    let Some(settings) = Settings::gather(config, &mut faults) else {
        return faults;
    };
    match (&settings.credentials, settings.key()) {
        (_, Ok(_)) => {}
        // A file that is not there may be where the sync will run.
        (Credentials::KeyFile(path), Err(error)) if !path.exists() => {
            faults.push(Fault::doubt(&["private_key_file"], error));
        }
        (Credentials::KeyFile(_), Err(error)) => {
            faults.push(Fault::mistake(&["private_key_file"], error));
        }
        (Credentials::Key(_) | Credentials::Token(_), Err(error)) => {
            faults.push(Fault::mistake(&["private_key"], error));
        }
    }
    faults
}

fn keep<T>(faults: &mut Vec<Fault>, checked: Checked<T>) -> Option<T> {
    checked.map_err(|fault| faults.push(fault)).ok()
}

fn wrong(keys: &'static [&'static str], what: impl Into<String>, fix: &str) -> Fault {
    Fault::mistake(keys, Error::new(ErrorKind::Config, what).fix(fix))
}

fn named(keys: &'static [&'static str], value: Option<&str>) -> Checked<String> {
    let missing = || {
        let key = keys.join(".");
        wrong(
            &[],
            format!("`{key}` is missing"),
            "Add it to the destination.",
        )
    };
    optional(keys, value)?.ok_or_else(missing)
}

fn optional(keys: &'static [&'static str], value: Option<&str>) -> Checked<Option<String>> {
    match value {
        None => Ok(None),
        Some(name) if (1..=IDENTIFIER_BYTES).contains(&name.len()) => Ok(Some(name.to_owned())),
        Some(_) => Err(wrong(
            keys,
            format!("a name has 1 to {IDENTIFIER_BYTES} bytes"),
            "Write a name of that length.",
        )),
    }
}

fn account(config: &Config) -> Checked<String> {
    let account = named(&["account"], config.account.as_deref())?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    match account.chars().all(is_plain) {
        true => Ok(account),
        false => Err(wrong(
            &["account"],
            "`account` is no account identifier",
            "Write it like `MYORG-MYACCOUNT` (`SELECT CURRENT_ORGANIZATION_NAME() || '-' || CURRENT_ACCOUNT_NAME()` says it), without `https://` and `.snowflakecomputing.com`.",
        )),
    }
}

fn address(config: &Config) -> Checked<String> {
    let Some(url) = &config.url else {
        // Underscores are no part of a host's name; Snowflake takes hyphens for them.
        let account = config.account.clone().unwrap_or_default().to_lowercase();
        return Ok(format!(
            "https://{}.snowflakecomputing.com",
            account.replace('_', "-")
        ));
    };
    let fix = "Write it like `https://myorg-myaccount.snowflakecomputing.com`.";
    let parsed = Url::parse(url).map_err(|_| wrong(&["url"], "`url` can't be read", fix))?;
    let local = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    let is_safe = parsed.scheme() == "https" || (parsed.scheme() == "http" && local);
    let is_plain = parsed.username().is_empty() && parsed.query().is_none() && parsed.path() == "/";
    match is_safe && is_plain {
        true => Ok(url.trim_end_matches('/').to_owned()),
        false => Err(wrong(
            &["url"],
            "`url` is not the address of an account",
            fix,
        )),
    }
}

fn credentials(config: &Config) -> Checked<Credentials> {
    let with_user = |credentials| match &config.user {
        Some(_) => Ok(credentials),
        None => Err(wrong(
            &[],
            "`user` is missing",
            "Add the user that the key belongs to.",
        )),
    };
    match (&config.private_key, &config.private_key_file, &config.token) {
        (Some(key), None, None) => with_user(Credentials::Key(key.clone())),
        (None, Some(path), None) => with_user(Credentials::KeyFile(path.clone())),
        (None, None, Some(token)) => Ok(Credentials::Token(token.clone())),
        (None, None, None) => Err(wrong(
            &[],
            "there is nothing to log in with",
            "Add `private_key`, `private_key_file` or `token`.",
        )),
        _ => Err(wrong(
            &[],
            "there is more than one of `private_key`, `private_key_file` and `token`",
            "Keep one of them.",
        )),
    }
}

fn stage(config: &Config) -> Checked<Stage> {
    match (&config.stage, &config.storage_integration) {
        (Some(_), Some(_)) => Err(wrong(
            &["stage"],
            "there are both `stage` and `storage_integration`",
            "Keep `stage` for a stage that exists, or `storage_integration` for one that is made.",
        )),
        (Some(stage), None) => Ok(Stage::Named(stage.trim_start_matches('@').to_owned())),
        (None, Some(name)) => Ok(Stage::Made(Some(name.clone()))),
        (None, None) => Err(wrong(
            &[],
            "Snowflake is not told how to read the bucket",
            "Add `stage`, an external stage for it, or `storage_integration`, with which one is made.",
        )),
    }
}

fn timeout(text: Option<&str>) -> Checked<Duration> {
    let Some(text) = text else {
        return Ok(STATEMENT_TIMEOUT);
    };
    let (digits, unit) = text.split_at(
        text.trim_end_matches(|c: char| c.is_ascii_alphabetic())
            .len(),
    );
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3600),
        _ => None,
    };
    let time = digits.parse::<u64>().ok().zip(seconds);
    let time = time.and_then(|(count, seconds)| count.checked_mul(seconds));
    match time {
        Some(seconds @ 1..=604_800) => Ok(Duration::from_secs(seconds)),
        _ => Err(wrong(
            &["statement_timeout"],
            "`statement_timeout` is no time",
            "Write it like `90s`, `30m` or `2h`; seven days at most.",
        )),
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
