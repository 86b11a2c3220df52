//! ETags and checksums.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::reply::Refusal;
use super::request::Call;

/// Bytes as hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// An ETag without its quotes; opaque to clients.
pub(super) fn etag(bytes: &[u8]) -> String {
    sha256(bytes)[..32].to_owned()
}

/// The ETag of an object that was uploaded in parts.
pub(super) fn etag_of_parts<'a>(parts: impl ExactSizeIterator<Item = &'a str>) -> String {
    let count = parts.len();
    let mut all = Sha256::new();
    parts.for_each(|part| all.update(part));
    format!("{}-{count}", &hex(&all.finalize())[..32])
}

pub(super) fn crc32(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(crc32fast::hash(bytes).to_be_bytes())
}

/// Compares a body with the hash in its signed header, where there is one.
pub(super) fn verify_payload(call: &Call) -> Result<(), Refusal> {
    match call.header("x-amz-content-sha256") {
        Some(hash) if hash.len() == 64 && hash != sha256(&call.body) => {
            let message =
                "The provided 'x-amz-content-sha256' header does not match what was computed.";
            Err(Refusal::bad("XAmzContentSHA256Mismatch", message))
        }
        Some(_) | None => Ok(()),
    }
}

/// Compares a body with what the client said it is.
pub(super) fn verify_crc32(bytes: &[u8], said: &str) -> Result<(), Refusal> {
    if crc32(bytes) == said {
        return Ok(());
    }
    let message = "The CRC32 you specified did not match the calculated checksum.";
    Err(Refusal::bad("BadDigest", message))
}
