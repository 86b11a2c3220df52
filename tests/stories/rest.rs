//! An API of one's own: a manifest that is tried out before there is a key.

use std::path::{Path, PathBuf};

use serde_json::json;
use tributary_testkit::api::simulator::Simulator;
use tributary_testkit::api::zendesk::Zendesk;
use tributary_testkit::program::{Finished, Program};

use crate::world::{number, word};

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("config/examples")
}

fn program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_tributary"))
}

async fn test(program: &Program, manifest: &Path, fixtures: &Path, more: &[&str]) -> Finished {
    let (manifest, fixtures) = (
        manifest.display().to_string(),
        fixtures.display().to_string(),
    );
    let mut args = vec!["connectors", "test", &manifest, "--fixtures", &fixtures];
    args.extend(more);
    program.run(&args).await
}

#[tokio::test]
async fn the_examples_are_tried_out_on_recorded_exchanges() {
    for name in ["rest-crm", "rest-projects", "rest-exports"] {
        let manifest = examples().join(format!("{name}.manifest.yaml"));
        let fixtures = examples().join(format!("{name}.fixtures"));
        let tested = test(&program(), &manifest, &fixtures, &[]).await;
        tested.exits(0).says("PASS");
    }
    let manifest = examples().join("rest-crm.manifest.yaml");
    let fixtures = examples().join("rest-crm.fixtures");
    let json = ["--output", "json"];
    let report = test(&program(), &manifest, &fixtures, &json)
        .await
        .exits(0)
        .json();
    assert_eq!(report["status"], "passed");
    let streams = report["streams"].as_array().unwrap();
    let contacts = streams
        .iter()
        .find(|stream| stream["stream"] == "contacts")
        .unwrap();
    assert_eq!(
        (&contacts["rows"], &contacts["deletes"]),
        (&3.into(), &1.into())
    );
}

#[tokio::test]
async fn what_does_not_fit_and_what_is_wrong_end_with_different_codes() {
    let program = program();
    std::fs::create_dir(program.path("fixtures")).unwrap();
    let manifest =
        "name: x\nbase: https://x.example\nstreams:\n  a: {get: /a, records: \"[]\", key: [id]}\n";
    program.write("good.yaml", manifest);
    program.write(
        "fixtures/one.yaml",
        "exchanges: [{get: /a, answer: [{id: 1}]}]\nexpect: {a: 2}\n",
    );
    let fixtures = program.path("fixtures");
    let differs = test(&program, &program.path("good.yaml"), &fixtures, &[]).await;
    differs.exits(1).says("a has 1 rows, and 2 are expected");
    program.write("bad.yaml", &manifest.replace("records", "recrods"));
    let wrong = test(&program, &program.path("bad.yaml"), &fixtures, &[]).await;
    wrong
        .exits(2)
        .says("bad.yaml:4:16")
        .says("Did you mean `records`?");
    let nowhere = test(
        &program,
        &program.path("good.yaml"),
        &program.path("none"),
        &[],
    )
    .await;
    nowhere.exits(2).says("--fixtures");
    program
        .run(&["connectors", "test", "good.yaml"])
        .await
        .exits(2)
        .says("--fixtures");
}

/// Most keys of APIs are numbers, and nobody knows that before a record was seen.
#[tokio::test(flavor = "multi_thread")]
async fn keys_have_the_type_that_records_give_them() {
    let mut desk = Zendesk::new(9);
    desk.populate(3, tributary_model::now().timestamp());
    let simulator = Simulator::start(desk);
    let program = program();
    let (email, token) = simulator.with(|desk, _| (desk.email.clone(), desk.api_token.clone()));
    program.write(
        "desk.yaml",
        "name: desk\nbase: https://acme.zendesk.com/api/v2\nconfig: {email: text, token: secret}\n\
         auth: {basic: [\"{config.email}/token\", \"{config.token}\"]}\nstreams:\n  \
         groups: {get: /groups, records: \"groups[]\", key: [id], complete: always}\n  \
         nothing: {get: /groups, records: \"none[]\", key: [id], complete: always}\n",
    );
    let config = json!({
        "sources": {"desk": {"type": "rest", "manifest": "desk.yaml", "api_url": simulator.url(),
            "settings": {"email": email, "token": token}}},
        "destinations": {"warehouse": {"type": "duckdb", "path": "w.duckdb"}},
        "connections": {"desk": {"source": "desk", "destination": "warehouse"}},
    });
    program.write("tributary.yaml", &config.to_string());
    let types = "SELECT string_agg(column_name || ' ' || data_type, ', ') FROM duckdb_columns() \
                 WHERE table_name = 'groups' AND (column_name LIKE 'id%')";
    for _ in 0..2 {
        program.run(&["sync"]).await.exits(0);
        let file = program.path("w.duckdb");
        assert_eq!(word(&file, types), "id BIGINT");
        assert!(number(&file, "SELECT count(*) FROM desk.groups WHERE id > 0") > 0);
    }
}
