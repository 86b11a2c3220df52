//! Errors in Google's envelope.

use serde_json::{Value, json};

use crate::api::exchange::Reply;

/// An error as the API tells it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    code: u16,
    status: &'static str,
    message: String,
    details: Vec<Value>,
}

impl Failure {
    fn new(code: u16, status: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            status,
            message: message.into(),
            details: Vec::new(),
        }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "INVALID_ARGUMENT", message)
    }

    pub(super) fn not_found() -> Self {
        Self::new(404, "NOT_FOUND", "Requested entity was not found.")
    }

    pub(super) fn forbidden() -> Self {
        Self::new(
            403,
            "PERMISSION_DENIED",
            "The caller does not have permission",
        )
    }

    pub(super) fn office() -> Self {
        let message = "This operation is not supported for this document";
        Self::new(400, "FAILED_PRECONDITION", message)
    }

    pub(super) fn unauthenticated() -> Self {
        let message = "Request had invalid authentication credentials. Expected OAuth 2 access \
                       token, login cookie or other valid authentication credential.";
        Self::new(401, "UNAUTHENTICATED", message)
    }

    pub(super) fn no_scope() -> Self {
        let message = "Request had insufficient authentication scopes.";
        Self::new(403, "PERMISSION_DENIED", message).because("ACCESS_TOKEN_SCOPE_INSUFFICIENT")
    }

    /// An API that the project has not switched on.
    pub(super) fn disabled(name: &str, host: &str) -> Self {
        let message = format!(
            "{name} has not been used in project 123456 before or it is disabled. Enable it by \
             visiting https://console.developers.google.com/apis/api/{host}/overview?project=123456 \
             then retry."
        );
        Self::new(403, "PERMISSION_DENIED", message).because("SERVICE_DISABLED")
    }

    pub(super) fn exhausted() -> Self {
        let message = "Quota exceeded for quota metric 'Read requests' and limit 'Read requests \
                       per minute per user' of service 'sheets.googleapis.com'.";
        Self::new(429, "RESOURCE_EXHAUSTED", message).because("RATE_LIMIT_EXCEEDED")
    }

    /// An error by its status.
    pub(super) fn planned(code: u16) -> Self {
        match code {
            401 => Self::unauthenticated(),
            403 => Self::forbidden(),
            404 => Self::not_found(),
            429 => Self::exhausted(),
            503 => Self::new(503, "UNAVAILABLE", "The service is currently unavailable."),
            504 => Self::new(504, "DEADLINE_EXCEEDED", "Deadline expired."),
            500.. => Self::new(code, "INTERNAL", "Internal error encountered."),
            _ => Self::new(code, "INVALID_ARGUMENT", "This request was told to fail"),
        }
    }

    fn because(mut self, reason: &str) -> Self {
        self.details.push(json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo",
            "reason": reason,
            "domain": "googleapis.com",
        }));
        self
    }

    pub(super) fn reply(&self) -> Reply {
        let mut error = json!({"code": self.code, "message": self.message, "status": self.status});
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        Reply::json(self.code, &json!({ "error": error }))
    }
}
