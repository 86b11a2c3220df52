//! The settings of a spreadsheet, and the service account's key file.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tributary_model::{Error, ErrorKind, Fault, Result, Secret};
use url::Url;

use crate::address::spreadsheet_id;
use crate::header::Place;

/// A spreadsheet of Google Sheets: each of its tabs is a stream.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The spreadsheet's id, or its address in the browser.
    pub(crate) spreadsheet_id: String,
    /// The key file of a service account that the spreadsheet is shared with; a relative name starts
    /// at the folder of the configuration.
    #[schemars(extend("format" = "file"))]
    pub(crate) credentials_file: Option<PathBuf>,
    /// An OAuth client, in place of a service account.
    pub(crate) client_id: Option<String>,
    /// Its secret.
    pub(crate) client_secret: Option<Secret>,
    /// The refresh token that a user has given it.
    pub(crate) refresh_token: Option<Secret>,
    /// Where Google is; by default at Google's own addresses.
    pub(crate) api_url: Option<String>,
    /// Has no effect: a sheet is read whole, and its rows have no day of their own.
    #[serde(rename = "start_date")]
    pub(crate) _start_date: Option<String>,
    /// The row with the names of the columns, from 1; 0 where there is none. By default the first row
    /// that holds anything.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) header_row: Option<usize>,
    /// What is special about single tabs, by their titles.
    #[serde(default)]
    pub(crate) sheets: BTreeMap<String, SheetConfig>,
    /// Whether named ranges are streams, too; false by default.
    #[serde(default)]
    pub(crate) named_ranges: bool,
    /// Requests a minute at most, besides a few that may be made at once; 45 by default.
    #[schemars(range(min = 1, max = 100_000))]
    pub(crate) requests_per_minute: Option<u32>,
}

/// What is special about a tab or a named range.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SheetConfig {
    /// The row with the names of the columns, from 1; 0 where there is none.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub(crate) header_row: Option<usize>,
    /// The columns that tell rows apart, by the names in the header; by default rows are told apart by
    /// their numbers.
    #[serde(default)]
    pub(crate) key: Vec<String>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Account {
    /// A service account, by its address.
    Service(String),
    /// A user.
    User,
}

/// The settings as meant.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) spreadsheet: String,
    pub(crate) account: Account,
    pub(crate) sheets: BTreeMap<String, SheetConfig>,
    pub(crate) header_row: Option<usize>,
    pub(crate) named_ranges: bool,
}

impl Settings {
    /// Reads the key file and fills in the rest; also tells what the manifest is filled in with, which
    /// holds secrets. // G8
    ///
    /// # Errors
    /// The first of the faults.
    pub(crate) fn new(config: Config) -> Result<(Self, Map<String, Value>)> {
        if let Some(fault) = config.faults().into_iter().next() {
            return Err(fault.error);
        }
        let mut given = Map::new();
        let account = match &config.credentials_file {
            Some(_) => {
                let key = KeyFile::read(&config)?;
                given.insert("key".to_owned(), json!(key.text));
                given.insert("audience".to_owned(), json!(key.audience));
                Account::Service(key.email)
            }
            None => Account::User,
        };
        let secret = |secret: &Option<Secret>| secret.as_ref().map(|it| it.expose().to_owned());
        for (name, value) in [
            ("client_id", config.client_id.clone()),
            ("client_secret", secret(&config.client_secret)),
            ("refresh_token", secret(&config.refresh_token)),
            ("api_url", config.api_url.clone()),
        ] {
            if let Some(value) = value {
                given.insert(name.to_owned(), json!(value.trim()));
            }
        }
        if let Some(rate) = config.requests_per_minute {
            given.insert("requests_per_minute".to_owned(), json!(rate));
        }
        let settings = Self {
            spreadsheet: spreadsheet_id(&config.spreadsheet_id)?,
            account,
            sheets: config.sheets,
            header_row: config.header_row,
            named_ranges: config.named_ranges,
        };
        Ok((settings, given))
    }

    /// What is configured for a stream, by its name or by what its tab is called now.
    fn sheet(&self, stream: &str, title: &str) -> Option<&SheetConfig> {
        self.sheets.get(stream).or_else(|| self.sheets.get(title))
    }

    /// Where the header of a tab is.
    pub(crate) fn place(&self, stream: &str, title: &str) -> Place {
        let own = self.sheet(stream, title).and_then(|sheet| sheet.header_row);
        match own.or(self.header_row) {
            None => Place::Found,
            Some(0) => Place::Nowhere,
            Some(row) => Place::Row(row),
        }
    }

    /// The key of a tab.
    pub(crate) fn key(&self, stream: &str, title: &str) -> Vec<String> {
        let sheet = self.sheet(stream, title);
        sheet.map(|sheet| sheet.key.clone()).unwrap_or_default()
    }
}

impl Config {
    /// Everything that can't be meant; contacts nothing.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Err(error) = spreadsheet_id(&self.spreadsheet_id) {
            faults.push(Fault::mistake(&["spreadsheet_id"], error));
        }
        let oauth = [
            self.client_id.is_some(),
            self.client_secret.is_some(),
            self.refresh_token.is_some(),
        ];
        match (&self.credentials_file, oauth) {
            (Some(_), [false, false, false]) => match KeyFile::read(self) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Unavailable => {
                    let error = Error::new(ErrorKind::Config, error.what());
                    let fix = "Correct `credentials_file`, or put the file there.";
                    faults.push(Fault::doubt(&["credentials_file"], error.fix(fix)));
                }
                Err(error) => faults.push(Fault::mistake(&["credentials_file"], error)),
            },
            (None, [true, true, true]) => {}
            (Some(_), _) => faults.push(Fault::mistake(
                &["credentials_file"],
                Error::new(ErrorKind::Config, "there are two credentials").fix(
                    "Keep `credentials_file`, or `client_id`, `client_secret` and `refresh_token`.",
                ),
            )),
            (None, _) => faults.push(Fault::mistake(
                &[],
                Error::new(ErrorKind::Config, "there is no complete credential").fix(
                    "Set `credentials_file` to the key file of a service account, or all of \
                     `client_id`, `client_secret` and `refresh_token`.",
                ),
            )),
        }
        faults
    }
}

