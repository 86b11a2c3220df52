//! Two processes for one connection: the second is refused, and the first is not disturbed.

use std::fs;
use std::time::{Duration, Instant};

use tributary_testkit::program::Running;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, TABLES};

use crate::world::{Setup, World};

const SETUP: Setup<'_> = Setup {
    port: None,
    source: "databases: [shop], chunk_rows: 200",
    connection: "flush: {rows: 200}",
};

/// Waits until the program holds its file.
async fn holds_a_file(running: &mut Running) {
    let began = Instant::now();
    let pid = running.pid().to_string();
    loop {
        let locks = fs::read_to_string("/proc/locks").unwrap();
        if locks
            .lines()
            .any(|line| line.split_whitespace().nth(4) == Some(&pid))
        {
            return;
        }
        let waits = running.is_running() && began.elapsed() < Duration::from_secs(60);
        assert!(
            waits,
            "the program never locked its file\n{}",
            running.stderr()
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn g7_a_second_process_is_refused_and_breaks_nothing() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure(SETUP);
    let env = [("FAILPOINTS", "engine.before_commit=2*off->1*sleep(2000)")];
    let mut first = world.program.start_with(&env, &["sync"]);
    holds_a_file(&mut first).await;
    first.freeze();
    let second = world.program.run(&["sync"]).await.exits(1);
    let second = second.says("the DuckDB file is held by another process");
    assert!(
        second
            .says("End that process or wait")
            .stderr
            .contains(&first.pid().to_string())
    );
    first.thaw();
    first.wait().await.exits(0);
    world.assert_equal(&TABLES).await;
    world.sync().await;
}

/// A process that was killed holds nothing: the next one needs no help.
#[tokio::test]
async fn g7_what_a_killed_process_held_is_free() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    world.configure(SETUP);
    let env = [("FAILPOINTS", "engine.before_commit=2*off->1*sleep(60000)")];
    let mut first = world.program.start_with(&env, &["sync"]);
    holds_a_file(&mut first).await;
    first.kill().await;
    world.sync().await;
    world.assert_equal(&TABLES).await;
}
