//! What the SDK says went wrong, as plain values; and what that means for who must act.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// How far a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reached {
    /// The store answered that it would not.
    Refused,
    /// It may have arrived and been carried out.
    Perhaps,
    /// It was never sent: there are no credentials to sign it with.
    Unsigned,
    /// It was never sent: something about it is wrong.
    Unsent,
}

/// A call that failed.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) reached: Reached,
    pub(super) status: u16,
    /// S3's word for it; empty where there is none.
    pub(super) code: String,
    /// For people.
    pub(super) text: String,
    /// The bucket's region, where the reply names it.
    pub(super) region: Option<String>,
    /// The store's clock.
    pub(super) date: Option<String>,
}

/// What a failure is, as far as the next step depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// 412.
    Precondition,
    /// 409: a request like it is under way.
    Conflict,
    NoSuchKey,
    NoSuchBucket,
    NoSuchUpload,
    /// Too much at once; nothing happened.
    Throttled,
    Expired,
    Skewed,
    WrongRegion,
    WrongKeys,
    Denied,
    Encryption,
    NotImplemented,
    /// A fault of the store; what it did nobody knows.
    Server,
    Network,
    NoCredentials,
    Other,
}

impl Failure {
    pub(super) fn new<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let reached = match &error {
            SdkError::ServiceError(_) => Reached::Refused,
            _ if finds_no_credentials(&error) => Reached::Unsigned,
            SdkError::ConstructionFailure(_) => Reached::Unsent,
            _ => Reached::Perhaps,
        };
        let raw = error.raw_response();
        let header = |name| raw.and_then(|raw| raw.headers().get(name).map(str::to_owned));
        let meta = error.as_service_error().map(ProvideErrorMetadata::meta);
        let said = meta.and_then(|meta| meta.message());
        Self {
            reached,
            status: raw.map_or(0, |raw| raw.status().as_u16()),
            code: meta
                .and_then(|meta| meta.code())
                .unwrap_or_default()
                .to_owned(),
            text: said.map_or_else(|| chain(&error), str::to_owned),
            region: header("x-amz-bucket-region"),
            date: header("date"),
        }
    }

    pub(super) fn nature(&self) -> Nature {
        match self.reached {
            Reached::Unsigned => return Nature::NoCredentials,
            Reached::Unsent => return Nature::Other,
            Reached::Perhaps => return Nature::Network,
            Reached::Refused => {}
        }
        by_code(&self.code)
            .or_else(|| self.by_text())
            .unwrap_or_else(|| by_status(self.status))
    }

    /// S3 wraps what KMS says into codes of its own.
    fn by_text(&self) -> Option<Nature> {
        let kms = self.code.starts_with("KMS.") || self.text.contains("kms:");
        kms.then_some(Nature::Encryption)
    }
}

fn by_code(code: &str) -> Option<Nature> {
    Some(match code {
        "PreconditionFailed" => Nature::Precondition,
        "ConditionalRequestConflict" | "OperationAborted" => Nature::Conflict,
        "NoSuchKey" | "NotFound" => Nature::NoSuchKey,
        "NoSuchBucket" => Nature::NoSuchBucket,
        "NoSuchUpload" => Nature::NoSuchUpload,
        "SlowDown"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded" => Nature::Throttled,
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => Nature::Expired,
        "RequestTimeTooSkewed" | "RequestExpired" => Nature::Skewed,
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException" => Nature::WrongRegion,
        "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "InvalidSecurity" => {
            Nature::WrongKeys
        }
        "NotImplemented" => Nature::NotImplemented,
        "RequestTimeout" | "InternalError" | "ServiceUnavailable" => Nature::Server,
        _ => return None,
    })
}

/// Replies to HEAD have no body, and therefore no code.
fn by_status(status: u16) -> Nature {
    match status {
        301 | 307 => Nature::WrongRegion,
        401 | 403 => Nature::Denied,
        404 => Nature::NoSuchKey,
        412 => Nature::Precondition,
        429 | 503 => Nature::Throttled,
        501 => Nature::NotImplemented,
        500.. => Nature::Server,
        _ => Nature::Other,
    }
}

fn causes<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&error| error.source())
}

fn finds_no_credentials(error: &(dyn StdError + 'static)) -> bool {
    causes(error).any(|cause| cause.is::<CredentialsError>())
}

/// The causes from the outside in, each once.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = cause.to_string();
        if !texts.iter().any(|said| said.contains(&text)) {
            texts.push(text);
        }
    }
    texts.join(": ")
}
