//! Takes connections and serves them, each within limits.
//!
//! Written out rather than left to `axum::serve`, which has no limits for headers and slow callers.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use super::{App, router};

/// Callers at once. // G6
const CALLERS: usize = 512;
/// The longest that a request's head may take. // G6
const HEAD: Duration = Duration::from_secs(10);
/// Bytes of a request's head. // G6
const HEAD_BYTES: usize = 16 << 10;
/// Headers of a request. // G6
const HEADERS: usize = 64;
/// How long answers under way may take when the daemon ends.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// The server.
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
    callers: Arc<Semaphore>,
}

/// Serves until told to stop.
pub(crate) fn serve(listener: TcpListener, app: App) -> Server {
    let (stop, stopped) = watch::channel(false);
    let callers = Arc::new(Semaphore::new(CALLERS));
    let accepting = tokio::spawn(accept(listener, router(app), callers.clone(), stopped));
    Server {
        stop,
        accepting,
        callers,
    }
}

impl Server {
    /// Lets answers under way finish, for a moment.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        self.accepting.abort();
        let all = u32::try_from(CALLERS).unwrap_or(u32::MAX);
        let _ = tokio::time::timeout(LAST_WORDS, self.callers.acquire_many(all)).await;
    }
}

async fn accept(
    listener: TcpListener,
    router: Router,
    callers: Arc<Semaphore>,
    stopped: watch::Receiver<bool>,
) {
    while let Ok(turn) = callers.clone().acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(why) => {
                // Most likely there are no file handles left: there may be some in a moment.
                tracing::warn!(%why, "a caller could not be taken");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (router, stopped) = (router.clone(), stopped.clone());
        tokio::spawn(async move {
            attend(stream, router, stopped).await;
            drop(turn);
        });
    }
}

async fn attend(stream: TcpStream, router: Router, mut stopped: watch::Receiver<bool>) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEADERS)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    let mut serving = std::pin::pin!(serving);
    tokio::select! {
        served = serving.as_mut() => return note(served),
        _ = stopped.wait_for(|stopped| *stopped) => serving.as_mut().graceful_shutdown(),
    }
    note(serving.await);
}

fn note(served: hyper::Result<()>) {
    if let Err(why) = served {
        tracing::debug!(%why, "a caller was left");
    }
}
