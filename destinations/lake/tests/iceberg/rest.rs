use std::sync::Arc;

use serde_json::{Value, json};
use tributary_lake::Lake;
use tributary_model::{Destination, ErrorKind, Load, Mode, TablePlan, Verdict};
use tributary_testkit::conformance;
use tributary_testkit::s3::{
    Credentials, Fault as S3Fault, Operation, Options, Rule, S3Server, Times,
};

use crate::server::{Fault, Guard, RestServer};
use crate::world::{World, absent, plan, rows};

const SECRET: &str = "tributary:sesame";

fn catalog(server: &RestServer) -> Value {
    json!({"catalog": {
        "type": "rest", "uri": server.uri(), "warehouse": "acme/lake", "credential": SECRET,
    }})
}

async fn server() -> RestServer {
    RestServer::start(Guard::Secret(SECRET)).await
}

#[tokio::test]
async fn a_lake_with_a_rest_catalog_keeps_the_contract() {
    let server = server().await;
    let world = World::new(catalog(&server));
    let settings = world.settings();
    conformance::destination(move || {
        Lake::connect(serde_json::from_value(settings.clone()).expect("they are good"))
    })
    .await;
    let report = world.lake().await.check().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    assert!(server.commits() > 10);
}

/// Whatever happens to a commit, the table has each load once.
#[tokio::test]
async fn commits_survive_what_passes() {
    for faults in [
        vec![Fault::LoseReply],
        vec![Fault::Fail, Fault::Fail],
        vec![Fault::Conflict, Fault::LoseReply],
        vec![Fault::Expire],
    ] {
        let server = server().await;
        let world = World::new(catalog(&server));
        let mut shop = world.open().await;
        let first = plan(Mode::Merge, &["id int32", "name text"]);
        shop.load(&first, vec![absent(&first, &["r 1 ann", "r 2 bob"])])
            .await;
        server.fail(&faults);
        let wider = plan(Mode::Merge, &["id int64", "name text", "vip bool"]);
        shop.load(&wider, vec![rows(&wider, &["u 1 eve true", "c 3 cid ~"])])
            .await;
        let table = server.table("shop.t").unwrap();
        assert_eq!(table.snapshots().len(), 2, "{faults:?}");
        let summary = &table
            .current_snapshot()
            .unwrap()
            .summary()
            .additional_properties;
        assert_eq!(summary["total-records"], "3", "{faults:?}");
        assert_eq!(summary["tributary.sequence"], "2");
        assert_eq!(world.rows("id, name").await, ["1 eve", "2 bob", "3 cid"]);
    }
}

#[tokio::test]
async fn wrong_settings_are_named_and_secrets_are_not() {
    let server = server().await;
    let mut wrong = catalog(&server);
    wrong["catalog"]["credential"] = json!("tributary:open");
    let report = World::new(wrong).lake().await.check().await.unwrap();
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.requirement == "catalog")
        .unwrap();
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(
        finding.fix.as_deref().unwrap().contains("`credential`"),
        "{finding:?}"
    );
    assert!(!finding.found.contains("open"), "{finding:?}");
    let mut gone = catalog(&server);
    gone["catalog"]["uri"] = json!("http://127.0.0.1:1");
    let world = World::new(gone);
    let shop = world.open().await;
    let plan = plan(Mode::Append, &["id int64"]);
    let error = shop.begin(&plan).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
}

#[tokio::test]
async fn glue_is_asked_with_signatures() {
    let credentials = Credentials::default();
    let catalog = RestServer::start(Guard::Signature(credentials.clone(), "glue")).await;
    let store = S3Server::start(Options {
        region: "eu-west-1".to_owned(),
        ..Options::default()
    });
    let settings = json!({
        "url": "s3://lake/raw", "format": "iceberg", "region": "eu-west-1",
        "endpoint": store.endpoint(),
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "catalog": {"type": "glue", "catalog_id": "acme/lake", "uri": catalog.uri()},
    });
    let world = World::new(settings);
    let mut shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    shop.load(&plan, vec![absent(&plan, &["r 1 ann", "r 2 bob"])])
        .await;
    shop.load(&plan, vec![rows(&plan, &["d 1 ~"])]).await;
    assert_eq!(world.rows("id, name").await, ["2 bob"]);
    let table = catalog.table("shop.t").unwrap();
    assert_eq!(table.location(), "s3://lake/raw/shop/t");
    assert_eq!(table.snapshots().len(), 2);
    let mut wrong = world.settings();
    wrong["secret_access_key"] = json!("sesame");
    let lake = Lake::connect(serde_json::from_value(wrong).unwrap())
        .await
        .unwrap();
    let report = lake.check().await.unwrap();
    let finding = report
        .findings
        .iter()
        .find(|finding| finding.requirement == "catalog")
        .unwrap();
    assert_eq!(finding.verdict, Verdict::Fail);
    assert!(
        finding.found.contains("SignatureDoesNotMatch"),
        "{finding:?}"
    );
}

