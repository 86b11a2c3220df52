//! Who asks: signatures of version 4 are computed again and compared.

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};
use hmac::{Hmac, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use super::checksum::{hex, sha256};
use super::reply::Refusal;
use super::request::{Call, decoded};

/// The characters that a signature leaves as they are.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
const PLAIN_IN_PATH: &AsciiSet = &PLAIN.remove(b'/');
/// How far the clocks may be apart.
const PATIENCE: TimeDelta = TimeDelta::minutes(15);
const SCHEME: &str = "AWS4-HMAC-SHA256";

/// A key, its secret and, for temporary ones, the token.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The access key's identity.
    pub access_key_id: String,
    /// Its secret.
    pub secret_access_key: String,
    /// The token that temporary credentials come with.
    pub session_token: Option<String>,
}

impl Default for Credentials {
    fn default() -> Self {
        Self {
            access_key_id: "AKIATRIBUTARYTEST".to_owned(),
            secret_access_key: "tributary/test/secret".to_owned(),
            session_token: None,
        }
    }
}

/// The parts of an `Authorization` header.
struct Signed<'a> {
    key: &'a str,
    day: &'a str,
    region: &'a str,
    service: &'a str,
    headers: &'a str,
    signature: &'a str,
}

/// Refuses who is not `known`, or asks for another region, or lives in another time.
pub(super) fn verify(
    call: &Call,
    known: &Credentials,
    region: &str,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let signed = parse(call)?;
    if signed.key != known.access_key_id {
        let message = "The AWS Access Key Id you provided does not exist in our records.";
        return Err(Refusal::forbidden("InvalidAccessKeyId", message));
    }
    if call.header("x-amz-security-token") != known.session_token.as_deref() {
        let message = "The provided token is malformed or otherwise invalid.";
        return Err(Refusal::bad("InvalidToken", message));
    }
    if signed.region != region {
        let message = format!(
            "The authorization header is malformed; the region '{}' is wrong; expecting '{region}'",
            signed.region
        );
        return Err(Refusal::bad("AuthorizationHeaderMalformed", message).more("Region", region));
    }
    let date = call.header("x-amz-date").unwrap_or_default();
    let then = NaiveDateTime::parse_from_str(date, "%Y%m%dT%H%M%SZ")
        .map_err(|_| denied())?
        .and_utc();
    if (now - then).abs() > PATIENCE {
        return Err(Refusal::skewed());
    }
    if signature(call, &signed, known, date)? == signed.signature {
        return Ok(());
    }
    let message = "The request signature we calculated does not match the signature you provided. \
                   Check your key and signing method.";
    Err(Refusal::forbidden("SignatureDoesNotMatch", message))
}

fn denied() -> Refusal {
    Refusal::forbidden("AccessDenied", "Access Denied")
}

fn parse(call: &Call) -> Result<Signed<'_>, Refusal> {
    let header = call.header("authorization").ok_or_else(denied)?;
    let rest = header.strip_prefix(SCHEME).ok_or_else(denied)?;
    let part = |name: &str| {
        rest.split(',')
            .find_map(|part| part.trim().strip_prefix(name))
            .ok_or_else(denied)
    };
    let scope: Vec<&str> = part("Credential=")?.split('/').collect();
    let &[key, day, region, service, "aws4_request"] = scope.as_slice() else {
        return Err(denied());
    };
    Ok(Signed {
        key,
        day,
        region,
        service,
        headers: part("SignedHeaders=")?,
        signature: part("Signature=")?,
    })
}

fn signature(
    call: &Call,
    signed: &Signed<'_>,
    known: &Credentials,
    date: &str,
) -> Result<String, Refusal> {
    let canonical = canonical(call, signed)?;
    let scope = format!(
        "{}/{}/{}/aws4_request",
        signed.day, signed.region, signed.service
    );
    let text = format!(
        "{SCHEME}\n{date}\n{scope}\n{}",
        sha256(canonical.as_bytes())
    );
    let secret = format!("AWS4{}", known.secret_access_key);
    let parts = [signed.day, signed.region, signed.service, "aws4_request"];
    let key = parts
        .iter()
        .fold(secret.into_bytes(), |key, part| mac(&key, part.as_bytes()));
    Ok(hex(&mac(&key, text.as_bytes())))
}

fn canonical(call: &Call, signed: &Signed<'_>) -> Result<String, Refusal> {
    // Of all services S3 alone does not encode a path again that is encoded already.
    let path = match signed.service {
        "s3" => decoded(&call.path)?,
        _ => call.path.clone(),
    };
    let path = utf8_percent_encode(&path, PLAIN_IN_PATH).to_string();
    let signed_headers = signed.headers;
    let encoded = |text: &str| utf8_percent_encode(text, PLAIN).to_string();
    let mut query: Vec<String> = call
        .query
        .iter()
        .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
        .collect();
    query.sort();
    let headers: String = signed_headers
        .split(';')
        .map(|name| {
            let value = call.header(name).unwrap_or_default();
            let words: Vec<&str> = value.split_whitespace().collect();
            format!("{name}:{}\n", words.join(" "))
        })
        .collect();
    let hash = sha256(&call.body);
    let payload = call.header("x-amz-content-sha256").unwrap_or(&hash);
    let query = query.join("&");
    Ok(format!(
        "{}\n{path}\n{query}\n{headers}\n{signed_headers}\n{payload}",
        call.method
    ))
}

fn mac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key may have any length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}
