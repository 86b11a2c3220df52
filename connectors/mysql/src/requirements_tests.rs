#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use super::retention::Retention;
use super::*;

const GOOD: [(&str, &str); 8] = [
    ("log_bin", "ON"),
    ("binlog_format", "ROW"),
    ("binlog_row_image", "FULL"),
    ("binlog_row_value_options", ""),
    ("binlog_row_metadata", "FULL"),
    ("server_id", "1"),
    ("gtid_mode", "ON"),
    ("server_uuid", "u"),
];

fn server(version: &str, changes: &[(&str, Option<&str>)]) -> Server {
    let mut variables: BTreeMap<String, String> = GOOD
        .iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    for &(name, value) in changes {
        match value {
            Some(value) => variables.insert(name.to_owned(), value.to_owned()),
            None => variables.remove(name),
        };
    }
    Server::assemble(version.to_owned(), "reader@%", variables).unwrap()
}

fn refused(version: &str, changes: &[(&str, Option<&str>)], what: &str, fix: &str) {
    let error = require(&server(version, changes)).expect_err(what);
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.what().contains(what), "{error}");
    assert!(error.help().unwrap().contains(fix), "{error}");
}

#[test]
fn a_good_server_passes_everything() {
    let report = examine(&server("9.7.4", &[]));
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    assert!(require(&server("9.7.4", &[])).is_ok());
    let maria = server("10.11.19-MariaDB", &[("gtid_strict_mode", Some("ON"))]);
    assert_eq!(examine(&maria).verdict(), Verdict::Pass);
}

#[test]
fn every_hard_requirement_says_what_and_the_fix() {
    refused(
        "9.7.4",
        &[("log_bin", Some("OFF"))],
        "log_bin is OFF",
        "log_bin=binlog",
    );
    for format in ["STATEMENT", "MIXED"] {
        let fix = "SET GLOBAL binlog_format = 'ROW'";
        refused("9.7.4", &[("binlog_format", Some(format))], format, fix);
    }
    for image in ["MINIMAL", "NOBLOB"] {
        let fix = "SET GLOBAL binlog_row_image = 'FULL'";
        refused("9.7.4", &[("binlog_row_image", Some(image))], image, fix);
    }
    refused("5.6.50", &[], "too old", "5.7");
    refused("10.5.1-MariaDB", &[], "too old", "10.6");
    refused(
        "9.7.4",
        &[("server_id", Some("0"))],
        "server_id is 0",
        "SET GLOBAL server_id",
    );
    let reader = [
        ("aurora_version", Some("3.05.2")),
        ("innodb_read_only", Some("ON")),
        ("log_bin", Some("OFF")),
    ];
    refused(
        "8.0.32",
        &reader,
        "reader endpoint of Aurora",
        "writer endpoint",
    );
    refused(
        "12.3.1-MariaDB",
        &[(INNODB_LOG, Some("innodb"))],
        "innodb",
        "Take",
    );
}

#[test]
fn a_log_without_names_of_columns_works_with_a_warning() {
    for (version, value) in [
        ("9.7.4", Some("MINIMAL")),
        ("10.11.1-MariaDB", Some("NO_LOG")),
        ("5.7.44", None),
    ] {
        let changes = [
            ("binlog_row_metadata", value),
            ("gtid_strict_mode", Some("ON")),
        ];
        let server = server(version, &changes);
        let report = examine(&server);
        assert_eq!(report.verdict(), Verdict::Warn, "{report:?}");
        assert!(require(&server).is_ok() && !server.names_columns());
    }
}

#[test]
fn without_gtids_it_works_with_a_warning() {
    let off = server("8.4.0", &[("gtid_mode", Some("OFF"))]);
    assert_eq!(examine(&off).verdict(), Verdict::Warn);
    assert!(require(&off).is_ok());
    let lax = server("10.11.1-MariaDB", &[("gtid_strict_mode", Some("OFF"))]);
    assert_eq!(examine(&lax).verdict(), Verdict::Warn);
}

#[test]
fn retention_is_judged_by_what_it_costs() {
    let kept = |changes: &[(&str, Option<&str>)]| retention(&server("8.4.0", changes), None);
    assert_eq!(kept(&[]), Retention::Forever);
    assert_eq!(
        kept(&[("binlog_expire_logs_seconds", Some("0"))]),
        Retention::Forever
    );
    let seconds = [
        ("binlog_expire_logs_seconds", Some("86400")),
        ("expire_logs_days", Some("9")),
    ];
    assert_eq!(kept(&seconds), Retention::Seconds(86_400));
    assert_eq!(
        kept(&[("expire_logs_days", Some("2.000000"))]),
        Retention::Seconds(172_800)
    );
    let auto = [
        ("binlog_expire_logs_auto_purge", Some("OFF")),
        ("binlog_expire_logs_seconds", Some("60")),
    ];
    assert_eq!(kept(&auto), Retention::Forever);
    let rds = |hours| retention(&server("8.4.0", &[]), Some(hours));
    assert_eq!(rds(None), Retention::AsSoonAsPossible);
    assert_eq!(rds(Some(72)), Retention::Seconds(259_200));

    let verdict = |kept: Retention| {
        let mut report = Report::default();
        kept.judge(&mut report);
        report.verdict()
    };
    assert_eq!(verdict(Retention::Forever), Verdict::Pass);
    assert_eq!(verdict(Retention::Seconds(86_399)), Verdict::Fail);
    assert_eq!(verdict(Retention::Seconds(86_400)), Verdict::Warn);
    assert_eq!(verdict(Retention::Seconds(259_200)), Verdict::Pass);
    assert_eq!(verdict(Retention::AsSoonAsPossible), Verdict::Fail);
}
