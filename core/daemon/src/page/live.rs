//! Keeps open pages true: what changed is rendered here and sent as server-sent events.
//!
//! Invariant: nobody waits for a viewer. A task of its own renders for each, a few notices may wait
//! for it, and what it misses it makes up for by rendering everything again: the board says it all.
//! There are so many viewers at most, each has so many events waiting at most, and one that takes
//! none for half a minute is let go; a browser then asks again by itself. // G6

use std::collections::{BTreeSet, HashMap};
use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Serialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, broadcast, mpsc};
use tokio::time::{Instant, sleep_until};
use tributary_model::now;

use super::fragment::Fragment;
use super::overview::{self, Overview};
use super::{Shown, connection, overview_of};
use crate::bus::Notice;

/// Pages that may be live at once; others stay as they were loaded.
pub(super) const VIEWERS: usize = 64;
/// Changes within this time are shown together.
const GATHERED: Duration = Duration::from_millis(700);
/// Events that may wait for one viewer.
const WAITING: usize = 4;
/// Fragments of one event.
const TOGETHER: usize = 64;
/// How long a viewer may take none.
const PATIENCE: Duration = Duration::from_secs(30);

/// The room for viewers.
#[derive(Clone)]
pub(super) struct Viewers(Arc<Semaphore>);

impl Viewers {
    pub(super) fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }
}

/// What a viewer looks at.
#[derive(Debug)]
enum Watched {
    Overview,
    Connection(String),
}

/// What may be different since the last look.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    /// Nobody knows what: notices were missed, or this is the first look.
    everything: bool,
    /// What is above the lines.
    head: bool,
    connections: BTreeSet<Arc<str>>,
    /// The page as a whole is another one.
    page: bool,
}

pub(super) async fn overview(State(shown): State<Shown>, viewers: Extension<Viewers>) -> Response {
    begin(shown, &viewers, Watched::Overview)
}

