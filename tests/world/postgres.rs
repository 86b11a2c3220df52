//! A private PostgreSQL to write to, beside the DuckDB file of the same program.

use serde_json::Value;
use sqlx::{Connection, Executor, PgConnection};
use tributary_testkit::cells::canonical;
use tributary_testkit::postgres::Postgres;
use tributary_testkit::program::Program;
use tributary_testkit::server::Flavor;

use super::{NAME, World};
use tributary_model::DataType;

/// A source, the program, and a PostgreSQL.
pub(crate) struct Analytics {
    pub(crate) world: World,
    pub(crate) postgres: Postgres,
}

/// What a configuration says beyond the least.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup<'a> {
    /// Where the program finds PostgreSQL; the server's own port if not given.
    pub(crate) port: Option<u16>,
    /// Who logs in, as `name:password`; the superuser if not given.
    pub(crate) login: Option<&'a str>,
    /// Settings of the source.
    pub(crate) source: &'a str,
    /// Settings of the destination.
    pub(crate) destination: &'a str,
    /// Settings of the connection.
    pub(crate) connection: &'a str,
}

impl Analytics {
    /// A MariaDB with these tables, and an empty PostgreSQL.
    pub(crate) async fn with(sql: &str, setup: Setup<'_>) -> Self {
        Self::beside(World::with(Flavor::MariaDb, sql).await, setup)
    }

    /// The same, beside a world that is there.
    pub(crate) fn beside(world: World, setup: Setup<'_>) -> Self {
        let analytics = Self {
            world,
            postgres: Postgres::start(),
        };
        analytics.configure(setup);
        analytics
    }

    /// Writes the configuration: `main` goes to PostgreSQL.
    pub(crate) fn configure(&self, setup: Setup<'_>) {
        let text = self.world.yaml(super::Setup {
            source: setup.source,
            connection: setup.connection,
            ..super::Setup::default()
        });
        let text = text.replace(
            "{type: duckdb, path: warehouse.duckdb}",
            &format!(
                "{{type: postgres, url: \"{}\", {}}}",
                address(&self.postgres, setup.port, setup.login),
                setup.destination
            ),
        );
        self.world.program.write("tributary.yaml", &text);
    }

    /// Adds the connection `mirror`: the same source into the DuckDB file, with these settings.
    pub(crate) fn mirror(&self, connection: &str) {
        let path = self.world.program.path("tributary.yaml");
        let text = std::fs::read_to_string(path).unwrap();
        let text = text.replace(
            "connections:\n",
            "  mirror: {type: duckdb, path: warehouse.duckdb}\nconnections:\n",
        );
        let more = format!("  mirror: {{source: shop, destination: mirror, {connection}}}\n");
        self.world.program.write("tributary.yaml", &(text + &more));
    }

    /// A session of the superuser.
    pub(crate) async fn session(&self) -> PgConnection {
        PgConnection::connect(&self.postgres.url()).await.unwrap()
    }

    /// Runs statements as the superuser.
    pub(crate) async fn execute(&self, sql: &str) {
        let mut session = self.session().await;
        session.execute(sqlx::raw_sql(sql)).await.unwrap();
    }

    /// The one number that answers a question.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        let mut session = self.session().await;
        let number = sqlx::query_scalar(sql).fetch_one(&mut session).await;
        number.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The texts of one column.
    pub(crate) async fn words(&self, sql: &str) -> Vec<String> {
        let mut session = self.session().await;
        let words = sqlx::query_scalar(sql).fetch_all(&mut session).await;
        words.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Whether a relation is there.
    pub(crate) async fn has(&self, table: &str) -> bool {
        let sql = format!("SELECT (to_regclass('{table}') IS NOT NULL)::int::bigint");
        self.number(&sql).await == 1
    }

    /// How many loads have committed.
    pub(crate) async fn loads(&self) -> i64 {
        let sql = format!("SELECT count(*) FROM _tributary.loads WHERE connection = '{NAME}'");
        self.number(&sql).await
    }
}

/// The address of the server's database.
pub(crate) fn address(postgres: &Postgres, port: Option<u16>, login: Option<&str>) -> String {
    let url = postgres.url();
    let (own_login, rest) = url
        .trim_start_matches("postgres://")
        .split_once('@')
        .unwrap();
    let own_port = port_of(postgres).to_string();
    let rest = rest.replace(
        &own_port,
        &port.map_or(own_port.clone(), |port| port.to_string()),
    );
    format!("postgres://{}@{rest}", login.unwrap_or(own_login))
}

/// Where the server listens.
pub(crate) fn port_of(postgres: &Postgres) -> u16 {
    let url = postgres.url();
    let (_, place) = url.rsplit_once(':').unwrap();
    place.split('/').next().unwrap().parse().unwrap()
}

/// The rows that answer a question to a destination, in canonical texts of these types, sorted.
pub(crate) async fn rows(
    program: &Program,
    destination: &str,
    sql: &str,
    types: &[DataType],
) -> Vec<Vec<Option<String>>> {
    let answer = program
        .run(&["query", destination, sql, "--output", "json"])
        .await;
    let answer = answer.exits(0).json();
    let cell = |(value, data_type): (&Value, &DataType)| match value {
        Value::Null => None,
        Value::String(text) => Some(canonical(*data_type, text)),
        other => Some(canonical(*data_type, &other.to_string())),
    };
    let row = |row: &Value| -> Vec<Option<String>> {
        let cells = row.as_array().unwrap();
        assert_eq!(cells.len(), types.len(), "{sql}");
        cells.iter().zip(types).map(cell).collect()
    };
    let mut rows: Vec<_> = answer["rows"].as_array().unwrap().iter().map(row).collect();
    rows.sort();
    rows
}
