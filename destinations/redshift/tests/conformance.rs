//! The contract of destinations, held by the stand-in for Redshift.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tributary_model::{
    Batch, Change, Commit, ConnectionName, DataType, Deletes, Destination, ErrorKind, Load,
    LoadPlan, Mode, Op, Presence, Result, State, StreamName, TableColumn, TableName, TablePlan,
    now,
};
use tributary_redshift::{Config, Redshift};
use tributary_sql::VALID_FROM;
use tributary_standins::redshift::{Fault, ROLE, RedshiftServer, Rule};
use tributary_testkit::cells;
use tributary_testkit::conformance;
use tributary_testkit::s3::{Options, S3Server};

/// The most bytes of a text of Redshift's.
const TEXT_BYTES: usize = 65_535;
/// Somebody makes a column short.
const SHORTEN: &str = "DELETE FROM shop.t; ALTER TABLE shop.t ALTER COLUMN note TYPE varchar(10), \
    DROP CONSTRAINT vb_note, ADD CONSTRAINT vb_note CHECK (octet_length(note) <= 10)";

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

/// A table with a key and a note.
fn plan(table: &str, mode: Mode, key: DataType) -> TablePlan {
    let column = |name: &str, data_type| TableColumn {
        name: name.to_owned(),
        data_type,
        default: None,
    };
    let mut columns = vec![column("id", key), column("note", DataType::Text)];
    if mode == Mode::History {
        columns.push(column(VALID_FROM, DataType::TimestampTz));
    }
    TablePlan {
        stream: StreamName::within("shop", table),
        table: TableName {
            schema: "shop".to_owned(),
            table: table.to_owned(),
        },
        mode,
        deletes: Deletes::Hard,
        columns,
        key: vec!["id".to_owned()],
    }
}

/// Carries changes out in one load, as a new process would.
async fn change(config: Config, tables: Vec<Arc<TablePlan>>, changes: Vec<Change>) -> Result<()> {
    let destination = Redshift::connect(config).await?;
    let connection = ConnectionName::new("shop");
    let (_, fence) = destination.open(&connection).await?;
    let loading = LoadPlan {
        connection,
        load_id: format!("load-{}", fence.epoch),
        started_at: now(),
        tables,
    };
    let mut load = destination.begin(&loading, &fence).await?;
    for change in changes {
        load.write(change).await?;
    }
    let commit = Commit {
        state: State::default(),
        before: State::default(),
        streams: [].into(),
        committed_at: now(),
    };
    load.commit(&commit).await.map(drop)
}

/// Loads rows of a plan: each an operation, a key and a note.
async fn load_rows(config: Config, plan: TablePlan, rows: &[(Op, &str, &str)]) -> Result<()> {
    let plan = Arc::new(plan);
    let columns: Vec<_> = plan
        .columns
        .iter()
        .map(|column| (column.name.as_str(), column.data_type))
        .collect();
    let cells: Vec<Vec<Option<&str>>> = rows
        .iter()
        .map(|(_, key, note)| {
            let mut cells = vec![Some(*key), Some(*note)];
            cells.resize(columns.len(), None);
            cells
        })
        .collect();
    let change_of_rows = Change::Rows(Batch {
        plan: plan.clone(),
        ops: rows.iter().map(|(op, ..)| *op).collect(),
        presence: Presence::Possible,
        rows: cells::batch(&columns, &cells),
    });
    change(config, vec![plan], vec![change_of_rows]).await
}

/// Loads one row.
async fn load(config: Config, text: &str) -> Result<()> {
    let plan = plan("t", Mode::Merge, DataType::Int64);
    load_rows(config, plan, &[(Op::Create, "1", text)]).await
}

/// What a question is answered, as JSON.
async fn ask(config: Config, sql: &str) -> Value {
    let answer = async { Redshift::connect(config).await?.query(sql).await }.await;
    json!(answer.expect("the question can be asked").rows)
}

