//! A server and a store in front of it.

use std::time::Duration;

use bytes::Bytes;
use tributary_model::{ErrorKind, Secret};
use tributary_testkit::s3::{Options, S3Server};

use crate::access::Access;
use crate::s3::settings::Budget;
use crate::s3::{S3Store, Settings};
use crate::store::{PutOutcome, Store};

pub(super) const BUCKET: &str = "lake";

pub(super) fn server() -> S3Server {
    S3Server::start(Options::default())
}

pub(super) fn config(server: &S3Server) -> Access {
    let mut config = Access {
        url: "s3://lake/raw/".to_owned(),
        ..Access::default()
    };
    let credentials = server.credentials();
    config.endpoint = Some(server.endpoint());
    config.region = Some("us-east-1".to_owned());
    config.access_key_id = Some(credentials.access_key_id.clone());
    config.secret_access_key = Some(Secret::new(credentials.secret_access_key.clone()));
    config.session_token = credentials.session_token.clone().map(Secret::new);
    config
}

/// Short waits and few attempts: a test is not a storm.
pub(super) fn store_of(config: &Access) -> S3Store {
    let mut settings = Settings::new(config).unwrap();
    settings.budget = Budget {
        attempts: 4,
        first_wait: Duration::from_millis(5),
        longest_wait: Duration::from_millis(20),
        attempt: Duration::from_secs(5),
        total: Duration::from_secs(20),
    };
    S3Store::new(settings)
}

pub(super) fn store(server: &S3Server) -> S3Store {
    store_of(&config(server))
}

/// What a conditional put came to, in a word.
pub(super) async fn put(store: &S3Store, key: &str, text: &'static str) -> &'static str {
    match store
        .put_if_absent(key, Bytes::from_static(text.as_bytes()))
        .await
    {
        Ok(PutOutcome::Created) => "created",
        Ok(PutOutcome::Exists) => "exists",
        Ok(PutOutcome::Unknown(_)) => "unknown",
        Err(error) => word(error.kind()),
    }
}

pub(super) fn word(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Config => "config",
        ErrorKind::Access => "access",
        ErrorKind::Throttled(_) => "throttled",
        ErrorKind::Unavailable => "unavailable",
        _ => "another",
    }
}
