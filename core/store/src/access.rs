//! Which bucket, and as whom: the part of a configuration that is about S3.

use schemars::JsonSchema;
use serde::Deserialize;
use tributary_model::Secret;

/// A bucket, and who uses it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Where the files are: `s3://bucket/prefix`.
    pub url: String,
    /// The region; by default the environment's.
    #[serde(default)]
    pub region: Option<String>,
    /// The address of a store that is not AWS's, such as `http://localhost:9000`.
    #[serde(default)]
    pub endpoint: Option<String>,
    /// Whether the bucket stands in the path instead of the host name, as most stores other than
    /// AWS need; by default where `endpoint` is given.
    #[serde(default)]
    pub path_style: Option<bool>,
    /// The access key; by default AWS's standard chain is asked (environment, profile, role).
    #[serde(default)]
    pub access_key_id: Option<String>,
    /// The secret of the access key.
    #[serde(default)]
    pub secret_access_key: Option<Secret>,
    /// The token of a temporary access key.
    #[serde(default)]
    pub session_token: Option<Secret>,
    /// A role to take on, as its ARN.
    #[serde(default)]
    pub role_arn: Option<String>,
    /// What the role asks others to know.
    #[serde(default)]
    pub external_id: Option<String>,
    /// How objects are encrypted where they are stored; by default as the bucket says.
    #[serde(default)]
    pub encryption: Option<Encryption>,
    /// The key of `encryption: kms`, as its ARN; by default AWS's own.
    #[serde(default)]
    pub kms_key: Option<String>,
}

/// Who encrypts objects where they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Encryption {
    /// S3, with keys of its own.
    Aes256,
    /// S3, with a key of KMS.
    Kms,
    /// S3, twice, with a key of KMS.
    KmsDsse,
}

/// The bucket that an address names, and what all keys in it begin with: empty, or ending in a
/// slash. `None` where it names none.
#[must_use]
pub fn bucket_of(url: &str) -> Option<(String, String)> {
    let rest = url
        .strip_prefix("s3://")
        .or_else(|| url.strip_prefix("s3a://"))?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let end = if prefix.is_empty() { "" } else { "/" };
    (!bucket.is_empty()).then(|| (bucket.to_owned(), format!("{prefix}{end}")))
}
