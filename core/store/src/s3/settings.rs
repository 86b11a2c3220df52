//! Which bucket, as whom, and how long to try.

use std::time::Duration;

use tributary_model::{Error, ErrorKind, Result, Secret};

use crate::access::{Access, Encryption, bucket_of};

/// Where a bucket is and who we are to it.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(super) bucket: String,
    /// Empty, or ends in a slash.
    pub(super) prefix: String,
    pub(super) region: Option<String>,
    pub(super) endpoint: Option<String>,
    pub(super) addressing: Addressing,
    pub(super) keys: Option<Keys>,
    pub(super) role: Option<Role>,
    pub(super) encryption: Option<Encryption>,
    pub(super) kms_key: Option<String>,
    pub(super) budget: Budget,
}

/// Where the bucket's name stands in an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressing {
    Path,
    Host,
}

/// An access key of the configuration.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: Secret,
    pub(super) token: Option<Secret>,
}

/// A role to take on.
#[derive(Clone, Debug)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
}

/// How long a call is tried before it is given back to the engine, which has a longer breath.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(super) attempts: u32,
    pub(super) first_wait: Duration,
    pub(super) longest_wait: Duration,
    /// One request and its reply, without the body of a download.
    pub(super) attempt: Duration,
    /// All attempts of a call.
    pub(super) total: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            // About two minutes of waiting in a storm of 503, in which S3 splits its partitions.
            attempts: 10,
            first_wait: Duration::from_millis(200),
            longest_wait: Duration::from_secs(20),
            // A part of 8 MiB at half a Mbit/s.
            attempt: Duration::from_secs(150),
            total: Duration::from_secs(300),
        }
    }
}

/// S3's limit for a key, prefix included, less what our own names take.
const LONGEST_PREFIX: usize = 500;
/// What no bucket's name holds; a user and password in the address would.
const FORBIDDEN: [char; 5] = ['?', '#', '@', ':', ' '];

impl Settings {
    /// Reads an `s3://` address and what belongs to it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] where it is not one, or what belongs together is not given together.
    pub fn new(config: &Access) -> Result<Self> {
        let (bucket, prefix) = bucket_of(&config.url).ok_or_else(|| wrong(&config.url))?;
        if bucket.contains(FORBIDDEN) || prefix.contains("//") || prefix.len() > LONGEST_PREFIX {
            return Err(wrong(&config.url));
        }
        let path_style = config.path_style.unwrap_or(config.endpoint.is_some());
        Ok(Self {
            bucket,
            prefix,
            region: config.region.clone(),
            endpoint: config.endpoint.as_deref().map(endpoint).transpose()?,
            addressing: if path_style {
                Addressing::Path
            } else {
                Addressing::Host
            },
            keys: keys(config)?,
            role: role(config)?,
            encryption: config.encryption,
            kms_key: kms_key(config)?,
            budget: Budget::default(),
        })
    }

    /// The same for the bucket of a single table, which says itself how objects are encrypted.
    #[must_use]
    pub fn of_table(&self, bucket: &str, prefix: &str) -> Self {
        let prefix = prefix.trim_matches('/');
        let end = if prefix.is_empty() { "" } else { "/" };
        Self {
            bucket: bucket.to_owned(),
            prefix: format!("{prefix}{end}"),
            encryption: None,
            kms_key: None,
            ..self.clone()
        }
    }

    /// The bucket and what we use of it, for policies.
    pub(super) fn arn(&self) -> String {
        format!("arn:aws:s3:::{}/{}*", self.bucket, self.prefix)
    }

    /// Whether the bytes are encrypted on their way.
    pub(super) fn is_private(&self) -> bool {
        self.endpoint
            .as_deref()
            .is_none_or(|endpoint| endpoint.starts_with("https://"))
    }
}

fn config_error(message: impl Into<String>, fix: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message).fix(fix)
}

fn wrong(url: &str) -> Error {
    // An address may hold a secret where someone took it for one of another kind.
    let shown = url.split('@').next_back().unwrap_or_default();
    config_error(
        format!("`{shown}` is not the address of a bucket"),
        "Write `url: s3://bucket/prefix`; `endpoint`, `region` and keys have settings of their own.",
    )
}

fn endpoint(text: &str) -> Result<String> {
    let plain = text.trim_end_matches('/');
    let host = plain
        .strip_prefix("http://")
        .or_else(|| plain.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '@', '?']) => Ok(plain.to_owned()),
        Some(_) | None => Err(config_error(
            "`endpoint` is not the address of a server",
            "Write `endpoint: https://host:port`, without a bucket or a user in it.",
        )),
    }
}

fn keys(config: &Access) -> Result<Option<Keys>> {
    match (&config.access_key_id, &config.secret_access_key) {
        (Some(id), Some(secret)) => Ok(Some(Keys {
            id: id.clone(),
            secret: secret.clone(),
            token: config.session_token.clone(),
        })),
        (None, None) if config.session_token.is_none() => Ok(None),
        (Some(_) | None, Some(_) | None) => Err(config_error(
            "an access key is one of `access_key_id` and `secret_access_key`, which come together",
            "Set both, or neither: then AWS's standard chain is asked (environment, profile, role).",
        )),
    }
}

fn role(config: &Access) -> Result<Option<Role>> {
    match (&config.role_arn, &config.external_id) {
        (Some(arn), external_id) => Ok(Some(Role {
            arn: arn.clone(),
            external_id: external_id.clone(),
        })),
        (None, None) => Ok(None),
        (None, Some(_)) => Err(config_error(
            "`external_id` belongs to a role, and there is no `role_arn`",
            "Set `role_arn`, or leave out `external_id`.",
        )),
    }
}

fn kms_key(config: &Access) -> Result<Option<String>> {
    match (&config.kms_key, config.encryption) {
        (Some(_), None | Some(Encryption::Aes256)) => Err(config_error(
            "`kms_key` belongs to an encryption with KMS",
            "Set `encryption: kms`, or leave out `kms_key`.",
        )),
        (key, _) => Ok(key.clone()),
    }
}
