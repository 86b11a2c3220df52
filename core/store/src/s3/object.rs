//! Putting, listing and deleting objects.
//!
//! **The conditional put** (`If-None-Match: *`). The store decides between writers; we must only
//! never take our own write for another's nor lose one:
//!
//! * 200: it is ours. 412: an object is there. It may be ours where an earlier attempt of the
//!   *caller* ended `Unknown`; the caller compares.
//! * 409: another conditional request for the key is under way, ours was not carried out; 503:
//!   not carried out; expired credentials, a wrong clock: not even looked at. These are sent again. Should a
//!   store lie and have carried it out after all, the next attempt gets 412, and the caller, who
//!   compares, finds its own bytes.
//! * Anything else (no reply, half a reply, 500): nobody knows, `Unknown`.

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{Builder, Config};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::DateTime as SdkTime;
use aws_sdk_s3::types::ServerSideEncryption;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};
use tributary_model::Result;

use super::clock::Mended;
use super::explain::Action;
use super::failure::{Failure, Nature, Reached};
use super::{S3Store, settings::Settings};
use crate::access::Encryption;
use crate::store::{Entry, PutOutcome};

/// The most keys a page can have.
const PAGE: usize = 1000;

pub(super) fn encryption_of(settings: &Settings) -> Option<ServerSideEncryption> {
    settings.encryption.map(|encryption| match encryption {
        Encryption::Aes256 => ServerSideEncryption::Aes256,
        Encryption::Kms => ServerSideEncryption::AwsKms,
        Encryption::KmsDsse => ServerSideEncryption::AwsKmsDsse,
    })
}

fn request(store: &S3Store, client: &Client, key: &str, bytes: &Bytes) -> PutObjectFluentBuilder {
    client
        .put_object()
        .bucket(&store.settings.bucket)
        .key(store.key(key))
        .set_server_side_encryption(encryption_of(&store.settings))
        .set_ssekms_key_id(store.settings.kms_key.clone())
        .body(bytes.clone().into())
}

pub(super) async fn put(store: &S3Store, key: &str, bytes: Bytes) -> Result<()> {
    let send = |client: Client| {
        let request = request(store, &client, key, &bytes);
        async move { request.send().await.map_err(Failure::new) }
    };
    match store.request(send).await {
        Ok(_) => Ok(()),
        Err(failure) => Err(store.explain(&failure, Action::Put, key)),
    }
}

pub(super) async fn put_if_absent(store: &S3Store, key: &str, bytes: Bytes) -> Result<PutOutcome> {
    let budget = store.settings.budget;
    let began = Instant::now();
    let mut wait = budget.first_wait;
    let mut mended = Mended::No;
    for attempt in 1.. {
        let failure = match once(store, key, &bytes).await {
            Ok(()) => return Ok(PutOutcome::Created),
            Err(failure) => failure,
        };
        let again = match failure.nature() {
            Nature::Precondition => return Ok(PutOutcome::Exists),
            Nature::Expired | Nature::Skewed if mended == Mended::No => {
                mended = store.mend(&failure).await;
                if mended == Mended::No {
                    return ended(store, key, &failure);
                }
                Duration::ZERO
            }
            Nature::Conflict | Nature::Throttled => wait,
            _ => return ended(store, key, &failure),
        };
        if attempt >= budget.attempts || began.elapsed() + again > budget.total {
            return ended(store, key, &failure);
        }
        sleep(again).await;
        wait = (wait * 2).min(budget.longest_wait);
    }
    unreachable!("attempts are counted without end");
}

async fn once(store: &S3Store, key: &str, bytes: &Bytes) -> Result<(), Failure> {
    let client = store.client().await;
    request(store, &client, key, bytes)
        .if_none_match("*")
        .customize()
        .config_override(never_again())
        .send()
        .await
        .map(|_| ())
        .map_err(Failure::new)
}

/// The SDK must not decide that a lost reply is tried again.
fn never_again() -> Builder {
    Config::builder().retry_config(RetryConfig::disabled())
}

/// A failure that ends the attempts: nothing happened, or nobody knows.
fn ended(store: &S3Store, key: &str, failure: &Failure) -> Result<PutOutcome> {
    let error = store.explain(failure, Action::Put, key);
    let unknown = match failure.reached {
        Reached::Perhaps => true,
        Reached::Refused => failure.nature() == Nature::Server,
        Reached::Unsigned | Reached::Unsent => false,
    };
    if unknown {
        Ok(PutOutcome::Unknown(error))
    } else {
        Err(error)
    }
}

pub(super) async fn delete(store: &S3Store, key: &str) -> Result<()> {
    let send = |client: Client| {
        let request = client
            .delete_object()
            .bucket(&store.settings.bucket)
            .key(store.key(key));
        async move { request.send().await.map_err(Failure::new) }
    };
    match store.request(send).await {
        Ok(_) => Ok(()),
        Err(failure) if failure.nature() == Nature::NoSuchKey => Ok(()),
        Err(failure) => Err(store.explain(&failure, Action::Delete, key)),
    }
}

pub(super) async fn list(
    store: &S3Store,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<Entry>> {
    let mut found = Vec::new();
    let mut token: Option<String> = None;
    while found.len() < limit {
        let most = PAGE.min(limit - found.len());
        let send = |client: Client| {
            let request = client
                .list_objects_v2()
                .bucket(&store.settings.bucket)
                .prefix(store.key(prefix))
                .set_start_after(after.map(|after| store.key(after)))
                .set_continuation_token(token.clone())
                .max_keys(i32::try_from(most).unwrap_or(i32::MAX));
            async move { request.send().await.map_err(Failure::new) }
        };
        let page = store
            .request(send)
            .await
            .map_err(|failure| store.explain(&failure, Action::List, prefix))?;
        let root = &store.settings.prefix;
        found.extend(page.contents().iter().filter_map(|object| {
            Some(Entry {
                key: object.key()?.strip_prefix(root.as_str())?.to_owned(),
                size: u64::try_from(object.size().unwrap_or_default()).unwrap_or_default(),
                modified: time(object.last_modified()),
            })
        }));
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() {
            break;
        }
    }
    found.truncate(limit);
    Ok(found)
}

/// A time of the store. Without one nothing looks old: what is old may be deleted.
pub(super) fn time(time: Option<&SdkTime>) -> DateTime<Utc> {
    time.and_then(|time| DateTime::from_timestamp(time.secs(), time.subsec_nanos()))
        .unwrap_or_else(tributary_model::now)
}
