//! From a connection to a reply: read the request, ask the plan, verify who asks, act under the
//! lock, and lose or spoil the reply where the plan says so.

use std::io;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::sync::oneshot;

use super::auth::{self, Credentials};
use super::condition::Conditions;
use super::fault::{Fault, Plan};
use super::reply::{Outcome, Refusal, Reply};
use super::request::{Call, Operation};
use super::state::State;
use super::{Options, checksum, chunked, delete, list, locked, object, upload};

type Body = BoxBody<Bytes, io::Error>;

/// Whether the credentials are too old.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expired {
    Yes,
    #[default]
    No,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) state: Mutex<State>,
    plan: Mutex<Plan>,
    expired: Mutex<Expired>,
    ahead: Mutex<TimeDelta>,
    credentials: Credentials,
    region: String,
    page: usize,
}

/// What an operation must know besides its request.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) now: DateTime<Utc>,
    pub(super) conditions: Conditions,
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        Self {
            state: Mutex::new(State::new(&options.buckets, options.folder)),
            plan: Mutex::default(),
            expired: Mutex::default(),
            ahead: Mutex::default(),
            credentials: options.credentials,
            region: options.region,
            page: options.page,
        }
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        locked(&self.plan)
    }

    pub(super) fn set_expired(&self, expired: Expired) {
        *locked(&self.expired) = expired;
    }

    pub(super) fn set_clock_ahead(&self, by: TimeDelta) {
        *locked(&self.ahead) = by;
    }

    pub(super) fn now(&self) -> DateTime<Utc> {
        tributary_model::now() + *locked(&self.ahead)
    }

    fn verify(&self, call: &Call) -> Result<(), Refusal> {
        auth::verify(call, &self.credentials, &self.region, self.now())?;
        match *locked(&self.expired) {
            Expired::Yes => Err(Refusal::expired()),
            Expired::No => Ok(()),
        }
    }
}

