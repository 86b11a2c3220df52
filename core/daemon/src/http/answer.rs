//! Refusals, in the same form everywhere: `{"error": {"kind", "what", "why", "fix", "message"}}`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use tributary_engine::ErrorReport;
use tributary_model::{Error, ErrorKind};

/// Why something was not done.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: Error,
}

/// The document of a refusal.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Document {
    /// Why.
    error: Told,
}

#[derive(Debug, Serialize, JsonSchema)]
struct Told {
    /// Who must act, as in `tributary sync --output json`.
    kind: String,
    /// What happened.
    what: String,
    /// Because of what.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
    /// What helps.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
    /// All of it as one line.
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, what: &str) -> Self {
        Self {
            status,
            error: Error::new(ErrorKind::Config, what),
        }
    }

    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, what)
    }

    pub(crate) fn method(what: &str) -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, what)
    }

    pub(crate) fn bad_request(what: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, what)
    }

    pub(crate) fn unauthorized(what: &str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, what)
    }

    pub(crate) fn forbidden(what: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, what)
    }

    /// Adds what helps.
    pub(crate) fn fix(self, fix: &str) -> Self {
        Self {
            error: self.error.fix(fix),
            ..self
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::Config => StatusCode::CONFLICT,
            ErrorKind::Expired => StatusCode::NOT_FOUND,
            ErrorKind::Access
            | ErrorKind::Throttled(_)
            | ErrorKind::Unavailable
            | ErrorKind::Malformed
            | ErrorKind::Incompatible
            | ErrorKind::Rejected
            | ErrorKind::Fenced => StatusCode::SERVICE_UNAVAILABLE,
            ErrorKind::Bug => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status, error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let report = ErrorReport::from(&self.error);
        let kind = serde_json::to_value(report.kind).unwrap_or_default();
        let kind = kind.as_str().unwrap_or("throttled").to_owned();
        let document = Document {
            error: Told {
                kind,
                what: report.what,
                why: report.why,
                fix: report.fix,
                message: report.message,
            },
        };
        let mut response = (self.status, Json(document)).into_response();
        if self.status == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer");
            response
                .headers_mut()
                .insert(header::WWW_AUTHENTICATE, scheme);
        }
        response
    }
}
