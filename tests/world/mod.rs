//! What a test of the built program starts from: a private server with a user who may only read,
//! and the program in a folder of its own, with a DuckDB file beside its configuration.

pub(crate) mod collector;
mod daemon;
mod lake;
pub(crate) mod postgres;
pub(crate) mod redshift;
mod warehouse;

use std::path::PathBuf;

use tributary_testkit::compare;
use tributary_testkit::program::{Finished, Program};
use tributary_testkit::server::{Flavor, MySqlServer, Options, Port, ReaderUser};
use tributary_testkit::shop::Shop;

pub(crate) use lake::{Format, Lake};
pub(crate) use warehouse::{Row, ask, number, word};

/// The connection's name.
pub(crate) const NAME: &str = "main";

/// A server and the program.
pub(crate) struct World {
    pub(crate) server: MySqlServer,
    pub(crate) reader: ReaderUser,
    pub(crate) program: Program,
    /// Where a daemon listens.
    pub(crate) port: Port,
}

/// What a configuration says beyond the least: settings in YAML's flow style, without braces.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Setup<'a> {
    /// Where the program finds the server; the server's own port if not given.
    pub(crate) port: Option<u16>,
    /// Settings of the source, such as `chunk_rows: 200`.
    pub(crate) source: &'a str,
    /// Settings of the connection, such as `flush: {rows: 100}`.
    pub(crate) connection: &'a str,
}

impl World {
    /// An empty server, read by a user who may only read.
    pub(crate) async fn new(flavor: Flavor, options: Options) -> Self {
        let server = MySqlServer::start(flavor, options).await;
        let reader = server.reader().await;
        let program =
            Program::new(env!("CARGO_BIN_EXE_tributary")).env("SHOP_PASSWORD", &reader.password);
        let world = Self {
            server,
            reader,
            program,
            port: Port::take(),
        };
        world.configure(Setup::default());
        world
    }

    /// A server with these tables: the statements of `sql`, with `;` between them.
    pub(crate) async fn with(flavor: Flavor, sql: &str) -> Self {
        let world = Self::new(flavor, Options::default()).await;
        world.server.execute(sql).await;
        world
    }

    /// A server with a shop.
    pub(crate) async fn shop(flavor: Flavor, options: Options, shop: Shop) -> Self {
        let world = Self::new(flavor, options).await;
        shop.load(&world.server).await;
        world
    }

    /// Writes the configuration.
    pub(crate) fn configure(&self, setup: Setup<'_>) {
        let yaml = self.yaml(setup);
        self.program.write("tributary.yaml", &yaml);
    }

    /// The configuration.
    pub(crate) fn yaml(&self, setup: Setup<'_>) -> String {
        let port = setup.port.unwrap_or(self.server.port());
        let (user, source, connection) = (&self.reader.name, setup.source, setup.connection);
        format!(
            "sources:\n  shop: {{type: mysql, host: 127.0.0.1, port: {port}, user: {user}, \
             password: \"${{SHOP_PASSWORD}}\", {source}}}\n\
             destinations:\n  warehouse: {{type: duckdb, path: warehouse.duckdb}}\n\
             connections:\n  {NAME}: {{source: shop, destination: warehouse, {connection}}}\n"
        )
    }

    /// The DuckDB file.
    pub(crate) fn file(&self) -> PathBuf {
        self.program.path("warehouse.duckdb")
    }

    /// A sync that must succeed.
    pub(crate) async fn sync(&self) -> Finished {
        self.program.run(&["sync"]).await.exits(0)
    }

    /// Runs `sync` with a failpoint armed.
    pub(crate) async fn sync_with(&self, failpoints: &str) -> Finished {
        let env = [("FAILPOINTS", failpoints)];
        self.program.start_with(&env, &["sync"]).wait().await
    }

    /// Asserts that the tables, given as `database.table`, are equal row by row.
    pub(crate) async fn assert_equal(&self, tables: &[&str]) -> usize {
        compare::assert_equal(&self.server, &self.file(), tables).await
    }

    /// Asserts that one table is equal row by row; says `when` where it is not.
    pub(crate) async fn assert_table(&self, table: &str, when: &str) {
        let outcome = compare::table(&self.server, table, &self.file(), table).await;
        if let Err(differences) = outcome {
            panic!("{when}\n{differences}");
        }
    }

    /// The rows of a question to the DuckDB file, which nobody may hold open.
    pub(crate) fn ask(&self, sql: &str) -> Vec<Row> {
        ask(&self.file(), sql)
    }

    /// The one number that answers a question to the DuckDB file.
    pub(crate) fn number(&self, sql: &str) -> i64 {
        number(&self.file(), sql)
    }

    /// How many loads have committed.
    pub(crate) fn loads(&self) -> i64 {
        self.number("SELECT count(*) FROM _tributary.loads")
    }
}
