//! Errors in Stripe's envelope.

use serde_json::json;

use crate::api::exchange::Reply;

/// An error as the API tells it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    pub(super) status: u16,
    kind: &'static str,
    code: Option<&'static str>,
    param: Option<String>,
    message: String,
}

impl Failure {
    pub(super) fn invalid(status: u16, message: impl Into<String>) -> Self {
        Self {
            status,
            kind: "invalid_request_error",
            code: None,
            param: None,
            message: message.into(),
        }
    }

    pub(super) fn coded(self, code: &'static str) -> Self {
        let code = Some(code);
        Self { code, ..self }
    }

    pub(super) fn about(self, param: &str) -> Self {
        let param = Some(param.to_owned());
        Self { param, ..self }
    }

    /// Something that does not exist, or no more. As a parameter it is the request that is wrong.
    pub(super) fn missing(status: u16, object: &str, id: &str, param: &str) -> Self {
        let name = object.rsplit('.').next().unwrap_or(object);
        Self::invalid(status, format!("No such {name}: '{id}'"))
            .coded("resource_missing")
            .about(param)
    }

    /// A path that nothing is at.
    pub(super) fn unrecognized(method: &str, path: &str) -> Self {
        Self::invalid(
            404,
            format!(
                "Unrecognized request URL ({method}: {path}). Please see \
                 https://stripe.com/docs or we can help at https://support.stripe.com/."
            ),
        )
    }

    /// An error of Stripe's own making, by its status.
    pub(super) fn planned(status: u16) -> Self {
        let (kind, code, message) = match status {
            401 => (
                "invalid_request_error",
                None,
                "Invalid API Key provided: sk_test_***",
            ),
            409 => (
                "invalid_request_error",
                Some("lock_timeout"),
                "This object cannot be accessed right now because another API request or Stripe \
                 process is currently accessing it.",
            ),
            429 => (
                "invalid_request_error",
                Some("rate_limit"),
                "Request rate limit exceeded. Learn more about rate limits here \
                 https://stripe.com/docs/rate-limits.",
            ),
            500.. => ("api_error", None, "An unknown error occurred"),
            _ => (
                "invalid_request_error",
                None,
                "This request was told to fail",
            ),
        };
        Self {
            status,
            kind,
            code,
            param: None,
            message: message.to_owned(),
        }
    }

    pub(super) fn reply(&self) -> Reply {
        let mut error = json!({
            "message": self.message,
            "request_log_url": "https://dashboard.stripe.com/test/logs/req_1",
            "type": self.kind,
        });
        if let Some(code) = self.code {
            error["code"] = json!(code);
            let page = code.replace('_', "-");
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{page}"));
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        Reply::json(self.status, &json!({ "error": error }))
    }
}
