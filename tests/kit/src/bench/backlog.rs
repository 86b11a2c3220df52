//! Changes that wait in the log: in large transactions, or one by one.
//!
//! Invariant: exactly as many rows change as were asked for, the same ones on every machine.

use mysql_async::Conn;
use mysql_async::prelude::Queryable;

use super::lineitem::{COLUMNS, TABLE};
use super::source::Source;

/// Changes in one of the large transactions.
const BULK: u64 = 10_000;
/// Added to the keys of rows that are new, that have moved, and of those that come one by one.
const NEW: u64 = 1_000_000_000;
const MOVED: u64 = 2_000_000_000;
const SINGLE: u64 = 3_000_000_000;
/// A prime, so that one by one changes go all over the table.
const STEP: u64 = 15_485_863;

/// Every statement ends at exactly its number of rows.
const LIMIT: &str = "ORDER BY l_orderkey, l_linenumber LIMIT";

/// Loops in the server, where a round trip for each transaction would take longer than they do.
pub(super) fn procedures() -> Vec<String> {
    // Three of four are updates.
    vec![format!(
        "CREATE PROCEDURE bench.trickle(IN transactions INT, IN top BIGINT)
         BEGIN
           DECLARE i INT DEFAULT 0;
           DECLARE k BIGINT;
           WHILE i < transactions DO
             SET k = (i * {STEP}) % top;
             IF i % 4 = 3 THEN
               INSERT INTO {TABLE} VALUES ({SINGLE} + i, 1 + i % 200000, 1 + i % 10000, 1 + i % 7,
                 1 + i % 50, 1000 + i % 9000, 0.04, 0.02, 'N', 'O', '1995-06-17', '1995-07-17',
                 '1995-06-29', 'DELIVER IN PERSON', 'TRUCK', CONCAT('new, number ', i));
             ELSE
               UPDATE {TABLE} SET l_quantity = l_quantity + 1, l_comment = CONCAT('one by one ', i)
               WHERE l_orderkey >= k {LIMIT} 1;
             END IF;
             SET i = i + 1;
           END WHILE;
         END"
    )]
}

/// Makes `changes` in transactions of ten thousand: six in ten are updates, two are new rows, one
/// is a delete and one a change of key.
pub(super) async fn bulk(source: &Source, changes: u64) {
    let top = top(source).await;
    let mut conn = source.server.conn().await;
    let transactions = changes.div_ceil(BULK);
    for index in 0..transactions {
        let size = BULK.min(changes - index * BULK);
        let [from, to] = [index, index + 1].map(|index| top * index / transactions);
        let statements = transaction(size, from, to);
        let mut changed = 0;
        run(&mut conn, "BEGIN").await;
        for statement in statements {
            changed += run(&mut conn, &statement).await;
        }
        run(&mut conn, "COMMIT").await;
        assert_eq!(changed, size, "rows changed by transaction {index}");
    }
    let _ = conn.disconnect().await;
}

/// One transaction over the keys between two; each statement has a quarter of them.
fn transaction(size: u64, from: u64, to: u64) -> [String; 4] {
    let (new, deleted, moved) = (size / 5, size / 10, size / 10);
    let updated = size - new - deleted - moved;
    let at = |eighth: u64| from + (to - from) * eighth / 8;
    let values = COLUMNS.map(|(name, ..)| match name {
        "l_orderkey" => format!("{NEW} + l_orderkey"),
        other => other.to_owned(),
    });
    [
        format!(
            "UPDATE {TABLE} SET l_quantity = l_quantity + 1, l_discount = 0.07,
             l_extendedprice = l_extendedprice + 10, l_comment = REVERSE(l_comment)
             WHERE l_orderkey >= {} {LIMIT} {updated}",
            at(0)
        ),
        format!(
            "INSERT INTO {TABLE} SELECT {} FROM {TABLE} WHERE l_orderkey >= {} {LIMIT} {new}",
            values.join(", "),
            at(4)
        ),
        format!(
            "DELETE FROM {TABLE} WHERE l_orderkey >= {} {LIMIT} {deleted}",
            at(6)
        ),
        format!(
            "UPDATE {TABLE} SET l_orderkey = l_orderkey + {MOVED}
             WHERE l_orderkey >= {} {LIMIT} {moved}",
            at(7)
        ),
    ]
}

/// Makes `transactions` of one row each.
pub(super) async fn single(source: &Source, transactions: u64) {
    let before = source.transactions().await;
    let top = top(source).await;
    let mut conn = source.server.conn().await;
    run(
        &mut conn,
        &format!("CALL bench.trickle({transactions}, {top})"),
    )
    .await;
    let _ = conn.disconnect().await;
    let made = source.transactions().await - before;
    assert_eq!(made, transactions, "transactions in the log");
}

/// The largest of the keys that the table began with.
async fn top(source: &Source) -> u64 {
    let sql = format!("SELECT max(l_orderkey) FROM {TABLE} WHERE l_orderkey < {NEW}");
    let top = source.server.value(&sql).await;
    top.parse().expect("a key is a number")
}

async fn run(conn: &mut Conn, sql: &str) -> u64 {
    conn.query_drop(sql)
        .await
        .unwrap_or_else(|error| panic!("{error}, in: {sql}"));
    conn.affected_rows()
}
