//! Looking at cursors, moving them, and taking them elsewhere.

use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::World;

#[tokio::test]
async fn a_state_is_exported_forgotten_and_brought_back() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world
        .program
        .run(&["state", "get", "main"])
        .await
        .exits(1)
        .says("has no state");
    world.sync().await;
    world
        .program
        .run(&["state", "list"])
        .await
        .exits(0)
        .says("shop.orders");
    let cursor = world
        .program
        .run(&["state", "get", "main:shop.orders"])
        .await
        .exits(0)
        .json();
    assert_eq!(cursor["phase"]["name"], "streaming", "{cursor:#}");
    let exported = world.program.run(&["state", "export"]).await.exits(0);
    assert_eq!(exported.json()["main"]["streams"]["shop.orders"], cursor);

    world
        .program
        .run(&["state", "reset", "main"])
        .await
        .exits(0)
        .says("from the beginning");
    let list = world
        .program
        .run(&["state", "list", "--output", "json"])
        .await
        .exits(0)
        .json();
    assert!(!list.to_string().contains("streaming"), "{list:#}");
    world.program.write("kept.json", &exported.stdout);
    world
        .program
        .run(&["state", "import", "kept.json"])
        .await
        .exits(0)
        .says("main");
    let loads = world.loads();
    world.sync().await;
    assert_eq!(world.loads(), loads, "with its state back nothing is new");

    world
        .program
        .run(&["state", "reset", "main:shop.orders"])
        .await
        .exits(0);
    let report = world
        .program
        .run(&["sync", "-o", "json"])
        .await
        .exits(0)
        .json();
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    let read = |name: &str| {
        streams
            .iter()
            .find(|stream| stream["stream"] == name)
            .unwrap()["records_read"]
            .clone()
    };
    assert_eq!(
        (read("shop.orders"), read("shop.customers")),
        (500.into(), 0.into())
    );
    world.assert_equal(&TABLES).await;
    world
        .program
        .run(&["state", "get", "main:shop.nothing"])
        .await
        .exits(1)
        .says("has no cursor");
    for wrong in ["{\"phase\": 1", "{\"phase\": 1}"] {
        let set = ["state", "set", "main:shop.orders", wrong];
        world.program.run(&set).await.exits(2).says("cursor");
    }
    let other = exported.stdout.replace("\"phase\"", "\"phrase\"");
    world.program.write("changed.json", &other);
    world
        .program
        .run(&["state", "import", "changed.json"])
        .await
        .exits(2)
        .says("this is no cursor of a source of type mysql");
    world.sync().await;
    world
        .program
        .run(&["state", "import", "missing.json"])
        .await
        .exits(2)
        .says("can't be read");
    world.program.write("broken.json", "{\"main\": 1}");
    world
        .program
        .run(&["state", "import", "broken.json"])
        .await
        .exits(2)
        .says("holds no states");
    world
        .program
        .write("other.json", "{\"mian\": {\"epoch\": 1, \"streams\": {}}}");
    world
        .program
        .run(&["state", "import", "other.json"])
        .await
        .exits(2)
        .says("Did you mean `main`?");
}

/// The destination is the only truth: a copy of the file is a copy of everything.
#[tokio::test]
async fn an_older_copy_of_the_file_goes_on_from_where_it_stood() {
    let world = World::shop(
        Flavor::MySql,
        Options {
            gtid: true,
            ..Options::default()
        },
        Shop::SMALL,
    )
    .await;
    world.sync().await;
    let older = world.program.path("older.duckdb");
    std::fs::copy(world.file(), &older).unwrap();
    world
        .server
        .execute("DELETE FROM shop.orders WHERE id % 3 = 0; UPDATE shop.customers SET credit = 5")
        .await;
    world.sync().await;
    std::fs::copy(&older, world.file()).unwrap();
    world.sync().await;
    world.assert_equal(&TABLES).await;
}
