//! Requests to services that are told something: bounded in time, and complained about once.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tributary_model::{Error, Result};

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a request may take. // G6
pub(crate) const TIMEOUT: Duration = Duration::from_secs(5);

pub(crate) fn client() -> Result<reqwest::Client> {
    reqwest::Client::builder()
        .user_agent(concat!("tributary/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .timeout(TIMEOUT)
        // Whoever is named in the configuration is told, nobody else.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|why| Error::bug("no HTTP client could be made").because(why))
}

/// Whether a service takes what it is sent: a change is worth a line in the log, the rest is not.
#[derive(Debug)]
pub(crate) struct Health {
    what: &'static str,
    failing: AtomicBool,
}

impl Health {
    pub(crate) fn new(what: &'static str) -> Self {
        Self {
            what,
            failing: AtomicBool::new(false),
        }
    }

    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed)
    }

    pub(crate) fn works(&self) {
        if self.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("{} arrive again", self.what);
        }
    }

    pub(crate) fn fails(&self, why: &str) {
        if !self.failing.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "{} do not arrive, which keeps no run from its work: {why}",
                self.what
            );
        }
    }
}

/// Why a request failed, without the address, whose query may hold a key. // G8
pub(crate) fn reason(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(why) = cause {
        text += &format!(": {why}");
        cause = why.source();
    }
    text
}
