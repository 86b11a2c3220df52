#![allow(clippy::unwrap_used)]

use sqlx::{Executor, Row};
use tributary_model::{ConnectionName, Destination};

use super::For;
use crate::config::Config;
use crate::destination::Postgres;

/// What a session says when nobody asks for anything: where a pooler hands it on, whoever gets it.
const TOLD: &str = "SELECT current_setting('search_path'), current_setting('statement_timeout'), \
    current_setting('lock_timeout'), current_setting('transaction_isolation'), \
    current_setting('transaction_read_only'), (SELECT count(*) FROM pg_prepared_statements)::text, \
    (SELECT count(*) FROM pg_class WHERE relpersistence = 't')::text";
const NOTHING: [&str; 7] = [
    "\"$user\", public",
    "0",
    "0",
    "read committed",
    "off",
    "0",
    "0",
];

#[tokio::test]
async fn a_session_keeps_nothing_that_it_was_told() {
    let server = tributary_testkit::postgres::Postgres::start();
    let destination = Postgres::connect(Config::at(server.url())).await.unwrap();
    let of = ConnectionName::new("c");
    destination.open(&of).await.unwrap();
    destination.peek(&of).await.unwrap();
    destination.describe(&[]).await.unwrap();
    let mut session = destination.sessions.get().await.unwrap();
    for what_for in [For::Writing, For::Reading, For::OneMoment] {
        session.begin(what_for).await.unwrap();
        let path = session
            .connection()
            .fetch_one(sqlx::raw_sql("SHOW search_path"))
            .await;
        assert_eq!(path.unwrap().get::<&str, _>(0), "pg_catalog");
        session.run("COMMIT", "ending a test").await.unwrap();
        let row = session.connection().fetch_one(sqlx::raw_sql(TOLD)).await;
        let row = row.unwrap();
        let told: Vec<&str> = (0..NOTHING.len()).map(|index| row.get(index)).collect();
        assert_eq!(told, NOTHING, "{what_for:?}");
    }
}
