//! The contract of destinations, held by the destination and the stand-in, with both ways to write
//! names.

use async_trait::async_trait;
use serde_json::json;
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Existing, Fence, LoadPlan, LoadRecord,
    Report, Result, State, TableName,
};
use tributary_snowflake::{Config, Snowflake, SnowflakeLoad};
use tributary_testkit::conformance;

use crate::world::{World, connect};

#[tokio::test(flavor = "multi_thread")]
async fn names_that_are_exact_keep_the_contract() {
    let world = World::new();
    let config = world.config(&json!({"identifiers": "exact"}));
    conformance::destination(move || connect(config.clone())).await;
}

/// The suite asks for `"orders"`: a person who knows that names are in upper case asks for `"ORDERS"`.
struct Upper(Snowflake);

#[async_trait]
impl Destination for Upper {
    const KIND: &'static str = Snowflake::KIND;
    type Config = Config;
    type Load = SnowflakeLoad;

    async fn connect(config: Config) -> Result<Self> {
        Snowflake::connect(config).await.map(Self)
    }

    async fn check(&self) -> Result<Report> {
        self.0.check().await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.capabilities()
    }

    async fn open(&self, of: &ConnectionName) -> Result<(State, Fence)> {
        self.0.open(of).await
    }

    async fn peek(&self, of: &ConnectionName) -> Result<Option<State>> {
        self.0.peek(of).await
    }

    async fn loads(&self, of: &ConnectionName, limit: usize) -> Result<Vec<LoadRecord>> {
        self.0.loads(of, limit).await
    }

    /// Names that were not all small come back small: the suite knows them as they were.
    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        self.0.describe(tables).await
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<SnowflakeLoad> {
        self.0.begin(plan, fence).await
    }

    async fn query(&self, sql: &str) -> Result<Answer> {
        let (select, name) = sql.split_once('"').unwrap();
        let name = name.to_ascii_uppercase();
        let mut answer = self.0.query(&format!("{select}\"{name}")).await?;
        for column in &mut answer.columns {
            assert_eq!(*column, column.to_ascii_uppercase(), "{name}");
            // The one name of the suite with a capital letter, and the column beside it.
            *column = match column.as_str() {
                "TABLE" => "Table".to_owned(),
                "TA'2\"" => "Ta'2\"".to_owned(),
                other => other.to_ascii_lowercase(),
            };
        }
        Ok(answer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn names_in_upper_case_keep_the_contract() {
    let world = World::new();
    let config = world.config(&json!({
        "user": null,
        "private_key": null,
        "token": tributary_standins::snowflake::TOKEN,
        "stage": null,
        "storage_integration": "LAKE_READER",
    }));
    conformance::destination(move || {
        let config = config.clone();
        async move { connect(config).await.map(Upper) }
    })
    .await;
}
