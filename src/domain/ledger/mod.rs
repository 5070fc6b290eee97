//! What we remember of a partition, and the diff that turns a complete reading into news.
//!
//! [`Ledger`] is memory, [`diff`] is the whole idea of this program: it takes what is remembered and what was read
//! and says what is new. It is pure; [`model`](self) in the tests is a slow twin that it is checked against.

mod diff;
#[cfg(test)]
mod laws;
mod matching;
#[cfg(any(test, fuzzing))]
pub(crate) mod model;
mod reidentify;
#[cfg(test)]
mod worlds;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use smallvec::SmallVec;
use xxhash_rust::xxh3::xxh3_64;

pub use self::diff::{Coverage, Diff, Finding, diff, diff_as, diff_beside, shared};
pub use self::reidentify::{birthmark, reidentified};
use super::account::{AccountName, SourceKind};
use super::fact::{FactKind, FactSet};
use super::pairing::marks;
use super::row::{Identity, Row};

/// The version of the identity scheme. It is part of every slot and so of every event id. After a
/// change, [`reidentified`] recognises what is remembered.
pub const IDENTITY_VERSION: u8 = 1;

/// Where a row's memory stands: a hash of version, account, source and identity.
///
/// Sixteen bytes of SHA-256: at a billion rows the odds of a collision are below 1 in 10²⁰.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot([u8; 16]);

impl Slot {
    /// The slot of an identity.
    pub fn of(account: &AccountName, source: SourceKind, identity: &Identity) -> Self {
        Self::of_version(IDENTITY_VERSION, account, source, identity)
    }

    /// The same under another version of the scheme.
    pub fn of_version(version: u8, account: &AccountName, source: SourceKind, identity: &Identity) -> Self {
        let (tag, text) = match identity {
            Identity::Keyed(id) => (b'k', id),
            Identity::Counted(bucket) => (b'c', bucket),
        };
        let mut hasher = Sha256::new();
        hasher.update([version, tag]);
        for part in [account.as_str(), source.as_str(), text] {
            // A length in front of each part: no two lists of parts give the same bytes.
            hasher.update(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            hasher.update(part.as_bytes());
        }
        let hash: [u8; 32] = hasher.finalize().into();
        let mut slot = [0; 16];
        slot.copy_from_slice(hash.split_at(16).0);
        Self(slot)
    }

    /// From persisted bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to persist.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(6).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A short stable hash of a text; 0 stands for no text. The algorithm (XXH3) is persisted with the ledgers: never change it.
pub fn short_hash(text: &str) -> u64 {
    if text.is_empty() { 0 } else { xxh3_64(text.as_bytes()).max(1) }
}

/// The other side of a payment as far as matching needs it: two hashes, 0 where the upstream printed nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Party {
    /// Of the CUIT.
    pub cuit: u64,
    /// Of the CVU or CBU.
    pub account: u64,
}

impl Party {
    /// Whether both may be the same payer: equal, or unknown on one side. A contradiction is a different payment.
    pub const fn is_compatible(self, other: Self) -> bool {
        (self.cuit == other.cuit || self.cuit == 0 || other.cuit == 0)
            && (self.account == other.account || self.account == 0 || other.account == 0)
    }

    /// How many numbers, 0 to 2, both know; `None` where they contradict each other.
    fn shared(self, other: Self) -> Option<u8> {
        let same = |one: u64, two: u64| u8::from(one != 0 && one == two);
        self.is_compatible(other).then(|| same(self.cuit, other.cuit) + same(self.account, other.account))
    }

    /// Both sides' knowledge.
    #[must_use]
    pub const fn merged(self, newer: Self) -> Self {
        Self {
            cuit: if newer.cuit == 0 { self.cuit } else { newer.cuit },
            account: if newer.account == 0 { self.account } else { newer.account },
        }
    }
}

/// What is remembered of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The occurrence number in the slot, from 1. 0: seen once on a shifting page and waiting for a second opinion.
    pub ordinal: u32,
    /// What has been announced, or silently passed over by the baseline.
    pub facts: FactSet,
    /// The highest rank of a view seen.
    pub rank: u8,
    /// The other side. Of a card sale without a payment id, its [`pairing`](super::pairing) marks.
    pub party: Party,
    /// A hash of what an amendment may reword: status, holder, sale point. Of the view that was furthest along.
    pub details: u64,
    /// Hash of the sale id, 0 where there is none. Of a transfer, which has no sale, its [`pairing`](super::pairing) trace.
    pub sale: u64,
    /// What its events are told under: hash of the payment id, or of what else names the payment. 0 while nothing but the
    /// row itself does.
    pub payment: u64,
    /// A hash of how the row looked when it was read last. 0 where that is what `party` and `details` say, as it is unless
    /// the last view was a stale one or printed less of the payer than an earlier one.
    pub seen: u64,
    /// Since when complete readings lack it.
    pub missing_since: Option<Timestamp>,
}