const BUCKET: &str = "arn:aws:s3tables:eu-west-1:111122223333:bucket/lake";

/// A world of S3 Tables: two table buckets beside the lake's own.
async fn table_buckets() -> (RestServer, S3Server, World) {
    let credentials = Credentials::default();
    let catalog = RestServer::s3_tables(credentials.clone(), BUCKET).await;
    let buckets = ["lake", "table-1--table-s3", "table-2--table-s3"];
    let store = S3Server::start(Options {
        region: "eu-west-1".to_owned(),
        buckets: buckets.map(str::to_owned).into(),
        ..Options::default()
    });
    let settings = json!({
        "url": "s3://lake/raw", "format": "iceberg", "region": "eu-west-1",
        "endpoint": store.endpoint(),
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "catalog": {"type": "s3_tables", "table_bucket": BUCKET, "uri": catalog.uri()},
    });
    (catalog, store, World::new(settings))
}

#[tokio::test]
async fn s3_tables_keeps_the_files_of_a_table_in_a_bucket_of_its_own() {
    let (catalog, store, world) = table_buckets().await;
    let report = world.lake().await.check().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    let shop = world.open().await;
    let plan = plan(Mode::Merge, &["id int64", "name text"]);
    // Nobody may delete what a table is made of.
    for end in [".parquet", ".avro"] {
        let denied = Rule::new(S3Fault::AccessDenied)
            .key(end)
            .times(Times::Always);
        store.fail(denied.on(Operation::DeleteObject));
    }
    // A load that did not commit leaves an empty table, which the next one takes the place of.
    let mut given_up = shop.begin(&plan).await.unwrap();
    given_up
        .write(absent(&plan, &["r 9 nobody"]))
        .await
        .unwrap();
    drop(given_up);
    let mut shop = world.open().await;
    shop.load(
        &plan,
        vec![absent(&plan, &["r 1 ann", "r 2 bob", "r 3 cy"])],
    )
    .await;
    shop.load(&plan, vec![rows(&plan, &["d 1 ~", "u 2 bill"])])
        .await;
    // Another process learns from the catalog where the files are.
    let mut shop = world.open().await;
    shop.load(&plan, vec![rows(&plan, &["c 4 dan"])]).await;
    assert_eq!(world.rows("id, name").await, ["2 bill", "3 cy", "4 dan"]);
    let table = catalog.table("shop.t").unwrap();
    assert_eq!(table.location(), "s3://table-1--table-s3");
    assert_eq!(table.snapshots().len(), 3);
    assert!(catalog.left_alone().contains(&"shop.t".to_owned()));
    let keys = store.keys("table-1--table-s3");
    assert!(keys.iter().any(|key| key.ends_with(".parquet")), "{keys:?}");
    let lake = store.keys("lake");
    assert!(
        lake.iter().all(|key| key.starts_with("raw/_tributary/")),
        "{lake:?}"
    );
    let report = shop.lake.maintain().await.unwrap();
    assert_eq!(report.verdict(), Verdict::Pass, "{report:?}");
    assert_eq!(world.rows("count(*)").await, ["3"]);
}

#[tokio::test]
async fn s3_tables_is_told_from_other_catalogs_and_wrong_settings_are_named() {
    let (_catalog, _store, world) = table_buckets().await;
    let uri = "https://s3tables.eu-west-1.amazonaws.com/iceberg";
    for (catalog, says) in [
        (json!({"type": "rest", "uri": uri}), "type: s3_tables"),
        (
            json!({"type": "s3_tables", "table_bucket": "lake"}),
            "arn:aws:s3tables:REGION",
        ),
    ] {
        let mut settings = world.settings();
        settings["catalog"] = catalog;
        let config = serde_json::from_value(settings).unwrap();
        // `tributary validate` says so already.
        assert_eq!(Lake::faults(&config).len(), 1);
        let error = Lake::connect(config).await.map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let in_folder = json!({"catalog": {"type": "s3_tables", "table_bucket": BUCKET}});
    let error = Lake::connect(World::new(in_folder).config())
        .await
        .map(drop);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
    // A name that S3 Tables does not have.
    let shop = world.open().await;
    let mut odd = TablePlan::clone(&plan(Mode::Append, &["id int64"]));
    odd.table.table = "Order-Lines".to_owned();
    let error = shop.begin(&Arc::new(odd)).await.map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert!(error.to_string().contains("lowercase"), "{error}");
}