/// Serves until `stopped`, on this thread.
pub(super) fn run(listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .expect("a runtime can be made");
    runtime.block_on(async {
        listener
            .set_nonblocking(true)
            .expect("a listener can be made non-blocking");
        let listener =
            tokio::net::TcpListener::from_std(listener).expect("a listener can be taken over");
        tokio::select! {
            () = accept(listener, shared) => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_timeout(Duration::ZERO);
}

async fn accept(listener: tokio::net::TcpListener, shared: Arc<Shared>) {
    while let Ok((stream, _)) = listener.accept().await {
        let shared = shared.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(request, shared.clone()));
            // A connection that ends badly is what some tests want.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An error here ends the connection without a reply.
async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> io::Result<Response<Body>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (fault, outcome) = match Call::new(parts, body) {
        Ok(call) => handle(call, &shared).await?,
        Err(refusal) => (None, Err(refusal)),
    };
    let reply = outcome.unwrap_or_else(|refusal| refusal.reply());
    match fault {
        Some(Fault::LoseReply) => Err(io::Error::other("the plan loses this reply")),
        Some(Fault::Truncate(length)) => Ok(response(&reply, Some(length), shared.now())),
        _ => Ok(response(&reply, None, shared.now())),
    }
}

async fn handle(mut call: Call, shared: &Shared) -> io::Result<(Option<Fault>, Outcome)> {
    let operation = match call.operation() {
        Ok(operation) => operation,
        Err(refusal) => return Ok((None, Err(refusal))),
    };
    let fault = shared.plan().next(operation, &call.key);
    let mut conditions = Conditions::of(&call);
    match &fault {
        Some(Fault::Drop) => return Err(io::Error::other("the plan drops this request")),
        Some(Fault::Delay(time)) => tokio::time::sleep(*time).await,
        Some(Fault::IgnoreConditions) => conditions = Conditions::default(),
        _ => {}
    }
    if let Some(refused) = fault.as_ref().and_then(planned) {
        return Ok((fault, refused));
    }
    let context = Context {
        now: shared.now(),
        conditions,
    };
    let outcome = shared
        .verify(&call)
        .and_then(|()| unwrap(&mut call))
        .and_then(|()| act(operation, &call, &context, shared));
    Ok((fault, outcome))
}

/// The refusal that the plan wants instead of the operation.
fn planned(fault: &Fault) -> Option<Outcome> {
    let refusal = match fault {
        Fault::SlowDown => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "SlowDown",
            "Please reduce your request rate.",
        ),
        Fault::InternalError => internal_error(),
        Fault::Conflict => Refusal::new(
            StatusCode::CONFLICT,
            "ConditionalRequestConflict",
            "The conditional request cannot succeed due to a conflicting operation against this \
             resource.",
        ),
        Fault::NoSuchUpload => Refusal::no_such_upload("forgotten"),
        Fault::ExpiredToken => Refusal::expired(),
        Fault::Skewed => Refusal::skewed(),
        Fault::AccessDenied => Refusal::forbidden("AccessDenied", "Access Denied"),
        Fault::NotImplemented => Refusal::new(
            StatusCode::NOT_IMPLEMENTED,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ),
        Fault::ErrorInside => return Some(Ok(Reply::xml(&internal_error().document()))),
        Fault::LoseReply
        | Fault::Drop
        | Fault::IgnoreConditions
        | Fault::Truncate(_)
        | Fault::Delay(_) => return None,
    };
    Some(Err(refusal))
}

fn internal_error() -> Refusal {
    let message = "We encountered an internal error. Please try again.";
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message)
}

/// Makes the body what was meant, and checks that it is what was sent.
fn unwrap(call: &mut Call) -> Result<(), Refusal> {
    let hash = call.header("x-amz-content-sha256").unwrap_or_default();
    let mut crc32 = call.header("x-amz-checksum-crc32").map(str::to_owned);
    if hash.starts_with("STREAMING-") {
        let decoded = chunked::decode(call.body.clone())?;
        let trailer = |name| decoded.trailers.iter().find(|(other, _)| other == name);
        if let Some((_, sent)) = trailer("x-amz-checksum-crc32") {
            crc32 = Some(sent.clone());
        }
        call.body = decoded.body;
    } else {
        checksum::verify_payload(call)?;
    }
    if let Some(crc32) = crc32 {
        checksum::verify_crc32(&call.body, &crc32)?;
        if let Ok(value) = crc32.parse() {
            call.headers.insert("x-amz-checksum-crc32", value);
        }
    }
    Ok(())
}

/// Carries out an operation under the lock.
pub(super) fn act(
    operation: Operation,
    call: &Call,
    context: &Context,
    shared: &Shared,
) -> Outcome {
    let state = &mut *locked(&shared.state);
    let outcome = match operation {
        Operation::ListBuckets => return list::buckets(state),
        Operation::HeadBucket => return object::head_bucket(state, call, &shared.region),
        Operation::GetBucketLocation => return object::location(state, call, &shared.region),
        Operation::ListObjects => return list::objects(state, call, shared.page),
        Operation::GetObject => return object::get(state, call, &context.conditions),
        Operation::HeadObject => return object::head(state, call, &context.conditions),
        Operation::ListUploads => return upload::list(state, call, shared.page),
        Operation::ListParts => return upload::parts(state, call, shared.page),
        Operation::CreateBucket => object::create_bucket(state, call),
        Operation::DeleteObjects => delete::many(state, call),
        Operation::PutObject => object::put(state, call, context),
        Operation::CopyObject => object::copy(state, call, context),
        Operation::DeleteObject => object::delete(state, call, &context.conditions),
        Operation::CreateUpload => upload::create(state, call, context),
        Operation::UploadPart => upload::part(state, call, context),
        Operation::CompleteUpload => upload::complete(state, call, context),
        Operation::AbortUpload => upload::abort(state, call),
    };
    if outcome.is_ok() {
        state.save();
    }
    outcome
}

/// The reply as it goes over the wire; cut after `length` bytes of its body where that is wanted.
fn response(reply: &Reply, length: Option<usize>, now: DateTime<Utc>) -> Response<Body> {
    let body = match length {
        Some(length) => cut(reply.body.slice(..length.min(reply.body.len()))),
        None => Full::new(reply.body.clone())
            .map_err(|never| match never {})
            .boxed(),
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    let date = now.format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let always = [
        ("date".to_owned(), date),
        ("x-amz-request-id".to_owned(), "TRIBUTARYTEST".to_owned()),
    ];
    for (name, value) in always.iter().chain(&reply.headers) {
        if let (Ok(name), Ok(value)) = (
            hyper::header::HeaderName::try_from(name.as_str()),
            value.parse(),
        ) {
            response.headers_mut().insert(name, value);
        }
    }
    if length.is_some() {
        let whole = reply.body.len().into();
        response.headers_mut().insert("content-length", whole);
    }
    response
}

fn cut(bytes: Bytes) -> Body {
    let frames = [
        Ok(Frame::data(bytes)),
        Err(io::Error::other("the plan cuts this body")),
    ];
    BodyExt::boxed(StreamBody::new(stream::iter(frames)))
}
