//! The persisted form of what the stores keep: for us, later. It must open for ever.
//!
//! The first byte of every form is its version. Events, states, attempts and rejects are `1` and JSON with short keys;
//! memories, of which there are many, are the byte 1 and packed fields. A field may be added within a version: readers
//! ignore what they do not know and default what is missing. Whatever else changes needs a new version byte, and the
//! old one must still be read.

mod closing;
mod event;
mod memories;
mod payout;
mod records;
mod watch;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::event::{decode_event, encode_event};
pub use self::memories::{decode_memories, encode_memories};
pub use self::payout::{decode_payout, encode_payout};
pub use self::records::{decode_attempt, decode_reject, decode_state, encode_attempt, encode_reject, encode_state};
pub use self::watch::{decode_watch, encode_watch};

/// Why stored bytes could not be read. Carries none of them: they may hold personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A version or a word that this release does not know.
    #[error("a stored {0} was written by a newer release; run that release or a newer one")]
    Newer(&'static str),
    /// Not what any release writes.
    #[error("a stored {0} is damaged")]
    Damaged(&'static str),
}

/// Version 1 of the JSON forms. A printable byte, so that a person can read the store.
const JSON: u8 = b'1';

/// The version byte and the JSON of a mirror struct.
fn to_json<T: Serialize>(mirror: &T) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(512);
    bytes.push(JSON);
    // Mirrors hold strings, integers and string keys only: serializing them into memory cannot fail. Were it to, the
    // form is cut short and is refused as damaged when it is read.
    drop(serde_json::to_writer(&mut bytes, mirror));
    bytes
}

/// The mirror struct behind the version byte.
fn from_json<T: DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, CodecError> {
    match bytes.split_first() {
        Some((&JSON, json)) => serde_json::from_slice(json).map_err(|_| CodecError::Damaged(what)),
        Some((b'2'..=b'9', _)) => Err(CodecError::Newer(what)),
        _ => Err(CodecError::Damaged(what)),
    }
}

/// RFC 3339 to the nanosecond.
fn instant(what: &'static str, text: &str) -> Result<Timestamp, CodecError> {
    text.parse().map_err(|_| CodecError::Damaged(what))
}

/// A word of an enumeration that grows: one that we do not know is of a newer release.
fn word<T>(what: &'static str, known: Option<T>) -> Result<T, CodecError> {
    known.ok_or(CodecError::Newer(what))
}
