//! The files that pages need. They are part of the program, and their addresses hold a hash of what
//! is in them: so they may be kept for ever, and a new version is asked for at once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A file of the page.
pub(super) struct Asset {
    text: &'static str,
    media: &'static str,
    address: LazyLock<String>,
}

impl Asset {
    /// Where it is.
    pub(super) fn address(&self) -> &str {
        &self.address
    }
}

macro_rules! asset {
    ($name:literal, $media:literal) => {
        Asset {
            text: include_str!($name),
            media: $media,
            address: LazyLock::new(|| named($name, include_str!($name))),
        }
    };
}

static STYLE: Asset = asset!("page.css", "text/css; charset=utf-8");
static SCRIPT: Asset = asset!("page.js", "text/javascript; charset=utf-8");
static ICON: Asset = asset!("icon.svg", "image/svg+xml");

fn named(name: &str, text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("/assets/{:016x}/{name}", hasher.finish())
}

/// How pages look.
pub(super) fn style() -> &'static Asset {
    &STYLE
}

/// What makes pages live.
pub(super) fn script() -> &'static Asset {
    &SCRIPT
}

/// What stands in a browser's tab.
pub(super) fn icon() -> &'static Asset {
    &ICON
}

/// Sends a file; an older hash gets what is there now, and may not keep it.
pub(super) async fn send(Path((hash, name)): Path<(String, String)>) -> Response {
    let all = [&STYLE, &SCRIPT, &ICON];
    let found = all
        .into_iter()
        .find(|asset| asset.address().ends_with(&format!("/{name}")));
    let Some(asset) = found else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let keep = match asset.address() == format!("/assets/{hash}/{name}") {
        true => "public, max-age=31536000, immutable",
        false => "no-store",
    };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(asset.media)),
        (header::CACHE_CONTROL, HeaderValue::from_static(keep)),
    ];
    (headers, asset.text).into_response()
}
