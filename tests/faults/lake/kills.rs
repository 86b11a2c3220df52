//! SIGKILL at random moments and at every named step of a load into a lake, while the source is
//! written to: then the files are the source, row by row, and no row came twice.

use std::time::Duration;

use tributary_testkit::random::Random;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, Writer};

use super::{assert_exactly_once, configure};
use crate::world::{Format, Lake, World};

/// Each step at which the program can be told to die; those behind `load.before_commit` leave a
/// commit that the next run has to finish.
const STEPS: [&str; 10] = [
    "load.after_begin",
    "load.after_stage",
    "load.before_merge",
    "engine.before_commit",
    "load.before_commit",
    "lake.after_log",
    "lake.after_complete",
    "load.after_commit",
    "engine.after_commit",
    "engine.before_begin",
];
/// How many times a step is passed before the program dies at it.
const PASSED: [u32; 2] = [0, 2];
const KILLS: usize = 24;

/// One run that dies: at a step in every other turn, else after a while. True where it did.
async fn run(world: &World, turn: usize, random: &mut Random) -> bool {
    let finished = if turn % 2 == 1 {
        let running = world.program.start(&["sync"]);
        tokio::time::sleep(Duration::from_millis(20 + random.below(500))).await;
        running.kill().await
    } else {
        let step = STEPS[turn / 2 % STEPS.len()];
        let passed = PASSED[turn / 2 / STEPS.len() % PASSED.len()];
        let failpoint = format!("{step}={passed}*off->return(kill)");
        let running = world
            .program
            .start_with(&[("FAILPOINTS", &failpoint)], &["sync"]);
        running.wait().await
    };
    match finished.code() {
        None => true,
        Some(0) => false,
        Some(_) => panic!("turn {turn}: a run failed by itself\n{finished}"),
    }
}

/// Runs that die until `kills` of them have, then one that lives.
async fn killed_on_the_way_into(lake: &Lake, settings: &str, kills: usize) {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    configure(&world, lake, "flush: {rows: 150, every: 200ms}, ", settings);
    let writer = Writer::start(&world.server, Shop::SMALL, 2, 5);
    let mut random = Random::new(3);
    let (mut turn, mut killed) = (0, 0);
    while killed < kills {
        assert!(turn < kills * 6, "only {killed} of {turn} runs were killed");
        killed += usize::from(run(&world, turn, &mut random).await);
        turn += 1;
    }
    let tally = writer.stop().await;
    assert!(
        tally.committed > 50,
        "the source was hardly written to: {tally:?}"
    );
    configure(&world, lake, "", settings);
    world.sync().await;
    if settings.contains("equality_deletes") {
        // pyiceberg, which reads what is compared, knows no such deletes.
        let upkeep = world.program.run(&["maintain", "warehouse"]).await;
        upkeep.exits(0);
    }
    assert_exactly_once(&world, lake, "after all kills").await;
}

/// G7, and with it G1, G2 and G3, in a destination whose commit is an object.
#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_the_way_into_a_folder() {
    killed_on_the_way_into(&Lake::folder(Format::Parquet), "", KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_the_way_into_a_bucket() {
    let lake = Lake::bucket(Format::Parquet);
    killed_on_the_way_into(&lake, "", KILLS).await;
    // What the killed processes had begun to upload waits for `maintain`, by its age.
    let server = lake.bucket.as_ref().unwrap();
    let listed = server.keys("lake").into_iter();
    let strange = listed.filter(|key| !key.starts_with("raw/"));
    assert_eq!(strange.collect::<Vec<_>>(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_the_way_into_iceberg_in_a_bucket() {
    killed_on_the_way_into(&Lake::bucket(Format::Iceberg), "", KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_the_way_into_iceberg_with_position_deletes() {
    let settings = "merge: position_deletes, partition_by: [\"bucket(2, id)\"]";
    killed_on_the_way_into(&Lake::folder(Format::Iceberg), settings, KILLS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g7_killed_at_any_moment_on_the_way_into_iceberg_with_equality_deletes() {
    let settings = "merge: equality_deletes, partition_by: [\"bucket(2, id)\"]";
    killed_on_the_way_into(&Lake::folder(Format::Iceberg), settings, KILLS / 3).await;
}
