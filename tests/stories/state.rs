//! Looking at cursors, moving them, and taking them elsewhere.

use tributary_testkit::program::Finished;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::World;

/// `tributary state` with these words, which must end with `code`.
async fn state(world: &World, code: i32, words: &[&str]) -> Finished {
    let words: Vec<&str> = ["state"].iter().chain(words).copied().collect();
    world.program.run(&words).await.exits(code)
}

#[tokio::test]
async fn a_state_is_exported_forgotten_and_brought_back() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let none = state(&world, 1, &["get", "main"]).await;
    none.says("has no state");
    world.sync().await;
    state(&world, 0, &["list"]).await.says("shop.orders");
    let cursor = state(&world, 0, &["get", "main:shop.orders"]).await.json();
    assert_eq!(cursor["phase"]["name"], "streaming", "{cursor:#}");
    let exported = state(&world, 0, &["export"]).await;
    assert_eq!(exported.json()["main"]["streams"]["shop.orders"], cursor);

    let reset = state(&world, 0, &["reset", "main"]).await;
    reset.says("from the beginning");
    let list = ["list", "--output", "json"];
    let list = state(&world, 0, &list).await.json();
    assert!(!list.to_string().contains("streaming"), "{list:#}");
    world.program.write("kept.json", &exported.stdout);
    let imported = state(&world, 0, &["import", "kept.json"]).await;
    imported.says("main");
    let loads = world.loads();
    world.sync().await;
    assert_eq!(world.loads(), loads, "with its state back nothing is new");

    one_stream_is_read_anew(&world).await;
    what_is_no_state_is_refused(&world, &exported.stdout).await;
}

async fn one_stream_is_read_anew(world: &World) {
    state(world, 0, &["reset", "main:shop.orders"]).await;
    let sync = ["sync", "-o", "json"];
    let report = world.program.run(&sync).await.exits(0).json();
    let streams = report["connections"][0]["streams"].as_array().unwrap();
    let read = |name: &str| {
        let found = streams.iter().find(|stream| stream["stream"] == name);
        found.unwrap()["records_read"].clone()
    };
    let counts = (read("shop.orders"), read("shop.customers"));
    assert_eq!(counts, (500.into(), 0.into()));
    world.assert_equal(&TABLES).await;
}

async fn what_is_no_state_is_refused(world: &World, exported: &str) {
    let nothing = state(world, 1, &["get", "main:shop.nothing"]).await;
    nothing.says("has no cursor");
    for wrong in ["{\"phase\": 1", "{\"phase\": 1}"] {
        let set = ["set", "main:shop.orders", wrong];
        state(world, 2, &set).await.says("cursor");
    }
    let other = exported.replace("\"phase\"", "\"phrase\"");
    let mistyped = "{\"mian\": {\"epoch\": 1, \"streams\": {}}}";
    world.program.write("changed.json", &other);
    world.program.write("broken.json", "{\"main\": 1}");
    world.program.write("other.json", mistyped);
    for (file, why) in [
        (
            "changed.json",
            "this is no cursor of a source of type mysql",
        ),
        ("missing.json", "can't be read"),
        ("broken.json", "holds no states"),
        ("other.json", "Did you mean `main`?"),
    ] {
        state(world, 2, &["import", file]).await.says(why);
    }
    // Nothing of that has moved anything.
    world.sync().await;
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
