//! Errors in the many ways that Zendesk writes them.

use serde_json::json;

use crate::api::exchange::Reply;

pub(super) fn unauthenticated() -> Reply {
    Reply::json(401, &json!({"error": "Couldn't authenticate you"}))
}

/// A token whose scopes do not allow to read.
pub(super) fn no_scope() -> Reply {
    let description = "Missing the following required scopes: read";
    Reply::json(
        403,
        &json!({"error": "Forbidden", "description": description}),
    )
}

/// A page that the plan does not include.
pub(super) fn no_access() -> Reply {
    let message = "You do not have access to this page. Please contact the account owner of this \
                   help desk for further help.";
    Reply::json(
        403,
        &json!({"error": {"title": "Forbidden", "message": message}}),
    )
}

/// A product that is not there at all.
pub(super) fn no_page() -> Reply {
    Reply::html(404, "The page you were looking for doesn't exist")
}

/// An endpoint that is not there for this account.
pub(super) fn no_endpoint() -> Reply {
    Reply::json(
        404,
        &json!({"error": "InvalidEndpoint", "description": "Not found"}),
    )
}

pub(super) fn not_found() -> Reply {
    Reply::json(
        404,
        &json!({"error": "RecordNotFound", "description": "Not found"}),
    )
}

pub(super) fn too_recent() -> Reply {
    let description = "Too recent start_time. Use a start_time older than 60 seconds";
    Reply::json(
        400,
        &json!({"error": "StartTimeTooRecent", "description": description}),
    )
}

pub(super) fn invalid(description: &str) -> Reply {
    Reply::json(
        400,
        &json!({"error": "InvalidValue", "description": description}),
    )
}

/// A page beyond the last one that pages by number may reach.
pub(super) fn too_deep() -> Reply {
    let title = "Number of pages exceeds limit. Use cursor pagination instead";
    Reply::json(
        400,
        &json!({"errors": [{"code": "InvalidPaginationDepth", "title": title}]}),
    )
}

pub(super) fn throttled(wait: Option<u64>) -> Reply {
    let reply = Reply::text(429, "Number of allowed API requests per minute exceeded");
    match wait {
        Some(wait) => reply.with("retry-after", wait),
        None => reply,
    }
}

/// An error by its status.
pub(super) fn planned(status: u16) -> Reply {
    match status {
        401 => unauthenticated(),
        403 => no_access(),
        404 => not_found(),
        409 => Reply::json(
            409,
            &json!({"error": "DatabaseConflict", "description": "Try again"}),
        ),
        429 => throttled(None),
        503 => Reply::text(503, "Service Unavailable: maintenance").with("retry-after", 1),
        504 => Reply::text(504, "upstream request timeout"),
        500.. => Reply::html(status, "Something went wrong"),
        _ => invalid("This request was told to fail"),
    }
}
