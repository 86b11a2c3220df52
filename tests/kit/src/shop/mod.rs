//! The shop: the data set of the demo and of most tests. Its rows depend on nothing but the sizes
//! and the seed.
//!
//! Deliberately absent: foreign keys. Rows that go by a cascade never reach the change log.

mod rows;
mod writer;

use crate::server::MySqlServer;
pub use writer::{Tally, Writer};

/// Its tables, as `database.table`.
pub const TABLES: [&str; 4] = [
    "shop.customers",
    "shop.products",
    "shop.orders",
    "shop.order_lines",
];

const SCHEMA: &str = include_str!("schema.sql");
/// Rows in one INSERT.
const ROWS: usize = 500;

/// How much of it.
#[derive(Clone, Copy, Debug)]
pub struct Shop {
    /// Customers.
    pub customers: u64,
    /// Products.
    pub products: u64,
    /// Orders; each has one to four lines.
    pub orders: u64,
    /// Where the random numbers start.
    pub seed: u64,
}

impl Shop {
    /// Some twenty thousand rows, for people to look at.
    pub const DEMO: Self = Self {
        customers: 2_000,
        products: 300,
        orders: 6_000,
        seed: 1,
    };
    /// Some two thousand rows, for tests.
    pub const SMALL: Self = Self {
        customers: 300,
        products: 60,
        orders: 500,
        seed: 1,
    };

    /// Everything as SQL: the tables, then the rows.
    pub fn statements(self) -> impl Iterator<Item = String> {
        let schema = SCHEMA
            .split(";\n")
            .map(str::trim)
            .filter(|statement| !statement.is_empty())
            .map(ToOwned::to_owned);
        schema.chain(rows::inserts(self, ROWS))
    }

    /// Makes the tables and fills them.
    pub async fn load(self, server: &MySqlServer) {
        use mysql_async::prelude::Queryable;
        let mut conn = server.conn().await;
        for statement in self.statements() {
            if let Err(error) = conn.query_drop(&statement).await {
                panic!("loading the shop: {error}, in: {:.200}", statement);
            }
        }
        let _ = conn.disconnect().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Flavor, Options};

    async fn opens_and_does_business(flavor: Flavor) {
        let mut server = MySqlServer::start(flavor, Options::default()).await;
        Shop::SMALL.load(&server).await;
        let orders = server.value("SELECT count(*) FROM shop.orders").await;
        assert_eq!(orders, Shop::SMALL.orders.to_string());
        let writer = Writer::start(&server, Shop::SMALL, 3, 7);
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        server.restart().await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let tally = writer.stop().await;
        assert!(tally.committed > 50 && tally.rolled_back > 0, "{tally:?}");
        assert_ne!(
            server.value("SELECT count(*) FROM shop.orders").await,
            orders
        );
    }

    #[tokio::test]
    async fn a_shop_on_mariadb_does_business() {
        opens_and_does_business(Flavor::MariaDb).await;
    }

    #[tokio::test]
    async fn a_shop_on_mysql_does_business() {
        opens_and_does_business(Flavor::MySql).await;
    }
}
