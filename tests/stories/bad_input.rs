//! Mistakes in what the program is given: each a sentence that says what, why and the fix; an exit
//! code; and nothing changed.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::{Setup, World};

async fn shop() -> World {
    World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let world = shop().await;
    let wrong = [("SHOP_PASSWORD", "wrong")];
    for args in [&["sync"][..], &["check"], &["discover", "shop"]] {
        let refused = world.program.start_with(&wrong, args).wait().await.exits(1);
        refused
            .says("the server refused the user or its password")
            .says("Check `user` and `password`");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_named() {
    let world = shop().await;
    world.configure(Setup {
        port: Some(1),
        ..Setup::default()
    });
    world
        .program
        .run(&["sync"])
        .await
        .exits(1)
        .says("nothing listens at this address")
        .says("`port`");
    let yaml = world
        .yaml(Setup::default())
        .replace("127.0.0.1", "no-such-host.invalid");
    world.program.write("tributary.yaml", &yaml);
    world
        .program
        .run(&["sync"])
        .await
        .exits(1)
        .says("can't be resolved")
        .says("Check `host`");
}

#[tokio::test]
async fn all_mistakes_of_a_configuration_are_told_at_once() {
    let world = shop().await;
    let yaml = world
        .yaml(Setup {
            source: "chunk_row: 5",
            connection: "selcet: [a], flush: {row: 1}",
            port: None,
        })
        .replace("destination: warehouse", "destination: warehose");
    world.program.write("tributary.yaml", &yaml);
    for args in [&["validate"][..], &["sync"], &["check"]] {
        let refused = world.program.run(args).await.exits(2);
        let refused = refused
            .says("chunk_row")
            .says("chunk_rows")
            .says("selcet")
            .says("select");
        refused
            .says("did you mean `warehouse`")
            .says("tributary.yaml:")
            .says("row");
    }
    let unset = world
        .yaml(Setup::default())
        .replace("SHOP_PASSWORD", "NO_SUCH_VARIABLE");
    world.program.write("tributary.yaml", &unset);
    world
        .program
        .run(&["sync"])
        .await
        .exits(2)
        .says("NO_SUCH_VARIABLE");
    fs::remove_file(world.program.path("tributary.yaml")).unwrap();
    world
        .program
        .run(&["sync"])
        .await
        .exits(2)
        .says("tributary.yaml");
    assert!(!world.file().exists());
}

#[tokio::test]
async fn settings_that_do_not_go_together_are_told_like_other_mistakes() {
    let world = shop().await;
    let yaml = world.yaml(Setup {
        source: "url: 'mysql://a@b', parallelism: 65, tls: {mode: required, ca_file: ca.pem}",
        connection: "schedule: 5 min",
        port: None,
    });
    world.program.write("tributary.yaml", &yaml);
    for args in [&["validate"][..], &["sync"], &["check"]] {
        let refused = world.program.run(args).await.exits(2);
        refused
            .says("did you mean `5m`?")
            .says("`parallelism` must be between 1 and 64");
    }
    let yaml = yaml.replace("65", "2").replace("5 min", "5m");
    world.program.write("tributary.yaml", &yaml);
    let refused = world.program.run(&["validate"]).await.exits(2);
    refused
        .says("tributary.yaml:2:3: `url` and `host` are given")
        .says("`tls.ca_file` is given, and `tls.mode` verifies nothing")
        .says("`user` and `url` name two users")
        .says("3 mistakes");
    assert!(!world.file().exists());
}

/// The file may be where the sync will run: validating goes on, and everything else fails.
#[tokio::test]
async fn a_file_of_authorities_that_is_not_there_is_told() {
    let world = shop().await;
    world.configure(Setup {
        source: "tls: {ca_file: nowhere.pem}",
        ..Setup::default()
    });
    let doubted = world
        .program
        .run(&["validate", "-o", "json"])
        .await
        .exits(0);
    let place = doubted.json()["doubts"][0]["line"].clone();
    assert_eq!(place, 2, "{doubted}");
    doubted.says("can't be read here");
    let refused = world.program.run(&["check"]).await.exits(1);
    refused
        .says("FAIL")
        .says("`tls.ca_file` nowhere.pem can't be read");
    world
        .program
        .run(&["sync"])
        .await
        .exits(2)
        .says("nowhere.pem");
}

/// What source and destination can't do together is known before anything is read.
#[tokio::test]
async fn a_stream_that_cannot_be_kept_as_asked_is_told_by_check_and_dry_run() {
    let world = shop().await;
    world.configure(Setup {
        connection: "streams: {shop.orders: {columns: {id: mask}}}",
        ..Setup::default()
    });
    let checked = world.program.run(&["check"]).await.exits(1);
    checked.says("FAIL  stream shop.orders").says("`id`");
    let dry = world.program.run(&["sync", "--dry-run"]).await.exits(3);
    dry.says("shop.orders: ").says("`id`");
    assert!(!world.file().exists());
}

#[tokio::test]
async fn a_file_that_cannot_be_written_is_refused() {
    let world = shop().await;
    let with = |path: &str| {
        world
            .yaml(Setup::default())
            .replace("warehouse.duckdb", path)
    };
    world
        .program
        .write("tributary.yaml", &with("no/such/folder/w.duckdb"));
    let refused = world.program.run(&["sync"]).await;
    assert!(matches!(refused.code(), Some(1 | 2)), "{refused}");
    refused
        .says("the directory of the DuckDB file does not exist")
        .says("mkdir -p");
    fs::create_dir(world.program.path("folder")).unwrap();
    world.program.write("tributary.yaml", &with("folder"));
    let refused = world
        .program
        .run(&["sync"])
        .await
        .says("something else than a DuckDB file");
    assert!(matches!(refused.code(), Some(1 | 2)), "{refused}");
    world
        .program
        .write("text.duckdb", &"this is no database\n".repeat(1000));
    world.program.write("tributary.yaml", &with("text.duckdb"));
    let refused = world
        .program
        .run(&["sync"])
        .await
        .says("something else than a DuckDB file");
    assert!(matches!(refused.code(), Some(1 | 2)), "{refused}");
    let text = fs::read_to_string(world.program.path("text.duckdb")).unwrap();
    assert!(
        text.starts_with("this is no database"),
        "it was not touched"
    );
}

/// Permissions mean nothing to root, so that the program runs as somebody else here.
#[tokio::test]
async fn a_file_without_permission_is_refused() {
    let world = shop().await;
    let (dir, binary) = (world.program.path(""), env!("CARGO_BIN_EXE_tributary"));
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    // Nobody may look into the folder where the build is.
    let program = dir.join("program");
    fs::copy(binary, &program).unwrap();
    let libraries = dir.join("libraries");
    fs::create_dir(&libraries).unwrap();
    for part in std::env::split_paths(&std::env::var_os("LD_LIBRARY_PATH").unwrap_or_default()) {
        let library = part.join("libduckdb.so");
        if library.exists() {
            fs::copy(&library, libraries.join("libduckdb.so")).unwrap();
        }
    }
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups", "--"])
        .arg(&program)
        .arg("sync")
        .current_dir(&dir)
        .env("SHOP_PASSWORD", &world.reader.password)
        .env("LD_LIBRARY_PATH", &libraries)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr) + String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(
        said.contains("the DuckDB file can't be written") && said.contains("right to write"),
        "{said}"
    );
}

#[tokio::test]
async fn a_file_in_use_is_waited_for_and_then_refused() {
    let world = shop().await;
    world.sync().await;
    let before = world.loads();
    world.server.execute("DELETE FROM shop.orders").await;
    {
        let _held = duckdb::Connection::open(world.file()).unwrap();
        let refused = world.program.run(&["sync"]).await.exits(1);
        refused
            .says("held by another process")
            .says("End that process or wait");
        let checked = world.program.run(&["check"]).await.exits(1);
        assert!(!checked.stdout.contains(".)"), "{checked}");
        checked.says("held by another process");
    }
    assert_eq!(world.loads(), before);
    world.sync().await;
    world.assert_equal(&TABLES).await;
}

#[tokio::test]
async fn a_state_of_a_newer_version_is_left_alone() {
    let world = shop().await;
    world.sync().await;
    let newer = "UPDATE _tributary.state SET format = 99, written_by = '7.5.0'";
    duckdb::Connection::open(world.file())
        .unwrap()
        .execute_batch(newer)
        .unwrap();
    let before = world.ask("SELECT * FROM _tributary.state ORDER BY stream");
    world.server.execute("DELETE FROM shop.orders").await;
    for args in [
        &["sync"][..],
        &["state", "reset", "main"],
        &["sync", "--full-refresh"],
    ] {
        let refused = world.program.run(args).await.exits(1);
        refused
            .says("format 99")
            .says("Use Tributary 7.5.0 or newer; nothing was changed.");
    }
    assert_eq!(
        world.ask("SELECT * FROM _tributary.state ORDER BY stream"),
        before
    );
    assert_eq!(world.number("SELECT count(*) FROM shop.orders"), 500);
}

#[tokio::test]
async fn a_missing_table_privilege_fails_that_stream_alone() {
    for flavor in Flavor::ALL {
        let world = World::shop(
            flavor,
            Options {
                gtid: true,
                ..Options::default()
            },
            Shop::SMALL,
        )
        .await;
        world.server.execute("REVOKE SELECT ON *.* FROM reader@'%';
            GRANT SELECT ON shop.customers TO reader@'%'; GRANT SELECT ON shop.products TO reader@'%';
            GRANT SELECT ON shop.order_lines TO reader@'%'; GRANT INSERT ON shop.orders TO reader@'%';").await;
        let partial = world.program.run(&["sync"]).await.exits(3);
        partial
            .says("shop.orders")
            .says("the user lacks a privilege")
            .says("GRANT SELECT");
        world
            .assert_equal(&["shop.customers", "shop.products", "shop.order_lines"])
            .await;
        world
            .server
            .execute("GRANT SELECT ON *.* TO reader@'%'")
            .await;
        world.sync().await;
        world.assert_equal(&TABLES).await;
    }
}
