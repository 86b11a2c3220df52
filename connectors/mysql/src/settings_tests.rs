#![allow(clippy::unwrap_used)]

use serde_json::json;

use tributary_model::Severity;

use super::*;
use crate::config::Config;

fn read(value: serde_json::Value) -> Result<Settings> {
    Settings::from_config(serde_json::from_value(value).unwrap())
}

fn fails_with(value: serde_json::Value, part: &str) {
    let shown = value.to_string();
    let error = read(value).expect_err(&shown);
    assert_eq!(error.kind(), ErrorKind::Config, "{shown}");
    assert!(error.to_string().contains(part), "{shown}: {error}");
    assert!(error.help().is_some(), "{shown}: {error}");
}

#[test]
fn defaults_are_filled_in() {
    let settings = read(json!({"host": "db.internal", "user": "reader"})).unwrap();
    assert_eq!(settings.endpoint.to_string(), "db.internal:3306");
    assert_eq!(settings.tls, Tls::Required);
    assert_eq!(settings.databases, Vec::<String>::new());
    assert_eq!((settings.parallelism, settings.chunk_rows), (2, 100_000));
    assert!(settings.server_id >= 1_000_000_000 && !settings.server_id_chosen);
    assert_eq!(settings.snapshot, SnapshotMode::Initial);
}

#[test]
fn an_address_says_the_same_as_single_keys() {
    let settings = read(json!({
        "url": "mysql://re%40der:p%2Fw@[::1]:3307/shop?ssl-mode=VERIFY_CA&ssl-ca=/ca.pem"
    }))
    .unwrap();
    let host = "::1".to_owned();
    assert_eq!(settings.endpoint, Endpoint::Tcp { host, port: 3307 });
    assert_eq!(settings.user, "re@der");
    assert_eq!(settings.password.unwrap().expose(), "p/w");
    assert_eq!(settings.databases, ["shop"]);
    assert_eq!(settings.tls, Tls::VerifyCa(Some("/ca.pem".into())));
}

#[test]
fn a_password_may_stand_beside_the_address() {
    let settings = read(json!({"url": "mysql://reader@db", "password": "x"})).unwrap();
    assert_eq!(settings.password.unwrap().expose(), "x");
}

#[test]
fn encryption_depends_on_where_the_server_is() {
    for host in ["localhost", "127.0.0.1", "127.9.9.9", "::1"] {
        let settings = read(json!({"host": host, "user": "u"})).unwrap();
        assert_eq!(settings.tls, Tls::Preferred, "{host}");
    }
    let socket = read(json!({"socket": "/run/mysqld.sock", "user": "u"})).unwrap();
    assert_eq!(socket.tls, Tls::Preferred);
    let with_ca = read(json!({"host": "db", "user": "u", "tls": {"ca_file": "ca.pem"}})).unwrap();
    assert_eq!(with_ca.tls, Tls::VerifyIdentity(Some("ca.pem".into())));
    let off = read(json!({"host": "db", "user": "u", "tls": {"mode": "disabled"}})).unwrap();
    assert_eq!(off.tls, Tls::Disabled);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    fails_with(json!({"user": "u"}), "needs the server's address");
    fails_with(json!({"host": "db"}), "needs `user`");
    fails_with(
        json!({"host": "db", "url": "mysql://u@db"}),
        "`url` and `host`",
    );
    fails_with(
        json!({"port": 1, "url": "mysql://u@db"}),
        "`port` is given without `host`",
    );
    fails_with(json!({"url": "mysql://a@db", "user": "b"}), "two users");
    fails_with(
        json!({"url": "mysql://a:x@db", "password": "y"}),
        "a password stands in",
    );
    fails_with(json!({"url": "postgres://a@db"}), "begins with `postgres:`");
    fails_with(json!({"url": "mysql://a@db?foo=1"}), "option `foo`");
    fails_with(json!({"url": "mysql://a@db?ssl-mode=maybe"}), "`maybe`");
    fails_with(
        json!({"url": "mysql://a@db/shop", "databases": ["a", "b"]}),
        "another database",
    );
    fails_with(
        json!({"url": "mysql:///shop", "user": "u"}),
        "`url` names no host",
    );
    fails_with(
        json!({"host": "mysql://db", "user": "u"}),
        "not the name of a host",
    );
    let tls = json!({"mode": "required", "ca_file": "ca.pem"});
    fails_with(
        json!({"host": "db", "user": "u", "tls": tls}),
        "verifies nothing",
    );
}

