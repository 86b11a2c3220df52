//! Spans, sent to an OpenTelemetry collector as OTLP over HTTP.
//!
//! Logging starts before there is a configuration, and the configuration says where spans go: so the
//! layer is there from the beginning and does nothing until [`Traces::start`].

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::runtime::Handle;
use tracing::{Level, Metadata};
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::filter::{FilterFn, Filtered, filter_fn};
use tracing_subscriber::{Layer, Registry, reload};
use tributary_config::Telemetry;
use tributary_model::{Error, ErrorKind, Result};

use crate::http::{self, Health, TIMEOUT};

/// How long what is left at the end may take to be sent. // G6
const FAREWELL: Duration = Duration::from_secs(8);
/// The path of traces below the address of a collector.
const PATH: &str = "/v1/traces";
/// What names our own spans; those of libraries are theirs.
const OURS: &str = "tributary";
/// Bytes of an answer that are read: it says how many spans were refused, if any. // G6
const ANSWER: usize = 64 << 10;

type Otel = OpenTelemetryLayer<Registry, SdkTracer>;

/// The layer for the subscriber.
pub type Spans = Filtered<reload::Layer<Option<Otel>, Registry>, FilterFn, Registry>;

/// What starts and ends the sending.
pub struct Traces {
    layer: reload::Handle<Option<Otel>, Registry>,
    provider: OnceLock<SdkTracerProvider>,
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Traces").finish_non_exhaustive()
    }
}

/// A layer that sends nothing yet, and its switch.
#[must_use]
pub fn spans() -> (Spans, Traces) {
    let (layer, handle) = reload::Layer::new(None);
    let traces = Traces {
        layer: handle,
        provider: OnceLock::new(),
    };
    (layer.with_filter(filter_fn(is_ours)), traces)
}

fn is_ours(of: &Metadata<'_>) -> bool {
    of.target().starts_with(OURS) && *of.level() <= Level::INFO
}

impl Traces {
    /// Sends spans from now on. The second time nothing changes.
    ///
    /// # Errors
    /// `Config` where no collector can be at that address.
    pub fn start(&self, to: &Telemetry) -> Result<()> {
        if self.provider.get().is_some() {
            return Ok(());
        }
        let provider = provider(to)?;
        let tracer = provider.tracer(OURS);
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false);
        if self.provider.set(provider).is_ok() {
            self.layer
                .reload(Some(layer))
                .map_err(|why| Error::bug("the subscriber is gone").because(why))?;
        }
        Ok(())
    }

    /// Sends what is left, as far as that is quick. Blocks, while the runtime must go on.
    pub fn stop(&self) {
        if let Some(provider) = self.provider.get() {
            // What could not be sent has been complained about.
            let _ = provider.shutdown_with_timeout(FAREWELL);
        }
    }
}

fn provider(to: &Telemetry) -> Result<SdkTracerProvider> {
    let headers: HashMap<String, String> = to
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), value.expose().to_owned()))
        .collect();
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(address(&to.otlp_endpoint))
        .with_timeout(TIMEOUT)
        .with_headers(headers)
        .with_http_client(Sender::new()?)
        .build()
        // G8: the reason may repeat a header.
        .map_err(|_| {
            Error::new(
                ErrorKind::Config,
                "no traces can be sent as `telemetry` says",
            )
            .fix("Correct `otlp_endpoint`, such as http://localhost:4318, or `headers`.")
        })?;
    let resource = Resource::builder()
        .with_service_name(to.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource)
        .build())
}

/// Where traces go at a collector: the address may name the path already.
fn address(endpoint: &str) -> String {
    let base = endpoint.trim_end_matches('/');
    match base.ends_with(PATH) {
        true => base.to_owned(),
        false => format!("{base}{PATH}"),
    }
}

/// Sends from the program's own runtime: the library calls from a thread that has none.
#[derive(Clone, Debug)]
struct Sender {
    http: reqwest::Client,
    runtime: Handle,
    health: Arc<Health>,
}

impl Sender {
    fn new() -> Result<Self> {
        let runtime = Handle::try_current()
            .map_err(|why| Error::bug("traces need a runtime").because(why))?;
        Ok(Self {
            http: http::client()?,
            runtime,
            health: Arc::new(Health::new("traces")),
        })
    }

    async fn send(self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let request = request.try_into().map_err(http::reason)?;
        let mut answer = self.http.execute(request).await.map_err(http::reason)?;
        let (status, headers) = (answer.status(), answer.headers().clone());
        match status.is_success() {
            true => self.health.works(),
            false => self
                .health
                .fails(&format!("the collector answers {status}")),
        }
        let mut body = Vec::new();
        while let Some(part) = answer.chunk().await.map_err(http::reason)? {
            body.extend_from_slice(&part);
            if body.len() > ANSWER {
                return Err("the collector's answer has no end".to_owned());
            }
        }
        let mut response = Response::new(Bytes::from(body));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        Ok(response)
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sender = self.clone();
        let sent = self.runtime.spawn(sender.send(request)).await;
        sent.unwrap_or_else(|why| Err(why.to_string()))
            .map_err(|why| {
                self.health.fails(&why);
                why.into()
            })
    }
}

#[cfg(test)]
mod tests {
    use super::address;

    #[test]
    fn a_collector_is_named_with_or_without_the_path() {
        for endpoint in ["http://c:4318", "http://c:4318/", "http://c:4318/v1/traces"] {
            assert_eq!(address(endpoint), "http://c:4318/v1/traces");
        }
        assert_eq!(address("https://c/otlp"), "https://c/otlp/v1/traces");
    }
}
