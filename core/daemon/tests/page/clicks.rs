//! What happens while a page is open: live updates, buttons, and the token.

use chrono::TimeDelta;
use serde_json::json;
use tributary_daemon::Notice;
use tributary_daemon::view::ConnectionState;
use tributary_model::now;

use crate::browser::Browser;
use crate::served::{Served, TOKEN};
use crate::states;

const LIVE: &str = "document.querySelector('#live').dataset.live === 'on'";

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_by_themselves() {
    let served = Served::of(states::mixed()).await;
    let mut browser = Browser::start();
    browser.open(&served.address);
    browser.wait(LIVE);
    assert!(browser.text("#line-support").contains("Not run yet"));
    served.change("support", |view| {
        view.state = ConnectionState::Running;
    });
    browser.wait("document.querySelector('#line-support').textContent.includes('Running')");
    assert!(
        browser.text("#summary").contains("3 running"),
        "it counts anew"
    );
    browser.expect_no_errors();

    // A page of one connection keeps what its reader had opened.
    browser.open(&served.at("/connections/shop"));
    browser.wait(LIVE);
    browser.click("#loads-list summary");
    browser.wait("document.querySelector('#loads-list').open");
    served.change("shop", |view| {
        view.loads[0].records = 123_456_789;
    });
    browser.wait("document.querySelector('#loads-list').textContent.includes('123,456,789')");
    browser.wait("document.querySelector('#loads-list').open");

    // What goes from the configuration goes from the page.
    served.board.remove("shop");
    served.bus.tell(Notice::Removed {
        connection: "shop".into(),
    });
    browser.wait("document.body.textContent.includes('There is no connection shop')");
}

#[tokio::test(flavor = "multi_thread")]
async fn events_end_with_the_daemon_and_the_page_says_so() {
    let served = Served::of(states::mixed()).await;
    let mut browser = Browser::start();
    browser.open(&served.address);
    browser.wait(LIVE);
    served.stop.send(true).unwrap();
    browser.wait("document.querySelector('#live').textContent.includes('Not connected')");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_told_and_the_right_one_is_kept_for_the_tab() {
    let served = Served::of(states::mixed()).await;
    let mut browser = Browser::start();
    browser.open(&served.at("/connections/shop"));
    browser.wait(LIVE);

    browser.click("#sync");
    browser.wait("document.querySelector('#token-dialog').open");
    browser.picture("token", 800);
    browser.insert("battery staple");
    browser.click("#token-go");
    browser.wait("document.querySelector('#said').textContent.startsWith('The token is wrong')");
    browser.picture("token-wrong", 800);
    assert!(served.asked.lock().unwrap().is_empty());
    // Chromium itself notes an answer of 401; the page does not.
    let noted = std::mem::take(&mut browser.errors);
    assert!(noted.iter().all(|error| error.contains("401")), "{noted:?}");

    browser.click("#sync");
    browser.wait("document.querySelector('#token-dialog').open");
    browser.insert(TOKEN);
    browser.click("#token-go");
    browser.wait("document.querySelector('#said').textContent.startsWith('Asked for.')");
    // The second button does not ask again.
    browser.click("#pause");
    browser.wait("document.querySelector('#said').textContent.startsWith('Paused.')");
    let asked: Vec<String> = {
        let asked = served.asked.lock().unwrap();
        asked.iter().map(|(path, _)| path.clone()).collect()
    };
    assert_eq!(asked, ["shop/sync", "shop/pause"]);
    assert_eq!(browser.eval("Object.keys(localStorage).length"), json!(0));
    browser.expect_no_errors();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_reset_only_after_a_second_thought() {
    let served = Served::of(vec![states::hostile("shop")]).await;
    let mut browser = Browser::start();
    browser.open(&served.at("/connections/shop"));
    browser.wait(LIVE);
    browser.eval(&format!(
        "sessionStorage.setItem('tributary.token', '{TOKEN}')"
    ));

    browser.click("#streams [data-act]");
    browser.wait("document.querySelector('#sure-dialog').open");
    assert!(browser.text("#sure-what").contains(states::HOSTILE));
    browser.click("#sure-dialog [value=cancel]");
    browser.wait("!document.querySelector('#sure-dialog').open");

    browser.click("#streams [data-act]");
    browser.click("#sure-go");
    browser.wait("document.querySelector('#said').classList.contains('good')");
    let asked = served.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        [("shop/reset".to_owned(), json!({"stream": states::HOSTILE}))]
    );
    browser.expect_no_errors();
}

/// The script says distances as the server does, by the server's clock.
#[tokio::test(flavor = "multi_thread")]
async fn the_script_says_times_as_the_server_does() {
    let sizes = [30, 95, 3_700, 7_300, 172_000, 180_000, 900_000];
    let connections = sizes.iter().enumerate().map(|(at, seconds)| {
        let mut view = states::fine(&format!("c{at}"), 1);
        // Half a unit away from where the words change.
        view.complete_as_of = Some(now() - TimeDelta::seconds(*seconds));
        view.next_run_at = Some(now() + TimeDelta::seconds(*seconds + 20));
        view
    });
    let served = Served::of(connections.collect()).await;
    let words = "[...document.querySelectorAll('tbody time')].map((time) => time.textContent.replace(/\\d+ s/, 'some s'))";
    let mut browser = Browser::start();
    browser.open(&served.address);
    browser.wait(LIVE);
    let by_script = browser.eval(words);
    browser.call(
        "Emulation.setScriptExecutionDisabled",
        json!({"value": true}),
    );
    browser.open(&served.address);
    let by_server = browser.eval(words);
    assert_eq!(by_script, by_server);
    assert_eq!(by_server.as_array().map(Vec::len), Some(sizes.len() * 2));
}
