//! What goes wrong on the way: lost replies, a busy service, tokens that end, rights that are missing,
//! two writers. Each leaves the rows once, or not at all.

use std::sync::Arc;

use serde_json::json;
use tributary_model::{DataType, Deletes, Destination, ErrorKind, Mode, TablePlan};
use tributary_standins::snowflake::Fault;

use crate::table::{Opened, plan, rows};
use crate::world::World;

/// What is in the transaction of a load, and in no other request.
const COMMIT: &str = "\"SEQUENCE\" = \"SEQUENCE\" + 1";
const ROWS: &str = "SELECT ID, NAME FROM SHOP.ORDERS ORDER BY ID";

fn orders() -> Arc<TablePlan> {
    Arc::new(plan(
        "orders",
        Mode::Append,
        Deletes::Hard,
        &[("name", DataType::Text)],
    ))
}

async fn opened(world: &World) -> Opened {
    Opened::new(world.connect(&json!({})).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_to_a_request_counts_once() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let plan = orders();
    let mut expected = Vec::new();
    for (number, (text, fault)) in [
        (COMMIT, Fault::LostBefore),
        (COMMIT, Fault::LostAfter),
        (COMMIT, Fault::Throttled),
        (COMMIT, Fault::Unavailable),
        (COMMIT, Fault::Expired),
        (COMMIT, Fault::Later(2)),
        ("COPY INTO", Fault::LostAfter),
        ("COPY INTO", Fault::LostBefore),
        ("CREATE TRANSIENT TABLE", Fault::LostAfter),
        ("INFORMATION_SCHEMA", Fault::Later(1)),
    ]
    .into_iter()
    .enumerate()
    {
        world.server.fail_once(text, fault);
        let row = format!("{number} x{number}");
        opened
            .load(&[&plan], vec![rows(&plan, &[&format!("c {row}")])])
            .await;
        expected.push(row);
        assert_eq!(
            opened.ask(ROWS).await,
            expected,
            "after {fault:?} of {text}"
        );
        world.server.heal();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_refused_leaves_nothing() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let plan = orders();
    opened.load(&[&plan], vec![rows(&plan, &["c 1 ann"])]).await;
    world.server.fail_once(COMMIT, Fault::Refused("000625"));
    let failed = opened
        .attempt(&[&plan], vec![rows(&plan, &["c 2 bob"])])
        .await;
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(opened.ask(ROWS).await, ["1 ann"]);
    // The same load once more, as the engine does.
    opened.load(&[&plan], vec![rows(&plan, &["c 2 bob"])]).await;
    assert_eq!(opened.ask(ROWS).await, ["1 ann", "2 bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_fails_in_the_middle_undoes_those_before_it() {
    let world = World::new();
    let mut opened = opened(&world).await;
    let plan = orders();
    opened.load(&[&plan], vec![rows(&plan, &["c 1 ann"])]).await;
    let mut load = opened.begin(&[&plan]).await.unwrap();
    tributary_model::Load::write(&mut load, rows(&plan, &["c 2 bob"]))
        .await
        .unwrap();
    // Somebody takes the table away that the load is recorded in, after its rows.
    world.server.execute("DROP TABLE \"_TRIBUTARY\".\"LOADS\"");
    let failed = opened.commit(load).await.unwrap_err();
    assert_eq!(failed.kind(), ErrorKind::Access, "{failed}");
    assert_eq!(opened.ask(ROWS).await, ["1 ann"]);
    // The next opening makes it again, and the claim was undone too.
    let mut again = Opened::new(opened.destination).await;
    assert_eq!(again.fence.sequence, 1);
    again.load(&[&plan], vec![rows(&plan, &["c 2 bob"])]).await;
    assert_eq!(again.ask(ROWS).await, ["1 ann", "2 bob"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_writers_the_last_opening_writes() {
    let world = World::new();
    let mut first = opened(&world).await;
    let plan = orders();
    first.load(&[&plan], vec![rows(&plan, &["c 1 ann"])]).await;
    let mut load = first.begin(&[&plan]).await.unwrap();
    tributary_model::Load::write(&mut load, rows(&plan, &["c 2 bob"]))
        .await
        .unwrap();
    let mut second = opened(&world).await;
    assert_eq!(
        first.commit(load).await.unwrap_err().kind(),
        ErrorKind::Fenced
    );
    second.load(&[&plan], vec![rows(&plan, &["c 3 cy"])]).await;
    let late = first
        .attempt(&[&plan], vec![rows(&plan, &["c 4 dan"])])
        .await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(second.ask(ROWS).await, ["1 ann", "3 cy"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn openings_at_the_same_time_come_one_after_the_other() {
    let world = World::new();
    let (one, two) = (
        world.connect(&json!({})).await,
        world.connect(&json!({})).await,
    );
    let name = tributary_model::ConnectionName::new("main");
    let (one, two) = tokio::join!(one.open(&name), two.open(&name));
    let mut epochs = [one.unwrap().1.epoch, two.unwrap().1.epoch];
    epochs.sort_unstable();
    assert_eq!(epochs, [1, 2]);
    let rows = world
        .server
        .number("SELECT COUNT(*) FROM \"_TRIBUTARY\".\"STATE\"");
    assert_eq!(rows, 2, "the nameless row and the fence row");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_is_refused_says_who_must_act() {
    let world = World::new();
    let destination = world.connect(&json!({"user": "somebody"})).await;
    let name = tributary_model::ConnectionName::new("main");
    let error = destination.peek(&name).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access, "{error}");
    assert!(
        error.help().unwrap().contains("RSA_PUBLIC_KEY_FP"),
        "{error}"
    );
    let token = json!({"private_key": null, "token": "wrong-token-canary"});
    let destination = world.connect(&token).await;
    let error = destination.peek(&name).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Access, "{error}");
    assert!(!format!("{error} {error:?} {destination:?}").contains("canary"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_with_names_of_the_other_kind_is_not_taken_for_none() {
    let world = World::new();
    opened(&world).await;
    let exact = world.connect(&json!({"identifiers": "exact"})).await;
    let error = exact
        .open(&tributary_model::ConnectionName::new("main"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(
        error.help().unwrap().contains("identifiers: upper"),
        "{error}"
    );
}

/// Two sockets of one port: one serves until it is dropped, the other holds the port meanwhile and
/// refuses. What is sent to the one goes to the stand-in.
fn door(port: u16) -> tokio::net::TcpSocket {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_reuseport(true).unwrap();
    socket.bind(([127, 0, 0, 1], port).into()).unwrap();
    socket
}

async fn serve(door: tokio::net::TcpSocket, to: u16) {
    let listener = door.listen(64).unwrap();
    let mut open = tokio::task::JoinSet::new();
    loop {
        let (mut near, _) = listener.accept().await.unwrap();
        open.spawn(async move {
            let mut far = tokio::net::TcpStream::connect(("127.0.0.1", to))
                .await
                .unwrap();
            // However it ends, it has ended.
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_of_seconds_fails_no_load() {
    let world = World::new();
    let first = door(0);
    let port = first.local_addr().unwrap().port();
    let second = door(port);
    let to = world.server.port();
    let serving = tokio::spawn(serve(first, to));
    let through = json!({"url": format!("http://127.0.0.1:{port}")});
    let mut opened = Opened::new(world.connect(&through).await).await;
    let plan = orders();
    let mut load = opened.begin(&[&plan]).await.unwrap();
    tributary_model::Load::write(&mut load, rows(&plan, &["c 1 ann"]))
        .await
        .unwrap();
    serving.abort();
    assert!(serving.await.unwrap_err().is_cancelled());
    // Longer than an address is tried that was never right. However long it takes, the load waits.
    let back = tokio::spawn(async move {
        tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
        serve(second, to).await;
    });
    opened.fence = opened.commit(load).await.unwrap().fence;
    assert_eq!(opened.ask(ROWS).await, ["1 ann"]);
    back.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_where_nobody_is_is_told() {
    let world = World::new();
    // A port that is taken by somebody who does not listen.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let nobody = json!({"url": format!("http://127.0.0.1:{port}")});
    let destination = world.connect(&nobody).await;
    let report = destination.check().await.unwrap();
    assert_eq!(report.findings.len(), 1);
    assert!(
        report.findings[0].found.contains("gave no whole reply"),
        "{report:?}"
    );
}
