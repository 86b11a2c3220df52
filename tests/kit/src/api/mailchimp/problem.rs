//! Errors as problem documents.

use serde_json::json;

use crate::api::exchange::Reply;

pub(super) fn problem(status: u16, title: &str, detail: &str) -> Reply {
    let body = json!({
        "type": "https://mailchimp.com/developer/marketing/docs/errors/",
        "title": title,
        "status": status,
        "detail": detail,
        "instance": "995c5cb0-3280-4a6e-808b-3b096d0bb219",
    });
    let text = serde_json::to_vec(&body).expect("a value can be written");
    Reply::new(status, "application/problem+json; charset=utf-8", text)
}

pub(super) fn not_found() -> Reply {
    problem(
        404,
        "Resource Not Found",
        "The requested resource could not be found.",
    )
}

pub(super) fn invalid(detail: &str) -> Reply {
    problem(400, "Invalid Resource", detail)
}

pub(super) fn too_many() -> Reply {
    let detail = "You have exceeded the limit of 10 simultaneous connections.";
    problem(429, "Too Many Requests", detail)
}

/// An error by its status.
pub(super) fn planned(status: u16) -> Reply {
    match status {
        401 => problem(
            401,
            "API Key Invalid",
            "Your API key may be invalid, or you've attempted to access the wrong datacenter.",
        ),
        403 => problem(
            403,
            "Forbidden",
            "The requested method and resource are not compatible with the role of this user.",
        ),
        404 => not_found(),
        429 => too_many(),
        504 => Reply::html(504, "504 Gateway Time-out"),
        500.. => problem(
            status,
            "Internal Server Error",
            "An unexpected internal error has occurred. Please contact Support for more \
             information.",
        ),
        _ => invalid("This request was told to fail"),
    }
}
