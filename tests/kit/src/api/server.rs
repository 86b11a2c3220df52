//! The HTTP side: one thread, one port of the loopback, answers that can break off.
//!
//! It has a thread and a runtime of its own, so that it answers whatever the test's runtime is
//! doing, and stops with its owner. It understands nothing of what it carries.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::exchange::{Manner, Reply, Request};

/// Who answers.
pub(super) trait Handler: Send + Sync + 'static {
    fn handle(&self, request: Request) -> impl Future<Output = Reply> + Send;
}

/// A port that is open until this is dropped.
#[derive(Debug)]
pub(super) struct Server {
    port: u16,
    _stop: oneshot::Sender<Infallible>,
}

/// What was written before a break leaves within this time, else the break would swallow it.
const FLUSH: Duration = Duration::from_millis(5);

type Body = UnsyncBoxBody<Bytes, io::Error>;

impl Server {
    pub(super) fn start<H: Handler>(handler: Arc<H>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
            .expect("a port is free");
        let address = listener.local_addr().expect("a listener has an address");
        let (stop, stopped) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime can be made");
        std::thread::spawn(move || {
            // Ends when the owner drops its end of the channel; the runtime takes all tasks along.
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).expect("a listener can be watched");
                tokio::select! {
                    () = accept(listener, handler) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            port: address.port(),
            _stop: stop,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }
}

async fn accept<H: Handler>(listener: TcpListener, handler: Arc<H>) {
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream, handler.clone()));
        }
    }
}

async fn serve<H: Handler>(stream: TcpStream, handler: Arc<H>) {
    let service = service_fn(|request| {
        let handler = handler.clone();
        async move {
            let request = read(request).await?;
            write(handler.handle(request).await)
        }
    });
    // An error here is a fault of the plan, or a client that has gone.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn read(request: hyper::Request<Incoming>) -> io::Result<Request> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let path = percent_encoding::percent_decode_str(head.uri.path());
    let query = url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes());
    let headers = head.headers.iter().map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str().to_owned(), value)
    });
    Ok(Request {
        method: head.method.as_str().to_owned(),
        path: path.decode_utf8_lossy().into_owned(),
        query: query.into_owned().collect(),
        headers: headers.collect(),
        body: body.to_vec(),
    })
}

fn write(reply: Reply) -> io::Result<hyper::Response<Body>> {
    let broken = || io::Error::other("the plan breaks the connection");
    if reply.manner == Manner::Silent {
        return Err(broken());
    }
    let mut response = hyper::Response::builder()
        .status(reply.status)
        .header("content-length", reply.body.len());
    for (name, value) in &reply.headers {
        response = response.header(name, value);
    }
    let whole = Bytes::from(reply.body);
    let body = match reply.manner {
        Manner::Whole | Manner::Silent => Full::new(whole)
            .map_err(|never| match never {})
            .boxed_unsync(),
        Manner::Cut(after) => {
            let part = whole.slice(..after.min(whole.len().saturating_sub(1)));
            parted(Ok(part), FLUSH, Err(broken()))
        }
        Manner::Slow(pause) => {
            let (first, second) = (
                whole.slice(..whole.len() / 2),
                whole.slice(whole.len() / 2..),
            );
            parted(Ok(first), pause, Ok(second))
        }
    };
    response.body(body).map_err(io::Error::other)
}

/// Two parts of a body with a pause between them.
fn parted(first: io::Result<Bytes>, pause: Duration, second: io::Result<Bytes>) -> Body {
    let late = stream::once(async move {
        tokio::time::sleep(pause).await;
        second.map(Frame::data)
    });
    let both = stream::iter([first.map(Frame::data)]).chain(late);
    BodyExt::boxed_unsync(StreamBody::new(both))
}
