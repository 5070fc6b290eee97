//! The persisted form of the memories of one slot: there is one for each row ever seen, so it is packed.
//!
//! A version byte, then memory after memory: ordinal (LEB128), facts (u16), rank (u8), flags (u8), and those of CUIT,
//! account, details, sale, payment, seen (u64 each) and missing-since (zigzag LEB128 seconds) whose flag is set. Numbers are
//! little-endian. A single memory of a transfer takes about 30 bytes.

use jiff::Timestamp;

use super::CodecError;
use crate::domain::fact::FactSet;
use crate::domain::ledger::{Memories, Memory, Party};

const WHAT: &str = "memory";
const VERSION: u8 = 1;

const CUIT: u8 = 1;
const ACCOUNT: u8 = 1 << 1;
const DETAILS: u8 = 1 << 2;
const SALE: u8 = 1 << 3;
const PAYMENT: u8 = 1 << 4;
const MISSING: u8 = 1 << 5;
const SEEN: u8 = 1 << 6;
const KNOWN: u8 = CUIT | ACCOUNT | DETAILS | SALE | PAYMENT | MISSING | SEEN;

/// The persisted form. `missing_since` is kept to the second.
pub fn encode_memories(memories: &[Memory]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + memories.len() * 32);
    out.push(VERSION);
    for memory in memories {
        put_varint(&mut out, u64::from(memory.ordinal));
        out.extend_from_slice(&memory.facts.bits().to_le_bytes());
        out.push(memory.rank);
        let hashes = hashes(memory);
        let missing = if memory.missing_since.is_some() { MISSING } else { 0 };
        out.push(hashes.iter().filter(|(_, hash)| *hash != 0).fold(missing, |flags, (flag, _)| flags | flag));
        for (_, hash) in hashes.into_iter().filter(|(_, hash)| *hash != 0) {
            out.extend_from_slice(&hash.to_le_bytes());
        }
        if let Some(since) = memory.missing_since {
            put_varint(&mut out, zigzag(since.as_second()));
        }
    }
    out
}

const fn hashes(memory: &Memory) -> [(u8, u64); 6] {
    [
        (CUIT, memory.party.cuit),
        (ACCOUNT, memory.party.account),
        (DETAILS, memory.details),
        (SALE, memory.sale),
        (PAYMENT, memory.payment),
        (SEEN, memory.seen),
    ]
}

/// Reads what [`encode_memories`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_memories(bytes: &[u8]) -> Result<Memories, CodecError> {
    let (version, mut rest) = bytes.split_first().ok_or(CodecError::Damaged(WHAT))?;
    match *version {
        VERSION => {}
        0 => return Err(CodecError::Damaged(WHAT)),
        _ => return Err(CodecError::Newer(WHAT)),
    }
    let mut memories = Memories::new();
    while !rest.is_empty() {
        memories.push(take_memory(&mut rest).ok_or(CodecError::Damaged(WHAT))??);
    }
    Ok(memories)
}

/// `None`: cut short or out of range.
fn take_memory(rest: &mut &[u8]) -> Option<Result<Memory, CodecError>> {
    let ordinal = u32::try_from(take_varint(rest)?).ok()?;
    let facts = FactSet::from_bits(u16::from_le_bytes(take(rest)?));
    let [rank, flags] = take(rest)?;
    if flags & !KNOWN != 0 {
        return Some(Err(CodecError::Newer(WHAT)));
    }
    let mut hash = |flag| if flags & flag == 0 { Some(0) } else { take(rest).map(u64::from_le_bytes) };
    let party = Party { cuit: hash(CUIT)?, account: hash(ACCOUNT)? };
    let (details, sale, payment, seen) = (hash(DETAILS)?, hash(SALE)?, hash(PAYMENT)?, hash(SEEN)?);
    let missing_since =
        if flags & MISSING == 0 { None } else { Some(Timestamp::from_second(unzigzag(take_varint(rest)?)).ok()?) };
    Some(Ok(Memory { ordinal, facts, rank, party, details, sale, payment, seen, missing_since }))
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

fn take_varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take(rest)?;
        let bits = u64::from(byte & 0x7f);
        // The tenth byte has room for one bit.
        if shift == 63 && bits > 1 {
            return None;
        }
        value |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::FactKind;
    use proptest::prelude::*;

    fn typical() -> Memory {
        Memory {
            ordinal: 1,
            facts: FactSet::EMPTY.with(FactKind::Pending).with(FactKind::Credited),
            rank: 2,
            party: Party { cuit: 0x1122_3344_5566_7788, account: 0x99 },
            details: u64::MAX,
            sale: 0,
            payment: 0,
            seen: 0,
            missing_since: None,
        }
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
    }

    #[test]
    fn the_form_of_the_first_release_is_written_and_read() {
        let gone = Memory {
            ordinal: 300,
            party: Party::default(),
            details: 0,
            sale: 7,
            payment: 8,
            missing_since: Some("2026-11-21T17:03:22Z".parse().unwrap()),
            ..typical()
        };
        let bytes = encode_memories(&[typical(), gone]);
        // Stores in the field hold this. Never edit: add a version and read both.
        let golden = "01010300020788776655443322119900000000000000ffffffffffffffff\
                      ac020300023807000000000000000800000000000000b4bb8eb00d";
        assert_eq!(hex(&bytes), golden);
        assert_eq!(decode_memories(&bytes).unwrap().as_slice(), [typical(), gone]);
        assert_eq!(encode_memories(&[typical()]).len(), 30);
    }

    #[test]
    fn what_a_newer_release_wrote_is_called_so() {
        assert_eq!(decode_memories(&[2, 0, 0]), Err(CodecError::Newer(WHAT)));
        assert_eq!(decode_memories(&[1, 1, 0, 0, 0, 0x80]), Err(CodecError::Newer(WHAT)), "an unknown flag");
    }

    #[test]
    fn what_is_cut_is_damaged() {
        let bytes = encode_memories(&[typical()]);
        for end in (0..bytes.len()).filter(|end| *end != 1) {
            assert_eq!(decode_memories(&bytes[..end]), Err(CodecError::Damaged(WHAT)), "{end}");
        }
    }

    prop_compose! {
        fn any_memory()(
            ordinal in any::<u32>(), facts in any::<u16>(), rank in any::<u8>(),
            hashes in any::<[u64; 6]>(), zero in any::<[bool; 6]>(),
            missing in proptest::option::of(-377_000_000_000_i64..253_000_000_000),
        ) -> Memory {
            let hash = |index: usize| if zero[index] { 0 } else { hashes[index] };
            Memory {
                ordinal, facts: FactSet::from_bits(facts), rank,
                party: Party { cuit: hash(0), account: hash(1) },
                details: hash(2), sale: hash(3), payment: hash(4), seen: hash(5),
                missing_since: missing.map(|second| Timestamp::from_second(second).unwrap()),
            }
        }
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(memories in proptest::collection::vec(any_memory(), 0..6)) {
            let read = decode_memories(&encode_memories(&memories)).unwrap();
            prop_assert_eq!(read.as_slice(), memories.as_slice());
        }

        #[test]
        fn no_bytes_panic(mut bytes in proptest::collection::vec(any::<u8>(), 1..80)) {
            drop(decode_memories(&bytes));
            bytes[0] = VERSION;
            drop(decode_memories(&bytes));
        }

        #[test]
        fn varints_are_inverse(value in any::<u64>(), signed in any::<i64>()) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value);
            prop_assert_eq!(take_varint(&mut bytes.as_slice()), Some(value));
            prop_assert_eq!(unzigzag(zigzag(signed)), signed);
        }
    }
}
