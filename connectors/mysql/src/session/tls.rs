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
