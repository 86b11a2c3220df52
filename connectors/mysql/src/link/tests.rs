//! Logging in by every way, and rows of every shape, on real servers. What holds for a link must
//! hold for the connections of the library too: both read the same settings.

use serde_json::{Value as Json, json};
use tributary_model::ErrorKind;
use tributary_testkit::server::{Flavor, MySqlServer, Options};

use super::*;
use crate::decode::answer::{Sent, Values};
use crate::session;
use crate::settings::Settings;

const PASSWORD: &str = "pässword-9f27 '\"";

async fn server(flavor: Flavor, extra: &[&str]) -> MySqlServer {
    let options = Options {
        gtid: false,
        extra: extra.iter().map(|&option| option.to_owned()).collect(),
    };
    MySqlServer::start(flavor, options).await
}

async fn user(server: &MySqlServer, name: &str, identified: &str) {
    let create = format!("CREATE USER {name}@'%' {identified}; GRANT SELECT ON *.* TO {name}@'%'");
    server.execute(&create).await;
}

fn settings(server: &MySqlServer, user: &str, tls: Json) -> Settings {
    let config = json!({
        "host": "127.0.0.1", "port": server.port(), "user": user, "password": PASSWORD, "tls": tls,
    });
    Settings::from_config(serde_json::from_value(config).unwrap()).unwrap()
}

/// The encryption that both kinds of connection have.
async fn cipher(settings: &Settings) -> tributary_model::Result<String> {
    const CIPHER: &str = "SHOW STATUS LIKE 'Ssl_cipher'";
    let mut link = open(settings).await?;
    let ours = link.ask(CIPHER).await.unwrap();
    let mut conn = session::open(settings).await?;
    let theirs = conn.ask(CIPHER).await.unwrap();
    assert_eq!(ours[0].at(1), theirs[0].at(1));
    Ok(ours[0].at(1).unwrap_or_default().to_owned())
}

#[tokio::test]
async fn encryption_is_as_asked_for() {
    let server = server(Flavor::MySql, &[]).await;
    let identified = format!("IDENTIFIED BY \"{}\"", PASSWORD.replace('"', "\\\""));
    user(&server, "u", &identified).await;
    let ca = server.datadir().join("ca.pem");
    let of = |tls: Json| settings(&server, "u", tls);
    assert_eq!(cipher(&of(json!({"mode": "disabled"}))).await.unwrap(), "");
    for encrypted in [Json::Null, json!({"mode": "required"})] {
        assert_ne!(cipher(&of(encrypted)).await.unwrap(), "");
    }
    // The certificate that a server makes for itself has no name; its authority is known.
    let vouched = of(json!({"mode": "verify_ca", "ca_file": ca}));
    assert_ne!(cipher(&vouched).await.unwrap(), "");

    // The server's own certificate names nobody, and no browser knows its authority.
    for refused in [
        json!({"mode": "verify_identity", "ca_file": ca}),
        json!({"mode": "verify_ca"}),
    ] {
        let error = cipher(&of(refused.clone()))
            .await
            .expect_err(&refused.to_string());
        let told = format!("{error}");
        assert!(told.contains("certificate"), "{told}");
        assert!(error.help().is_some(), "{told}");
    }
}

#[tokio::test]
async fn a_server_without_encryption_is_told() {
    let server = server(Flavor::MariaDb, &["--skip-ssl"]).await;
    user(
        &server,
        "u",
        &format!("IDENTIFIED BY \"{}\"", PASSWORD.replace('"', "\\\"")),
    )
    .await;
    let preferred = settings(&server, "u", Json::Null);
    assert_eq!(cipher(&preferred).await.unwrap(), "");
    let required = settings(&server, "u", json!({"mode": "required"}));
    let ours = open(&required).await.map(drop).unwrap_err().to_string();
    let theirs = session::open(&required)
        .await
        .map(drop)
        .unwrap_err()
        .to_string();
    assert_eq!(ours, theirs);
}

