//! Where requests may go: one host, whatever an answer says.
//!
//! Invariant: a credential leaves for no other host than the API's own, or the `api_url` that stands
//! in for it. Other hosts that the manifest names get requests without it. // G8

use tributary_model::{Error, ErrorKind, Result};
use url::Url;

/// The API's address, and the one that really is asked.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// The vendor's base, such as `https://api.stripe.com/v1`.
    vendor: Url,
    /// What stands in for the vendor's host, where something does.
    stand_in: Option<Url>,
    hosts: Vec<String>,
    /// Other addresses of the vendor's that are the API itself, too.
    more: Vec<Url>,
}

/// An address that may be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowed {
    pub(crate) url: Url,
    /// Whether it is the API itself, which gets the credential.
    pub(crate) is_own: bool,
}

impl Origin {
    /// Takes the manifest's base and the user's `api_url`.
    pub(crate) fn new(base: &str, api_url: Option<&str>, hosts: &[String]) -> Result<Self> {
        let vendor = parse(base, "the manifest's `base`")?;
        let stand_in = api_url.map(|text| parse(text, "`api_url`")).transpose()?;
        Ok(Self {
            vendor,
            stand_in,
            hosts: hosts.to_vec(),
            more: Vec::new(),
        })
    }

    /// Takes another address of the vendor's own, which gets the credential, too.
    pub(crate) fn add(&mut self, base: &str) -> Result<()> {
        self.more.push(parse(base, "an address of the API")?);
        Ok(())
    }

    /// The host that is really asked, for people.
    pub(crate) fn host(&self) -> String {
        let asked = self.stand_in.as_ref().unwrap_or(&self.vendor);
        let host = asked.host_str().unwrap_or_default();
        match asked.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        }
    }

    /// The address of a path below the base, or a whole address that is allowed.
    pub(crate) fn resolve(&self, path: &str) -> Result<Allowed> {
        if !path.contains("://") {
            let whole = format!(
                "{}/{}",
                trim(self.vendor.as_str()),
                path.trim_start_matches('/')
            );
            return self.place(parse(&whole, "the address of a request")?);
        }
        self.place(parse(path, "the address of a request")?)
    }

    /// The address of a request for a token, which may be another host of the vendor's.
    pub(crate) fn resolve_login(&self, url: &str) -> Result<Url> {
        let url = parse(url, "`token_url`")?;
        Ok(match &self.stand_in {
            Some(stand_in) => moved(&url, stand_in, ""),
            None => url,
        })
    }

    /// Checks an address that an answer named, and moves it to the stand-in.
    fn place(&self, url: Url) -> Result<Allowed> {
        let own = |url| Allowed { url, is_own: true };
        match &self.stand_in {
            Some(stand_in) if same(&url, stand_in) => Ok(own(url)),
            Some(stand_in) if same(&url, &self.vendor) => {
                Ok(own(moved(&url, stand_in, self.vendor.path())))
            }
            None if same(&url, &self.vendor) => Ok(own(url)),
            stand_in if self.more.iter().any(|more| same(&url, more)) => Ok(own(match stand_in {
                Some(stand_in) => moved(&url, stand_in, ""),
                None => url,
            })),
            _ => self.foreign(url),
        }
    }

    fn foreign(&self, url: Url) -> Result<Allowed> {
        let host = url.host_str().unwrap_or_default();
        let named = self
            .hosts
            .iter()
            .any(|known| tributary_model::matches(known, host));
        if !named {
            return Err(Error::new(
                ErrorKind::Malformed,
                format!("the API's answer leads to another host, {host}"),
            )
            .fix(
                "If that is meant, name it under `hosts` in the manifest; it gets no credential.",
            ));
        }
        let url = match &self.stand_in {
            Some(stand_in) => moved(&url, stand_in, ""),
            None => url,
        };
        Ok(Allowed { url, is_own: false })
    }

    /// Whether a redirect from one address to another stays where it may be.
    pub(crate) fn allows_redirect(from: &Url, to: &Url) -> bool {
        same(from, to)
    }
}

