//! The persisted form of money that was asked to be sent.

use serde::{Deserialize, Serialize};

use super::{CodecError, from_json, instant, to_json};
use crate::domain::money::Money;
use crate::domain::payout::{Payee, Payout, PayoutRequest, PayoutState};

const PAYOUT: &str = "cash-out";

#[derive(Serialize, Deserialize)]
struct StoredPayout {
    /// Reference.
    r: String,
    /// CVU or CBU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<String>,
    /// Alias.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    l: Option<String>,
    /// CUIT.
    t: String,
    /// Cents.
    m: i64,
    /// Concept.
    c: String,
    /// Description.
    d: String,
    /// Since, RFC 3339.
    s: String,
    /// Attempts.
    n: u32,
    /// State.
    k: String,
    /// Id at the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    i: Option<String>,
}

/// The persisted form of a cash-out. The same cash-out has always the same bytes.
pub fn encode_payout(payout: &Payout) -> Vec<u8> {
    let request = &payout.request;
    let (account, alias) = match &request.payee {
        Payee::Account(account) => (Some(account.clone()), None),
        Payee::Alias(alias) => (None, Some(alias.clone())),
    };
    let id = match &payout.state {
        PayoutState::Done { id } => Some(id.clone()),
        PayoutState::Asked | PayoutState::Refused => None,
    };
    to_json(&StoredPayout {
        r: payout.reference.clone(),
        a: account,
        l: alias,
        t: request.cuit.clone(),
        m: request.amount.cents(),
        c: request.concept.clone(),
        d: request.description.clone(),
        s: payout.since.to_string(),
        n: payout.attempts,
        k: payout.state.as_str().to_owned(),
        i: id,
    })
}

/// Reads what [`encode_payout`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_payout(bytes: &[u8]) -> Result<Payout, CodecError> {
    let stored: StoredPayout = from_json(PAYOUT, bytes)?;
    let payee = match (stored.a, stored.l) {
        (Some(account), None) => Payee::Account(account),
        (None, Some(alias)) => Payee::Alias(alias),
        _ => return Err(CodecError::Damaged(PAYOUT)),
    };
    let state = match (stored.k.as_str(), stored.i) {
        ("unknown", None) => PayoutState::Asked,
        ("refused", None) => PayoutState::Refused,
        ("done", Some(id)) => PayoutState::Done { id },
        ("unknown" | "refused" | "done", _) => return Err(CodecError::Damaged(PAYOUT)),
        _ => return Err(CodecError::Newer(PAYOUT)),
    };
    let amount = Money::from_cents(stored.m);
    let request = PayoutRequest { payee, cuit: stored.t, amount, concept: stored.c, description: stored.d };
    Ok(Payout { reference: stored.r, request, since: instant(PAYOUT, &stored.s)?, attempts: stored.n, state })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Stores in the field hold this. Never edit: add a version and read both.
    const GOLDEN: &str = r#"1{"r":"pago-7","a":"0000003100000000000017","t":"20055361682","m":150000,"c":"VAR","d":"alquiler","s":"2026-11-21T17:00:00Z","n":2,"k":"done","i":"500001"}"#;

    #[test]
    fn the_form_of_the_first_release_is_written_and_read() {
        let payout = decode_payout(GOLDEN.as_bytes()).unwrap();
        assert_eq!(payout.request.amount, Money::from_cents(150_000));
        assert_eq!((payout.attempts, &payout.state), (2, &PayoutState::Done { id: "500001".to_owned() }));
        assert_eq!(String::from_utf8(encode_payout(&payout)).unwrap(), GOLDEN);
        let small = r#"1{"r":"x","l":"tienda.plata","t":"20055361682","m":1,"c":"VAR","d":"","s":"2026-11-21T17:00:00Z","n":1,"k":"unknown"}"#;
        assert_eq!(String::from_utf8(encode_payout(&decode_payout(small.as_bytes()).unwrap())).unwrap(), small);
    }

    #[test]
    fn a_state_of_a_newer_release_is_told_from_damage() {
        assert_eq!(decode_payout(GOLDEN.replace("done", "queued").as_bytes()), Err(CodecError::Newer(PAYOUT)));
        for damage in [GOLDEN.replace("done", "refused"), GOLDEN.replace("\"a\":", "\"b\":"), "1{}".to_owned()] {
            assert_eq!(decode_payout(damage.as_bytes()), Err(CodecError::Damaged(PAYOUT)), "{damage}");
        }
        let printed = format!("{:?}", decode_payout(GOLDEN.as_bytes()).unwrap());
        assert!(!printed.contains("20055361682") && !printed.contains("alquiler"), "{printed}");
    }
}
