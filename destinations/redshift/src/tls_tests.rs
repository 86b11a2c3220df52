//! Each mode against a server whose certificate an authority of our own has signed for `localhost`.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::*;

const CERTIFICATES: &str = "set -e
    openssl ecparam -name prime256v1 -genkey -noout -out ca.key
    openssl req -x509 -new -key ca.key -days 2 -subj '/CN=Testing' -out ca.pem
    openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out server.key
    openssl req -new -key server.key -subj '/CN=localhost' -out server.csr
    printf 'subjectAltName=DNS:localhost\\n' > names
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem";

/// A server that greets whoever shakes hands with it; its port.
async fn serve(folder: &Path) -> u16 {
    let made = Command::new("sh")
        .args(["-c", CERTIFICATES])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let chain = CertificateDer::pem_file_iter(folder.join("server.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.map(Result::unwrap).collect(), key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(stream).await {
                let _ = stream.write_all(b"hello").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    port
}

async fn greets(port: u16, tls: &Tls, host: &str) -> bool {
    let mut encryption = Encryption::new(tls).unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let handshake = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut encryption, host).unwrap();
    let Ok(mut stream) = handshake.connect(stream).await else {
        return false;
    };
    let mut greeting = String::new();
    let read = tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut greeting).await;
    read.is_ok() && greeting == "hello"
}

#[tokio::test]
async fn each_mode_asks_for_as_much_as_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let port = serve(folder.path()).await;
    let ca: Option<PathBuf> = Some(folder.path().join("ca.pem"));
    for (tls, host, trusts) in [
        (Tls::Required, "elsewhere.internal", true),
        (Tls::Preferred, "127.0.0.1", true),
        (Tls::VerifyCa(ca.clone()), "elsewhere.internal", true),
        (Tls::VerifyIdentity(ca.clone()), "localhost", true),
        (Tls::VerifyIdentity(ca.clone()), "elsewhere.internal", false),
        (Tls::VerifyCa(None), "localhost", false),
        (Tls::VerifyIdentity(None), "localhost", false),
    ] {
        assert_eq!(greets(port, &tls, host).await, trusts, "{tls:?} {host}");
    }
    let nothing = folder.path().join("names");
    assert!(Encryption::new(&Tls::VerifyCa(Some(nothing))).is_err());
}
