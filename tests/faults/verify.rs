//! G1, G2 and G7 for `verify --repair`: killed at any step, nothing is half repaired, nothing is
//! written twice, the cursor stays where it is, and the next run ends the work.

use duckdb::Connection;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::World;

/// Each step at which the program dies, and whether the repair has committed by then.
const STEPS: [(&str, bool); 6] = [
    ("load.after_begin", false),
    ("load.before_merge", false),
    ("verify.before_commit", false),
    ("load.before_commit", false),
    ("load.after_commit", true),
    ("verify.after_commit", true),
];

/// The differences: a row that is gone, one too many, a changed value, a row that came back; and one
/// whose key changes in the source meanwhile.
fn tamper(world: &World, turn: usize) {
    let sql = format!(
        "DELETE FROM warehouse.shop.orders WHERE id = 17;
         INSERT INTO warehouse.shop.orders SELECT * REPLACE (id + {} AS id)
           FROM warehouse.shop.orders WHERE id = 18;
         UPDATE warehouse.shop.orders SET total = total + 1 WHERE id IN (19, 22);
         UPDATE warehouse.shop.orders SET _tributary_deleted = false WHERE id = 20;",
        900_000 + turn
    );
    let connection = Connection::open(world.file()).unwrap();
    connection.execute_batch(&sql).unwrap();
}

fn cursors(world: &World) -> Vec<crate::world::Row> {
    world.ask("SELECT stream, \"cursor\" FROM _tributary.state ORDER BY 1")
}

#[tokio::test]
async fn g1_g2_g7_a_repair_that_is_killed_has_happened_or_not() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.sync().await;
    world
        .server
        .execute("DELETE FROM shop.orders WHERE id = 20")
        .await;
    world.sync().await;
    let before = cursors(&world);
    for (turn, (step, commits)) in STEPS.into_iter().enumerate() {
        tamper(&world, turn);
        let loads = world.loads();
        // These are the next sync's to write, and no repair's.
        world
            .server
            .execute("UPDATE shop.orders SET total = total + 1 WHERE id IN (19, 21)")
            .await;
        let failpoint = format!("{step}=return(kill)");
        let args = ["verify", "main:shop.orders", "--repair"];
        let env = [("FAILPOINTS", failpoint.as_str())];
        let killed = world.program.start_with(&env, &args).wait().await;
        assert_eq!(killed.code(), None, "{step} was not reached\n{killed}");
        Connection::open(world.file())
            .unwrap()
            .execute_batch("CHECKPOINT")
            .unwrap();
        assert_eq!(world.loads() - loads, i64::from(commits), "{step}");
        assert_eq!(cursors(&world), before, "{step}: a repair moves no cursor");
        let gone = "SELECT count(*) FROM warehouse.shop.orders WHERE id = 17";
        assert_eq!(world.number(gone), i64::from(commits), "{step}");

        world.program.run(&args).await.exits(0);
        assert_eq!(world.loads() - loads, 1, "{step}: once is enough");
        let twice = "SELECT count(*) - count(DISTINCT id) FROM warehouse.shop.orders";
        assert_eq!(world.number(twice), 0, "{step}");
    }
    world.sync().await;
    world.assert_equal(&TABLES).await;
}