pub(super) async fn connection(
    State(shown): State<Shown>,
    viewers: Extension<Viewers>,
    Path(name): Path<String>,
) -> Response {
    match shown.board.connection(&name, now()) {
        Some(_) => begin(shown, &viewers, Watched::Connection(name)),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn begin(shown: Shown, viewers: &Viewers, watched: Watched) -> Response {
    let Ok(place) = viewers.0.clone().try_acquire_owned() else {
        return (StatusCode::SERVICE_UNAVAILABLE, "too many pages are open").into_response();
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    // Subscribed before the first look: what happens in between is seen twice and not never.
    let notices = shown.bus.subscribe();
    let viewer = Viewer {
        shown,
        watched,
        seen: HashMap::new(),
        sender,
        _place: place,
    };
    tokio::spawn(viewer.serve(notices));
    let events = stream::unfold(receiver, |mut receiver| async move {
        let event: Event = receiver.recv().await?;
        Some((Ok::<_, Infallible>(event), receiver))
    });
    Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response()
}

/// One open page.
struct Viewer {
    shown: Shown,
    watched: Watched,
    /// What each fragment was when it was last sent, as a hash.
    seen: HashMap<String, u64>,
    sender: mpsc::Sender<Event>,
    _place: OwnedSemaphorePermit,
}

#[derive(Serialize)]
struct Sent<'a> {
    id: &'a str,
    html: &'a str,
}

impl Viewer {
    async fn serve(mut self, mut notices: broadcast::Receiver<Notice>) {
        let mut news = Some(News::everything());
        while let Some(found) = news {
            if self.tell(&found).await.is_none() {
                return;
            }
            let mut stopping = self.shown.stopping.clone();
            news = tokio::select! {
                found = gather(&mut notices, &self.watched) => found,
                () = self.sender.closed() => None,
                _ = stopping.wait_for(|stopping| *stopping) => None,
            };
        }
    }

    /// Sends what is different; nothing if the viewer is gone or takes no more.
    async fn tell(&mut self, news: &News) -> Option<()> {
        if news.page {
            return self
                .send(Event::default().event("changed").data("{}"))
                .await;
        }
        let mut fresh = self.render(news);
        fresh.retain(|fragment| self.is_news(fragment));
        for together in fresh.chunks(TOGETHER) {
            let sent: Vec<Sent<'_>> = together
                .iter()
                .map(|fragment| Sent {
                    id: &fragment.id,
                    html: &fragment.html.0,
                })
                .collect();
            let data = serde_json::to_string(&sent).ok()?;
            self.send(Event::default().event("fragments").data(data))
                .await?;
        }
        Some(())
    }

    async fn send(&self, event: Event) -> Option<()> {
        self.sender.send_timeout(event, PATIENCE).await.ok()
    }

    fn render(&self, news: &News) -> Vec<Fragment> {
        let at = now();
        match &self.watched {
            Watched::Overview => lines(&overview_of(&self.shown, at), news),
            Watched::Connection(name) => match self.shown.board.connection(name, at) {
                Some(view) => connection::fragments(&view, at),
                None => Vec::new(),
            },
        }
    }

    fn is_news(&mut self, fragment: &Fragment) -> bool {
        let mut hasher = DefaultHasher::new();
        fragment.html.0.hash(&mut hasher);
        let hash = hasher.finish();
        self.seen.insert(fragment.id.clone(), hash) != Some(hash)
    }
}

/// The fragments of the overview that the news are about.
fn lines(overview: &Overview, news: &News) -> Vec<Fragment> {
    let mut fragments = overview::head_fragments(overview);
    let touched = overview
        .connections
        .iter()
        .filter(|view| news.everything || news.connections.contains(view.connection.as_str()));
    fragments.extend(touched.map(|view| overview::line_fragment(view, overview.now)));
    fragments
}

/// Waits until something happened to what is watched, then a moment for more of it; nothing when
/// the daemon ends.
async fn gather(notices: &mut broadcast::Receiver<Notice>, watched: &Watched) -> Option<News> {
    let mut news = News::default();
    while news == News::default() {
        news.add(notices.recv().await, watched)?;
    }
    let end = Instant::now() + GATHERED;
    loop {
        tokio::select! {
            notice = notices.recv() => news.add(notice, watched)?,
            () = sleep_until(end) => return Some(news),
        }
    }
}

impl News {
    fn everything() -> Self {
        Self {
            everything: true,
            ..Self::default()
        }
    }

    fn add(&mut self, notice: Result<Notice, RecvError>, watched: &Watched) -> Option<()> {
        match notice {
            Ok(notice) => self.note(&notice, watched),
            Err(RecvError::Lagged(_)) => self.everything = true,
            Err(RecvError::Closed) => return None,
        }
        Some(())
    }

    fn note(&mut self, notice: &Notice, watched: &Watched) {
        let mut touch = |name: &str| {
            let ours = match watched {
                Watched::Overview => true,
                Watched::Connection(ours) => ours == name,
            };
            if ours {
                self.connections.insert(name.into());
            }
        };
        match notice {
            Notice::Changed { connection }
            | Notice::Committed { connection, .. }
            | Notice::SchemaChanged { connection, .. }
            | Notice::Rejected { connection, .. }
            | Notice::Freshness { connection, .. } => touch(connection),
            Notice::RunStarted { run } | Notice::RunEnded { run, .. } => touch(&run.connection),
            Notice::Reloaded | Notice::ReloadRefused { .. } => self.head = true,
            Notice::Added { connection } | Notice::Removed { connection } => match watched {
                Watched::Overview => self.page = true,
                Watched::Connection(ours) => self.page |= **connection == **ours,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(connection: &str) -> Notice {
        Notice::Changed {
            connection: connection.into(),
        }
    }

    #[test]
    fn a_connections_page_hears_of_its_own_connection_only() {
        let watched = Watched::Connection("shop".to_owned());
        let mut news = News::default();
        news.note(&changed("billing"), &watched);
        news.note(
            &Notice::Removed {
                connection: "billing".into(),
            },
            &watched,
        );
        assert_eq!(news, News::default());
        news.note(&changed("shop"), &watched);
        assert!(news.connections.contains("shop") && !news.page);
        news.note(
            &Notice::Removed {
                connection: "shop".into(),
            },
            &watched,
        );
        assert!(news.page);
    }

    #[tokio::test]
    async fn who_missed_something_sees_everything_again() {
        let sender = broadcast::Sender::new(2);
        let mut notices = sender.subscribe();
        for _ in 0..5 {
            let _ = sender.send(changed("shop"));
        }
        let news = gather(&mut notices, &Watched::Overview).await;
        assert!(news.is_some_and(|news| news.everything));
    }

    #[tokio::test]
    async fn the_end_of_the_daemon_is_the_end_of_the_events() {
        let sender = broadcast::Sender::<Notice>::new(2);
        let mut notices = sender.subscribe();
        drop(sender);
        assert_eq!(gather(&mut notices, &Watched::Overview).await, None);
    }
}
