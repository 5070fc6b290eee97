//! The persisted forms of an account's state, an attempt and a reject.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CodecError, from_json, instant, to_json, word};
use crate::domain::account::SourceKind;
use crate::domain::day::Day;
use crate::domain::delivery::{Attempt, FailureClass};
use crate::domain::row::Reject;
use crate::store::{AccountState, Trouble};

const STATE: &str = "account state";
const ATTEMPT: &str = "attempt";
const REJECT: &str = "reject";

#[derive(Serialize, Deserialize)]
struct StoredState {
    /// Contacted at, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<String>,
    /// Silent before, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<String>,
    /// Floor, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    /// Read through, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r: Option<String>,
    /// Closed through, a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    /// Troubles by source: since, announced.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    t: BTreeMap<String, (String, bool)>,
    /// Those of the troubles that are stale sources. Older releases take them for failing ones, which end the same way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    s: Vec<String>,
}

/// The persisted form of an account's state.
pub fn encode_state(state: &AccountState) -> Vec<u8> {
    let day = |day: Option<Day>| day.map(|day| day.to_string());
    let trouble = |(source, trouble): (&SourceKind, &Trouble)| {
        (source.as_str().to_owned(), (trouble.since.to_string(), trouble.announced))
    };
    to_json(&StoredState {
        c: state.contacted_at.map(|at| at.to_string()),
        b: day(state.silent_before),
        f: day(state.floor),
        r: day(state.read_through),
        d: day(state.closed_through),
        t: state.troubles.iter().map(trouble).collect(),
        s: state
            .troubles
            .iter()
            .filter(|(_, trouble)| trouble.stale)
            .map(|(name, _)| name.as_str().to_owned())
            .collect(),
    })
}

/// Reads what [`encode_state`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_state(bytes: &[u8]) -> Result<AccountState, CodecError> {
    let stored: StoredState = from_json(STATE, bytes)?;
    let day = |text: Option<String>| text.map(|text| Day::parse(&text).ok_or(CodecError::Damaged(STATE))).transpose();
    let mut troubles = BTreeMap::new();
    for (source, (since, announced)) in stored.t {
        // A source that this release does not know is not polled by it either: its trouble is no concern of ours.
        if let Some(kind) = SourceKind::from_name(&source) {
            let stale = stored.s.contains(&source);
            troubles.insert(kind, Trouble { since: instant(STATE, &since)?, announced, stale });
        }
    }
    Ok(AccountState {
        contacted_at: stored.c.map(|at| instant(STATE, &at)).transpose()?,
        silent_before: day(stored.b)?,
        floor: day(stored.f)?,
        read_through: day(stored.r)?,
        closed_through: day(stored.d)?,
        troubles,
    })
}

#[derive(Serialize, Deserialize)]
struct StoredAttempt {
    /// Began, RFC 3339.
    t: String,
    /// Took, µs.
    u: u64,
    /// Failure class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
    /// Status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<u16>,
    /// Detail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    d: String,
}

/// The persisted form of an attempt; its duration is kept to the microsecond.
pub fn encode_attempt(attempt: &Attempt) -> Vec<u8> {
    to_json(&StoredAttempt {
        t: attempt.at.to_string(),
        u: u64::try_from(attempt.took.as_micros()).unwrap_or(u64::MAX),
        f: attempt.failure.map(|class| class.as_str().to_owned()),
        s: attempt.status,
        d: attempt.detail.clone(),
    })
}

/// Reads what [`encode_attempt`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_attempt(bytes: &[u8]) -> Result<Attempt, CodecError> {
    let stored: StoredAttempt = from_json(ATTEMPT, bytes)?;
    Ok(Attempt {
        at: instant(ATTEMPT, &stored.t)?,
        took: Duration::from_micros(stored.u),
        failure: stored.f.map(|name| word(ATTEMPT, FailureClass::from_name(&name))).transpose()?,
        status: stored.s,
        detail: stored.d,
    })
}

#[derive(Serialize, Deserialize)]
struct StoredReject {
    /// Fingerprint.
    f: u64,
    /// Source.
    s: String,
    /// Position.
    p: u64,
    /// Reason.
    r: String,
    /// Shape.
    h: String,
}

/// The persisted form of a reject.
pub fn encode_reject(reject: &Reject) -> Vec<u8> {
    to_json(&StoredReject {
        f: reject.fingerprint,
        s: reject.source.as_str().to_owned(),
        p: u64::try_from(reject.position).unwrap_or(u64::MAX),
        r: reject.reason.clone(),
        h: reject.shape.clone(),
    })
}

