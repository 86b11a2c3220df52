//! Customers who keep buying: random transactions from several connections until told to stop.

use std::time::Duration;

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Error, Opts};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::{Shop, rows};
use crate::random::Random;
use crate::server::MySqlServer;

/// Duplicate key, lock wait timeout, deadlock: what busy people run into.
const EXPECTED: [u16; 3] = [1062, 1205, 1213];

/// What a writer did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Transactions that committed.
    pub committed: u64,
    /// Transactions that were rolled back, on purpose or by a conflict.
    pub rolled_back: u64,
}

/// Runs until stopped; survives a server that goes away and comes back.
#[derive(Debug)]
pub struct Writer {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<Tally>>,
}

impl Writer {
    /// Starts `connections` writers; each repeats the same transactions for the same `seed`, while
    /// the order between them is the server's.
    #[must_use]
    pub fn start(server: &MySqlServer, shop: Shop, connections: u64, seed: u64) -> Self {
        let (stop, stopped) = watch::channel(false);
        let tasks = (0..connections)
            .map(|index| {
                let random = Random::new(seed.wrapping_mul(1_000).wrapping_add(index));
                tokio::spawn(write(server.opts(), shop, random, stopped.clone()))
            })
            .collect();
        Self { stop, tasks }
    }

    /// Lets the transactions under way finish, and says what was done.
    ///
    /// # Panics
    /// Panics where a writer met an error that it did not expect.
    pub async fn stop(self) -> Tally {
        let _ = self.stop.send(true);
        let mut total = Tally::default();
        for task in self.tasks {
            let tally = task.await.expect("a writer met no unexpected error");
            total.committed += tally.committed;
            total.rolled_back += tally.rolled_back;
        }
        total
    }
}

async fn write(
    opts: Opts,
    shop: Shop,
    mut random: Random,
    stopped: watch::Receiver<bool>,
) -> Tally {
    let mut tally = Tally::default();
    while !*stopped.borrow() {
        let Ok(mut conn) = Conn::new(opts.clone()).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !*stopped.borrow() {
            match transaction(&mut conn, shop, &mut random).await {
                Ok(true) => tally.committed += 1,
                Ok(false) => tally.rolled_back += 1,
                Err(Error::Server(error)) if EXPECTED.contains(&error.code) => {
                    tally.rolled_back += 1;
                    if conn.query_drop("ROLLBACK").await.is_err() {
                        break;
                    }
                }
                // The server is shutting down: as good as gone.
                Err(Error::Server(error)) if matches!(error.code, 1053 | 1927 | 3169) => break,
                Err(error @ Error::Server(_)) => panic!("the shop's writer: {error}"),
                Err(_) => break,
            }
        }
    }
    tally
}

/// One transaction; false where it was rolled back.
async fn transaction(conn: &mut Conn, shop: Shop, random: &mut Random) -> Result<bool, Error> {
    conn.query_drop("BEGIN").await?;
    for _ in 0..1 + random.below(3) {
        for statement in business(shop, random) {
            conn.query_drop(statement).await?;
        }
    }
    let end = if random.chance(5) {
        "ROLLBACK"
    } else {
        "COMMIT"
    };
    conn.query_drop(end).await?;
    Ok(end == "COMMIT")
}

/// The statements of one piece of business.
fn business(shop: Shop, random: &mut Random) -> Vec<String> {
    let order = 1 + random.below(shop.orders * 2);
    let customer = 1 + random.below(shop.customers * 2);
    let sku = rows::sku(1 + random.below(shop.products));
    match random.below(12) {
        0..=2 => place_order(shop, random),
        3 => vec![format!(
            "INSERT INTO shop.customers VALUES (NULL,{})",
            rows::customer(random)
        )],
        4 => vec![format!(
            "UPDATE shop.customers SET credit = COALESCE(credit, 0) + {}, tier = 'pro', \
             updated_at = CURRENT_TIMESTAMP(3) WHERE id = {customer}",
            rows::money(random, 100)
        )],
        5 => vec![format!(
            "UPDATE shop.orders SET status = 'shipped', shipped_on = CURRENT_DATE, note = NULL \
             WHERE id BETWEEN {order} AND {order} + 5"
        )],
        6 => vec![
            format!("DELETE FROM shop.order_lines WHERE order_id = {order}"),
            format!("DELETE FROM shop.orders WHERE id = {order}"),
        ],
        7 => vec![format!(
            "UPDATE shop.order_lines SET line_no = line_no + 10 \
             WHERE order_id = {order} AND line_no < 1000 ORDER BY line_no DESC"
        )],
        8 => rename_product(random, &sku),
        9 => vec![format!(
            "INSERT INTO shop.products VALUES ('{sku}',{}) \
             ON DUPLICATE KEY UPDATE price = price + 1, description = VALUES(description)",
            rows::product(random)
        )],
        10 => vec![format!(
            "REPLACE INTO shop.products VALUES ('{sku}',{})",
            rows::product(random)
        )],
        _ => vec![format!("DELETE FROM shop.customers WHERE id = {customer}")],
    }
}

fn place_order(shop: Shop, random: &mut Random) -> Vec<String> {
    let mut statements = vec![
        format!(
            "INSERT INTO shop.orders VALUES (NULL,{})",
            rows::order(random, shop.customers)
        ),
        "SET @placed = LAST_INSERT_ID()".to_owned(),
    ];
    for number in 1..=1 + random.below(4) {
        let line = rows::line(random, shop.products);
        statements.push(format!(
            "INSERT INTO shop.order_lines VALUES (@placed,{number},{line})"
        ));
    }
    statements
}

/// Moves a product to another key, or back: the new key may be taken.
fn rename_product(random: &mut Random, sku: &str) -> Vec<String> {
    let other = format!("{sku}-{}", random.below(3));
    let (from, to) = if random.chance(50) {
        (sku, &*other)
    } else {
        (&*other, sku)
    };
    vec![format!(
        "UPDATE shop.products SET sku = '{to}' WHERE sku = '{from}'"
    )]
}
