//! What is sent, without a browser.

use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;
use tributary_daemon::ConnectionView;
use tributary_daemon::page;
use tributary_daemon::view::StreamPhase;

use crate::served::shown;
use crate::states::{self, HOSTILE};

async fn ask(connections: Vec<ConnectionView>, path: &str) -> Response<Body> {
    let (shown, _stop) = shown(connections);
    let request = Request::get(path).body(Body::empty()).unwrap();
    page::routes(shown).oneshot(request).await.unwrap()
}

async fn text(connections: Vec<ConnectionView>, path: &str) -> String {
    let response = ask(connections, path).await;
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Each value of an attribute.
fn values<'h>(html: &'h str, attribute: &str) -> Vec<&'h str> {
    let begin = format!(" {attribute}=\"");
    html.match_indices(&begin)
        .map(|(at, _)| {
            let rest = &html[at + begin.len()..];
            &rest[..rest.find('"').unwrap()]
        })
        .collect()
}

#[tokio::test]
async fn without_connections_it_says_how_to_begin() {
    let html = text(Vec::new(), "/").await;
    assert!(html.contains("There are no connections yet"), "{html}");
    assert!(html.contains("tributary init mysql://"), "{html}");
    assert!(!html.contains("<table"), "{html}");
}

#[tokio::test]
async fn what_fails_is_told_as_what_because_and_try() {
    for path in ["/", "/connections/legacy-crm"] {
        let html = text(states::mixed(), path).await;
        for part in [
            "<dt>What</dt><dd>connecting to db.internal:3306: the server refused the password</dd>",
            "<dt>Because</dt><dd>ERROR 1045 (28000): Access denied for user 'reader'@'10.0.4.7'</dd>",
            "<dt>Try</dt><dd>Set SHOP_PASSWORD",
            "For whoever gives out credentials and rights",
            "Needs you",
        ] {
            assert!(html.contains(part), "{path} lacks {part}\n{html}");
        }
    }
}

#[tokio::test]
async fn a_connections_page_has_streams_loads_rejections_and_changes() {
    let html = text(states::mixed(), "/connections/shop").await;
    for part in [
        "shop.order_lines",
        "1,204,551",
        "binlog.000042, byte 19,204,113",
        "✓ within 10 min",
        "column gift_note added (text)",
        "tributary query warehouse &quot;SELECT * FROM _tributary.rejected WHERE connection = 'shop'&quot;",
        "Last loads",
        "Last runs",
    ] {
        assert!(html.contains(part), "it lacks {part}\n{html}");
    }
    let copying = text(states::mixed(), "/connections/shop-archive").await;
    assert!(copying.contains("61%, 730,000 of about 1,190,000 rows"));
    assert!(copying.contains("52,000 rows so far"));
    assert!(copying.contains("aria-valuenow=\"61\""));
}

/// Zero rows where rows were expected is never a green tick.
#[tokio::test]
async fn what_went_well_and_is_doubtful_has_no_tick() {
    let mut view = states::fine("shop", 7);
    for stream in &mut view.streams {
        stream.phase = Some(StreamPhase::Streaming);
    }
    for path in ["/", "/connections/shop"] {
        let fine = text(vec![view.clone()], path).await;
        assert!(
            fine.contains("Up to date") && !fine.contains("Have a look"),
            "{path}"
        );
    }
    view.streams.truncate(1);
    view.streams[0].warnings = vec!["no rows came".to_owned()];
    let list = text(vec![view.clone()], "/").await;
    assert!(list.contains("Have a look"), "{list}");
    let page = text(vec![view], "/connections/shop").await;
    for part in ["Have a look", "To be looked at", "no rows came"] {
        assert!(page.contains(part), "it lacks {part}\n{page}");
    }
    assert!(!page.contains("</svg>Complete"), "{page}");
}

#[tokio::test]
async fn markup_in_names_stays_text() {
    // A connection's name has letters, digits, `-` and `_`; the page does not rely on it.
    for path in ["/".to_owned(), "/connections/shop".to_owned()] {
        let mut named = states::hostile("other");
        named.connection = HOSTILE.to_owned();
        let html = text(vec![states::hostile("shop"), named], &path).await;
        assert!(html.contains("&lt;script&gt;window.broken=1"), "{path}");
        assert!(!html.contains("<script>"), "{path}\n{html}");
        assert!(!html.contains("<img"), "{path}\n{html}");
        assert_eq!(html.matches("<script").count(), 1, "{path}\n{html}");
    }
}

#[tokio::test]
async fn five_hundred_connections_are_one_page_of_bounded_size() {
    let html = text(states::many(500), "/").await;
    assert_eq!(html.matches("<tr role=\"row\" id=\"line-").count(), 500);
    assert!(html.len() < 1_500_000, "{} bytes", html.len());
    assert_eq!(html.matches("class=\"card problem").count(), 3);
    assert!(html.contains("And 17 more, in the list below."), "{html}");
}

#[tokio::test]
async fn ids_are_unique_and_every_file_is_our_own() {
    for path in ["/", "/connections/shop"] {
        let html = text(states::mixed(), path).await;
        let mut ids = values(&html, "id");
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all, "{path}");
        let files: Vec<&str> = values(&html, "src")
            .into_iter()
            .chain(values(&html, "href"))
            .filter(|address| address.starts_with("/assets/") || address.contains("//"))
            .collect();
        assert_eq!(files.len(), 3, "{files:?}");
        for file in files {
            let sent = ask(Vec::new(), file).await;
            assert_eq!(sent.status(), StatusCode::OK, "{file}");
            let kept = sent.headers()["cache-control"].to_str().unwrap();
            assert!(kept.contains("immutable"), "{file}: {kept}");
        }
        assert!(!html.contains("style="), "the policy forbids it\n{html}");
    }
}

#[tokio::test]
async fn answers_forbid_what_a_page_need_not_do() {
    for path in [
        "/",
        "/connections/shop",
        "/connections/nobody",
        "/assets/of-an-older-version/page.js",
    ] {
        let response = ask(states::mixed(), path).await;
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn a_connection_that_is_not_there_is_not_found() {
    for path in ["/connections/nobody", "/connections/%3Cscript%3E"] {
        let response = ask(states::mixed(), path).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
    }
    let html = text(Vec::new(), "/connections/%3Cscript%3E").await;
    assert!(
        html.contains("There is no connection &lt;script&gt;"),
        "{html}"
    );
    let events = ask(Vec::new(), "/connections/nobody/events").await;
    assert_eq!(events.status(), StatusCode::NOT_FOUND);
}
