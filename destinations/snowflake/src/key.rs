//! A private key, and its fingerprint as Snowflake knows it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::rand::SystemRandom;
use ring::signature::{KeyPair, RSA_PKCS1_SHA256, RsaKeyPair};
use tributary_model::{Error, ErrorKind, Result};

/// What makes a key file readable that is encrypted.
const DECRYPT: &str = "Decrypt it with `openssl pkcs8 -in rsa_key.p8 -out rsa_key_plain.p8`, which asks for its \
    passphrase, keep the new file as safe as the passphrase, and give that one.";
/// What makes a key.
const GENERATE: &str = "Make one with `openssl genrsa 2048 | openssl pkcs8 -topk8 -inform PEM -out rsa_key.p8 -nocrypt`.";

/// A private RSA key.
pub(crate) struct Key {
    pair: RsaKeyPair,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// Reads a key from PEM, in PKCS#8 or PKCS#1.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the command that makes it readable; never shows any of it.
    pub(crate) fn read(pem: &str) -> Result<Self> {
        let (label, der) = unwrap(pem)?;
        let pair = match label.as_str() {
            "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der),
            "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
            _ => return Err(unusable("it is no private RSA key").fix(GENERATE)),
        };
        let pair = pair.map_err(|cause| unusable(&cause.to_string()).fix(GENERATE))?;
        Ok(Self { pair })
    }

    /// `SHA256:` and the hash of the public key, as `DESC USER` shows it as `RSA_PUBLIC_KEY_FP`.
    pub(crate) fn fingerprint(&self) -> String {
        let hash = digest(&SHA256, &public_key_info(self.pair.public_key().as_ref()));
        format!("SHA256:{}", STANDARD.encode(hash))
    }

    /// Signs by RS256.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message,
                &mut signature,
            )
            .map_err(|_| Error::bug("a token could not be signed"))?;
        Ok(signature)
    }
}

/// The label and the bytes of PEM.
fn unwrap(pem: &str) -> Result<(String, Vec<u8>)> {
    // A secret of one line, as environments have them, may hold `\n` in two characters.
    let pem = pem.replace("\\n", "\n");
    let none = || unusable("there is no PEM in it").fix(GENERATE);
    let (_, rest) = pem.split_once("-----BEGIN ").ok_or_else(none)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(none)?;
    let (body, _) = rest.split_once("-----END ").ok_or_else(none)?;
    if label.starts_with("ENCRYPTED") || body.contains("ENCRYPTED") {
        return Err(unusable("it is encrypted").fix(DECRYPT));
    }
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    let der = STANDARD.decode(body);
    let der = der.map_err(|_| unusable("its base64 is damaged").fix(GENERATE))?;
    Ok((label.to_owned(), der))
}

fn unusable(why: &str) -> Error {
    Error::new(ErrorKind::Config, "the private key can't be used").because(why.to_owned())
}

/// The key as a SubjectPublicKeyInfo: `SEQUENCE { rsaEncryption, BIT STRING { key } }`.
fn public_key_info(key: &[u8]) -> Vec<u8> {
    const RSA_ENCRYPTION: [u8; 15] = [
        0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05, 0x00,
    ];
    let bits = [&[0], key].concat();
    let inner = [RSA_ENCRYPTION.as_slice(), &tagged(0x03, &bits)].concat();
    tagged(0x30, &inner)
}

/// An element of DER.
fn tagged(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut element = vec![tag];
    match (content.len(), u8::try_from(significant.len())) {
        (short @ 0..128, _) => element.push(u8::try_from(short).unwrap_or_default()),
        (_, Ok(bytes)) => {
            element.push(0x80 | bytes);
            element.extend(significant);
        }
        (_, Err(_)) => {}
    }
    element.extend_from_slice(content);
    element
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tributary_standins::snowflake::{FINGERPRINT, private_key};

    #[test]
    fn a_fingerprint_is_the_one_that_openssl_computes() {
        assert_eq!(
            Key::read(&private_key()).unwrap().fingerprint(),
            FINGERPRINT
        );
        // As it comes from an environment variable of one line.
        let line = private_key().replace('\n', "\\n");
        assert_eq!(Key::read(&line).unwrap().fingerprint(), FINGERPRINT);
    }

    #[test]
    fn what_cannot_be_read_says_the_command_and_nothing_of_the_key() {
        let body = "c2VjcmV0LWNhbmFyeQ==";
        let pem = |label: &str| format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n");
        let traditional = format!(
            "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\n{body}\n-----END RSA PRIVATE KEY-----"
        );
        for (text, help) in [
            (pem("ENCRYPTED PRIVATE KEY"), "openssl pkcs8 -in"),
            (traditional, "openssl pkcs8 -in"),
            (pem("PRIVATE KEY"), "openssl genrsa 2048"),
            (pem("EC PRIVATE KEY"), "openssl genrsa 2048"),
            (body.to_owned(), "openssl genrsa 2048"),
        ] {
            let error = Key::read(&text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.help().unwrap().contains(help), "{error}");
            assert!(!error.to_string().contains(body), "{error}");
        }
    }
}
