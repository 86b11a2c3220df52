//! An S3 server for tests, on the loopback, that is as strict as S3 itself where it matters here:
//! conditions of a write are decided under the same lock as the write, an uncompleted upload is
//! seen by nobody, signatures are verified. And it fails on request: see [`fault`].
//!
//! It runs on threads of its own, so that a test may block while the program under test talks to
//! it. Path style and virtual-host style both work.
//!
//! Deliberately absent: versions, access control lists, lifecycles, tagging, presigned addresses.
//! An ETag is no MD5 here, as with S3's encrypted objects; nobody may rely on it being one.

mod auth;
mod checksum;
mod chunked;
mod condition;
mod delete;
mod fault;
mod list;
mod object;
mod reply;
mod request;
mod service;
mod state;
#[cfg(test)]
mod tests;
mod upload;
mod xml;

use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;

pub use auth::Credentials;
pub use fault::{Fault, Rule, Times};
pub use request::Operation;
use service::{Expired, Shared};
use state::State;

/// What differs from the ordinary.
#[derive(Clone, Debug)]
pub struct Options {
    /// The buckets that are there from the beginning.
    pub buckets: Vec<String>,
    /// Who may do everything.
    pub credentials: Credentials,
    /// The region that signatures must name; requests for another are told the right one.
    pub region: String,
    /// Where objects are kept and found again; in memory where there is none.
    pub folder: Option<PathBuf>,
    /// The most entries on a page of a listing, so that paging happens with few objects.
    pub page: usize,
    /// A port; a free one where it is 0.
    pub port: u16,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            buckets: vec!["lake".to_owned()],
            credentials: Credentials::default(),
            region: "us-east-1".to_owned(),
            folder: None,
            page: 1000,
            port: 0,
        }
    }
}

/// An upload that has begun and is neither completed nor aborted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenUpload {
    /// The object it will be.
    pub key: String,
    /// Its identity.
    pub id: String,
    /// How many parts have arrived.
    pub parts: usize,
}

/// A running server; it ends when dropped.
#[derive(Debug)]
pub struct S3Server {
    port: u16,
    credentials: Credentials,
    shared: Arc<Shared>,
    stop: Option<oneshot::Sender<()>>,
}

impl S3Server {
    /// Starts it on a free port of the loopback.
    ///
    /// # Panics
    /// Panics where the port is taken or the folder can't be used.
    #[must_use]
    pub fn start(options: Options) -> Self {
        let listener =
            TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).expect("a port is free");
        let port = listener
            .local_addr()
            .expect("a listener has an address")
            .port();
        let credentials = options.credentials.clone();
        let shared = Arc::new(Shared::new(options));
        let (stop, stopped) = oneshot::channel();
        let serving = shared.clone();
        std::thread::spawn(move || service::run(listener, serving, stopped));
        Self {
            port,
            credentials,
            shared,
            stop: Some(stop),
        }
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its address, for `endpoint`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Who may do everything.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Adds a rule; the first rule that fits a request decides.
    pub fn fail(&self, rule: Rule) {
        self.shared.plan().add(rule);
    }

    /// Forgets all rules.
    pub fn heal(&self) {
        self.shared.plan().clear();
    }

    /// From now on the credentials have expired.
    pub fn expire_credentials(&self) {
        self.shared.set_expired(Expired::Yes);
    }

    /// From now on they are valid again.
    pub fn renew_credentials(&self) {
        self.shared.set_expired(Expired::No);
    }

    /// Sets the server's clock ahead of the real one.
    pub fn set_clock_ahead(&self, by: chrono::TimeDelta) {
        self.shared.set_clock_ahead(by);
    }

    /// How many requests of this kind have arrived, refused ones included.
    #[must_use]
    pub fn requests(&self, operation: Operation) -> u64 {
        self.shared
            .plan()
            .seen()
            .iter()
            .filter(|(seen, _)| *seen == operation)
            .count() as u64
    }

    /// Every request so far: what it was and the key it was about.
    #[must_use]
    pub fn log(&self) -> Vec<(Operation, String)> {
        self.shared.plan().seen().to_vec()
    }

    /// The keys of a bucket, in order.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    #[must_use]
    pub fn keys(&self, bucket: &str) -> Vec<String> {
        self.bucket(bucket, |bucket| bucket.objects.keys().cloned().collect())
    }

    /// An object's bytes.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    #[must_use]
    pub fn get(&self, bucket: &str, key: &str) -> Option<Bytes> {
        self.bucket(bucket, |bucket| {
            bucket.objects.get(key).map(|object| object.blob.read())
        })
    }

    /// A header that an object was stored with, such as `x-amz-server-side-encryption`.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    #[must_use]
    pub fn header(&self, bucket: &str, key: &str, header: &str) -> Option<String> {
        self.bucket(bucket, |bucket| {
            bucket.objects.get(key)?.headers.get(header).cloned()
        })
    }

    /// Puts an object behind the program's back.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    pub fn put(&self, bucket: &str, key: &str, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        let mut state = self.state();
        let blob = state.keep(bytes.clone());
        let object = state::Object::new(blob, checksum::etag(&bytes), self.shared.now());
        state
            .bucket_mut(bucket)
            .expect("the test made the bucket")
            .objects
            .insert(key.to_owned(), object);
        state.save();
    }

    /// Removes an object behind the program's back.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    pub fn remove(&self, bucket: &str, key: &str) {
        let mut state = self.state();
        let bucket = state.bucket_mut(bucket).expect("the test made the bucket");
        bucket.objects.remove(key);
        state.save();
    }

    /// The uploads that wait for completion.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    #[must_use]
    pub fn uploads(&self, bucket: &str) -> Vec<OpenUpload> {
        self.bucket(bucket, |bucket| {
            let open = bucket.uploads.iter().map(|(id, upload)| OpenUpload {
                key: upload.key.clone(),
                id: id.clone(),
                parts: upload.parts.len(),
            });
            open.collect()
        })
    }

    /// Forgets all open uploads, as a lifecycle rule would.
    ///
    /// # Panics
    /// Panics where there is no such bucket.
    pub fn forget_uploads(&self, bucket: &str) {
        let mut state = self.state();
        let bucket = state.bucket_mut(bucket).expect("the test made the bucket");
        bucket.uploads.clear();
        state.save();
    }

    /// Makes everything that is there older.
    pub fn age(&self, by: Duration) {
        self.state().age(by);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.shared.state)
    }

    fn bucket<T>(&self, name: &str, look: impl FnOnce(&state::Bucket) -> T) -> T {
        let state = self.state();
        look(state.bucket(name).expect("the test made the bucket"))
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

/// Whether a request to any service of AWS's is signed by `credentials` for `region`; if not,
/// why.
///
/// # Errors
/// The word that S3 has for what is wrong.
pub fn verify(
    parts: hyper::http::request::Parts,
    body: Bytes,
    credentials: &Credentials,
    region: &str,
) -> Result<(), &'static str> {
    request::Call::new(parts, body)
        .and_then(|call| {
            auth::verify(&call, credentials, region, tributary_model::now())?;
            checksum::verify_payload(&call)
        })
        .map_err(|refusal| refusal.code)
}

/// A panic of one request must not end the others.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
