//! Proves to a receiver that an alert is ours, and from when.

use chrono::{DateTime, Utc};
use ring::hmac;
use tributary_model::Secret;

/// The header's name.
pub(super) const HEADER: &str = "Tributary-Signature";

/// `t=<seconds since 1970>,v1=<HMAC-SHA-256 of "<t>.<body>", hexadecimal>`: the moment is part of
/// what is signed, so that an old alert can't be played again.
pub(super) fn signature(secret: &Secret, at: DateTime<Utc>, body: &str) -> String {
    let moment = at.timestamp();
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    let tag = hmac::sign(&key, format!("{moment}.{body}").as_bytes());
    let hex: String = tag
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("t={moment},v1={hex}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        let at: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        // printf '1772366400.{"id":"x"}' | openssl dgst -sha256 -hmac pepper
        let expected = "36de20530a8bebbe9db8ded94507d0e8e410a3907bc306c4312ee38eed0a0424";
        let found = signature(&Secret::new("pepper"), at, "{\"id\":\"x\"}");
        assert_eq!(found, format!("t=1772366400,v1={expected}"));
    }
}
