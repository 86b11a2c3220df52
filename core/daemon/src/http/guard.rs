//! Lets only those change something who show the token: `Authorization: Bearer …`.
//!
//! A browser never sends that header by itself, so no other site can make it change anything.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use subtle::ConstantTimeEq;
use tributary_model::Secret;

use super::{App, Refusal};

/// Routes that change something.
pub(crate) fn changing(routes: Router<App>, app: &App) -> Router<App> {
    routes.route_layer(middleware::from_fn_with_state(app.clone(), ask))
}

async fn ask(State(app): State<App>, request: Request, next: Next) -> Result<Response, Refusal> {
    let Some(token) = app.token() else {
        return Err(Refusal::forbidden("nothing can be changed: there is no token")
            .fix("Set `daemon.token` in the configuration, and send it as `Authorization: Bearer …`."));
    };
    if !shows(request.headers(), &token) {
        return Err(Refusal::unauthorized("the token is missing or wrong")
            .fix("Send `Authorization: Bearer …` with the value of `daemon.token`."));
    }
    Ok(next.run(request).await)
}

/// Whether the headers hold the token. It takes as long for a wrong one as for a right one of the
/// same length.
fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.as_bytes().split_at_checked(7));
    shown.is_some_and(|(scheme, shown)| {
        scheme.eq_ignore_ascii_case(b"Bearer ") && shown.ct_eq(token.expose().as_bytes()).into()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_counts() {
        let token = Secret::new("hunter2");
        for (shown, good) in [
            ("Bearer hunter2", true),
            ("bearer hunter2", true),
            ("Bearer hunter", false),
            ("Bearer hunter22", false),
            ("Bearer ", false),
            ("Basic hunter2", false),
            ("hunter2", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, shown.parse().unwrap());
            assert_eq!(shows(&headers, &token), good, "{shown}");
        }
        assert!(!shows(&HeaderMap::new(), &token));
    }
}
