//! The server: where it listens, and what its sessions share.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use tributary_testkit::postgres::Postgres;
use tributary_testkit::s3::S3Server;

use super::faults::{Faults, Rule};
use super::names::Names;
use super::session::Session;
use super::setup;

/// The role that may read every bucket.
pub const ROLE: &str = "arn:aws:iam::123456789012:role/redshift-reads-staging";

/// What sessions share.
#[derive(Debug)]
pub(super) struct Shared {
    /// The address of the private PostgreSQL, as its owner.
    pub(super) url: String,
    pub(super) store: Arc<S3Server>,
    pub(super) faults: Faults,
    pub(super) names: Names,
    log: Mutex<Vec<String>>,
    ends: AtomicBool,
}

impl Shared {
    pub(super) fn note(&self, sql: &str) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(sql.to_owned());
    }
}

/// A running stand-in for a warehouse; it ends when dropped.
#[derive(Debug)]
pub struct RedshiftServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    postgres: Postgres,
}

impl RedshiftServer {
    /// Starts one that reads buckets of `store`.
    ///
    /// # Panics
    /// Panics where its PostgreSQL does not start.
    #[must_use]
    pub fn start(store: Arc<S3Server>) -> Self {
        let postgres = Postgres::start();
        let url = postgres.url();
        setup::prepare(&url);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            url: url.clone(),
            store,
            faults: Faults::default(),
            names: Names::default(),
            log: Mutex::default(),
            ends: AtomicBool::new(false),
        });
        let inside = host_of(&url);
        let own = shared.clone();
        thread::spawn(move || listen(&listener, &inside, &own));
        Self {
            address,
            shared,
            postgres,
        }
    }

    /// Its address, password included.
    #[must_use]
    pub fn url(&self) -> String {
        let url = self.postgres.url();
        url.replacen(&host_of(&url), &self.address.to_string(), 1)
            .replacen("postgres://", "redshift://", 1)
    }

    /// The same for another user.
    #[must_use]
    pub fn url_of(&self, user: &str, password: &str) -> String {
        format!("redshift://{user}:{password}@{}/postgres", self.address)
    }

    /// Runs statements of PostgreSQL's as a superuser, behind the stand-in's back.
    ///
    /// # Panics
    /// Panics where they fail.
    pub fn admin(&self, sql: &str) {
        setup::run(&self.postgres.url(), sql);
    }

    /// Lets something go wrong.
    pub fn fail(&self, rule: Rule) {
        self.shared.faults.add(rule);
    }

    /// Lets nothing go wrong any more.
    pub fn heal(&self) {
        self.shared.faults.clear();
    }

    /// All statements so far.
    #[must_use]
    pub fn statements(&self) -> Vec<String> {
        let log = self.shared.log.lock();
        log.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RedshiftServer {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        // The listener looks up.
        let _ = TcpStream::connect(self.address);
    }
}

/// Host and port of an address.
fn host_of(url: &str) -> String {
    let rest = url.rsplit('@').next().unwrap_or(url);
    rest.split('/').next().unwrap_or(rest).to_owned()
}

fn listen(listener: &TcpListener, inside: &str, shared: &Arc<Shared>) {
    for client in listener.incoming() {
        if shared.ends.load(Ordering::Relaxed) {
            return;
        }
        let (Ok(client), Ok(server)) = (client, TcpStream::connect(inside)) else {
            continue;
        };
        let shared = shared.clone();
        // A session ends with an error where either side goes away: nobody is to be told.
        thread::spawn(move || Session::new(client, server, shared).run());
    }
}
