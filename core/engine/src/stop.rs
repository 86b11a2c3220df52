//! Asks a run to end where nothing that is complete is lost: behind the load in progress.
//!
//! Whoever loads holds the [`Stop`] while a load is open. Asked to end, it goes on until the load may
//! commit, commits it, and ends. Whoever asked waits for that, up to a limit, and then drops the run.
//!
//! Deliberately absent: anything needed for correctness. A load that is dropped is read again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// How long a load that is not covered by a cursor is waited for. // G6
const WIND_UP: Duration = Duration::from_secs(10);

/// The wish that a run ends.
#[derive(Clone, Debug)]
pub(crate) struct Stop {
    asked: Arc<watch::Sender<bool>>,
    /// How many loads are open: one at most.
    open: Arc<watch::Sender<usize>>,
}

/// A load that is open.
#[derive(Debug)]
pub(crate) struct Hold(Arc<watch::Sender<usize>>);

impl Stop {
    pub(crate) fn new() -> Self {
        Self {
            asked: Arc::new(watch::Sender::new(false)),
            open: Arc::new(watch::Sender::new(0)),
        }
    }

    /// Says that a load is open, until what is returned is dropped.
    pub(crate) fn hold(&self) -> Hold {
        self.open.send_modify(|open| *open += 1);
        Hold(self.open.clone())
    }

    /// Waits until the run is asked to end.
    pub(crate) async fn asked(&self) {
        let mut asked = self.asked.subscribe();
        // The sender lives as long as this: there is no other end.
        let _ = asked.wait_for(|asked| *asked).await;
    }

    /// Asks, and waits until no load is open that is worth waiting for.
    pub(crate) async fn ask(&self) {
        self.asked.send_replace(true);
        let mut open = self.open.subscribe();
        let _ = tokio::time::timeout(WIND_UP, open.wait_for(|open| *open == 0)).await;
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}

#[cfg(test)]
mod tests {
    use futures::poll;

    use super::*;

    #[tokio::test]
    async fn an_open_load_is_waited_for() {
        let stop = Stop::new();
        let hold = stop.hold();
        let mut asking = std::pin::pin!(stop.ask());
        assert!(poll!(asking.as_mut()).is_pending());
        stop.asked().await;
        drop(hold);
        asking.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_load_that_is_never_covered_is_given_up() {
        let stop = Stop::new();
        let _hold = stop.hold();
        let begun = tokio::time::Instant::now();
        stop.ask().await;
        assert_eq!(begun.elapsed(), WIND_UP);
    }
}
