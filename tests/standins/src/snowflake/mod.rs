//! What stands in for Snowflake: its SQL API on the loopback, over an embedded DuckDB.
//!
//! It verifies tokens, takes each request once by its identity, answers at once or later, commits what
//! is open before a layout changes, forgets what a request has not committed (with AUTOCOMMIT off, also
//! what no BEGIN came before), takes a text `\N` of a file for NULL where nothing else is said, refuses
//! two rows of a source that meet one row of a table, and texts as instants without their format. Statements are translated, as far as this project writes
//! them, and what they say is recorded.
//!
//! It shows that a program holds to the protocol, and that its statements mean what they should in an
//! engine. It does not show that Snowflake itself takes them.
//! Deliberately absent: concurrency (requests are carried out one after the other), time travel (what
//! is asked for as of an instant is answered as of now), rights by role.

mod api;
mod auth;
mod engine;
mod fault;
mod results;
mod sql;

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use tokio::sync::oneshot;
use tributary_testkit::s3::S3Server;

pub use fault::Fault;
use fault::Plan;

/// A key that protects nothing but tests.
pub(crate) static KEY: &[u8] = include_bytes!("key.der");
/// Its public part, as `DESC USER` shows it.
pub const FINGERPRINT: &str = "SHA256:kjjmGmvKTbHfL0jPGhwKpRht2I4yjkG+kOJ5enMTWF8=";
/// The account, user and token that are let in.
pub const ACCOUNT: &str = "ACME-TEST";
/// The user that the key and the token belong to.
pub const USER: &str = "LOADER";
/// A programmatic access token of that user.
pub const TOKEN: &str = "pat-of-the-stand-in";
/// The database that there is.
pub const DATABASE: &str = "ANALYTICS";

/// A storage integration that may read no bucket.
pub const BARRED_INTEGRATION: &str = "BARRED";

/// The key that logs in, as PEM.
#[must_use]
pub fn private_key() -> String {
    let label = "PRIVATE KEY";
    let base64 = STANDARD.encode(KEY);
    let lines: Vec<_> = base64
        .as_bytes()
        .chunks(64)
        .map(String::from_utf8_lossy)
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
}

/// The machine's own clock: tokens are held to it, whatever a program's clock says.
#[expect(
    clippy::disallowed_methods,
    reason = "a service has a clock of its own"
)]
fn now() -> DateTime<Utc> {
    SystemTime::now().into()
}

/// A running stand-in; it ends when dropped.
#[derive(Debug)]
pub struct Snowflake {
    port: u16,
    shared: Arc<api::Shared>,
    _stop: oneshot::Sender<Infallible>,
}

impl Snowflake {
    /// Starts it on a free port of the loopback. It reads the objects of `bucket` by stages.
    ///
    /// # Panics
    /// Panics where there is no port, or no DuckDB.
    #[must_use]
    pub fn start(bucket: Arc<S3Server>) -> Self {
        let listener =
            std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        listener
            .set_nonblocking(true)
            .expect("a listener need not block");
        let port = listener
            .local_addr()
            .expect("a listener has an address")
            .port();
        let shared = Arc::new(api::Shared::new(engine::Engine::open(bucket)));
        let (stop, stopped) = oneshot::channel::<Infallible>();
        let serving = shared.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            // Ends when the owner drops its end of the channel.
            runtime
                .expect("a runtime can be made")
                .block_on(async move {
                    let listener =
                        tokio::net::TcpListener::from_std(listener).expect("it can be watched");
                    tokio::select! {
                        served = async { axum::serve(listener, api::router(serving)).await } => {
                            served.expect("the stand-in serves");
                        }
                        _ = stopped => {}
                    }
                });
        });
        Self {
            port,
            shared,
            _stop: stop,
        }
    }

    /// Its address, for `url`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes an external stage, by its full name in upper case, for an address of the bucket.
    pub fn make_stage(&self, name: &str, url: &str) {
        self.shared.engine().make_stage(name, url);
    }

    /// From now on nothing is committed that no COMMIT follows: the account has AUTOCOMMIT off.
    pub fn without_autocommit(&self) {
        self.shared.engine().commit_nothing_by_itself();
    }

    /// From now on texts in tables that say nothing else are equal whatever the case of their letters is:
    /// the account has a collation.
    pub fn ignoring_case(&self) {
        self.shared.engine().ignore_case();
    }

    /// The port that it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next request whose statements have `text` in them fails like this.
    pub fn fail_once(&self, text: &str, fault: Fault) {
        self.shared.faults().add(text, fault, Plan::Once);
    }

    /// All requests whose statements have `text` in them fail like this, until it is healed.
    pub fn fail_always(&self, text: &str, fault: Fault) {
        self.shared.faults().add(text, fault, Plan::Always);
    }

    /// Forgets all faults.
    pub fn heal(&self) {
        self.shared.faults().clear();
    }

    /// Every statement that was carried out or tried, in order.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        self.shared.engine().statements().to_vec()
    }

    /// How many requests have come with statements, repetitions included.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests()
    }

    /// Carries a statement out as somebody else would.
    ///
    /// # Panics
    /// Panics where it is refused.
    pub fn execute(&self, sql: &str) {
        let done = self.shared.engine().run(sql, None, None);
        if let Err(refusal) = done {
            panic!("{sql}: {} {}", refusal.code, refusal.message);
        }
    }

    /// The one number that answers a question.
    ///
    /// # Panics
    /// Panics where it is refused, or the answer is no number.
    #[must_use]
    pub fn number(&self, sql: &str) -> i64 {
        let answers = self.shared.engine().run(sql, None, None);
        let answers = answers.unwrap_or_else(|refusal| panic!("{sql}: {}", refusal.message));
        let cell = answers[0].rows.first().and_then(|row| row[0].clone());
        let cell = cell.unwrap_or_else(|| panic!("{sql}: no answer"));
        cell.parse()
            .unwrap_or_else(|_| panic!("{sql}: {cell} is no number"))
    }
}
