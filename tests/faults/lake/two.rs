//! Two processes at one connection of a lake: the one that opened it last goes on, the other one
//! finds its number in the log taken, and writes nothing.

use std::time::Duration;

use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use super::{assert_exactly_once, configure};
use crate::world::{Format, Lake, World};

async fn the_second_fences_the_first_off(lake: &Lake) {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    configure(&world, lake, "", "");
    let step = [("FAILPOINTS", "load.before_commit=sleep(4000)")];
    let mut slow = world.program.start_with(&step, &["sync"]);
    slow.logged("streaming").await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    world.sync().await;
    slow.wait().await.exits(1).says("has taken over");
    assert_exactly_once(&world, lake, "after two processes").await;
}

/// G3, in a folder.
#[tokio::test(flavor = "multi_thread")]
async fn g3_a_second_process_fences_the_first_off_in_a_folder() {
    the_second_fences_the_first_off(&Lake::folder(Format::Parquet)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_second_process_fences_the_first_off_in_a_bucket() {
    let lake = Lake::bucket(Format::Parquet);
    the_second_fences_the_first_off(&lake).await;
    let left = lake.bucket.as_ref().unwrap().uploads("lake");
    assert_eq!(left, [], "who was fenced off gives its uploads up");
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_a_second_process_fences_the_first_off_in_iceberg() {
    the_second_fences_the_first_off(&Lake::bucket(Format::Iceberg)).await;
}
