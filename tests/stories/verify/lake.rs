//! A lake is compared as readers see it, and repaired by a load like any other.

use std::fs;
use std::path::{Path, PathBuf};

use duckdb::Connection;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use super::purged::purge;
use super::{found, told, verify, verify_one};
use crate::world::{Setup, World};

fn parquet_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(parquet_files(&path));
        } else if path.extension().is_some_and(|end| end == "parquet") {
            found.push(path);
        }
    }
    found
}

/// Writes a file anew as this selects its rows; returns what it was.
fn rewrite(file: &Path, select: &str) -> Vec<u8> {
    let before = fs::read(file).unwrap();
    let aside = file.with_extension("aside");
    let copy = format!(
        "COPY ({select} FROM read_parquet('{}', hive_partitioning = false)) TO '{}' (FORMAT parquet)",
        file.display(),
        aside.display()
    );
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(&copy).unwrap();
    fs::rename(aside, file).unwrap();
    before
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lake_is_compared_and_repaired() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure_lake(Setup::default(), "");
    world.sync().await;
    world
        .server
        .execute(
            "UPDATE shop.customers SET name = 'Zaphod' WHERE id <= 20; \
             DELETE FROM shop.orders WHERE id % 50 = 0",
        )
        .await;
    world.sync().await;
    for stream in verify(&world, &["main"], 0).await {
        assert_eq!(stream["status"], "equal", "{stream:#}");
    }
    let folder = world.lake().join("shop").join("orders");
    let files = parquet_files(&folder);
    let select = "SELECT * REPLACE (CASE WHEN id = 17 THEN total + 1 ELSE total END AS total)";
    let before: Vec<_> = files.iter().map(|file| rewrite(file, select)).collect();
    let stream = verify_one(&world, "main:shop.orders", 1).await;
    assert_eq!(told(&stream), [r#"different {"id":17} ["total"]"#]);
    for (file, before) in files.iter().zip(before) {
        fs::write(file, before).unwrap();
    }
    world
        .server
        .execute(
            "UPDATE shop.orders SET total = 1 WHERE id IN (1, 2, 3); \
             DELETE FROM shop.products ORDER BY sku LIMIT 2; FLUSH BINARY LOGS",
        )
        .await;
    purge(&world).await;
    let streams = verify(&world, &["main"], 1).await;
    let of = |name: &str| streams.iter().find(|s| s["stream"] == name).unwrap();
    assert_eq!(found(of("shop.orders")), [0, 0, 3]);
    assert_eq!(found(of("shop.products")), [0, 2, 0]);
    verify(&world, &["main", "--repair"], 0).await;
    world.sync().await;
    world.read_lake(&TABLES);
    for table in TABLES {
        world.assert_table(table, "after the repair").await;
    }
    // Of rows that are equal a lake keeps one: to say so is better than to count.
    world
        .server
        .execute("CREATE TABLE shop.keyless (n INT); INSERT INTO shop.keyless VALUES (1), (1)")
        .await;
    world.sync().await;
    let text = world.program.run(&["verify", "main:shop.keyless"]).await;
    text.exits(2).says("keeps rows that are equal as one");
}
