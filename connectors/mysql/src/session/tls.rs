//! The options of an encrypted connection.

use std::path::Path;

use mysql_async::SslOpts;
use tributary_model::{Error, ErrorKind, Result};

use crate::settings::Tls;

/// What the client library is told for these settings.
///
/// # Errors
/// [`ErrorKind::Config`] where the file of authorities can't be used.
pub(super) async fn options(tls: &Tls) -> Result<SslOpts> {
    choose_cryptography();
    match tls {
        Tls::Disabled | Tls::Preferred | Tls::Required => {
            Ok(SslOpts::default().with_danger_accept_invalid_certs(true))
        }
        Tls::VerifyCa(ca_file) => Ok(trusting(ca_file.as_deref())
            .await?
            .with_danger_skip_domain_validation(true)),
        Tls::VerifyIdentity(ca_file) => trusting(ca_file.as_deref()).await,
    }
}

/// The client library takes the process's provider, and panics where there is none and the features
/// of rustls leave a choice.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Another thread may be first: its provider is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
    }
}

/// Trusts what the file holds and nothing else; without a file what browsers trust.
async fn trusting(ca_file: Option<&Path>) -> Result<SslOpts> {
    let Some(path) = ca_file else {
        return Ok(SslOpts::default());
    };
    let wrong = |what: String| {
        Error::new(ErrorKind::Config, what)
            .fix("Set `tls.ca_file` to the file with the authority's certificate, as PEM.")
    };
    let bytes = tokio::fs::read(path).await.map_err(|cause| {
        wrong(format!("`tls.ca_file` {} can't be read", path.display())).because(cause)
    })?;
    if !bytes
        .windows(27)
        .any(|part| part == b"-----BEGIN CERTIFICATE-----")
    {
        return Err(wrong(format!(
            "`tls.ca_file` {} holds no certificate",
            path.display()
        )));
    }
    Ok(SslOpts::default()
        .with_root_certs(vec![bytes.into()])
        .with_disable_built_in_roots(true))
}

/// The same options, asking for a name that the certificate does have.
///
/// For `verify_ca` the name does not matter, but up to its version 0.37.1 the client library fails
/// over it all the same. The chain has been verified by the time a name is compared, and is again
/// at the second attempt; only the name is taken from the certificate. `None` where the failure is
/// another, or the certificate has no names.
pub(super) fn under_its_own_name(options: SslOpts, failure: &str) -> Option<SslOpts> {
    let names = failure.split_once("certificate is only valid for ")?.1;
    let name = [("DnsName(\"", "\")"), ("IpAddress(", ")")]
        .iter()
        .filter_map(|(start, end)| names.split_once(start)?.1.split_once(end))
        .map(|(name, _)| name)
        .next()?;
    Some(options.with_danger_tls_hostname_override(Some(name.replacen('*', "any", 1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(failure: &str) -> Option<String> {
        let options = under_its_own_name(SslOpts::default(), failure)?;
        options.tls_hostname_override().map(str::to_owned)
    }

    #[test]
    fn the_certificates_own_name_is_taken() {
        let of = |names: &str| {
            name(&format!(
                "invalid peer certificate: certificate not valid for name \"db\"; \
                 certificate is only valid for {names}"
            ))
        };
        assert_eq!(of("DnsName(\"localhost\")").as_deref(), Some("localhost"));
        assert_eq!(
            of("IpAddress(10.0.0.1) or DnsName(\"*.x.com\")").as_deref(),
            Some("any.x.com")
        );
        assert_eq!(of("IpAddress(10.0.0.1)").as_deref(), Some("10.0.0.1"));
        assert_eq!(name("invalid peer certificate: UnknownIssuer"), None);
        assert_eq!(name("certificate is not valid for any names"), None);
    }
}
