//! Tokens that replace each other: a refresh token works once, and its successor must outlive
//! everything that can happen to the process that got it.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tributary_testkit::api::simulator::Simulator;
use tributary_testkit::api::zendesk::Zendesk;
use tributary_testkit::program::{Finished, Program};

use crate::world::number;

/// How long a program may take to ask for a token.
const PATIENCE: Duration = Duration::from_secs(60);

const MANIFEST: &str = r#"
name: desk
base: https://acme.zendesk.com/api/v2
config: {client_id: text, client_secret: secret, refresh_token: secret}
auth:
  oauth2:
    token_url: https://acme.zendesk.com/oauth/tokens
    grant: refresh_token
    refresh_token: "{config.refresh_token}"
    client_id: "{config.client_id}"
    client_secret: "{config.client_secret}"
    send: json
streams:
  groups: {get: /groups, records: "groups[]", key: [id], complete: always}
"#;

/// A help desk, the tokens that its user was given once, and a place where new ones are kept.
struct Desk {
    simulator: Simulator<Zendesk>,
    first: (String, String, String),
    state: tempfile::TempDir,
}

impl Desk {
    fn open() -> Self {
        let mut model = Zendesk::new(5);
        model.populate(3, tributary_model::now().timestamp());
        let first = model.oauth();
        Self {
            simulator: Simulator::start(model),
            first,
            state: tempfile::tempdir().unwrap(),
        }
    }

    /// A program with a configuration of its own, and the state folder that all have in common.
    fn program(&self) -> Program {
        let (id, secret, refresh) = &self.first;
        let config = json!({
            "sources": {"desk": {"type": "rest", "manifest": "desk.yaml", "api_url": self.simulator.url(),
                "settings": {"client_id": id, "client_secret": secret, "refresh_token": refresh}}},
            "destinations": {"warehouse": {"type": "duckdb", "path": "w.duckdb"}},
            "connections": {"desk": {"source": "desk", "destination": "warehouse"}},
        });
        let program = Program::new(env!("CARGO_BIN_EXE_tributary"))
            .env("TRIBUTARY_STATE_DIR", self.state.path())
            .config(&config.to_string());
        program.write("desk.yaml", MANIFEST);
        program
    }

    /// How often a token was asked for.
    fn logins(&self) -> usize {
        self.simulator.recorder().of("/oauth/tokens").len()
    }

    /// The refresh token that works now.
    fn newest(&self) -> String {
        self.simulator.with(|desk, _| desk.oauth().2)
    }
}

fn assert_synced(program: &Program) {
    let file = program.path("w.duckdb");
    let rows = number(
        &file,
        "SELECT count(*) FROM desk.groups WHERE NOT _tributary_deleted",
    );
    assert!(rows > 0, "no group has arrived");
}

fn holds(folder: &Path, secret: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|entry| entry.unwrap().path()).any(|path| {
        let read = std::fs::read(&path).unwrap_or_default();
        path.is_file()
            && read
                .windows(secret.len())
                .any(|part| part == secret.as_bytes())
    })
}

/// Killed after the API has taken the old token and before the new one was used for anything.
#[tokio::test]
async fn g7_killed_with_a_new_token_in_hand_it_goes_on_with_that() {
    let desk = Desk::open();
    let program = desk.program();
    for _ in 0..3 {
        let killed = [("FAILPOINTS", "rest.after_keep=return(kill)")];
        let died = program.start_with(&killed, &["sync"]).wait().await;
        assert_eq!(died.code(), None, "{died}");
    }
    assert_eq!(desk.logins(), 3, "each run had to ask for a token");
    program.run(&["sync"]).await.exits(0);
    assert_synced(&program);
}

/// Killed between the API's answer and the moment when it is kept, the token is lost, which nobody
/// can help; the user is told what to do, and then everything goes on.
#[tokio::test]
async fn g7_a_token_that_is_lost_for_good_is_told_with_the_remedy() {
    let desk = Desk::open();
    let program = desk.program();
    program.run(&["sync"]).await.exits(0);
    let killed = [("FAILPOINTS", "rest.before_keep=return(kill)")];
    let died = program.start_with(&killed, &["sync"]).wait().await;
    assert_eq!(died.code(), None, "{died}");
    let refused = program.run(&["sync"]).await.exits(1);
    refused.says("Authorize the application again");
    let again = Desk {
        first: desk.simulator.with(|desk, _| desk.oauth()),
        ..desk
    };
    let program = again.program();
    program.run(&["sync"]).await.exits(0);
    assert_synced(&program);
}

/// Two processes with one credential: while one is between the answer and the safe, the other waits.
#[tokio::test]
async fn g7_two_processes_never_use_a_token_twice() {
    let desk = Desk::open();
    let (one, other) = (desk.program(), desk.program());
    let slow = [("FAILPOINTS", "rest.before_keep=1*sleep(3000)")];
    let first = one.start_with(&slow, &["sync"]);
    let token = desk.simulator.recorder().total() + 1;
    desk.simulator.recorder().arrived(token, PATIENCE).await;
    let second = other.start(&["sync"]);
    let both: [Finished; 2] = [first.wait().await, second.wait().await];
    for finished in both {
        finished.exits(0);
    }
    assert_synced(&one);
    assert_synced(&other);
    let statuses = desk.simulator.recorder().of("/oauth/tokens");
    assert!(
        statuses.iter().all(|sent| sent.status == Some(200)),
        "a token was used twice"
    );
}

/// The newest refresh token is in the user's state folder and nowhere else.
#[tokio::test]
async fn g8_new_tokens_lie_in_no_destination() {
    let desk = Desk::open();
    let program = desk.program();
    let sync = program
        .run(&["sync", "--log-level", "trace", "--output", "json"])
        .await;
    let (newest, first) = (desk.newest(), desk.first.2.clone());
    assert_ne!(newest, first);
    let shown = sync.to_string();
    assert!(
        !shown.contains(&newest) && !shown.contains("access-"),
        "a token is shown"
    );
    assert!(
        !holds(&program.path(""), &newest),
        "a token lies beside the warehouse"
    );
    assert!(
        holds(&desk.state.path().join("vault"), &newest),
        "the token is not kept"
    );
}
