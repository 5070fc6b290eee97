//! Standard Webhooks 1.0 signatures (<https://www.standardwebhooks.com>, 2026-11-21): HMAC-SHA256 over
//! `id.timestamp.body`, one for each secret, so that a secret can rotate without a gap.

use std::fmt;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::config::Secret;

/// People copy secrets with and without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a secret cannot sign. Never carries the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretProblem {
    /// There is none.
    #[error("no secret is given")]
    Missing,
    /// Not `whsec_` and base64.
    #[error("the secret is not `whsec_` followed by base64")]
    NotBase64,
    /// No bytes.
    #[error("the secret is empty")]
    Empty,
}

/// Signs for one destination. Keys are prepared once: a signature costs two hash blocks beside the body.
#[derive(Clone)]
pub struct Signer {
    keys: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// From `whsec_…` secrets (the prefix may be missing); all of them sign, the first one first.
    ///
    /// # Errors
    /// When one is no base64 or empty, or when there is none: an unsigned webhook is not sent.
    pub fn new(secrets: &[Secret]) -> Result<Self, SecretProblem> {
        if secrets.is_empty() {
            return Err(SecretProblem::Missing);
        }
        let keys = secrets.iter().map(|secret| key(secret.expose())).collect::<Result<_, _>>()?;
        Ok(Self { keys })
    }

    /// The value of `webhook-signature`. `timestamp` is in Unix seconds, of this very attempt.
    pub fn sign(&self, id: &str, timestamp: &str, body: &[u8]) -> String {
        let mut header = String::with_capacity(self.keys.len() * 48);
        for key in &self.keys {
            let mut mac = key.clone();
            mac.update(id.as_bytes());
            mac.update(b".");
            mac.update(timestamp.as_bytes());
            mac.update(b".");
            mac.update(body);
            if !header.is_empty() {
                header.push(' ');
            }
            header.push_str("v1,");
            BASE64.encode_string(mac.finalize().into_bytes(), &mut header);
        }
        header
    }
}

fn key(secret: &str) -> Result<Hmac<Sha256>, SecretProblem> {
    let secret = secret.trim();
    let bytes = BASE64.decode(secret.strip_prefix("whsec_").unwrap_or(secret)).map_err(|_| SecretProblem::NotBase64)?;
    if bytes.is_empty() {
        return Err(SecretProblem::Empty);
    }
    Hmac::new_from_slice(&bytes).map_err(|_| SecretProblem::Empty)
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({} keys)", self.keys.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(secrets: &[&str]) -> Result<Signer, SecretProblem> {
        let secrets: Vec<Secret> = secrets.iter().map(|secret| Secret::new((*secret).to_owned())).collect();
        Signer::new(&secrets)
    }

    #[test]
    fn the_published_vector_holds() {
        // From the test suite of the reference libraries (standard-webhooks, `test_sign`).
        let signer = signer(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]).unwrap();
        let signature = signer.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn all_secrets_sign_while_one_rotates() {
        let both = signer(&["whsec_bmV3LXNlY3JldA==", "whsec_b2xkLXNlY3JldA"]).unwrap();
        let new = signer(&["whsec_bmV3LXNlY3JldA=="]).unwrap().sign("a", "1", b"{}");
        let old = signer(&["b2xkLXNlY3JldA=="]).unwrap().sign("a", "1", b"{}");
        assert_eq!(both.sign("a", "1", b"{}"), format!("{new} {old}"));
    }

    #[test]
    fn a_bad_secret_is_refused_and_never_printed() {
        assert_eq!(signer(&[]).unwrap_err(), SecretProblem::Missing);
        assert_eq!(signer(&["whsec_"]).unwrap_err(), SecretProblem::Empty);
        let problem = signer(&["whsec_not base64!"]).unwrap_err();
        assert_eq!(problem, SecretProblem::NotBase64);
        assert!(!format!("{problem} {problem:?}").contains("base64!"));
        assert_eq!(format!("{:?}", signer(&["whsec_AAAA"]).unwrap()), "Signer(1 keys)");
    }
}
