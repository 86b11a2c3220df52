#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;

const ROLE: &str = "arn:aws:iam::123456789012:role/reads";

fn config(more: Value) -> Config {
    let mut config = json!({
        "host": "wh.internal",
        "user": "loader",
        "staging": {"url": "s3://bucket/in"},
        "iam_role": ROLE,
    });
    let more = more.as_object().unwrap().clone();
    config.as_object_mut().unwrap().extend(more);
    serde_json::from_value(config).unwrap()
}

fn settings(more: Value) -> Settings {
    Settings::from_config(&config(more)).unwrap()
}

fn refusal(more: Value) -> String {
    Settings::from_config(&config(more))
        .unwrap_err()
        .to_string()
}

#[test]
fn an_address_says_everything() {
    let settings = settings(json!({
        "host": null,
        "user": null,
        "url": "redshift://loader:p%40ss@wh.internal:6439/analytics?sslmode=verify-full&sslrootcert=ca.pem",
    }));
    assert_eq!(settings.place(), "wh.internal:6439");
    assert_eq!(
        (settings.user.as_str(), settings.database.as_str()),
        ("loader", "analytics")
    );
    assert_eq!(settings.password.unwrap().expose(), "p@ss");
    assert_eq!(settings.tls, Tls::VerifyIdentity(Some("ca.pem".into())));
}

#[test]
fn what_is_not_said_has_a_default() {
    let remote = settings(json!({}));
    assert_eq!((remote.port, remote.database.as_str()), (5439, "dev"));
    assert_eq!((remote.tls, remote.schema), (Tls::Required, None));
    assert_eq!(remote.statement_timeout, Duration::from_secs(3600));
    let near = settings(json!({"host": "127.0.0.1"}));
    assert_eq!(near.tls, Tls::Preferred);
}

#[test]
fn redshift_reads_as_a_role_or_with_the_keys_of_the_bucket() {
    assert!(matches!(settings(json!({})).reader, Reader::Role(arn) if arn == ROLE));
    let own = settings(json!({"iam_role": "default"}));
    assert!(matches!(own.reader, Reader::OwnRole));
    let keys = json!({"url": "s3://b", "access_key_id": "A", "secret_access_key": "s"});
    let keyed = settings(json!({"iam_role": null, "staging": keys}));
    assert!(matches!(keyed.reader, Reader::Keys { id, .. } if id == "A"));
    // Credentials of this machine are never handed on.
    assert!(refusal(json!({"iam_role": null})).contains("no right to read the staging bucket"));
    for odd in [
        "reads",
        "arn:aws:iam::1:role/a'; DROP",
        "arn:aws:iam::1:user/u",
    ] {
        assert!(
            refusal(json!({"iam_role": odd})).contains("not the ARN of a role"),
            "{odd}"
        );
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_remedy() {
    for (more, said) in [
        (json!({"staging": null}), "needs `staging`"),
        (json!({"staging": {"url": "bucket"}}), "bucket"),
        (json!({"host": null}), "needs `host`"),
        (json!({"schema": "_tributary"}), "where the state is kept"),
        (json!({"schema": "pg_x"}), "belongs to Redshift itself"),
        (json!({"statement_timeout": "soon"}), "not a time"),
        (
            json!({"url": "mysql://a"}),
            "does not begin with `redshift://`",
        ),
        (
            json!({"tls": {"mode": "required", "ca_file": "a"}}),
            "verifies nothing",
        ),
    ] {
        let refusal = refusal(more);
        assert!(refusal.contains(said), "{said}: {refusal}");
    }
    let all = faults(&config(
        json!({"host": null, "staging": null, "schema": ""}),
    ));
    assert_eq!(all.len(), 3, "{all:?}");
}
