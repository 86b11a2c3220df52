//! Where an account's data is. The name becomes a part of the address that the credential is sent to:
//! so nothing but the name of a data centre may stand there. // G8

use serde_json::{Value, json};
use tributary_model::{Error, ErrorKind, Result, Secret};
use tributary_rest::{Http, Manifest, Reply};

const LOGIN: &str = include_str!("../login.yaml");

/// Such as `us21`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DataCenter(String);

impl DataCenter {
    /// Some data centre, for what is the same everywhere.
    pub(crate) fn any() -> Self {
        Self("us1".to_owned())
    }

    /// Reads a name; `None` where it is none.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let letters = text.bytes().take_while(u8::is_ascii_lowercase).count();
        let digits = &text[letters..];
        let is_number =
            (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        ((2..=4).contains(&letters) && is_number).then(|| Self(text.to_owned()))
    }

    /// The end of an API key.
    pub(crate) fn of_key(key: &str) -> Result<Self> {
        let (_, end) = key.rsplit_once('-').unwrap_or_default();
        Self::read(end).ok_or_else(|| {
            Error::new(ErrorKind::Config, "the end of `api_key` names no data centre").fix(
                "Copy the whole key, which ends like `-us21`: Mailchimp, Profile, Extras, API keys.",
            )
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Asks where the owner of an OAuth token has their data.
pub(crate) async fn of_token(token: &Secret, api_url: Option<&str>) -> Result<DataCenter> {
    let manifest = Manifest::parse("login.yaml", LOGIN)
        .map_err(|why| Error::bug("the manifest of the login has mistakes").because(why))?;
    let mut settings = serde_json::Map::new();
    settings.insert("access_token".to_owned(), json!(token.expose().trim()));
    if let Some(api_url) = api_url {
        settings.insert("api_url".to_owned(), json!(api_url));
    }
    let login = Http::new(&manifest, &settings, &[])?;
    match login.get("/oauth2/metadata", &[]).await? {
        Reply::Page(body) => in_answer(&body),
        Reply::Refused { status, body } => Err(refused().because(format!("{status}: {body}"))),
        Reply::TooMuch(error) => Err(error),
    }
}

/// What the answer says, which is a success by its status even where it is none.
fn in_answer(body: &Value) -> Result<DataCenter> {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    if let Some(error) = text("error") {
        let why = text("error_description").unwrap_or(error);
        return Err(refused().because(why.to_owned()));
    }
    text("dc").and_then(DataCenter::read).ok_or_else(|| {
        Error::new(
            ErrorKind::Malformed,
            "Mailchimp did not say in which data centre the account is",
        )
    })
}

fn refused() -> Error {
    Error::new(
        ErrorKind::Access,
        "Mailchimp does not take the `access_token`",
    )
    .fix("Let the application in again, and set the new `access_token`.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_key_leads_to_mailchimp_and_nowhere_else() {
        for (key, at) in [
            ("0123abc-us21", "us21"),
            ("a-b-us6", "us6"),
            ("x-usgv1", "usgv1"),
        ] {
            assert_eq!(DataCenter::of_key(key).unwrap().as_str(), at);
        }
        for bad in [
            "0123abc",
            "x-",
            "x-us",
            "x-21",
            "x-us1234",
            "x-US1",
            "x-us1.evil.org/",
            "x-evil.com/",
            "x-us1/",
            "x-us1@evil.org",
            "x-ü1",
        ] {
            assert!(DataCenter::of_key(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_may_come_as_a_success() {
        let good = json!({"dc": "us6", "api_endpoint": "https://us6.api.mailchimp.com"});
        assert_eq!(in_answer(&good).unwrap().as_str(), "us6");
        let bad = json!({"error": "invalid_token", "error_description": "revoked"});
        let error = in_answer(&bad).unwrap_err();
        assert_eq!(
            (error.kind(), error.why()),
            (ErrorKind::Access, Some("revoked".to_owned()))
        );
        let odd = in_answer(&json!({"dc": "evil.org/"})).unwrap_err();
        assert_eq!(odd.kind(), ErrorKind::Malformed);
    }
}
