//! The address of a warehouse, with all that may stand in it.
//!
//! It is never repeated in a message, since it may hold a password. // G8

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use tributary_model::Secret;
use url::Url;

use crate::config::{TlsConfig, TlsMode};
use crate::settings::{Checked, wrong};

/// How one is written.
pub(crate) const EXAMPLE: &str = "Write it like \
     `redshift://loader@analytics.abc.eu-central-1.redshift.amazonaws.com:5439/dev`.";

/// What an address says.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) host: Option<String>,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) database: Option<String>,
    pub(crate) tls: Option<TlsConfig>,
}

/// Reads an address.
pub(crate) fn read(text: &str) -> Checked<Parts> {
    let wrong = |what: &str| wrong(&["url"], what, EXAMPLE);
    let url = Url::parse(text).map_err(|_| wrong("`url` can't be read"))?;
    if !matches!(url.scheme(), "redshift" | "postgres" | "postgresql") {
        return Err(wrong("`url` does not begin with `redshift://`"));
    }
    let decode = |text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        let decoded = decoded.map(Cow::into_owned);
        decoded.map_err(|_| wrong("`url` holds a `%` that does not stand for UTF-8"))
    };
    let part = |text: &str| match text {
        "" => Ok(None),
        text => decode(text).map(Some),
    };
    let mut parts = Parts {
        host: part(url.host_str().unwrap_or_default().trim_matches(['[', ']']))?,
        port: url.port(),
        user: part(url.username())?,
        password: part(url.password().unwrap_or_default())?.map(Secret::new),
        database: part(url.path().trim_matches('/'))?,
        tls: None,
    };
    for (key, value) in url.query_pairs() {
        option(&mut parts, &key, &value)?;
    }
    Ok(parts)
}

fn option(parts: &mut Parts, key: &str, value: &str) -> Checked<()> {
    match key {
        "sslmode" => {
            let mode = match value {
                "disable" => TlsMode::Disabled,
                "require" => TlsMode::Required,
                "verify-ca" => TlsMode::VerifyCa,
                "verify-full" => TlsMode::VerifyIdentity,
                _ => {
                    return Err(wrong(
                        &["url"],
                        "`sslmode` in `url` is none that is known",
                        "Write `disable`, `require`, `verify-ca` or `verify-full`.",
                    ));
                }
            };
            parts.tls.get_or_insert_default().mode = Some(mode);
        }
        "sslrootcert" => parts.tls.get_or_insert_default().ca_file = Some(value.into()),
        _ => {
            return Err(wrong(
                &["url"],
                "`url` has an option that is not known",
                "Only `sslmode` and `sslrootcert` may stand after the `?`.",
            ));
        }
    }
    Ok(())
}
