use chrono::TimeDelta;
use tributary_model::{ErrorKind, Secret};
use tributary_testkit::s3::{Fault, Operation, Options, Rule, S3Server, Times};

use super::fixture::{BUCKET, config, put, server, store, store_of};
use crate::access::Access;
use crate::store::Store;

/// The error of a listing.
async fn error_of(config: &Access) -> (ErrorKind, String) {
    let error = store_of(config).list("", None, 1).await.unwrap_err();
    (error.kind(), error.to_string())
}

#[tokio::test]
async fn wrong_settings_are_named() {
    let server = S3Server::start(Options {
        region: "eu-west-1".to_owned(),
        ..Options::default()
    });
    let mut good = config(&server);
    good.region = Some("eu-west-1".to_owned());
    store_of(&good).list("", None, 1).await.unwrap();
    let spoiled = |spoil: fn(&mut Access)| {
        let mut config = good.clone();
        spoil(&mut config);
        config
    };
    for (config, kind, words) in [
        (
            spoiled(|config| config.url = "s3://lakes/raw".to_owned()),
            ErrorKind::Config,
            "there is no bucket `lakes`",
        ),
        (
            spoiled(|config| config.region = Some("us-east-1".to_owned())),
            ErrorKind::Config,
            "Set `region: eu-west-1`.",
        ),
        (
            spoiled(|config| config.access_key_id = Some("AKIAOTHER".to_owned())),
            ErrorKind::Access,
            "does not accept the access key",
        ),
        (
            spoiled(|config| config.secret_access_key = Some(Secret::new("sesame"))),
            ErrorKind::Access,
            "does not accept the access key",
        ),
        (
            spoiled(|config| config.endpoint = Some("http://127.0.0.1:1".to_owned())),
            ErrorKind::Unavailable,
            "See that http://127.0.0.1:1 is up",
        ),
    ] {
        let (found, text) = error_of(&config).await;
        assert_eq!(found, kind, "{text}");
        assert!(text.contains(words), "{text}");
        assert!(
            !text.contains("sesame") && !text.contains("tributary/test/secret"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    for (operation, permission) in [
        (
            Operation::ListObjects,
            "Allow `s3:ListBucket` on `arn:aws:s3:::lake`",
        ),
        (
            Operation::GetObject,
            "Allow `s3:GetObject` on `arn:aws:s3:::lake/raw/*`",
        ),
        (
            Operation::PutObject,
            "Allow `s3:PutObject` on `arn:aws:s3:::lake/raw/*`",
        ),
        (Operation::DeleteObject, "Allow `s3:DeleteObject` on"),
        (
            Operation::ListUploads,
            "Allow `s3:ListBucketMultipartUploads` on `arn:aws:s3:::lake`",
        ),
    ] {
        let server = server();
        let store = store(&server);
        server.fail(
            Rule::new(Fault::AccessDenied)
                .on(operation)
                .times(Times::Always),
        );
        let error = match operation {
            Operation::ListObjects => store.list("", None, 1).await.unwrap_err(),
            Operation::GetObject => store.get("a").await.unwrap_err(),
            Operation::PutObject => store.put("a", bytes::Bytes::new()).await.unwrap_err(),
            Operation::DeleteObject => store.delete("a").await.unwrap_err(),
            _ => store.uploads("").await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Access);
        assert!(error.to_string().contains(permission), "{error}");
    }
}

#[tokio::test]
async fn credentials_that_expire_in_the_middle_are_asked_for_again() {
    let server = server();
    let store = store(&server);
    assert_eq!(put(&store, "1", "x").await, "created");
    for (key, operation) in [("2", Operation::PutObject), ("3", Operation::ListObjects)] {
        server.fail(Rule::new(Fault::ExpiredToken).on(operation));
        assert_eq!(put(&store, key, "x").await, "created");
        store.list("", None, 1).await.unwrap();
    }
    server.expire_credentials();
    assert_eq!(put(&store, "4", "x").await, "access");
    let error = store.list("", None, 1).await.unwrap_err();
    assert!(error.to_string().contains("have expired"), "{error}");
    server.renew_credentials();
    assert_eq!(put(&store, "4", "x").await, "created");
    assert_eq!(server.keys(BUCKET).len(), 4);
}

/// Signing by the store's clock is safe: what was signed by the wrong one was not looked at.
#[tokio::test]
async fn a_wrong_clock_is_corrected() {
    for minutes in [40, -90] {
        let server = server();
        server.set_clock_ahead(TimeDelta::minutes(minutes));
        let store = store(&server);
        assert_eq!(put(&store, "1", "x").await, "created");
        store.put("2", bytes::Bytes::new()).await.unwrap();
        assert_eq!(store.list("", None, 9).await.unwrap().len(), 2);
        let requests = server.requests(Operation::PutObject);
        assert_eq!(requests, 3, "the clock is asked once");
        server.set_clock_ahead(TimeDelta::zero());
        assert_eq!(put(&store, "3", "x").await, "created");
    }
}

#[tokio::test]
async fn a_clock_that_stays_wrong_is_explained() {
    let ahead = server();
    ahead.set_clock_ahead(TimeDelta::minutes(40));
    let (kind, text) = {
        ahead.fail(Rule::new(Fault::Skewed).times(Times::Always));
        error_of(&config(&ahead)).await
    };
    assert_eq!(kind, ErrorKind::Access);
    assert!(text.contains("minutes behind the store's"), "{text}");
    assert!(text.contains("set-ntp"), "{text}");
}

#[tokio::test]
async fn temporary_credentials_carry_their_token() {
    let server = S3Server::start(Options {
        credentials: tributary_testkit::s3::Credentials {
            session_token: Some("token".to_owned()),
            ..Default::default()
        },
        ..Options::default()
    });
    store(&server).list("", None, 1).await.unwrap();
    let mut without = config(&server);
    without.session_token = None;
    let (kind, text) = error_of(&without).await;
    assert_eq!(kind, ErrorKind::Access, "{text}");
}
