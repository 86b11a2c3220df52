//! SIGINT and SIGTERM: noticed once, waited for anywhere.

use std::sync::{Arc, OnceLock};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often the process has been asked to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interruption(watch::Sender<u32>, Arc<OnceLock<Signal>>);

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Somebody at the terminal.
    Interrupt,
    /// Whoever started the process.
    Terminate,
}

impl Interruption {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(0), Arc::default())
    }

    /// Takes the signals, from now on. Where they can't be taken, they end the process, which loses
    /// nothing but the report.
    pub(crate) async fn listen(self) {
        let streams = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        let (Ok(mut interrupt), Ok(mut terminate)) = streams else {
            return;
        };
        loop {
            let (signal, name) = tokio::select! {
                _ = interrupt.recv() => (Signal::Interrupt, "interrupted"),
                _ = terminate.recv() => (Signal::Terminate, "terminated"),
            };
            self.1.get_or_init(|| signal);
            self.0.send_modify(|count| *count += 1);
            match *self.0.borrow() {
                1 => tracing::warn!(
                    "{name}: stopped; what was committed stays, the rest is read next time"
                ),
                _ => tracing::warn!("{name} again: stopped at once"),
            }
        }
    }

    /// Waits until the process has been asked so often.
    pub(crate) async fn asked(&self, times: u32) {
        let mut count = self.0.subscribe();
        // The sender is here: there is no other end.
        let _ = count.wait_for(|count| *count >= times).await;
    }

    /// Who asked first, if anybody has.
    pub(crate) fn by(&self) -> Option<Signal> {
        self.1.get().copied()
    }

    /// Whether the process has been asked.
    pub(crate) fn is_asked(&self) -> bool {
        *self.0.borrow() > 0
    }
}