/// To Redshift texts are equal that differ only in blanks at their ends; to sources they are not.
#[tokio::test]
async fn blanks_at_the_end_of_a_text_count() {
    let (store, server) = start();
    let config = || config(&server, &store, ROLE);
    let both = [(Op::Create, "a", "x"), (Op::Create, "a ", "y")];
    for (table, mode) in [("merged", Mode::Merge), ("history", Mode::History)] {
        let plan = plan(table, mode, DataType::Text);
        load_rows(config(), plan, &both).await.expect(table);
    }
    let merged = "SELECT id || '.' AS i, note || '.' AS n FROM shop.merged ORDER BY note";
    assert_eq!(
        ask(config(), merged).await,
        json!([["a.", "x."], ["a .", "y."]])
    );
    for (table, mode) in [("merged", Mode::Merge), ("history", Mode::History)] {
        let plan = plan(table, mode, DataType::Text);
        let rows = [(Op::Update, "a", "x "), (Op::Delete, "a ", "y")];
        load_rows(config(), plan, &rows).await.expect(table);
    }
    assert_eq!(ask(config(), merged).await, json!([["a.", "x ."]]));
    let history = "SELECT id || '.' AS i, note || '.' AS n, _tributary_is_current FROM shop.history \
         ORDER BY LEN(id), LEN(note)";
    assert_eq!(
        ask(config(), history).await,
        json!([
            ["a.", "x.", false],
            ["a.", "x .", true],
            ["a .", "y.", false]
        ])
    );
}

/// A table may be built beside another where there is not even the schema yet, and what passes by
/// itself is told from what does not.
#[tokio::test]
async fn a_first_copy_makes_the_schema_and_what_passes_is_tried_again() {
    let (store, server) = start();
    let config = || config(&server, &store, ROLE);
    let beside = Arc::new(plan("t__tributary_next", Mode::Replace, DataType::Int64));
    let renew = Change::Renew {
        plan: beside,
        like: None,
    };
    let made = change(config(), Vec::new(), vec![renew]).await;
    made.expect("a table can be built where there is no schema");
    for (words, fault) in [
        ("COPY", Fault::SlowDown),
        ("DELETE FROM \"shop\"", Fault::Conflict),
        ("COMMIT", Fault::Serializable),
    ] {
        server.fail(Rule::new(words, fault));
        let failed = load(config(), "x").await.expect_err(words);
        assert_eq!(failed.kind(), ErrorKind::Unavailable, "{failed}");
    }
    load(config(), "x").await.expect("the faults are over");

    // All connections write there, one after the other: so nothing that takes time comes after it.
    let new = plan("new", Mode::Merge, DataType::Int64);
    let loaded = load_rows(config(), new, &[(Op::Create, "1", "x")]).await;
    loaded.expect("a row can be loaded");
    let statements = server.statements();
    let last = |begin: &str| statements.iter().rposition(|sql| sql.starts_with(begin));
    let noted = last("INSERT INTO _tributary.schema_changes").expect("the table was noted");
    assert!(
        statements[noted].contains("shop.new"),
        "{}",
        statements[noted]
    );
    assert!(
        statements[noted + 1].starts_with("INSERT INTO _tributary.loads"),
        "{}",
        statements[noted + 1]
    );
}

/// Somebody made a column short: that is mended before the load, since it can't be a part of it. And
/// a bucket that Redshift may not read is told from one that we may not write.
#[tokio::test]
async fn short_texts_are_lengthened_before_a_load_and_roles_are_asked_for() {
    let (store, server) = start();
    load(config(&server, &store, ROLE), "short")
        .await
        .expect("a row can be loaded");
    server.admin(SHORTEN);
    let long = "é".repeat(32_767);
    load(config(&server, &store, ROLE), &long)
        .await
        .expect("a long text can be loaded");
    let statements = server.statements();
    let lengthen = "ALTER TABLE \"shop\".\"t\" ALTER COLUMN \"note\" TYPE VARCHAR(65535)";
    let found = statements.iter().filter(|sql| *sql == lengthen).count();
    assert_eq!(found, 1, "only where it was needed");

    // Where that is refused, the load does it in its own way.
    server.admin(SHORTEN);
    server.fail(Rule::new(lengthen, Fault::Deny));
    let longer = format!("{long}x");
    let loaded = load(config(&server, &store, ROLE), &longer).await;
    loaded.expect("a long text can be loaded all the same");

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