/// The key file of a service account.
struct KeyFile {
    text: String,
    email: String,
    audience: String,
}

impl KeyFile {
    /// Reads the file; [`ErrorKind::Unavailable`] where it is not there.
    fn read(config: &Config) -> Result<Self> {
        let path = config.credentials_file.clone().unwrap_or_default();
        let text = std::fs::read_to_string(&path).map_err(|why| {
            let what = format!("the key file {} can't be read: {why}", path.display());
            Error::new(ErrorKind::Unavailable, what)
        })?;
        // G8: why it can't be read may repeat what is in it.
        let file: Value = serde_json::from_str(&text).map_err(|_| unfit("it is not JSON"))?;
        let field = |name: &str| file.get(name).and_then(Value::as_str);
        let named = |name: &str| field(name).ok_or_else(|| unfit(&format!("it has no `{name}`")));
        named("private_key")?;
        let audience = field("token_uri").unwrap_or("https://oauth2.googleapis.com/token");
        if !is_google(audience, config.api_url.as_deref()) {
            return Err(unfit("its `token_uri` is not Google's"));
        }
        Ok(Self {
            email: named("client_email")?.to_owned(),
            audience: audience.to_owned(),
            text,
        })
    }
}

/// Whether a signed statement may be for this address: Google's, or what stands in for it.
fn is_google(address: &str, api_url: Option<&str>) -> bool {
    let Ok(address) = Url::parse(address) else {
        return false;
    };
    let host = address.host_str().unwrap_or_default();
    let google = host == "googleapis.com" || host.ends_with(".googleapis.com");
    let stands_in =
        |api_url| Url::parse(api_url).is_ok_and(|api_url| api_url.host_str() == address.host_str());
    google || host == "accounts.google.com" || api_url.is_some_and(stands_in)
}

fn unfit(why: &str) -> Error {
    Error::new(
        ErrorKind::Config,
        format!("`credentials_file` is not the key file of a service account: {why}"),
    )
    .fix("Create a key for the service account (JSON), and use the file as it was downloaded.")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config(settings: Value) -> Config {
        serde_json::from_value(settings).unwrap()
    }

    fn faults(settings: Value) -> Vec<String> {
        let faults = config(settings).faults();
        faults.iter().map(|fault| fault.error.to_string()).collect()
    }

    fn key_file(content: &Value) -> (tempfile::TempDir, Value) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key.json");
        std::fs::write(&path, content.to_string()).unwrap();
        (folder, json!(path))
    }

    #[test]
    fn one_complete_credential_is_needed() {
        let oauth = json!({"spreadsheet_id": "1AbC", "client_id": "c", "client_secret": "s",
            "refresh_token": "r"});
        assert!(faults(oauth).is_empty());
        let none = faults(json!({"spreadsheet_id": "1AbC", "client_id": "c"}));
        assert!(none[0].contains("no complete credential"), "{none:?}");
        let gone = json!({"spreadsheet_id": "1 AbC", "credentials_file": "nowhere.json"});
        let found = faults(gone);
        assert!(found[0].contains("names no spreadsheet"), "{found:?}");
        assert!(found[1].contains("nowhere.json can't be read"), "{found:?}");
    }

    #[test]
    fn a_key_file_tells_whom_to_share_with() {
        let content = json!({"private_key": "k", "client_email": "a@b.iam.gserviceaccount.com",
            "token_uri": "https://oauth2.googleapis.com/token"});
        let (_folder, path) = key_file(&content);
        let settings = Settings::new(config(
            json!({"spreadsheet_id": "1AbC", "credentials_file": path}),
        ));
        let account = settings.unwrap().0.account;
        assert_eq!(
            account,
            Account::Service("a@b.iam.gserviceaccount.com".to_owned())
        );
    }

    /// A statement signed for another host would let that host in.
    #[test]
    fn a_key_file_of_another_host_is_refused() {
        let content = json!({"private_key": "k", "client_email": "a@b",
            "token_uri": "https://googleapis.com.evil.example/token"});
        let (_folder, path) = key_file(&content);
        let found = faults(json!({"spreadsheet_id": "1AbC", "credentials_file": path}));
        assert!(
            found[0].contains("`token_uri` is not Google's"),
            "{found:?}"
        );
    }

    #[test]
    fn a_header_is_configured_for_all_or_for_one() {
        let settings = Settings::new(config(json!({"spreadsheet_id": "1AbC", "header_row": 2,
            "client_id": "c", "client_secret": "s", "refresh_token": "r",
            "sheets": {"Raw": {"header_row": 0}, "Orders": {"key": ["id"]}}})));
        let (settings, _) = settings.unwrap();
        assert_eq!(settings.place("Raw", "Raw"), Place::Nowhere);
        assert_eq!(settings.place("x", "Orders"), Place::Row(2));
        assert_eq!(settings.key("Orders", "x"), ["id"]);
    }
}
