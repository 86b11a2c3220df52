//! A BigQuery that is asked as the suite asks: with names between double quotes.

use async_trait::async_trait;
use tributary_bigquery::{BigQuery, BigQueryLoad, Config, dataset_id, table_id};
use tributary_model::{
    Answer, Capabilities, ConnectionName, Destination, Existing, Fence, LoadPlan, LoadRecord,
    Report, Result, State, TableName, View,
};

/// The destination under test.
pub struct Quoted(BigQuery);

#[async_trait]
impl Destination for Quoted {
    const KIND: &'static str = BigQuery::KIND;
    type Config = Config;
    type Load = BigQueryLoad;

    async fn connect(config: Config) -> Result<Self> {
        Ok(Self(BigQuery::connect(config).await?))
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

    async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        self.0.describe(tables).await
    }

    async fn begin(&self, plan: &LoadPlan, fence: &Fence) -> Result<BigQueryLoad> {
        self.0.begin(plan, fence).await
    }

    /// `SELECT * FROM "schema"."table"` in BigQuery's words.
    async fn query(&self, sql: &str) -> Result<Answer> {
        let Some(table) = sql.strip_prefix("SELECT * FROM \"") else {
            return self.0.query(sql).await;
        };
        let table = table.trim_end_matches('"');
        let (schema, table) = table.split_once("\".\"").unwrap_or(("", table));
        let plain = |name: &str| name.replace("\"\"", "\"");
        let (schema, table) = (dataset_id(&plain(schema)), table_id(&plain(table)));
        self.0
            .query(&format!("SELECT * FROM `p.{schema}.{table}`"))
            .await
    }

    async fn view(&self, of: &ConnectionName) -> Result<Box<dyn View>> {
        self.0.view(of).await
    }
}
