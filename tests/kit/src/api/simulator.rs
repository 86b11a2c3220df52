//! A vendor's API, played on a loopback port: a stateful model behind a lock, a clock, limits that
//! are enforced, faults as planned, and a record of everything asked.
//!
//! The order of a request: recorded, let pass by the limits, struck by a fault, answered by the
//! model. The model answers without waiting, so what it says is true at one instant.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::clock::{self, Clock};
use super::exchange::{Manner, Reply, Request};
use super::faults::{Fault, Faults};
use super::limits::{Allowance, Limits, Refusal};
use super::recorder::Recorder;
use super::server::{Handler, Server};

/// What is special about one vendor.
pub trait Vendor: Send + 'static {
    /// Answers a request that nothing hindered.
    fn answer(&mut self, request: &Request, now: i64) -> Reply;
    /// An error of this status in the vendor's own envelope.
    fn failure(&self, status: u16) -> Reply;
    /// The answer to a request above a limit.
    fn throttled(&self, refusal: Refusal) -> Reply;
    /// Whose limits a request counts against.
    fn credential(&self, request: &Request) -> String {
        request
            .header("authorization")
            .unwrap_or_default()
            .to_owned()
    }
    /// Headers that tell what is left of the rates that a request counts against.
    fn allowance(&self, _left: &[Allowance]) -> Vec<(&'static str, String)> {
        Vec::new()
    }
    /// Makes the access tokens handed out so far worthless.
    fn expire_tokens(&mut self) {}
}

type Hook<V> = Box<dyn FnMut(&mut V, &Request, i64) + Send>;

/// A running vendor; dropping it closes its port.
pub struct Simulator<V> {
    shared: Arc<Shared<V>>,
    server: Server,
}

struct Shared<V> {
    model: Mutex<V>,
    hook: Mutex<Option<Hook<V>>>,
    clock: Clock,
    faults: Faults,
    limits: Limits,
    recorder: Recorder,
}

impl<V: Vendor> Simulator<V> {
    /// Opens a free port of the loopback.
    ///
    /// # Panics
    /// Panics where no port is free.
    #[must_use]
    pub fn start(vendor: V) -> Self {
        let shared = Arc::new(Shared {
            model: Mutex::new(vendor),
            hook: Mutex::default(),
            clock: Clock::default(),
            faults: Faults::default(),
            limits: Limits::default(),
            recorder: Recorder::default(),
        });
        let server = Server::start(shared.clone());
        Self { shared, server }
    }

    /// What `api_url` is set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Looks at the model or changes it; `change` gets the time now.
    pub fn with<R>(&self, change: impl FnOnce(&mut V, i64) -> R) -> R {
        let now = self.clock().now();
        change(&mut lock(&self.shared.model), now)
    }

    /// Changes the model before each answer, as other people do while a client is paging.
    pub fn before_each(&self, hook: impl FnMut(&mut V, &Request, i64) + Send + 'static) {
        *lock(&self.shared.hook) = Some(Box::new(hook));
    }

    /// Leaves the model alone again.
    pub fn stand_still(&self) {
        *lock(&self.shared.hook) = None;
    }

    /// Its time.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// What goes wrong.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// What is enforced.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.shared.limits
    }

    /// What was asked.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.shared.recorder
    }
}

impl<V: fmt::Debug> fmt::Debug for Simulator<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Simulator");
        shown.field("model", &*lock(&self.shared.model));
        shown.field("port", &self.server.port()).finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A request under way.
struct Flight<'a, V>(&'a Shared<V>);

impl<V> Drop for Flight<'_, V> {
    fn drop(&mut self) {
        self.0.recorder.end();
    }
}

impl<V: Vendor> Handler for Shared<V> {
    async fn handle(&self, request: Request) -> Reply {
        let number = self.recorder.begin(&request);
        let _flight = Flight(self);
        let reply = self.reply(number, &request).await;
        self.recorder.answered(number, &reply);
        let date = clock::format(self.clock.now(), "%a, %d %b %Y %H:%M:%S GMT");
        reply.with("date", date)
    }
}

impl<V: Vendor> Shared<V> {
    async fn reply(&self, number: usize, request: &Request) -> Reply {
        let credential = lock(&self.model).credential(request);
        let in_flight = self.recorder.in_flight();
        let left = match self.limits.pass(request, &credential, in_flight) {
            Ok(left) => left,
            Err(refusal) => {
                self.recorder.refuse(number);
                return lock(&self.model).throttled(refusal);
            }
        };
        let struck = self.faults.strike(request);
        if struck == Some(Fault::Hang) {
            std::future::pending::<()>().await;
        }
        if let Some(Fault::Slow(pause)) = &struck {
            tokio::time::sleep(*pause / 2).await;
        }
        let mut reply = self.settle(request, struck);
        self.faults.answered(request, reply.status);
        for (name, value) in lock(&self.model).allowance(&left) {
            reply = reply.with(name, value);
        }
        reply
    }

    fn settle(&self, request: &Request, struck: Option<Fault>) -> Reply {
        let planned = "a fault of the plan";
        match struck {
            Some(Fault::Status(status)) => lock(&self.model).failure(status),
            Some(Fault::Plain(status, text)) => Reply::text(status, text),
            Some(Fault::Page(status, text)) => Reply::html(status, text),
            Some(Fault::Throttled(wait)) => lock(&self.model).throttled(Refusal {
                limit: planned,
                wait,
            }),
            Some(Fault::Cut(after)) => self.answer(request).leaving(Manner::Cut(after)),
            Some(Fault::Silent) => self.answer(request).leaving(Manner::Silent),
            Some(Fault::Slow(pause)) => self.answer(request).leaving(Manner::Slow(pause / 2)),
            Some(Fault::ExpireTokens) => {
                lock(&self.model).expire_tokens();
                self.answer(request)
            }
            Some(Fault::Hang) | None => self.answer(request),
        }
    }

    fn answer(&self, request: &Request) -> Reply {
        let now = self.clock.now();
        let mut model = lock(&self.model);
        if let Some(hook) = &mut *lock(&self.hook) {
            hook(&mut model, request, now);
        }
        model.answer(request, now)
    }
}

#[cfg(test)]
mod tests;
