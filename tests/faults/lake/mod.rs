//! Lakes in trouble: killed processes, two of them at once, stores that fail in every way, large
//! tables. What readers find afterwards is the source, row by row.

mod kills;
mod large;
mod storms;
mod two;

use duckdb::Connection;
use tributary_testkit::compare;

use crate::world::{Lake, Setup, World};

const TABLES: [&str; 4] = [
    "shop.customers",
    "shop.products",
    "shop.orders",
    "shop.order_lines",
];
const STREAMS: &str = "streams: {shop.products: {deletes: hard}, shop.orders: {deletes: hard}, \
    shop.order_lines: {mode: append}}";

/// The shop goes into `lake`; `settings` are more of the destination's.
fn configure(world: &World, lake: &Lake, flush: &str, settings: &str) {
    let connection = format!("{flush}{STREAMS}");
    let setup = Setup {
        source: "databases: [shop], chunk_rows: 250",
        connection: &connection,
        ..Setup::default()
    };
    world.configure_lake_in(lake, setup, settings);
}

/// Each table is the source's, and each load is there once and accounts for its rows.
async fn assert_exactly_once(world: &World, lake: &Lake, when: &str) {
    world.read_lake_in(lake, &TABLES);
    for table in &TABLES[..3] {
        world.assert_table(table, when).await;
    }
    assert_changes_fold_to_the_source(world).await;
    let gaps = "SELECT max(sequence) - count(DISTINCT sequence) + count(*) - count(DISTINCT load_id) \
        FROM _tributary.loads";
    assert_eq!(
        world.number(gaps),
        0,
        "the loads are not numbered one by one"
    );
    let lost = "SELECT count(*) FROM _tributary.loads WHERE rows_read <> rows_written";
    assert_eq!(
        world.number(lost),
        0,
        "a load does not account for its rows"
    );
}

/// The rows of the append-mode stream, folded to the newest of each key, are the source's rows.
async fn assert_changes_fold_to_the_source(world: &World) {
    let twice = "SELECT count(*) - count(DISTINCT (order_id, line_no, _tributary_position)) \
        FROM shop.order_lines";
    assert_eq!(world.number(twice), 0, "rows of the log came twice");
    let fold = "CREATE SCHEMA folded; CREATE TABLE folded.order_lines AS \
        SELECT * FROM shop.order_lines QUALIFY row_number() OVER \
        (PARTITION BY order_id, line_no ORDER BY _tributary_position DESC) = 1; \
        DELETE FROM folded.order_lines WHERE _tributary_op = 'd'";
    Connection::open(world.file())
        .unwrap()
        .execute_batch(fold)
        .unwrap();
    let file = world.file();
    let outcome = compare::table(
        &world.server,
        "shop.order_lines",
        &file,
        "folded.order_lines",
    );
    outcome
        .await
        .unwrap_or_else(|differences| panic!("{differences}"));
}
