//! `mysql://user:password@host:port/database?ssl-mode=…` taken apart.
//!
//! Errors never quote the address: it may hold a password.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tributary_model::{Error, ErrorKind, Result, Secret};
use url::Url;

use crate::config::{TlsConfig, TlsMode};

/// What an address can say.
#[derive(Debug, Default)]
pub(crate) struct UrlParts {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) socket: Option<PathBuf>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<String>,
    pub(crate) tls: Option<TlsConfig>,
}

/// Takes an address apart.
///
/// # Errors
/// [`ErrorKind::Config`] where it is not one, or says something unknown.
pub(crate) fn read(text: &str) -> Result<UrlParts> {
    let url = Url::parse(text).map_err(|cause| wrong("`url` is not an address").because(cause))?;
    if !matches!(url.scheme(), "mysql" | "mariadb") {
        let scheme = url.scheme();
        return Err(wrong(format!(
            "`url` begins with `{scheme}:`, not with `mysql:`"
        )));
    }
    let mut parts = UrlParts {
        host: host(&url),
        port: url.port(),
        user: Some(decode(url.username())?).filter(|user| !user.is_empty()),
        password: url.password().map(decode).transpose()?.map(Secret::new),
        database: Some(decode(url.path().trim_matches('/'))?).filter(|name| !name.is_empty()),
        ..UrlParts::default()
    };
    for (key, value) in url.query_pairs() {
        option(&mut parts, &key, &value)?;
    }
    Ok(parts)
}

fn wrong(what: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, what)
        .fix("Write it like `mysql://reader@db.internal:3306/shop?ssl-mode=REQUIRED`.")
}

fn host(url: &Url) -> Option<String> {
    // The url crate leaves the brackets of an IPv6 address in the host's name.
    let host = url
        .host_str()?
        .trim_start_matches('[')
        .trim_end_matches(']');
    Some(percent_decode_str(host).decode_utf8_lossy().into_owned())
}

fn decode(text: &str) -> Result<String> {
    percent_decode_str(text)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| wrong("`url` holds a `%` that does not stand for UTF-8"))
}

fn option(parts: &mut UrlParts, key: &str, value: &str) -> Result<()> {
    let tls = |parts: &mut UrlParts| parts.tls.take().unwrap_or_default();
    match key.replace('_', "-").to_ascii_lowercase().as_str() {
        "ssl-mode" | "sslmode" | "tls" => {
            let mode = mode(value)?;
            let tls = tls(parts);
            parts.tls = mode
                .map(|mode| TlsConfig {
                    mode: Some(mode),
                    ..tls.clone()
                })
                .or(tls.ca_file.is_some().then_some(tls));
        }
        "ssl-ca" | "sslca" | "ca-file" => {
            let tls = tls(parts);
            parts.tls = Some(TlsConfig {
                ca_file: Some(value.into()),
                ..tls
            });
        }
        "socket" => parts.socket = Some(value.into()),
        _ => {
            return Err(wrong(format!(
                "`url` has an option `{key}`; known are `ssl-mode`, `ssl-ca` and `socket`"
            )));
        }
    }
    Ok(())
}

/// The modes as MySQL's own client calls them; `PREFERRED` leaves it to the default.
fn mode(value: &str) -> Result<Option<TlsMode>> {
    match value.replace('-', "_").to_ascii_lowercase().as_str() {
        "disabled" => Ok(Some(TlsMode::Disabled)),
        "preferred" => Ok(None),
        "required" => Ok(Some(TlsMode::Required)),
        "verify_ca" => Ok(Some(TlsMode::VerifyCa)),
        "verify_identity" => Ok(Some(TlsMode::VerifyIdentity)),
        other => Err(wrong(format!(
            "`ssl-mode` in `url` is `{other}`; known are DISABLED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY"
        ))),
    }
}
