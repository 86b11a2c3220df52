//! Where traces and lineage go: both are off unless asked for.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tributary_model::Secret;

use crate::error::{At, Issue};
use crate::path::{Path, section};

pub(crate) const HTTP_ADDRESS: &str = "collector-address";

const SERVICE: &str = "tributary";
const NAMESPACE: &str = "tributary";

/// Traces, sent to an OpenTelemetry collector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetryEntry {
    /// The address of a collector that speaks OTLP over HTTP, such as `http://localhost:4318`.
    #[schemars(extend("format" = HTTP_ADDRESS))]
    pub(crate) otlp_endpoint: String,
    /// Headers of every request, such as an API key.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, Secret>,
    /// The name this program goes by among others; `tributary` if not given.
    pub(crate) service_name: Option<String>,
}

/// What came from where, told to whoever speaks OpenLineage.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineageEntry {
    /// The address of the service, such as `http://localhost:5000`; events go to `/api/v1/lineage`
    /// below it.
    #[schemars(extend("format" = HTTP_ADDRESS))]
    pub(crate) url: String,
    /// The namespace of the jobs; `tributary` if not given.
    pub(crate) namespace: Option<String>,
    /// What is shown to the service as `Authorization: Bearer`.
    pub(crate) api_key: Option<Secret>,
}

/// Traces, sent to an OpenTelemetry collector.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// The address of a collector that speaks OTLP over HTTP.
    pub otlp_endpoint: String,
    /// Headers of every request.
    pub headers: BTreeMap<String, Secret>,
    /// The name this program goes by.
    pub service_name: String,
}

/// What came from where, told to whoever speaks OpenLineage.
#[derive(Clone, Debug)]
pub struct Lineage {
    /// The address of the service.
    pub url: String,
    /// The namespace of the jobs.
    pub namespace: String,
    /// What is shown to the service.
    pub api_key: Option<Secret>,
}

impl From<TelemetryEntry> for Telemetry {
    fn from(entry: TelemetryEntry) -> Self {
        Self {
            otlp_endpoint: entry.otlp_endpoint,
            headers: entry.headers,
            service_name: entry.service_name.unwrap_or_else(|| SERVICE.to_owned()),
        }
    }
}

impl From<LineageEntry> for Lineage {
    fn from(entry: LineageEntry) -> Self {
        Self {
            url: entry.url,
            namespace: entry.namespace.unwrap_or_else(|| NAMESPACE.to_owned()),
            api_key: entry.api_key,
        }
    }
}

/// Whether `text` is the address of an HTTP server, without a password in it.
///
/// # Errors
/// A sentence that does not repeat the text.
pub(crate) fn parse_address(text: &str) -> Result<(), String> {
    let rest = ["http://", "https://"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        Some(host) if host.contains('@') => Err(
            "an address takes no user and password; they belong into a header or `api_key`"
                .to_owned(),
        ),
        Some(host) if !host.is_empty() && !text.contains(char::is_whitespace) => Ok(()),
        Some(_) | None => {
            Err("an address is written like http://localhost:4318 or https://host/path".to_owned())
        }
    }
}

/// What no schema says: the names of headers.
pub(crate) fn check(value: &Value) -> Vec<Issue> {
    let headers = section(value, "telemetry").and_then(|entry| entry.get("headers"));
    let names = headers.and_then(Value::as_object).into_iter().flatten();
    names
        .filter(|(name, _)| !is_header(name))
        .map(|(name, _)| {
            Issue::new(
                At::Key(Path::of(["telemetry", "headers", name])),
                "a header's name takes letters, digits, `_` and `-` only",
            )
        })
        .collect()
}

fn is_header(name: &str) -> bool {
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    !name.is_empty() && name.chars().all(proper)
}

#[cfg(test)]
mod tests {
    use super::parse_address;

    #[test]
    fn an_address_is_http_and_holds_no_password() {
        for good in [
            "http://localhost:4318",
            "https://otlp.example.com/a/b",
            "http://[::1]:4318",
        ] {
            assert_eq!(parse_address(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "localhost:4318",
            "http://",
            "http:///x",
            "ftp://x",
            "https://user:pass@host/x",
            "http://a b",
        ] {
            assert!(parse_address(bad).is_err(), "{bad}");
        }
    }
}
