//! A service account, which signs a statement to get a token.

use serde_json::{Value, json};
use tributary_model::{Source, Verdict};
use tributary_rest_connector::Rest;
use tributary_testkit::api::conformance::Api;
use tributary_testkit::api::sheets::Sheets;
use tributary_testkit::api::simulator::Simulator;

use super::{TURN, simulated};

const MANIFEST: &str = r#"
name: tabs
base: https://sheets.googleapis.com/v4
config: {key: secret, spreadsheet: text}
auth:
  oauth2:
    token_url: https://oauth2.googleapis.com/token
    grant: jwt_bearer
    key: "{config.key}"
    claims: {scope: "https://www.googleapis.com/auth/spreadsheets.readonly"}
check: [{get: "/spreadsheets/{config.spreadsheet}", proves: the statement is taken}]
streams:
  tabs: {get: "/spreadsheets/{config.spreadsheet}", records: "sheets[]"}
"#;

async fn verdict(simulator: &Simulator<Sheets>, key: &Value) -> (Verdict, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let manifest = folder.path().join("tabs.yaml");
    std::fs::write(&manifest, MANIFEST).expect("it can be written");
    let settings = simulator.with(|sheets, _| sheets.settings("http://x"));
    let spreadsheet = &settings["spreadsheet_id"];
    let config = json!({"manifest": manifest, "api_url": simulator.url(),
        "settings": {"key": key.to_string(), "spreadsheet": spreadsheet}});
    let config = serde_json::from_value(config).expect("these are settings");
    let source = match Rest::connect(config).await {
        Ok(source) => source,
        Err(error) => return (Verdict::Fail, error.to_string()),
    };
    match Source::check(&source, &[]).await {
        Ok(report) => (report.verdict(), format!("{report:?}")),
        Err(error) => (Verdict::Fail, error.to_string()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_account_signs_for_its_token() {
    let _turn = TURN.lock().await;
    let simulator = simulated::<Sheets>(3);
    let file = simulator.with(|sheets, _| sheets.key_file());
    let (passed, told) = verdict(&simulator, &file).await;
    assert_eq!(passed, Verdict::Pass, "{told}");
    simulator.with(|sheets, _| sheets.revoke());
    let (failed, told) = verdict(&simulator, &file).await;
    assert_eq!(failed, Verdict::Fail, "{told}");
    assert!(told.contains("Invalid JWT Signature"), "{told}");
    let secret = file["private_key"].as_str().expect("there is a key");
    assert!(!told.contains(&secret[40..80]), "the key is shown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_told_without_showing_it() {
    let simulator = simulated::<Sheets>(1);
    let mut file = simulator.with(|sheets, _| sheets.key_file());
    file["private_key"] = json!("-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----");
    let (failed, told) = verdict(&simulator, &file).await;
    assert_eq!(failed, Verdict::Fail);
    assert!(
        told.contains("private key") && !told.contains("hunter2"),
        "{told}"
    );
}