/// Reads what [`encode_reject`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_reject(bytes: &[u8]) -> Result<Reject, CodecError> {
    let stored: StoredReject = from_json(REJECT, bytes)?;
    Ok(Reject {
        fingerprint: stored.f,
        source: word(REJECT, SourceKind::from_name(&stored.s))?,
        position: usize::try_from(stored.p).unwrap_or(usize::MAX),
        reason: stored.r,
        shape: stored.h,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(bytes: Vec<u8>) -> String {
        String::from_utf8(bytes).unwrap()
    }

    // Stores in the field hold these. Never edit: add a version and read both.
    const GOLDEN_STATE: &str = r#"1{"c":"2026-11-21T17:00:00Z","b":"2026-11-20","f":"2026-10-07","r":"2026-11-21","d":"2026-11-20","t":{"links":["2026-11-21T18:00:00.5Z",true]}}"#;
    const GOLDEN_ATTEMPT: &str = r#"1{"t":"2026-11-21T17:00:00Z","u":1500000,"f":"http","s":503,"d":"busy"}"#;
    const GOLDEN_REJECT: &str =
        r#"1{"f":18446744073709551615,"s":"movements","p":3,"r":"amount: not a number","h":"{amount:string}"}"#;

    #[test]
    fn the_forms_of_the_first_release_are_written_and_read() {
        let state = decode_state(GOLDEN_STATE.as_bytes()).unwrap();
        assert_eq!(state.floor, Day::parse("2026-10-07"));
        assert!(state.troubles[&SourceKind::Links].announced);
        assert_eq!(text(encode_state(&state)), GOLDEN_STATE);
        let attempt = decode_attempt(GOLDEN_ATTEMPT.as_bytes()).unwrap();
        assert_eq!((attempt.failure, attempt.status), (Some(FailureClass::Http), Some(503)));
        assert_eq!(text(encode_attempt(&attempt)), GOLDEN_ATTEMPT);
        let reject = decode_reject(GOLDEN_REJECT.as_bytes()).unwrap();
        assert_eq!((reject.fingerprint, reject.position), (u64::MAX, 3));
        assert_eq!(text(encode_reject(&reject)), GOLDEN_REJECT);
    }

    #[test]
    fn the_empty_state_is_small_and_unknown_sources_are_passed_over() {
        assert_eq!(encode_state(&AccountState::default()), b"1{}");
        assert_eq!(decode_state(b"1{}"), Ok(AccountState::default()));
        let newer = br#"1{"zz":1,"t":{"tides":["2026-11-21T18:00:00Z",true]}}"#;
        assert_eq!(decode_state(newer), Ok(AccountState::default()));
    }

    #[test]
    fn what_a_newer_release_wrote_is_called_so() {
        assert_eq!(decode_state(b"2{}"), Err(CodecError::Newer(STATE)));
        assert_eq!(decode_attempt(b"9"), Err(CodecError::Newer(ATTEMPT)));
        assert_eq!(decode_reject(b"5{}"), Err(CodecError::Newer(REJECT)));
        let class = GOLDEN_ATTEMPT.replace("http", "carrier_pigeon");
        assert_eq!(decode_attempt(class.as_bytes()), Err(CodecError::Newer(ATTEMPT)));
    }

    proptest! {
        #[test]
        fn attempts_and_rejects_round_trip(
            secs in -100_000_000_000_i64..200_000_000_000, nanos in 0..1_000_000_000_i32, micros in any::<u64>(),
            class in proptest::option::of(0..FailureClass::ALL.len()), status in any::<Option<u16>>(),
            words in "\\PC{0,40}", fingerprint in any::<u64>(), position in any::<u32>(),
        ) {
            let attempt = Attempt {
                at: jiff::Timestamp::new(secs, nanos).unwrap(),
                took: Duration::from_micros(micros),
                failure: class.map(|class| FailureClass::ALL[class]),
                status,
                detail: words.clone(),
            };
            prop_assert_eq!(decode_attempt(&encode_attempt(&attempt)), Ok(attempt));
            let position = usize::try_from(position).unwrap();
            let reject =
                Reject { fingerprint, source: SourceKind::Deposits, position, reason: words.clone(), shape: words };
            prop_assert_eq!(decode_reject(&encode_reject(&reject)), Ok(reject));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..120), at in 0..60_usize) {
            for golden in [GOLDEN_STATE, GOLDEN_ATTEMPT, GOLDEN_REJECT] {
                let mut bent = golden.as_bytes().to_vec();
                bent.splice(at..=at, bytes.clone());
                drop((decode_state(&bent), decode_attempt(&bent), decode_reject(&bent)));
            }
            drop((decode_state(&bytes), decode_attempt(&bytes), decode_reject(&bytes)));
        }
    }
}
