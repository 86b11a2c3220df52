//! A workload identity: someone else's token is exchanged for Google's, and that for a service
//! account's where the file says so.

use serde_json::{Value, json};
use tributary_model::{Error, ErrorKind, Result, Secret, now};

use super::{FORM, SCOPE, Token, answer, ask, form};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS: &str = "urn:ietf:params:oauth:token-type:access_token";
const STS: &str = "https://sts.googleapis.com/v1/token";

/// A workload identity as its file has it.
#[derive(Debug)]
pub(crate) struct External {
    audience: String,
    subject_type: String,
    token_url: String,
    impersonation_url: Option<String>,
    source: Source,
    /// The field of the subject's token, where it comes as JSON.
    field: Option<String>,
}

/// Where the subject's token is.
#[derive(Debug)]
enum Source {
    File(String),
    Url(String, Vec<(String, Secret)>),
}

impl External {
    pub(super) fn read(file: &Value) -> std::result::Result<Self, &'static str> {
        let field = |name: &str| file[name].as_str().map(str::to_owned);
        let source = &file["credential_source"];
        let headers = source["headers"].as_object().into_iter().flatten();
        let headers =
            headers.filter_map(|(name, value)| Some((name.clone(), Secret::new(value.as_str()?))));
        let format = &source["format"];
        let is_json = format["type"].as_str() == Some("json");
        Ok(Self {
            audience: field("audience").ok_or("the credentials have no `audience`")?,
            subject_type: field("subject_token_type")
                .ok_or("the credentials have no `subject_token_type`")?,
            token_url: field("token_url").unwrap_or_else(|| STS.to_owned()),
            impersonation_url: field("service_account_impersonation_url"),
            source: match (source["file"].as_str(), source["url"].as_str()) {
                (Some(file), _) => Source::File(file.to_owned()),
                (None, Some(url)) => Source::Url(url.to_owned(), headers.collect()),
                (None, None) => {
                    return Err(
                        "the credentials name neither a file nor an address of the subject's token",
                    );
                }
            },
            field: is_json.then(|| {
                let name = format["subject_token_field_name"].as_str();
                name.unwrap_or("access_token").to_owned()
            }),
        })
    }

    pub(super) async fn login(&self, http: &reqwest::Client) -> Result<Token> {
        let subject = self.subject(http).await?;
        let body = form(&[
            ("grant_type", GRANT),
            ("audience", &self.audience),
            ("scope", SCOPE),
            ("requested_token_type", ACCESS),
            ("subject_token_type", &self.subject_type),
            ("subject_token", subject.expose()),
        ]);
        let request = http
            .post(&self.token_url)
            .header("content-type", FORM)
            .body(body);
        let token = Token::read(&answer(request, "Google's token exchange").await?)?;
        match &self.impersonation_url {
            Some(url) => impersonate(http, url, &token).await,
            None => Ok(token),
        }
    }

    async fn subject(&self, http: &reqwest::Client) -> Result<Secret> {
        let text = match &self.source {
            Source::File(path) => tokio::fs::read_to_string(path).await.map_err(|cause| {
                Error::new(ErrorKind::Access, "the file of the subject's token can't be read")
                    .because(cause)
                    .fix("Look at `credential_source.file` in the credentials; the token is put there by who runs this machine.")
            })?,
            Source::Url(url, headers) => {
                let mut request = http.get(url);
                for (name, value) in headers {
                    request = request.header(name, value.expose());
                }
                let answered = ask(request, "the address of the subject's token").await?;
                String::from_utf8_lossy(&answered).into_owned()
            }
        };
        let Some(field) = &self.field else {
            return Ok(Secret::new(text.trim()));
        };
        let answer: Value = serde_json::from_str(&text).unwrap_or_default();
        let token = answer[field].as_str().map(Secret::new);
        token.ok_or_else(|| {
            Error::new(
                ErrorKind::Access,
                format!("the subject's token has no `{field}`"),
            )
            .fix("Look at `credential_source.format` in the credentials.")
        })
    }
}

/// A token of the service account that the identity may act as.
async fn impersonate(http: &reqwest::Client, url: &str, token: &Token) -> Result<Token> {
    let request = http
        .post(url)
        .bearer_auth(token.access.expose())
        .header("content-type", "application/json")
        .body(json!({"scope": [SCOPE], "lifetime": "3600s"}).to_string());
    let answered = answer(request, "the service account to act as").await?;
    let expires = answered["expireTime"].as_str().unwrap_or_default();
    let expires = chrono::DateTime::parse_from_rfc3339(expires);
    let seconds = expires.map_or(0, |at| (at.to_utc() - now()).num_seconds());
    Token::read(&json!({"access_token": answered["accessToken"], "expires_in": seconds}))
}
