//! The service account of the machine that the program runs on, by Google's metadata server.

use tributary_model::Result;

use super::{Token, answer};

const URL: &str =
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";

pub(super) async fn login(http: &reqwest::Client) -> Result<Token> {
    let request = http.get(URL).header("metadata-flavor", "Google");
    let answered = answer(request, "this machine's metadata server").await;
    let answered = answered.map_err(|error| {
        error.fix("Set `credentials_file`: this machine seems to be none of Google's, or has no service account.")
    });
    Token::read(&answered?)
}
