//! Neither files that are written nor changes that wait are kept in memory.

use tributary_testkit::server::Flavor;

use super::super::memory::{assert_modest, peak};
use crate::world::{Format, Lake, Setup, World};

async fn takes_bounded_memory(lake: &Lake, settings: &str) {
    let texts: Vec<_> = (0..20).map(|n| format!("t{n} VARCHAR(200)")).collect();
    let values: Vec<_> = (0..20)
        .map(|n| format!("REPEAT(MD5(seq + {n}), 4)"))
        .collect();
    let sql = format!(
        "CREATE DATABASE d; CREATE TABLE d.wide (id INT PRIMARY KEY, {});
         INSERT INTO d.wide SELECT seq, {} FROM d.seq_1_to_60000",
        texts.join(", "),
        values.join(", ")
    );
    let world = World::with(Flavor::MariaDb, &sql).await;
    let setup = Setup {
        source: "databases: [d]",
        ..Setup::default()
    };
    world.configure_lake_in(lake, setup, settings);
    let (_, most) = peak(&world).await;
    assert_modest(most, "the first copy of 160 MB");
    let change = "UPDATE d.wide SET t3 = REVERSE(t3)";
    world.server.execute(change).await;
    let (_, most) = peak(&world).await;
    assert_modest(most, "a change of every row");
    world.read_lake_in(lake, &["d.wide"]);
    let sum = "SELECT count(*) FROM d.wide \
        WHERE t3 = reverse(repeat(md5(CAST(id + 3 AS VARCHAR)), 4))";
    assert_eq!(world.number(sum), 60_000);
}

/// G6, in a folder.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lake_in_a_folder_takes_bounded_memory() {
    takes_bounded_memory(&Lake::folder(Format::Parquet), "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g6_a_lake_in_a_bucket_takes_bounded_memory() {
    takes_bounded_memory(&Lake::bucket(Format::Parquet), "").await;
}

/// Each file that is open holds back what is not yet enough for a part.
#[tokio::test(flavor = "multi_thread")]
async fn g6_a_table_in_many_folders_of_a_bucket_takes_bounded_memory() {
    let lake = Lake::bucket(Format::Parquet);
    takes_bounded_memory(&lake, "partition_by: [\"bucket(40, id)\"]").await;
}
