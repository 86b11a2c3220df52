//! A store that fails in every way it can, while the source is written to: each sync succeeds all
//! the same, and nothing is lost or doubled.

use std::time::Duration;

use tributary_testkit::s3::{Fault, Operation, Rule, Times};
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::{Shop, Writer};

use super::{assert_exactly_once, configure};
use crate::world::{Format, Lake, World};

/// Who was told to slow down does so for a while.
const PATIENCE: Duration = Duration::from_secs(600);

/// What goes wrong in one sync.
fn troubles() -> Vec<Vec<Rule>> {
    let log = |fault| {
        Rule::new(fault)
            .on(Operation::PutObject)
            .key("_tributary/log/")
    };
    let on = |fault, operation| Rule::new(fault).on(operation);
    let few = Times::Count(3);
    vec![
        // The commit: carried out and not answered, not carried out, neither known.
        vec![log(Fault::LoseReply).times(few)],
        vec![log(Fault::Drop).times(few)],
        vec![log(Fault::InternalError).times(few)],
        vec![log(Fault::Conflict).times(few)],
        vec![log(Fault::SlowDown).times(few)],
        vec![log(Fault::ExpiredToken)],
        vec![
            log(Fault::LoseReply).after(1),
            on(Fault::Truncate(20), Operation::GetObject).times(few),
        ],
        // The way there and what follows.
        vec![Rule::new(Fault::SlowDown).after(4).times(Times::Count(2))],
        vec![
            Rule::new(Fault::InternalError)
                .after(7)
                .times(Times::Count(6)),
        ],
        vec![on(Fault::LoseReply, Operation::CreateUpload).times(few)],
        vec![on(Fault::LoseReply, Operation::UploadPart).times(few)],
        vec![on(Fault::LoseReply, Operation::CompleteUpload).times(few)],
        vec![on(Fault::ErrorInside, Operation::CompleteUpload)],
        vec![on(Fault::LoseReply, Operation::DeleteObject).times(few)],
        vec![on(Fault::NoSuchUpload, Operation::UploadPart)],
        vec![on(Fault::NoSuchUpload, Operation::CompleteUpload)],
        vec![on(Fault::Truncate(30), Operation::ListObjects).times(few)],
        vec![on(Fault::Truncate(1000), Operation::GetObject).times(Times::Count(5))],
        vec![Rule::new(Fault::ExpiredToken).after(5)],
        vec![Rule::new(Fault::ExpiredToken).on(Operation::UploadPart)],
    ]
}

async fn survives(lake: &Lake) {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let world = World {
        program: world.program.limit(PATIENCE),
        ..world
    };
    let server = lake.bucket.as_ref().unwrap();
    configure(&world, lake, "flush: {rows: 300}, ", "");
    let writer = Writer::start(&world.server, Shop::SMALL, 2, 7);
    for rules in troubles() {
        let what = format!("{rules:?}");
        rules.into_iter().for_each(|rule| server.fail(rule));
        let finished = world.program.run(&["sync"]).await;
        assert_eq!(finished.code(), Some(0), "{what}\n{finished}");
        server.heal();
    }
    writer.stop().await;
    world.sync().await;
    assert_exactly_once(&world, lake, "after all storms").await;
}

/// G2: whatever the store does with a request or its reply.
#[tokio::test(flavor = "multi_thread")]
async fn g2_a_store_in_trouble_loses_and_doubles_nothing() {
    survives(&Lake::bucket(Format::Parquet)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g2_a_store_in_trouble_loses_and_doubles_nothing_of_iceberg() {
    survives(&Lake::bucket(Format::Iceberg)).await;
}

/// Credentials that nobody renews end the sync with what to do; the next one goes on.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_have_expired_are_named_and_lose_nothing() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let lake = Lake::bucket(Format::Parquet);
    let server = lake.bucket.as_ref().unwrap();
    configure(&world, &lake, "flush: {rows: 300}, ", "");
    let expires = Rule::new(Fault::ExpiredToken)
        .after(25)
        .times(Times::Always);
    server.fail(expires);
    let finished = world.program.run(&["sync"]).await;
    finished.exits(1).says("have expired");
    server.heal();
    world.sync().await;
    assert_exactly_once(&world, &lake, "with new credentials").await;
}
