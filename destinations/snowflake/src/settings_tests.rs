#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

fn config(change: &Value) -> Config {
    let mut all = json!({
        "account": "MYORG-MY_ACCOUNT",
        "user": "loader",
        "private_key": tributary_standins::snowflake::private_key(),
        "database": "ANALYTICS",
        "staging": {"url": "s3://bucket/prefix/"},
        "stage": "ANALYTICS.PUBLIC.LAKE",
    });
    for (key, value) in change.as_object().unwrap() {
        match value {
            Value::Null => all.as_object_mut().unwrap().remove(key),
            value => all
                .as_object_mut()
                .unwrap()
                .insert(key.clone(), value.clone()),
        };
    }
    serde_json::from_value(all).unwrap()
}

#[test]
fn what_is_left_out_has_a_sense() {
    let settings = Settings::from_config(&config(&json!({}))).unwrap();
    assert_eq!(
        settings.url,
        "https://myorg-my-account.snowflakecomputing.com"
    );
    assert_eq!(settings.bucket_url, "s3://bucket/prefix");
    assert_eq!(settings.identifiers, Identifiers::Upper);
    assert_eq!(settings.statement_timeout, Duration::from_secs(3600));
    assert!(faults(&config(&json!({"statement_timeout": "90s"}))).is_empty());
}

#[test]
fn what_cannot_be_meant_is_refused_with_the_fix() {
    for (change, part) in [
        (json!({"account": null}), "`account` is missing"),
        (json!({"account": "https://x"}), "no account identifier"),
        (
            json!({"url": "http://example.com"}),
            "not the address of an account",
        ),
        (
            json!({"url": "https://u:p@example.com"}),
            "not the address of an account",
        ),
        (json!({"user": null}), "`user` is missing"),
        (json!({"private_key": null}), "nothing to log in with"),
        (json!({"token": "t"}), "more than one of"),
        (json!({"private_key": "x"}), "private key can't be used"),
        (json!({"database": ""}), "1 to 255 bytes"),
        (
            json!({"staging": {"url": "gs://x"}}),
            "not the address of a bucket",
        ),
        (json!({"stage": null}), "not told how to read"),
        (json!({"storage_integration": "i"}), "both `stage`"),
        (json!({"statement_timeout": "1d"}), "is no time"),
        (
            json!({"private_key": null, "private_key_file": "/nowhere/key"}),
            "can't be read",
        ),
    ] {
        let faults = faults(&config(&change));
        assert_eq!(faults.len(), 1, "{change}: {faults:?}");
        let error = &faults[0].error;
        assert!(error.to_string().contains(part), "{change}: {error}");
        assert!(error.help().is_some(), "{change}");
    }
    let all = faults(&config(
        &json!({"account": null, "stage": null, "database": null}),
    ));
    assert_eq!(all.len(), 3, "everything is told at once: {all:?}");
}

#[test]
fn a_token_needs_no_user() {
    let token = json!({"private_key": null, "user": null, "token": "t"});
    assert!(faults(&config(&token)).is_empty());
}
