#![allow(clippy::unwrap_used)]

use super::*;

fn config(yaml_like: &str) -> Config {
    serde_json::from_str(yaml_like).unwrap()
}

fn settings(text: &str) -> Settings {
    Settings::from_config(&config(text)).unwrap()
}

fn refusal(text: &str) -> String {
    Settings::from_config(&config(text))
        .unwrap_err()
        .to_string()
}

#[test]
fn an_address_says_everything() {
    let settings = settings(
        r#"{"url": "postgres://loader:p%40ss@db.internal:6432/analytics?sslmode=verify-full&sslrootcert=ca.pem"}"#,
    );
    assert_eq!(settings.place(), "db.internal:6432");
    assert_eq!(
        (settings.user.as_str(), settings.database.as_str()),
        ("loader", "analytics")
    );
    assert_eq!(settings.password.unwrap().expose(), "p@ss");
    assert_eq!(settings.tls, Tls::VerifyIdentity(Some("ca.pem".into())));
}

#[test]
fn what_is_not_said_has_a_default() {
    let remote = settings(r#"{"host": "db.internal", "user": "loader"}"#);
    assert_eq!((remote.port, remote.database.as_str()), (5432, "loader"));
    assert_eq!((remote.tls, remote.schema), (Tls::Required, None));
    assert_eq!(remote.statement_timeout, Duration::from_secs(3600));
    for near in ["127.0.0.1", "localhost", "::1", "/var/run/postgresql"] {
        let near = settings(&format!(r#"{{"host": "{near}", "user": "loader"}}"#));
        assert_eq!(near.tls, Tls::Preferred);
    }
    let near = settings(r#"{"url": "postgres://me@[::1]/d"}"#);
    assert_eq!(
        (near.place(), near.tls),
        ("[::1]:5432".to_owned(), Tls::Preferred)
    );
    let socket = settings(r#"{"url": "postgres:///d?host=/run/postgresql", "user": "me"}"#);
    assert_eq!(socket.place(), "/run/postgresql/.s.PGSQL.5432");
}

#[test]
fn encryption_is_asked_for_by_the_words_of_the_other_databases() {
    let tls =
        |text: &str| settings(&format!(r#"{{"host": "db", "user": "u", "tls": {text}}}"#)).tls;
    assert_eq!(tls(r#"{"mode": "disabled"}"#), Tls::Disabled);
    assert_eq!(tls(r#"{"mode": "required"}"#), Tls::Required);
    assert_eq!(tls(r#"{"mode": "verify_ca"}"#), Tls::VerifyCa(None));
    assert_eq!(
        tls(r#"{"ca_file": "a"}"#),
        Tls::VerifyIdentity(Some("a".into()))
    );
    let refused =
        refusal(r#"{"host": "db", "user": "u", "tls": {"mode": "required", "ca_file": "a"}}"#);
    assert!(refused.contains("verifies nothing"), "{refused}");
}

#[test]
fn what_cannot_be_meant_is_refused_without_a_secret() {
    for (text, part) in [
        ("{}", "needs `host`"),
        (r#"{"host": "db"}"#, "needs `user`"),
        (
            r#"{"url": "postgres://u:hunter2@db", "host": "other"}"#,
            "`url` and `host`",
        ),
        (
            r#"{"url": "postgres://u:hunter2@db", "password": "hunter2"}"#,
            "a password stands in",
        ),
        (
            r#"{"url": "mysql://u:hunter2@db"}"#,
            "begin with `postgres://`",
        ),
        (
            r#"{"url": "postgres://u:hunter2@db?hunter2=1"}"#,
            "an option that is not known",
        ),
        (
            r#"{"url": "postgres://u:hunter2@db?sslmode=hunter2"}"#,
            "`sslmode`",
        ),
        (r#"{"url": "hunter2"}"#, "can't be read"),
        (
            r#"{"host": "db", "user": "u", "schema": "pg_x"}"#,
            "belongs to PostgreSQL",
        ),
        (
            r#"{"host": "db", "user": "u", "schema": "_tributary"}"#,
            "where the state is kept",
        ),
        (
            r#"{"host": "db", "user": "u", "statement_timeout": "30"}"#,
            "is not a time",
        ),
        (
            r#"{"host": "db", "user": "u", "statement_timeout": "99d"}"#,
            "is not a time",
        ),
    ] {
        let refused = refusal(text);
        assert!(
            refused.contains(part) && !refused.contains("hunter2"),
            "{refused}"
        );
    }
    assert!(serde_json::from_str::<Config>(r#"{"hots": "db"}"#).is_err());
}

#[test]
fn all_faults_are_told_at_once() {
    let faults = faults(&config(r#"{"schema": "", "statement_timeout": "soon"}"#));
    assert_eq!(faults.len(), 4, "{faults:?}");
}
