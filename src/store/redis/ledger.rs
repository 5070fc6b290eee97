//! The hash of a ledger: groups of rows, that `lua/ledger.lua` writes and we read.

use std::collections::BTreeMap;

use redis::{Cmd, Value};

use super::{RedisStore, reply};
use crate::domain::account::Partition;
use crate::domain::ledger::{Ledger, Memories, Slot};
use crate::store::codec::{CodecError, decode_memories, encode_memories};
use crate::store::{LedgerWrite, StoreError};

/// As many rows share a group; `lua/ledger.lua` has the same number.
const ROWS_OF_A_GROUP: usize = 16;
/// What a damage is called.
const WHAT: &str = "ledger";

/// Ledgers of one account.
///
/// # Errors
/// See [`StoreError`]; what cannot be read is named by its key.
pub(super) async fn ledgers(store: &RedisStore, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
    if partitions.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<_> = partitions.iter().map(|partition| store.keys.ledger(partition)).collect();
    let commands = keys.iter().map(|key| {
        let mut command = redis::cmd("HGETALL");
        command.arg(key);
        command
    });
    let values = store.link.ask(commands).await?;
    keys.iter().zip(values).map(|(key, value)| ledger(key, value)).collect()
}

fn ledger(key: &str, value: Value) -> Result<Ledger, StoreError> {
    Ok(read(key, value)?.map_or_else(Ledger::default, |(version, rows)| Ledger::restore(version, rows)))
}

/// Version and rows.
type Read = (u64, Vec<(Slot, Memories)>);

/// The content of a ledger's hash; `None` when there is none.
///
/// # Errors
/// [`StoreError::Unusable`]: it is damaged or of a newer release.
pub(super) fn read(key: &str, value: Value) -> Result<Option<Read>, StoreError> {
    let damaged = |error: CodecError| reply::unreadable(key, error);
    let mut version = None;
    let mut rows: Vec<(Slot, Memories)> = Vec::new();
    let pairs = reply::pairs(value)?;
    if pairs.is_empty() {
        return Ok(None);
    }
    for (field, value) in pairs {
        let (field, value) = (reply::bytes(field)?, reply::bytes(value)?);
        if field.is_empty() {
            version = Some(read_version(&value).map_err(damaged)?);
        } else {
            read_group(&value, &mut rows).map_err(damaged)?;
        }
    }
    let version = version.ok_or_else(|| damaged(CodecError::Damaged(WHAT)))?;
    Ok(Some((version, rows)))
}

/// The version, before the numbers of groups and rows that only the script needs.
pub(super) fn read_version(header: &[u8]) -> Result<u64, CodecError> {
    let text = std::str::from_utf8(header).map_err(|_| CodecError::Damaged(WHAT))?;
    let (version, _) = text.split_once(' ').ok_or(CodecError::Damaged(WHAT))?;
    version.parse().map_err(|_| CodecError::Damaged(WHAT))
}

/// Adds the rows of a group.
pub(super) fn read_group(group: &[u8], rows: &mut Vec<(Slot, Memories)>) -> Result<(), CodecError> {
    let mut rest = group;
    while !rest.is_empty() {
        let (slot, memories) = take_row(&mut rest).ok_or(CodecError::Damaged(WHAT))?;
        rows.push((slot, decode_memories(memories)?));
    }
    Ok(())
}

fn take_row<'a>(rest: &mut &'a [u8]) -> Option<(Slot, &'a [u8])> {
    let (slot, tail) = rest.split_first_chunk::<16>()?;
    let (short, tail) = tail.split_first()?;
    let (length, tail) = if *short == u8::MAX {
        let (long, tail) = tail.split_first_chunk::<4>()?;
        (usize::try_from(u32::from_le_bytes(*long)).ok()?, tail)
    } else {
        (usize::from(*short), tail)
    };
    let (memories, tail) = tail.split_at_checked(length)?;
    *rest = tail;
    Some((Slot::from_bytes(*slot), memories))
}

/// The header and the groups of a whole ledger, by number, as the script would have made them.
pub(super) fn groups(version: u64, rows: &[(Slot, Memories)]) -> (String, Vec<(usize, Vec<u8>)>) {
    let count = rows.len().div_ceil(ROWS_OF_A_GROUP).max(1);
    // The largest power of two that is not above the count.
    let level = count.checked_ilog2().map_or(1, |power| 1_usize << power);
    let mut groups: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
    for (slot, memories) in rows {
        let hash = slot.as_bytes().split_first_chunk::<4>().map_or(0, |(head, _)| u32::from_be_bytes(*head));
        let number = usize::try_from(hash).unwrap_or_default() % (level * 2);
        let group = groups.entry(if number >= count { number - level } else { number }).or_default();
        put_row(group, slot, &encode_memories(memories));
    }
    (format!("{version} {count} {}", rows.len()), groups.into_iter().collect())
}

fn put_row(group: &mut Vec<u8>, slot: &Slot, memories: &[u8]) {
    group.extend_from_slice(slot.as_bytes());
    let short = u8::try_from(memories.len()).unwrap_or(u8::MAX);
    group.push(short);
    if short == u8::MAX {
        group.extend_from_slice(&u32::try_from(memories.len()).unwrap_or(u32::MAX).to_le_bytes());
    }
    group.extend_from_slice(memories);
}

/// The arguments of one ledger's write: expected version, next one, changes, the changes.
pub(super) fn add_write(command: &mut Cmd, write: &LedgerWrite) {
    command.arg(write.expected).arg(write.expected.saturating_add(1)).arg(write.changes.len());
    for change in &write.changes {
        command.arg(change.slot.as_bytes().as_slice());
        if change.memories.is_empty() {
            command.arg("");
        } else {
            command.arg(encode_memories(&change.memories));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_is_damaged() {
        let mut group = [1; 16].to_vec();
        group.extend([6, 1, 1, 3, 0, 2, 0]);
        let mut rows = Vec::new();
        assert_eq!(read_group(&group, &mut rows), Ok(()));
        assert_eq!(rows[0].0, Slot::from_bytes([1; 16]));
        for length in 1..group.len() {
            assert!(read_group(&group[..length], &mut Vec::new()).is_err(), "{length}");
        }
        group[16] = 255;
        assert!(read_group(&group, &mut Vec::new()).is_err(), "a length beyond the end");
    }

    #[test]
    fn only_a_whole_header_is_read() {
        assert_eq!(read_version(b"7 31 500"), Ok(7));
        for header in [&b""[..], b"7", b"x 1 1", b"\xff 1 1"] {
            assert_eq!(read_version(header), Err(CodecError::Damaged(WHAT)));
        }
    }
}
