#![allow(clippy::unwrap_used)]

use super::*;

fn server(code: u16, message: &str) -> Error {
    let state = "HY000".to_owned();
    let message = message.to_owned();
    classify(
        ClientError::Server(ServerError {
            code,
            message,
            state,
        }),
        "reading shop.orders",
    )
}

fn broken(kind: io::ErrorKind, text: &str) -> Error {
    let error = io::Error::new(kind, text.to_owned());
    classify(ClientError::Io(IoError::Io(error)), "connecting to db:3306")
}

#[test]
fn a_missing_privilege_names_the_grant_and_the_account() {
    let error = server(
        1142,
        "SELECT command denied to user 'reader'@'10.0.0.%' for table `shop`.`orders`",
    );
    assert_eq!(error.kind(), ErrorKind::Access);
    let text = error.to_string();
    assert!(
        text.contains("GRANT SELECT ON *.* TO 'reader'@'10.0.0.%';"),
        "{text}"
    );
    let error = server(
        1227,
        "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)",
    );
    assert!(
        error
            .help()
            .unwrap()
            .contains("GRANT REPLICATION SLAVE ON *.*"),
        "{error}"
    );
    let error = server(
        1227,
        "you need (at least one of) the SUPER, BINLOG MONITOR privilege(s)",
    );
    assert!(
        error
            .help()
            .unwrap()
            .contains("GRANT REPLICATION CLIENT ON *.*"),
        "{error}"
    );
}

#[test]
fn each_error_goes_to_who_must_act() {
    use ErrorKind::{Access, Config, Expired, Incompatible, Malformed, Unavailable};
    let cases = [
        (1045, Access),
        (1044, Access),
        (1049, Config),
        (1146, Incompatible),
        (1040, Unavailable),
        (1205, Unavailable),
        (1213, Unavailable),
        (2006, Unavailable),
        (2013, Unavailable),
        (1412, Unavailable),
        (3159, Config),
        (4052, Unavailable),
        (1064, Malformed),
    ];
    for (code, kind) in cases {
        assert_eq!(server(code, "").kind(), kind, "{code}");
    }
    let purged = "Could not find first log file name in binary log index file";
    assert_eq!(server(1236, purged).kind(), Expired);
}

#[test]
fn the_servers_number_is_found_again() {
    let changed = server(
        1412,
        "Table definition has changed, please retry transaction",
    );
    assert!(is_definition_changed(&changed));
    let missing = server(1146, "Table 'shop.x' doesn't exist").context("more");
    assert_eq!(server_code(&missing), Some(1146));
    assert_eq!(server_code(&Error::bug("x")), None);
}

#[test]
fn a_server_that_is_away_may_come_back() {
    use io::ErrorKind as Io;
    for (kind, text) in [
        (Io::ConnectionRefused, "Connection refused"),
        (Io::TimedOut, "timed out"),
        (Io::UnexpectedEof, "early eof"),
        (Io::UnexpectedEof, "tls handshake eof"),
        (
            Io::UnexpectedEof,
            "peer closed connection without sending TLS close_notify: https://docs.rs/rustls",
        ),
        (
            Io::Other,
            "failed to lookup address information: Name or service not known",
        ),
    ] {
        let error = broken(kind, text);
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(
            error.to_string().starts_with("connecting to db:3306: "),
            "{error}"
        );
    }
    let error = broken(io::ErrorKind::Other, "failed to lookup address information");
    assert!(error.to_string().contains("can't be resolved"), "{error}");
}

#[test]
fn an_untrusted_certificate_says_what_to_set() {
    let kind = io::ErrorKind::InvalidData;
    let error = broken(kind, "invalid peer certificate: UnknownIssuer");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.help().unwrap().contains("tls.ca_file"), "{error}");
    let text = "invalid peer certificate: certificate not valid for name \"db\"; certificate is \
                only valid for DnsName(\"localhost\")";
    assert!(broken(kind, text).to_string().contains("for another name"));
    let text = "invalid peer certificate: certificate not valid for name \"db\"; certificate is not \
                valid for any names (according to its subjectAltName extension)";
    assert!(broken(kind, text).to_string().contains("holds no name"));
}

#[test]
fn a_server_without_encryption_is_not_tried_again() {
    let error = DriverError::NoClientSslFlagFromServer;
    let error = classify(ClientError::Driver(error), "connecting");
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.help().unwrap().contains("mode: disabled"), "{error}");
}
