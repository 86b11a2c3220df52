//! Encryption as the settings ask.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use tokio_rustls::TlsConnector;
use tributary_model::{Error, ErrorKind, Result};

use crate::settings::Tls;

/// What makes encrypted connections of plain ones.
///
/// # Errors
/// [`ErrorKind::Config`] where the file of authorities can't be used.
pub(super) async fn connector(tls: &Tls) -> Result<TlsConnector> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = match tls {
        Tls::Disabled | Tls::Preferred | Tls::Required => None,
        Tls::VerifyCa(file) | Tls::VerifyIdentity(file) => {
            let roots = Arc::new(roots(file.as_deref()).await?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider.clone());
            Some(verifier.build().map_err(unusable)?)
        }
    };
    let verifier = Arc::new(Verifier {
        provider: provider.clone(),
        chain,
        name: matches!(tls, Tls::VerifyIdentity(_)),
    });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn unusable(why: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, "`tls.ca_file` can't be used")
        .because(why)
        .fix("Set `tls.ca_file` to the file with the authority's certificate, as PEM.")
}

/// What the file holds and nothing else; without a file what browsers trust.
async fn roots(file: Option<&Path>) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    match file {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(path) => {
            let bytes = tokio::fs::read(path).await.map_err(unusable)?;
            for certificate in CertificateDer::pem_slice_iter(&bytes) {
                roots
                    .add(certificate.map_err(unusable)?)
                    .map_err(unusable)?;
            }
        }
    }
    Ok(roots)
}

/// Verifies as much as was asked for.
#[derive(Debug)]
struct Verifier {
    provider: Arc<CryptoProvider>,
    /// Who vouches for the certificate; `None` where nobody has to.
    chain: Option<Arc<WebPkiServerVerifier>>,
    /// Whether it must be this server's.
    name: bool,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, TlsError> {
        use CertificateError::{NotValidForName, NotValidForNameContext};
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is compared when everything else was found good.
            Err(TlsError::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
                if !self.name =>
            {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