/// The memories of one slot; nearly always one.
pub type Memories = SmallVec<[Memory; 1]>;

/// What is remembered of a partition.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    version: u64,
    slots: HashMap<Slot, Memories, BuildHasherDefault<SlotHasher>>,
}

/// The new content of one slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub slot: Slot,
    /// Everything that is remembered there from now on; empty only where a phantom is forgotten.
    pub memories: Memories,
}

impl Ledger {
    /// A ledger as it was stored. Version 0 is "never written".
    pub fn restore(version: u64, slots: impl IntoIterator<Item = (Slot, Memories)>) -> Self {
        Self { version, slots: slots.into_iter().collect() }
    }

    /// Grows with every commit; a commit is refused when it was computed from another version.
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// Whether no complete reading was ever committed. An empty reading counts.
    pub const fn is_unread(&self) -> bool {
        self.version == 0
    }

    /// The memories of a slot.
    pub fn get(&self, slot: &Slot) -> &[Memory] {
        self.slots.get(slot).map_or(&[], SmallVec::as_slice)
    }

    /// All slots, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&Slot, &Memories)> {
        self.slots.iter()
    }

    /// How many slots are in use.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Every fact that is remembered: its slot, its number and its kind. What waits for a second opinion is none yet.
    pub fn facts(&self) -> impl Iterator<Item = (&Slot, u32, FactKind)> {
        self.slots.iter().flat_map(|(slot, memories)| {
            let confirmed = memories.iter().filter(|memory| memory.ordinal > 0);
            confirmed.flat_map(move |memory| memory.facts.iter().map(move |fact| (slot, memory.ordinal, fact)))
        })
    }

    /// A copy that remembers only those facts that `keep` vouches for; everything else of the rows stays.
    #[must_use]
    pub fn vouched(&self, keep: impl Fn(&Slot, u32, FactKind) -> bool) -> Self {
        let mut copy = self.clone();
        for (slot, memories) in &mut copy.slots {
            for memory in memories.iter_mut().filter(|memory| memory.ordinal > 0) {
                memory.facts = memory.facts.iter().filter(|fact| keep(slot, memory.ordinal, *fact)).collect();
            }
        }
        copy
    }

    /// Takes over committed changes.
    pub fn apply(&mut self, version: u64, changes: &[Change]) {
        self.version = version;
        for change in changes {
            if change.memories.is_empty() {
                self.slots.remove(&change.slot);
            } else {
                self.slots.insert(change.slot, change.memories.clone());
            }
        }
    }

    /// The payment hash of a remembered sale, found by the hash of its sale id.
    pub fn payment_of_sale(&self, sale: u64) -> Option<u64> {
        let known =
            |memory: &&Memory| memory.sale == sale && memory.payment != 0 && memory.facts.has(FactKind::Credited);
        self.slots.values().flatten().find(known).map(|memory| memory.payment)
    }
}

impl Memory {
    /// How its row looked when it was read last.
    fn last_look(&self) -> u64 {
        if self.seen == 0 { look(self.party, self.details) } else { self.seen }
    }
}

/// A hash of all that matching knows of a row, never 0. Persisted: never change it.
fn look(party: Party, details: u64) -> u64 {
    let mut bytes = [0; 24];
    for (place, number) in bytes.chunks_exact_mut(8).zip([party.cuit, party.account, details]) {
        place.copy_from_slice(&number.to_le_bytes());
    }
    xxh3_64(&bytes).max(1)
}

/// What matching needs of a row.
#[derive(Clone, Copy, Debug)]
struct Traits {
    party: Party,
    sale: u64,
    details: u64,
    rank: u8,
}

impl Traits {
    fn of(row: &Row, scratch: &mut String) -> Self {
        scratch.clear();
        let words = [
            Some(&row.status.raw),
            row.payer.name.as_ref(),
            row.references.sale_point.as_ref(),
            row.payer.card_last4.as_ref(),
        ];
        for word in words.into_iter().flatten() {
            scratch.push_str(word.trim());
            scratch.push('\u{1f}');
        }
        scratch.push(char::from(b'0' + row.view.rank()));
        let (party, sale) = marks(row);
        Self { party, sale, details: short_hash(scratch), rank: row.view.rank() }
    }
}

/// Slots are hashes already; hashing them again would only cost time.
#[derive(Default)]
pub struct SlotHasher(u64);

impl Hasher for SlotHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    fn write_usize(&mut self, _: usize) {}
}
