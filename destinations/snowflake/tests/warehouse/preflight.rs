//! `check`: what it proves, and what it says where a right is missing. And what is left alone.

use serde_json::json;
use tributary_model::{Destination, Report, Verdict};
use tributary_standins::snowflake::Fault;
use tributary_testkit::s3::{Fault as S3Fault, Operation, Rule, Times};

use crate::table::Opened;
use crate::world::World;

fn told(report: &Report) -> String {
    let line = |finding: &tributary_model::Finding| {
        format!(
            "{:?} {}: {}",
            finding.verdict, finding.requirement, finding.found
        )
    };
    report
        .findings
        .iter()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_proved_and_nothing_is_left() {
    let world = World::new();
    for more in [
        json!({}),
        json!({"schema": "mart", "stage": null, "storage_integration": "reader"}),
    ] {
        let report = world.connect(&more).await.check().await.unwrap();
        assert_eq!(report.verdict(), Verdict::Pass, "{}", told(&report));
        let names: Vec<&str> = report
            .findings
            .iter()
            .map(|finding| finding.requirement.as_str())
            .collect();
        assert_eq!(
            names,
            [
                "login",
                "warehouse",
                "staging",
                "state",
                "tables",
                "stage",
                "load"
            ]
        );
    }
    let left = "SELECT COUNT(*) FROM INFORMATION_SCHEMA.TABLES WHERE TABLE_SCHEMA <> '_TRIBUTARY'";
    assert_eq!(world.server.number(left), 0);
    assert_eq!(
        world
            .server
            .number("SELECT COUNT(*) FROM \"_TRIBUTARY\".\"STATE\""),
        1
    );
    assert!(world.bucket.keys("lake").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_is_missing_is_named_with_its_grant() {
    for (text, more, requirement, grant) in [
        (
            "CREATE SCHEMA IF NOT EXISTS \"_TRIBUTARY\"",
            json!({}),
            "state",
            "GRANT CREATE SCHEMA ON DATABASE ANALYTICS TO ROLE LOADING;",
        ),
        (
            "UPDATE \"_TRIBUTARY\"",
            json!({}),
            "state",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA ANALYTICS.\"_TRIBUTARY\" TO ROLE LOADING;",
        ),
        (
            "CREATE TABLE IF NOT EXISTS \"MART\"",
            json!({"schema": "mart"}),
            "tables",
            "GRANT USAGE, CREATE TABLE ON SCHEMA ANALYTICS.\"MART\" TO ROLE LOADING;",
        ),
        (
            "DESCRIBE STAGE",
            json!({}),
            "stage",
            "GRANT USAGE ON STAGE ANALYTICS.PUBLIC.LAKE TO ROLE LOADING;",
        ),
        (
            "CREATE STAGE",
            json!({"stage": null, "storage_integration": "READER"}),
            "stage",
            "GRANT USAGE ON INTEGRATION READER TO ROLE LOADING;",
        ),
        (
            "COPY INTO",
            json!({}),
            "load",
            "STORAGE_ALLOWED_LOCATIONS = ('s3://lake/raw/')",
        ),
    ] {
        let world = World::new();
        world.server.fail_always(text, Fault::Denied);
        let report = world.connect(&more).await.check().await.unwrap();
        let failed: Vec<_> = report
            .findings
            .iter()
            .filter(|it| it.verdict == Verdict::Fail)
            .collect();
        assert_eq!(failed.len(), 1, "{text}: {}", told(&report));
        assert_eq!(failed[0].requirement, requirement, "{text}");
        let fix = failed[0].fix.clone().unwrap_or_default();
        assert!(fix.contains(grant), "{text}: {fix}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_that_refuses_is_told() {
    let world = World::new();
    let denied = Rule::new(S3Fault::AccessDenied)
        .on(Operation::PutObject)
        .times(Times::Always);
    world.bucket.fail(denied);
    let report = world.connect(&json!({})).await.check().await.unwrap();
    let failed: Vec<_> = report
        .findings
        .iter()
        .filter(|it| it.verdict == Verdict::Fail)
        .collect();
    assert_eq!(failed.len(), 1, "{}", told(&report));
    assert_eq!(failed[0].requirement, "staging");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_only_reads() {
    let world = World::new();
    let opened = Opened::new(world.connect(&json!({})).await).await;
    let error = opened
        .destination
        .query("DELETE FROM _TRIBUTARY.STATE")
        .await
        .unwrap_err();
    assert!(error.help().unwrap().contains("only read"), "{error}");
    let two = opened
        .destination
        .query("SELECT 1; DELETE FROM _TRIBUTARY.STATE")
        .await;
    assert!(two.is_err());
    assert_eq!(
        opened.ask("select COUNT(*) from _tributary.state;").await,
        ["2"]
    );
}