fn parse(text: &str, what: &str) -> Result<Url> {
    let url = Url::parse(text).map_err(|why| {
        Error::new(ErrorKind::Config, format!("{what} is not an address"))
            .because(why)
            .fix("Write it like https://api.example.com/v1.")
    })?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(Error::new(
            ErrorKind::Config,
            format!("{what} must begin with https:// or http://"),
        ));
    }
    Ok(url)
}

fn trim(text: &str) -> &str {
    text.trim_end_matches('/')
}

fn same(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme()
        && a.host_str() == b.host_str()
        && a.port_or_known_default() == b.port_or_known_default()
}

/// `url`'s path at the stand-in; a path that the stand-in has already is not doubled.
fn moved(url: &Url, stand_in: &Url, base_path: &str) -> Url {
    let prefix = trim(stand_in.path());
    let base_path = trim(base_path);
    let path = match prefix.strip_suffix(base_path) {
        Some(rest) if !base_path.is_empty() && url.path().starts_with(base_path) => {
            format!("{rest}{}", url.path())
        }
        _ => format!("{prefix}{}", url.path()),
    };
    let mut moved = stand_in.clone();
    moved.set_path(&path);
    moved.set_query(url.query());
    moved
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn origin(api_url: Option<&str>) -> Origin {
        let hosts = ["*.files.example.com".to_owned()];
        Origin::new("https://api.example.com/v1", api_url, &hosts).unwrap()
    }

    fn resolved(api_url: Option<&str>, path: &str) -> Option<(String, bool)> {
        let allowed = origin(api_url).resolve(path).ok()?;
        Some((allowed.url.to_string(), allowed.is_own))
    }

    #[test]
    fn requests_stay_at_the_api() {
        let at = |url: &str, own| Some((url.to_owned(), own));
        assert_eq!(
            resolved(None, "/charges"),
            at("https://api.example.com/v1/charges", true)
        );
        let next = "https://api.example.com/v1/charges?page=2";
        assert_eq!(resolved(None, next), at(next, true));
        assert_eq!(resolved(None, "https://evil.example.org/v1/charges"), None);
        assert_eq!(resolved(None, "http://api.example.com/v1/charges"), None);
        let file = "https://a.files.example.com/x.gz";
        assert_eq!(resolved(None, file), at(file, false));
    }

    #[test]
    fn another_address_of_the_vendors_is_the_api_too() {
        let file = "https://www.example.com/drive/v3/files/1";
        for (api_url, at) in [
            (None, file),
            (
                Some("http://127.0.0.1:8080"),
                "http://127.0.0.1:8080/drive/v3/files/1",
            ),
        ] {
            let mut origin = origin(api_url);
            assert!(origin.resolve(file).is_err());
            origin.add("https://www.example.com").unwrap();
            let allowed = origin.resolve(file).unwrap();
            assert_eq!((allowed.url.as_str(), allowed.is_own), (at, true));
        }
    }

    #[test]
    fn a_stand_in_gets_everything_under_the_vendors_own_paths() {
        let local = Some("http://127.0.0.1:8080");
        let charges = Some(("http://127.0.0.1:8080/v1/charges".to_owned(), true));
        assert_eq!(resolved(local, "/charges"), charges);
        assert_eq!(
            resolved(Some("http://127.0.0.1:8080/v1/"), "/charges"),
            charges
        );
        assert_eq!(
            resolved(local, "https://api.example.com/v1/charges"),
            charges
        );
        assert_eq!(resolved(local, "http://127.0.0.1:8080/v1/charges"), charges);
        assert_eq!(resolved(local, "http://127.0.0.1:8081/v1/charges"), None);
        let below = resolved(Some("http://proxy/stripe"), "/charges");
        assert_eq!(below.unwrap().0, "http://proxy/stripe/v1/charges");
        let login = origin(local)
            .resolve_login("https://login.example.com/oauth/token")
            .unwrap();
        assert_eq!(login.as_str(), "http://127.0.0.1:8080/oauth/token");
    }
}