#[tokio::test]
async fn every_way_to_log_in_is_known() {
    let quoted = format!("\"{}\"", PASSWORD.replace('"', "\\\""));
    let mysql = server(Flavor::MySql, &[]).await;
    user(
        &mysql,
        "sha",
        &format!("IDENTIFIED WITH caching_sha2_password BY {quoted}"),
    )
    .await;
    let mariadb = server(Flavor::MariaDb, &["--plugin-load-add=auth_ed25519"]).await;
    user(
        &mariadb,
        "native",
        &format!("IDENTIFIED VIA mysql_native_password USING PASSWORD({quoted})"),
    )
    .await;
    user(
        &mariadb,
        "ed",
        &format!("IDENTIFIED VIA ed25519 USING PASSWORD({quoted})"),
    )
    .await;
    for (server, name) in [(&mysql, "sha"), (&mariadb, "native"), (&mariadb, "ed")] {
        // The second time the server knows the hash of the password; `FLUSH` makes it forget.
        for tls in [
            json!({"mode": "disabled"}),
            json!({"mode": "disabled"}),
            Json::Null,
        ] {
            let mut link = open(&settings(server, name, tls)).await.unwrap();
            let rows = link
                .ask("SELECT CURRENT_USER(), NULL, 'ünï'")
                .await
                .unwrap();
            assert_eq!(rows[0].at(0), Some(format!("{name}@%").as_str()));
            assert_eq!((rows[0].at(1), rows[0].at(2)), (None, Some("ünï")));
        }
        server.execute("FLUSH PRIVILEGES").await;
        open(&settings(server, name, Json::Null)).await.unwrap();

        let mut wrong = settings(server, name, Json::Null);
        wrong.password = Some(tributary_model::Secret::new("wrong"));
        let error = open(&wrong).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Access);
        assert_eq!(
            error.to_string(),
            session::open(&wrong)
                .await
                .map(drop)
                .unwrap_err()
                .to_string()
        );
        wrong.password = None;
        assert_eq!(
            open(&wrong).await.map(drop).unwrap_err().kind(),
            ErrorKind::Access
        );
    }
}

async fn root(server: &MySqlServer) -> Link {
    let config = json!({"host": "127.0.0.1", "port": server.port(), "user": "root"});
    let settings = Settings::from_config(serde_json::from_value(config).unwrap()).unwrap();
    open(&settings).await.unwrap()
}

/// All rows, each with what `read` makes of its values.
async fn rows<T>(
    link: &mut Link,
    sql: &str,
    parameters: &[Value],
    read: impl Fn(&[Sent<'_>]) -> T,
) -> Vec<T> {
    let columns = link.select(sql, parameters).await.unwrap();
    let mut rows = Vec::new();
    loop {
        match link.next_row().unwrap() {
            Ready::End => return rows,
            Ready::Row(packet) => {
                let mut values = Values::of(packet, columns.len()).unwrap();
                let row: Vec<_> = columns.iter().map(|c| values.next(*c).unwrap()).collect();
                rows.push(read(&row));
            }
            Ready::Nothing => link.wait().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn rows_of_every_length_arrive() {
    for flavor in Flavor::ALL {
        let server = server(flavor, &["--max-allowed-packet=128M"]).await;
        let mut link = root(&server).await;
        for _ in 0..2 {
            for length in [
                0_u64, 1, 250, 251, 65_535, 65_536, 16_777_200, 16_777_215, 40_000_000,
            ] {
                let sql = "SELECT 7, REPEAT('x', ?), NULL, 'end'";
                let check = |row: &[Sent<'_>]| match row {
                    [_, Sent::Bytes(text), Sent::Null, Sent::Bytes(b"end")] => text
                        .iter()
                        .all(|byte| *byte == b'x')
                        .then_some(text.len() as u64),
                    _ => None,
                };
                let found = rows(&mut link, sql, &[Value::UInt(length)], check).await;
                assert_eq!(found, [Some(length)], "{flavor:?}");
            }
        }
    }
}

#[tokio::test]
async fn an_error_leaves_the_link_usable() {
    let server = server(Flavor::MariaDb, &[]).await;
    let mut link = root(&server).await;
    let code = |error: ClientError| match error {
        ClientError::Server(error) => error.code,
        other => panic!("{other}"),
    };
    assert_eq!(
        code(link.ask("SELECT * FROM no.such").await.unwrap_err()),
        1146
    );
    assert_eq!(
        code(link.select("SELECT * FROM no.such", &[]).await.unwrap_err()),
        1146
    );
    // Rows, and then an error instead of the next.
    let failing = "SELECT seq, (SELECT 1 UNION SELECT IF(seq = 5, 2, 1)) FROM mysql.seq_1_to_9";
    link.select(failing, &[]).await.unwrap();
    let error = loop {
        match link.next_row() {
            Ok(Ready::Nothing) => link.wait().await.unwrap(),
            Ok(Ready::Row(_)) => {}
            Ok(Ready::End) => panic!("no error came"),
            Err(error) => break error,
        }
    };
    assert_eq!(code(error), 1242);
    let one = rows(&mut link, "SELECT 1", &[], |row| row == [Sent::Int(1)]).await;
    assert_eq!(one, [true]);
}

#[tokio::test]
async fn a_server_that_goes_away_is_an_error() {
    let mut server = server(Flavor::MariaDb, &[]).await;
    let mut link = root(&server).await;
    server.kill();
    assert!(matches!(
        link.ask("SELECT 1").await,
        Err(ClientError::Io(_))
    ));
}

/// Or else a statement would wait for ever where the network swallows its answer.
#[tokio::test]
async fn a_silent_server_is_asked_whether_it_is_there() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stream = login::tcp("127.0.0.1", port).await.unwrap();
    assert!(socket2::SockRef::from(&stream).keepalive().unwrap());
}
