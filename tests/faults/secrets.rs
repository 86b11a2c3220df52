//! A password that is found nowhere: not in what the program prints or logs, whatever goes wrong,
//! not in its files, and not in the list of processes.

use std::fs;

use tributary_testkit::program::{Finished, Program};
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use crate::world::{NAME, Setup, World};

#[track_caller]
fn assert_silent(finished: &Finished, secret: &str) {
    let shown = finished.stdout.contains(secret) || finished.stderr.contains(secret);
    assert!(!shown, "a secret is shown\n{finished}");
}

/// Every file that the runs have left, except the configuration where it was written by hand.
fn assert_not_in_files(program: &Program, secret: &str) {
    for entry in fs::read_dir(program.path("")).unwrap() {
        let path = entry.unwrap().path();
        let found = path.is_file() && {
            let bytes = fs::read(&path).unwrap();
            bytes
                .windows(secret.len())
                .any(|window| window == secret.as_bytes())
        };
        assert!(!found, "a secret is in {}", path.display());
    }
}

#[tokio::test]
async fn g8_the_password_is_found_nowhere() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let secret = world.reader.password.clone();
    let trace = ["--log-level", "trace"];
    let checks: [&[&str]; 8] = [
        &["sync", "--dry-run", "--output", "json"],
        &["sync", "--output", "json"],
        &["check"],
        &["discover", "shop", "--output", "json"],
        &["status", "--output", "json"],
        &["state", "export"],
        &[
            "query",
            "warehouse",
            "SELECT * FROM _tributary.loads",
            "--output",
            "json",
        ],
        &["validate", "--output", "json"],
    ];
    for args in checks {
        let args = [args, &trace].concat();
        assert_silent(&world.program.run(&args).await.exits(0), &secret);
    }
    let json_log = ["sync", "--log-format", "json", "--log-level", "trace"];
    assert_silent(&world.program.run(&json_log).await.exits(0), &secret);
    assert_not_in_files(&world.program, &secret);
}

#[tokio::test]
async fn g8_errors_do_not_tell_the_password() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let secret = "canary-5b1e-wrong";
    let wrong = [("SHOP_PASSWORD", secret)];
    for args in [
        &["sync", "--log-level", "trace"][..],
        &["sync", "--output", "json"],
        &["check"],
        &["check", "--output", "json"],
        &["discover", "shop"],
    ] {
        let refused = world.program.start_with(&wrong, args).wait().await.exits(1);
        assert_silent(&refused, secret);
        assert_silent(
            &refused.says("the server refused the user or its password"),
            "canary",
        );
    }
    world.configure(Setup {
        port: Some(1),
        ..Setup::default()
    });
    let away = world
        .program
        .start_with(&wrong, &["sync", "--log-level", "trace"])
        .wait()
        .await;
    assert_silent(
        &away.exits(1).says("nothing listens at this address"),
        secret,
    );
    assert_not_in_files(&world.program, secret);
}

/// A password in an address, and an address that is wrong in every way.
#[tokio::test]
async fn g8_an_address_with_a_password_is_not_repeated() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let secret = world.reader.password.clone();
    let address = format!("{}/shop", world.reader.url(world.server.port()));
    let yaml = |url: &str| {
        format!(
            "sources: {{shop: {{type: mysql, url: \"{url}\"}}}}\n\
             destinations: {{warehouse: {{type: duckdb, path: w.duckdb}}}}\n\
             connections: {{{NAME}: {{source: shop, destination: warehouse}}}}\n"
        )
    };
    let in_file = [("ADDRESS", address.as_str())];
    world.program.write("tributary.yaml", &yaml("${ADDRESS}"));
    let args = ["sync", "--log-level", "trace"];
    let running = world.program.start_with(&in_file, &args);
    let command = fs::read(format!("/proc/{}/cmdline", running.pid())).unwrap();
    assert!(!String::from_utf8_lossy(&command).contains(&secret));
    assert_silent(&running.wait().await.exits(0), &secret);
    for wrong in [
        address.replace("mysql://", "mysq://"),
        address.replace("127.0.0.1:", "127.0.0.1:x"),
        format!("{address}?no_such_option=1"),
    ] {
        let refused = world
            .program
            .start_with(&[("ADDRESS", &wrong)], &["sync"])
            .wait()
            .await;
        assert_ne!(refused.code(), Some(0), "{refused}");
        assert_silent(&refused, &secret);
    }
    assert_not_in_files(&world.program, &secret);

    let init = [
        "init",
        &address,
        "duckdb:w2.duckdb",
        "--output",
        "made.yaml",
    ];
    assert_silent(&world.program.run(&init).await.exits(0), &secret);
    assert_not_in_files(&world.program, &secret);
}
