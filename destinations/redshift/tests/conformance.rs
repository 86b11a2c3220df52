//! The contract of destinations, held by the stand-in for Redshift.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, ErrorKind, Load,
    LoadPlan, Mode, Op, Presence, Result, State, StreamName, TableColumn, TableName, TablePlan,
    now,
};
use tributary_redshift::{Config, Redshift};
use tributary_standins::redshift::{ROLE, RedshiftServer};
use tributary_testkit::cells;
use tributary_testkit::conformance;
use tributary_testkit::s3::{Options, S3Server};

/// The most bytes of a text of Redshift's.
const TEXT_BYTES: usize = 65_535;

fn config(server: &RedshiftServer, store: &S3Server, role: &str) -> Config {
    let keys = store.credentials();
    let config = json!({
        "url": server.url(),
        "iam_role": role,
        "staging": {
            "url": "s3://staging/in",
            "endpoint": store.endpoint(),
            "region": "us-east-1",
            "access_key_id": keys.access_key_id,
            "secret_access_key": keys.secret_access_key,
            "session_token": keys.session_token,
        },
    });
    serde_json::from_value(config).expect("the settings can be read")
}

fn start() -> (Arc<S3Server>, RedshiftServer) {
    let store = Arc::new(S3Server::start(Options {
        buckets: vec!["staging".to_owned()],
        ..Options::default()
    }));
    let server = RedshiftServer::start(store.clone());
    (store, server)
}

#[tokio::test]
async fn redshift_keeps_the_contract() {
    let (store, server) = start();
    let make = {
        let config = config(&server, &store, ROLE);
        move || Redshift::connect(config.clone())
    };
    conformance::destination_of_texts(TEXT_BYTES, make).await;
    // Those of loads that were dropped go in a while.
    let patience = Instant::now() + Duration::from_secs(120);
    while !store.keys("staging").is_empty() {
        assert!(Instant::now() < patience, "{:?}", store.keys("staging"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Loads one row, as a new process would.
async fn load(config: Config, text: &str) -> Result<()> {
    let column = |name: &str, data_type| TableColumn {
        name: name.to_owned(),
        data_type,
        default: None,
    };
    let plan = Arc::new(TablePlan {
        stream: StreamName::within("shop", "t"),
        table: TableName {
            schema: "shop".to_owned(),
            table: "t".to_owned(),
        },
        mode: Mode::Merge,
        deletes: Deletes::Hard,
        columns: vec![
            column("id", DataType::Int64),
            column("note", DataType::Text),
        ],
        key: vec!["id".to_owned()],
    });
    let destination = Redshift::connect(config).await?;
    let connection = ConnectionName::new("shop");
    let (_, fence) = destination.open(&connection).await?;
    let loading = LoadPlan {
        connection,
        load_id: format!("load-{}", fence.epoch),
        started_at: now(),
        tables: vec![plan.clone()],
    };
    let mut load = destination.begin(&loading, &fence).await?;
    let columns = [("id", DataType::Int64), ("note", DataType::Text)];
    load.write(Change::Rows(Batch {
        plan,
        ops: vec![Op::Create],
        presence: Presence::Possible,
        rows: cells::batch(&columns, &[vec![Some("1"), Some(text)]]),
    }))
    .await?;
    let commit = Commit {
        state: State::default(),
        before: State::default(),
        streams: [].into(),
        committed_at: now(),
    };
    load.commit(&commit).await.map(drop)
}

/// Somebody made a column short: that is mended before the load, since it can't be a part of it. And
/// a bucket that Redshift may not read is told from one that we may not write.
#[tokio::test]
async fn short_texts_are_lengthened_before_a_load_and_roles_are_asked_for() {
    let (store, server) = start();
    load(config(&server, &store, ROLE), "short")
        .await
        .expect("a row can be loaded");
    server.admin(
        "ALTER TABLE shop.t ALTER COLUMN note TYPE varchar(10), DROP CONSTRAINT vb_note, \
         ADD CONSTRAINT vb_note CHECK (octet_length(note) <= 10)",
    );
    let long = "é".repeat(32_767);
    load(config(&server, &store, ROLE), &long)
        .await
        .expect("a long text can be loaded");
    let statements = server.statements();
    let lengthen = "ALTER TABLE \"shop\".\"t\" ALTER COLUMN \"note\" TYPE VARCHAR(65535)";
    let found = statements.iter().filter(|sql| *sql == lengthen).count();
    assert_eq!(found, 1, "only where it was needed");

    let other = "arn:aws:iam::1:role/other";
    let refused = load(config(&server, &store, other), "no")
        .await
        .expect_err("no right");
    assert_eq!(refused.kind(), ErrorKind::Access, "{refused}");
    assert!(
        refused
            .to_string()
            .contains("may not read the staging bucket"),
        "{refused}"
    );
}
