//! What may stand in a store.

use std::fmt::Debug;

use crate::store::codec::{
    CodecError, decode_attempt, decode_event, decode_memories, decode_reject, decode_state, encode_attempt,
    encode_event, encode_memories, encode_reject, encode_state,
};

/// The first byte says which form the rest is read as.
///
/// Laws: what can be read can be written, and reads as the same again; the bytes then written are their own normal
/// form. What cannot be read is damaged or of a newer release, and the error holds no byte of it.
pub fn codec(data: &[u8]) {
    let Some((form, bytes)) = data.split_first() else { return };
    match form % 5 {
        0 => inverse(bytes, decode_event, encode_event),
        1 => inverse(bytes, decode_state, encode_state),
        2 => inverse(bytes, decode_attempt, encode_attempt),
        3 => inverse(bytes, decode_reject, encode_reject),
        _ => inverse(bytes, decode_memories, |memories| encode_memories(memories)),
    }
}

fn inverse<T: Debug + PartialEq>(
    bytes: &[u8],
    decode: impl Fn(&[u8]) -> Result<T, CodecError>,
    encode: impl Fn(&T) -> Vec<u8>,
) {
    let Ok(read) = decode(bytes) else { return };
    let written = encode(&read);
    let again = decode(&written);
    assert_eq!(again.as_ref(), Ok(&read), "what was written reads as something else");
    assert_eq!(again.map(|again| encode(&again)), Ok(written), "one thing is written in two ways");
}
