//! A failure as an error of ours: who must act, and what helps.

use tributary_model::{Error, ErrorKind};

use super::failure::{Failure, Nature};
use super::settings::Settings;

/// What we were doing, in the words of policies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    List,
    Get,
    Put,
    Delete,
    Abort,
    ListUploads,
}

impl Action {
    fn permission(self) -> &'static str {
        match self {
            Self::List => "s3:ListBucket",
            Self::Get => "s3:GetObject",
            Self::Put => "s3:PutObject",
            Self::Delete => "s3:DeleteObject",
            Self::Abort => "s3:AbortMultipartUpload",
            Self::ListUploads => "s3:ListBucketMultipartUploads",
        }
    }

    fn resource(self, settings: &Settings) -> String {
        match self {
            Self::List | Self::ListUploads => format!("arn:aws:s3:::{}", settings.bucket),
            Self::Get | Self::Put | Self::Delete | Self::Abort => settings.arn(),
        }
    }

    fn doing(self, settings: &Settings, key: &str) -> String {
        let place = format!("s3://{}/{}{key}", settings.bucket, settings.prefix);
        match self {
            Self::List => format!("listing {place}"),
            Self::Get => format!("reading {place}"),
            Self::Put => format!("writing {place}"),
            Self::Delete => format!("deleting {place}"),
            Self::Abort => format!("giving up the upload of {place}"),
            Self::ListUploads => format!("listing the uploads below {place}"),
        }
    }
}

/// The error of an action on a key (or prefix).
pub(super) fn error(failure: &Failure, action: Action, settings: &Settings, key: &str) -> Error {
    let (kind, message, fix) = meaning(failure, action, settings);
    Error::new(kind, message)
        .because(cause(failure))
        .fix(fix)
        .context(action.doing(settings, key))
}

fn cause(failure: &Failure) -> String {
    if failure.code.is_empty() || failure.text.contains(&failure.code) {
        failure.text.clone()
    } else {
        format!("{}: {}", failure.code, failure.text)
    }
}

fn meaning(failure: &Failure, action: Action, settings: &Settings) -> (ErrorKind, String, String) {
    let bucket = &settings.bucket;
    match failure.nature() {
        Nature::NoSuchBucket => (
            ErrorKind::Config,
            format!("there is no bucket `{bucket}`"),
            "Correct `url`, or make the bucket (`aws s3 mb`), or set the `endpoint` of its store."
                .to_owned(),
        ),
        Nature::Denied => denied(action, settings),
        Nature::Encryption => encryption(settings),
        Nature::WrongKeys => (
            ErrorKind::Access,
            "the store does not accept the access key".to_owned(),
            "Set the right `access_key_id` and `secret_access_key` (or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or the profile)."
                .to_owned(),
        ),
        Nature::Expired => (
            ErrorKind::Access,
            "the temporary credentials have expired, and asking for them again gave no newer ones"
                .to_owned(),
            "Renew them (`aws sso login`, a new session token), or use a role, which renews itself."
                .to_owned(),
        ),
        Nature::NoCredentials => (
            ErrorKind::Access,
            "there are no credentials for the bucket".to_owned(),
            "Set `access_key_id` and `secret_access_key`, or AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is attached."
                .to_owned(),
        ),
        Nature::Skewed => (
            ErrorKind::Access,
            skew(failure),
            "Set this machine's clock by a time server (`timedatectl set-ntp true`); S3 refuses \
             requests that are more than 15 minutes off."
                .to_owned(),
        ),
        Nature::WrongRegion => wrong_region(failure, bucket),
        Nature::NotImplemented => (
            ErrorKind::Config,
            "the store does not know this request".to_owned(),
            "Use a store that speaks all of S3's protocol that `tributary check` tries.".to_owned(),
        ),
        Nature::Throttled => (
            ErrorKind::Throttled(None),
            format!("the store asks for fewer requests to `{bucket}`"),
            "Nothing, it is tried again; if it lasts, give each lake a prefix of its own."
                .to_owned(),
        ),
        Nature::Server | Nature::Conflict => (
            ErrorKind::Unavailable,
            "the store could not carry out a request".to_owned(),
            "Nothing, it is tried again; if it lasts, look at the store.".to_owned(),
        ),
        Nature::Network => (
            ErrorKind::Unavailable,
            format!("the store of `{bucket}` gave no whole reply"),
            network_fix(settings),
        ),
        Nature::Precondition | Nature::NoSuchKey | Nature::NoSuchUpload => (
            ErrorKind::Unavailable,
            "an object is not as it was a moment ago".to_owned(),
            "See that nobody else changes the lake's objects.".to_owned(),
        ),
        Nature::Other => (
            ErrorKind::Config,
            "the store refused a request".to_owned(),
            "Correct the settings of the destination that the message names.".to_owned(),
        ),
    }
}

fn denied(action: Action, settings: &Settings) -> (ErrorKind, String, String) {
    let permission = action.permission();
    let hidden = match action {
        // Who may not list is told that a missing object is forbidden.
        Action::Get => format!(" and `s3:ListBucket` on `arn:aws:s3:::{}`", settings.bucket),
        _ => String::new(),
    };
    (
        ErrorKind::Access,
        format!(
            "`{permission}` is not allowed on the bucket `{}`",
            settings.bucket
        ),
        format!(
            "Allow `{permission}` on `{}`{hidden} to the identity that Tributary runs as.",
            action.resource(settings)
        ),
    )
}

fn encryption(settings: &Settings) -> (ErrorKind, String, String) {
    let key = settings.kms_key.as_deref().unwrap_or("the bucket's key");
    (
        ErrorKind::Access,
        format!(
            "{key} can't be used to encrypt the bucket `{}`",
            settings.bucket
        ),
        "Allow `kms:GenerateDataKey` and `kms:Decrypt` on the key to the identity that Tributary \
         runs as, and see that the key exists, is enabled and is in the bucket's region."
            .to_owned(),
    )
}

fn wrong_region(failure: &Failure, bucket: &str) -> (ErrorKind, String, String) {
    let region = failure.region.clone().or_else(|| {
        // "… the region 'a' is wrong; expecting 'b'"
        let (_, rest) = failure.text.split_once("expecting '")?;
        Some(rest.split_once('\'')?.0.to_owned())
    });
    let fix = match &region {
        Some(region) => format!("Set `region: {region}`."),
        None => "Set `region` to the one that the bucket is in.".to_owned(),
    };
    let message = format!("the bucket `{bucket}` is in another region");
    (ErrorKind::Config, message, fix)
}

/// How far the clocks are apart, where the reply tells.
fn skew(failure: &Failure) -> String {
    let Some(ahead) = failure.ahead() else {
        return "this machine's clock and the store's differ too much".to_owned();
    };
    match -ahead.num_minutes() {
        minutes @ 1.. => format!("this machine's clock is {minutes} minutes ahead of the store's"),
        minutes @ ..=-1 => format!(
            "this machine's clock is {} minutes behind the store's",
            -minutes
        ),
        0 => "the store says that this machine's clock is off, though both agree now".to_owned(),
    }
}

fn network_fix(settings: &Settings) -> String {
    match &settings.endpoint {
        Some(endpoint) => format!(
            "See that {endpoint} is up and can be reached from here; a store without host names \
             for buckets needs `path_style: true`."
        ),
        None => "See that S3 can be reached from here (network, proxy, VPC endpoint).".to_owned(),
    }
}
