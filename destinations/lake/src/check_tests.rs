//! What `check` says of a bucket.
#![allow(clippy::unwrap_used)]

use tributary_model::{ConnectionName, Destination, ErrorKind, Report, Secret, Verdict};
use tributary_testkit::s3::{Fault, Operation, Options, Rule, S3Server, Times};

use crate::config::Config;
use crate::destination::Lake;

const BUCKET: &str = "lake";

fn server() -> S3Server {
    S3Server::start(Options::default())
}

fn config(server: &S3Server) -> Config {
    let mut config = Config::new("s3://lake/raw/");
    let credentials = server.credentials();
    config.endpoint = Some(server.endpoint());
    config.region = Some("us-east-1".to_owned());
    config.access_key_id = Some(credentials.access_key_id.clone());
    config.secret_access_key = Some(Secret::new(credentials.secret_access_key.clone()));
    config.session_token = credentials.session_token.clone().map(Secret::new);
    config
}

async fn check(server: &S3Server) -> Report {
    let lake = Lake::connect(config(server)).await.unwrap();
    lake.check().await.unwrap()
}

fn failed(report: &Report) -> Vec<(&str, &str)> {
    let failed = report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Fail);
    failed
        .map(|finding| {
            let fix = finding.fix.as_deref().unwrap_or_default();
            (finding.requirement.as_str(), fix)
        })
        .collect()
}

#[tokio::test]
async fn a_good_store_passes_and_nothing_stays() {
    let server = server();
    let report = check(&server).await;
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    assert!(server.keys(BUCKET).is_empty());
    assert!(server.uploads(BUCKET).is_empty());
}

#[tokio::test]
async fn a_store_without_conditional_puts_is_refused_at_check_and_when_opened() {
    for fault in [Fault::IgnoreConditions, Fault::NotImplemented] {
        let server = server();
        let rule = Rule::new(fault.clone()).on(Operation::PutObject);
        server.fail(rule.times(Times::Always));
        let report = check(&server).await;
        assert_eq!(failed(&report)[0].0, "commits", "{fault:?}");
        let lake = Lake::connect(config(&server)).await.unwrap();
        let error = lake.open(&ConnectionName::new("shop")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(server.keys(BUCKET).is_empty(), "{fault:?}");
        if fault == Fault::IgnoreConditions {
            assert!(error.to_string().contains("MinIO"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_missing_right_fails_its_own_requirement() {
    for (operation, requirement) in [
        (Operation::GetObject, "commits"),
        (Operation::PutObject, "commits"),
        (Operation::DeleteObject, "commits"),
        (Operation::CreateUpload, "files"),
        (Operation::ListObjects, "files"),
        (Operation::ListUploads, "files"),
        (Operation::AbortUpload, "files"),
    ] {
        let server = server();
        server.fail(
            Rule::new(Fault::AccessDenied)
                .on(operation)
                .times(Times::Always),
        );
        let report = check(&server).await;
        let failed = failed(&report);
        assert_eq!(failed[0].0, requirement, "{operation:?}: {report:?}");
        assert!(failed[0].1.starts_with("Allow `s3:"), "{}", failed[0].1);
    }
}
