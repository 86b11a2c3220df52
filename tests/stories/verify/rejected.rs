//! Rows that the source can't give are known by their keys, whatever these look like.

use tributary_testkit::server::Flavor;

use super::{found, tamper, told, verify, verify_one};
use crate::world::{Setup, World};

const TABLE: &str = "CREATE DATABASE z;
    CREATE TABLE z.t (at DATETIME(6), name VARCHAR(300), born DATE, n DECIMAL(20,4), PRIMARY KEY (at, name));
    INSERT INTO z.t VALUES ('2024-01-01 10:00:00.5', REPEAT('x', 250), '2000-01-01', 1),
      ('2024-01-02', 'b', '2000-01-01', 2), ('2024-01-03', 'c', '2000-01-01', 3)";

#[tokio::test]
async fn rows_that_the_source_can_not_give_are_told_apart_from_extra_ones() {
    let world = World::with(Flavor::MariaDb, TABLE).await;
    world.configure(Setup {
        source: "zero_dates: reject",
        connection: "streams: {z.t: {columns: {at: {rename: moment}, name: {rename: label}}}}",
        ..Setup::default()
    });
    world.sync().await;
    let spoil = "SET sql_mode = ''; UPDATE z.t SET born = '0000-00-00' WHERE n <> 2";
    world.server.execute(spoil).await;
    for when in ["on its way", "synced"] {
        let stream = verify_one(&world, "main:z.t", 0).await;
        assert_eq!(
            (&stream["rejected"], &stream["unresolved"]),
            (&2.into(), &0.into()),
            "{when}"
        );
        world.sync().await;
    }
    tamper(
        &world,
        "INSERT INTO warehouse.z.t (moment, label) SELECT moment, 'y' FROM warehouse.z.t WHERE n = 1",
    );
    let stream = verify_one(&world, "main:z.t", 1).await;
    assert_eq!(found(&stream), [0, 1, 0]);
    assert_eq!(
        told(&stream),
        [r#"extra {"moment":"2024-01-01T10:00:00.500","label":"y"} []"#]
    );
    verify(&world, &["main:z.t", "--repair"], 0).await;
    let left = "SELECT count(*) FROM warehouse.z.t WHERE _tributary_deleted IS DISTINCT FROM TRUE";
    assert_eq!(world.number(left), 3, "what the source can't give stays");
    // Once it can, the newer row ends the wait of the rejected one: its key is the same.
    assert_eq!(world.number("SELECT count(*) FROM _tributary.rejected"), 2);
    let mend = "UPDATE z.t SET born = '2001-01-01' WHERE n = 1; DELETE FROM z.t WHERE n = 3";
    world.server.execute(mend).await;
    world.sync().await;
    assert_eq!(world.number("SELECT count(*) FROM _tributary.rejected"), 0);
    verify_one(&world, "main:z.t", 0).await;
}
