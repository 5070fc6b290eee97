//! The persisted form of a watch.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{CodecError, from_json, instant, to_json, word};
use crate::domain::money::Money;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};

const WATCH: &str = "watch";

#[derive(Serialize, Deserialize)]
struct StoredWatch {
    /// Kind.
    k: String,
    /// Id.
    i: String,
    /// Origin.
    o: String,
    /// Since, RFC 3339.
    s: String,
    /// Expires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    /// Until.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    /// Ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    /// Reusable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    m: bool,
    /// Amount in cents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<i64>,
}

/// The persisted form of a watch.
pub fn encode_watch(watch: &Watch) -> Vec<u8> {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    to_json(&StoredWatch {
        k: watch.id.kind.as_str().to_owned(),
        i: watch.id.id.clone(),
        o: watch.origin.as_str().to_owned(),
        s: watch.since.to_string(),
        x: text(watch.expires),
        u: text(watch.until),
        e: text(watch.ended),
        m: watch.reusable,
        a: watch.amount.map(Money::cents),
    })
}

/// Reads what [`encode_watch`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_watch(bytes: &[u8]) -> Result<Watch, CodecError> {
    let stored: StoredWatch = from_json(WATCH, bytes)?;
    let maybe = |at: Option<String>| at.map(|at| instant(WATCH, &at)).transpose();
    Ok(Watch {
        id: WatchId { kind: word(WATCH, WatchKind::from_name(&stored.k))?, id: stored.i },
        origin: word(WATCH, Origin::from_name(&stored.o))?,
        since: instant(WATCH, &stored.s)?,
        expires: maybe(stored.x)?,
        until: maybe(stored.u)?,
        ended: maybe(stored.e)?,
        reusable: stored.m,
        amount: stored.a.map(Money::from_cents),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // Stores in the field hold this. Never edit: add a version and read both.
    const GOLDEN: &str = r#"1{"k":"link","i":"77","o":"created","s":"2026-11-21T17:00:00Z","x":"2026-11-22T17:00:00Z","u":"2026-12-22T17:00:00Z","e":"2026-11-21T18:00:00Z","m":true}"#;

    #[test]
    fn the_form_of_the_first_release_is_written_and_read() {
        let watch = decode_watch(GOLDEN.as_bytes()).unwrap();
        assert_eq!((watch.id.kind, watch.origin, watch.reusable), (WatchKind::IssuedLink, Origin::Created, true));
        assert_eq!(String::from_utf8(encode_watch(&watch)).unwrap(), GOLDEN);
        let mut priced = watch;
        priced.amount = Some(Money::from_cents(123_456));
        assert_eq!(decode_watch(&encode_watch(&priced)).unwrap(), priced);
        let small = r#"1{"k":"cashin","i":"7","o":"operator","s":"2026-11-21T17:00:00Z"}"#;
        assert_eq!(String::from_utf8(encode_watch(&decode_watch(small.as_bytes()).unwrap())).unwrap(), small);
    }

    #[test]
    fn a_kind_of_a_newer_release_is_told_from_damage() {
        let newer = GOLDEN.replace("\"link\"", "\"barcode\"");
        assert_eq!(decode_watch(newer.as_bytes()), Err(CodecError::Newer(WATCH)));
        assert_eq!(decode_watch(b"1{}"), Err(CodecError::Damaged(WATCH)));
    }
}