#[test]
fn all_that_is_wrong_is_found_at_once() {
    let config = json!({
        "host": "a b", "password": "x", "databases": [], "parallelism": 0, "server_id": 0,
        "tls": {"mode": "disabled", "ca_file": "ca.pem"},
    });
    let faults = faults(&serde_json::from_value(config).unwrap());
    let keys: Vec<String> = faults.iter().map(|fault| fault.keys.join(".")).collect();
    let expected = [
        "server_id",
        "parallelism",
        "host",
        "tls.ca_file",
        "",
        "databases",
    ];
    assert_eq!(keys, expected);
    // What an address says that can't be read is not called missing.
    let broken = json!({"url": "mysql://u@db:port", "chunk_rows": 0});
    let faults = super::faults(&serde_json::from_value(broken).unwrap());
    let keys: Vec<String> = faults.iter().map(|fault| fault.keys.join(".")).collect();
    assert_eq!(keys, ["url", "chunk_rows"]);
}

#[test]
fn a_file_that_is_not_here_is_a_doubt() {
    let of = |path: &str| {
        let config = json!({"host": "db", "user": "u", "tls": {"ca_file": path}});
        faults(&serde_json::from_value(config).unwrap())
    };
    let doubts = of("/no/such/ca.pem");
    assert_eq!(doubts[0].severity, Severity::Doubt);
    assert_eq!(doubts[0].keys, ["tls", "ca_file"]);
    assert!(of(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).is_empty());
}

#[test]
fn numbers_and_databases_are_checked() {
    let with = |key: &str, value: serde_json::Value| {
        let mut config = json!({"host": "db", "user": "u"});
        config[key] = value;
        config
    };
    fails_with(with("databases", json!([])), "`databases` is empty");
    fails_with(with("databases", json!(["a.b"])), "dot in its name");
    fails_with(with("databases", json!(["shop*"])), "pattern");
    fails_with(with("databases", json!(["MySQL"])), "of the server itself");
    fails_with(with("databases", json!([" "])), "empty name");
    fails_with(with("parallelism", json!(0)), "`parallelism` is 0");
    fails_with(with("parallelism", json!(65)), "from 1 to 64");
    fails_with(with("chunk_rows", json!(0)), "`chunk_rows` is 0");
    fails_with(with("server_id", json!(0)), "`server_id` is 0");
    let settings = read(with("databases", json!(["b", "a", "b"]))).unwrap();
    assert_eq!(settings.databases, ["a", "b"]);
}

#[test]
fn zero_dates_may_be_null_in_both_spellings() {
    for value in [json!(null), json!("null")] {
        let settings = read(json!({"host": "db", "user": "u", "zero_dates": value})).unwrap();
        assert_eq!(settings.zero_dates, ZeroDates::Null);
    }
    let text = read(json!({"host": "db", "user": "u", "zero_dates": "text"})).unwrap();
    assert_eq!(text.zero_dates, ZeroDates::Text);
}

#[test]
fn no_secret_is_ever_shown() {
    let config: Config = serde_json::from_value(json!({"url": "mysql://a:hunter2@db"})).unwrap();
    assert!(!format!("{config:?}").contains("hunter2"));
    assert!(!format!("{:?}", Settings::from_config(config).unwrap()).contains("hunter2"));
    for url in [
        "mysql://a:hunter2@db:port",
        "mysql:///hunter2?x=1",
        "hunter2",
        "mysql://a:hunter2@",
    ] {
        let error = read(json!({"url": url})).unwrap_err();
        assert!(!format!("{error:?}").contains("hunter2"), "{url}: {error}");
    }
}

#[test]
fn unknown_keys_are_refused_and_the_schema_says_what_is_known() {
    assert!(serde_json::from_value::<Config>(json!({"hots": "db"})).is_err());
    let schema = serde_json::to_value(schemars::schema_for!(Config)).unwrap();
    assert_eq!(schema["additionalProperties"], json!(false));
    for key in [
        "host",
        "url",
        "password",
        "tls",
        "databases",
        "snapshot",
        "zero_dates",
    ] {
        assert!(
            schema["properties"][key]["description"].is_string(),
            "{key}"
        );
    }
}
