//! A catalog that speaks Iceberg's REST protocol, in memory, and fails on request.
//!
//! It checks every requirement with the library's own rules under the lock under which it applies
//! the updates, as a real one does in a transaction.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use iceberg::spec::{FormatVersion, Schema, TableMetadata, TableMetadataBuilder};
use iceberg::{TableCreation, TableRequirement, TableUpdate};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tributary_testkit::s3::{Credentials, verify};

/// What goes wrong with the next commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is done and the reply says 500.
    LoseReply,
    /// It is not done and the reply says 500.
    Fail,
    /// It is not done and the reply says 409.
    Conflict,
    /// The token has run out.
    Expire,
}

/// How it knows who asks.
#[derive(Clone, Debug)]
pub enum Guard {
    /// By `id:secret`, for which it gives tokens.
    Secret(&'static str),
    /// By signatures for a service of AWS's in `eu-west-1`.
    Signature(Credentials, &'static str),
}

#[derive(Debug, Default)]
struct State {
    tables: HashMap<String, (TableMetadata, u64)>,
    faults: Vec<Fault>,
    tokens: u64,
    commits: u64,
    left_alone: Vec<String>,
}

/// A running catalog.
#[derive(Debug)]
pub struct RestServer {
    port: u16,
    shared: Arc<Shared>,
    task: AbortHandle,
}

#[derive(Debug)]
struct Shared {
    guard: Guard,
    /// Which warehouse it has, and what the paths begin with.
    warehouse: &'static str,
    prefix: &'static str,
    /// Whether it gives each table a bucket of its own.
    places_tables: bool,
    state: Mutex<State>,
}

impl RestServer {
    pub async fn start(guard: Guard) -> Self {
        Self::serve(guard, "acme/lake", "catalogs/acme", false).await
    }

    /// As S3 Tables: the tables' files lie in the buckets `table-1--table-s3` and so on.
    pub async fn s3_tables(credentials: Credentials, bucket: &'static str) -> Self {
        let guard = Guard::Signature(credentials, "s3tables");
        Self::serve(guard, bucket, bucket, true).await
    }

    async fn serve(
        guard: Guard,
        warehouse: &'static str,
        prefix: &'static str,
        places_tables: bool,
    ) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a port is free");
        let port = listener.local_addr().expect("it has an address").port();
        let shared = Arc::new(Shared {
            guard,
            warehouse,
            prefix,
            places_tables,
            state: Mutex::default(),
        });
        let serving = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = serving.clone();
                let service = service_fn(move |request| answer(request, shared.clone()));
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service),
                );
            }
        });
        Self {
            port,
            shared,
            task: task.abort_handle(),
        }
    }

    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/iceberg", self.port)
    }

    pub fn fail(&self, faults: &[Fault]) {
        self.shared.state().faults = faults.to_vec();
    }

    pub fn commits(&self) -> u64 {
        self.shared.state().commits
    }

    /// The tables whose files it was told to leave as they are.
    pub fn left_alone(&self) -> Vec<String> {
        self.shared.state().left_alone.clone()
    }

    /// The number of a table's snapshots and its properties.
    pub fn table(&self, name: &str) -> Option<TableMetadata> {
        self.shared
            .state()
            .tables
            .get(name)
            .map(|(metadata, _)| metadata.clone())
    }
}

impl Drop for RestServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

type Answer = (u16, Value);

async fn answer(
    request: Request<Incoming>,
    shared: Arc<Shared>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let (status, json) = decide(&parts, &body, &shared);
    let response = Response::builder()
        .status(status)
        .header("content-type", "application/json");
    Ok(response
        .body(Full::new(json.to_string().into()))
        .expect("a reply can be made"))
}

fn refused(status: u16, message: impl Into<String>) -> Answer {
    (
        status,
        json!({"error": {"message": message.into(), "type": "Refused", "code": status}}),
    )
}

fn decide(parts: &Parts, body: &Bytes, shared: &Shared) -> Answer {
    let path = parts
        .uri
        .path()
        .strip_prefix("/iceberg/v1/")
        .unwrap_or_default()
        .to_owned();
    if path == "oauth/tokens" {
        return token(body, shared);
    }
    if let Err(answer) = admit(parts, body, shared) {
        return answer;
    }
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let decoded = |level: &str| percent_decode_str(level).decode_utf8_lossy().into_owned();
    if path == "config" {
        let warehouse = parts.uri.query().unwrap_or_default();
        let wanted = format!("warehouse={}", shared.warehouse);
        assert_eq!(decoded(warehouse), wanted, "the warehouse is asked for");
        let prefix = match shared.places_tables {
            // As one level.
            true => shared.prefix.replace(':', "%3A").replace('/', "%2F"),
            false => shared.prefix.to_owned(),
        };
        return (
            200,
            json!({"defaults": {}, "overrides": {"prefix": prefix}}),
        );
    }
    let levels: Vec<String> = parts.uri.path().split('/').skip(1).map(decoded).collect();
    let levels: Vec<&str> = levels.iter().map(String::as_str).collect();
    if let [
        "tables",
        bucket,
        space,
        table,
        "maintenance",
        "icebergCompaction",
    ] = levels.as_slice()
    {
        assert_eq!(
            (*bucket, &body["value"]["status"]),
            (shared.warehouse, &json!("disabled"))
        );
        shared.state().left_alone.push(format!("{space}.{table}"));
        return (204, Value::Null);
    }
    let prefix: Vec<&str> = match shared.places_tables {
        true => vec![shared.prefix],
        false => shared.prefix.split('/').collect(),
    };
    let inside = levels.strip_prefix(&["iceberg", "v1"]);
    let Some(inside) = inside.and_then(|levels| levels.strip_prefix(prefix.as_slice())) else {
        return refused(404, format!("no such place: {path}"));
    };
    match (&parts.method, inside) {
        (&Method::POST, ["namespaces"]) => (200, body),
        (&Method::POST, ["namespaces", space, "tables"]) => create(space, &body, shared),
        (&Method::GET, ["namespaces", space, "tables", table]) => {
            load(&format!("{space}.{table}"), shared)
        }
        (&Method::POST, ["namespaces", space, "tables", table]) => {
            commit(&format!("{space}.{table}"), &body, shared)
        }
        (&Method::DELETE, ["namespaces", space, "tables", table]) => {
            shared.state().tables.remove(&format!("{space}.{table}"));
            (204, Value::Null)
        }
        _ => refused(404, format!("no such place: {path}")),
    }
}

fn token(body: &Bytes, shared: &Shared) -> Answer {
    let Guard::Secret(credential) = &shared.guard else {
        return refused(404, "no tokens here");
    };
    let (id, secret) = credential.split_once(':').expect("id:secret");
    let wanted = format!(
        "grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=catalog"
    );
    if body != wanted.as_bytes() {
        return refused(401, "unknown client");
    }
    let mut state = shared.state();
    state.tokens += 1;
    (
        200,
        json!({"access_token": format!("token-{}", state.tokens), "expires_in": 3600}),
    )
}

fn admit(parts: &Parts, body: &Bytes, shared: &Shared) -> Result<(), Answer> {
    match &shared.guard {
        Guard::Secret(_) => {
            let wanted = format!("Bearer token-{}", shared.state().tokens);
            let there = parts
                .headers
                .get("authorization")
                .and_then(|value| value.to_str().ok());
            match there == Some(wanted.as_str()) {
                true => Ok(()),
                false => Err(refused(401, "unknown token")),
            }
        }
        Guard::Signature(credentials, service) => {
            let signed = parts.headers.get("authorization");
            let signed = signed
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            if !signed.contains(&format!("/eu-west-1/{service}/aws4_request")) {
                return Err(refused(403, "signed for another service"));
            }
            verify(parts.clone(), body.clone(), credentials, "eu-west-1")
                .map_err(|why| refused(403, why))
        }
    }
}

fn described(metadata: &TableMetadata, version: u64) -> Answer {
    let location = format!(
        "{}/metadata/{version:05}.metadata.json",
        metadata.location()
    );
    (
        200,
        json!({"metadata-location": location, "metadata": metadata, "config": {}}),
    )
}

fn create(space: &str, body: &Value, shared: &Shared) -> Answer {
    let name = format!(
        "{space}.{}",
        body["name"].as_str().expect("a table has a name")
    );
    let mut state = shared.state();
    if state.tables.contains_key(&name) {
        return refused(409, "it is there");
    }
    let schema: Schema = serde_json::from_value(body["schema"].clone()).expect("a schema");
    let properties: HashMap<String, String> =
        serde_json::from_value(body["properties"].clone()).expect("properties");
    let location = match (shared.places_tables, body["location"].as_str()) {
        (false, Some(location)) => location.to_owned(),
        (true, None) => format!("s3://table-{}--table-s3", state.tables.len() + 1),
        (places_tables, _) => {
            return refused(400, format!("it places tables: {places_tables}"));
        }
    };
    let creation = TableCreation::builder()
        .name(name.clone())
        .location(location)
        .schema(schema)
        .properties(properties)
        .format_version(FormatVersion::V2)
        .build();
    let built =
        TableMetadataBuilder::from_table_creation(creation).and_then(|builder| builder.build());
    let metadata = built.expect("a table can be made").metadata;
    let answer = described(&metadata, 0);
    state.tables.insert(name, (metadata, 0));
    answer
}

fn load(name: &str, shared: &Shared) -> Answer {
    match shared.state().tables.get(name) {
        Some((metadata, version)) => described(metadata, *version),
        None => refused(404, "no such table"),
    }
}

fn commit(name: &str, body: &Value, shared: &Shared) -> Answer {
    let mut state = shared.state();
    state.commits += 1;
    let fault = match state.faults.is_empty() {
        true => None,
        false => Some(state.faults.remove(0)),
    };
    match fault {
        Some(Fault::Fail) => return refused(500, "out of order"),
        Some(Fault::Conflict) => return refused(409, "someone was faster"),
        Some(Fault::Expire) => {
            state.tokens += 1;
            return refused(419, "the token has run out");
        }
        Some(Fault::LoseReply) | None => {}
    }
    let Some((metadata, version)) = state.tables.get(name).cloned() else {
        return refused(404, "no such table");
    };
    let requirements: Vec<TableRequirement> =
        serde_json::from_value(body["requirements"].clone()).expect("requirements");
    for requirement in &requirements {
        if let Err(cause) = requirement.check(Some(&metadata)) {
            return refused(409, cause.to_string());
        }
    }
    let updates: Vec<TableUpdate> =
        serde_json::from_value(body["updates"].clone()).expect("updates");
    let builder = metadata.into_builder(Some(format!("old/{version}")));
    let built = updates
        .into_iter()
        .try_fold(builder, |builder, update| update.apply(builder))
        .and_then(|builder| builder.build());
    let metadata = match built {
        Ok(built) => built.metadata,
        Err(cause) => return refused(400, cause.to_string()),
    };
    state
        .tables
        .insert(name.to_owned(), (metadata.clone(), version + 1));
    match fault {
        Some(_) => refused(502, "the reply was lost"),
        None => described(&metadata, version + 1),
    }
}
