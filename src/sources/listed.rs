//! The rows of a long answer by their printed texts, so that the next answer is read by what differs.
//!
//! Most of a long listing is, byte for byte, what was there at the last poll. A row whose text is known is not parsed
//! again; its slot is [`same`](super::Snapshot::same) and needs no comparison, because comparing it again would find what
//! it found the last time: nothing. That holds for a slot as a whole, so a slot is either the same in all its rows or all
//! of them are read.
//!
//! A list in pages is known by its order instead: see [`newest`](super::newest).

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_128;

use super::newest::Newest;
use crate::domain::day::Day;
use crate::domain::ledger::Slot;

/// What stands under one text.
#[derive(Clone, Copy, Debug)]
struct Place {
    slot: Slot,
    day: Day,
    /// How often the text is listed: twins to the last letter are two payments.
    times: u32,
    /// How often it was met in the reading under way.
    seen: u32,
}

/// All rows of one answer by a hash of their texts, as wide as that of a whole answer.
#[derive(Clone, Default)]
pub struct Listed {
    /// Of the words that they were read by.
    stamp: u64,
    rows: HashMap<u128, Place, BuildHasherDefault<TextHasher>>,
    pages: Option<Arc<Newest>>,
}

impl std::fmt::Debug for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Listed({})", self.pages().map_or(self.rows.len(), Newest::len))
    }
}

impl Listed {
    /// Of an answer that was read by the words of this stamp.
    pub(super) fn new(stamp: u64) -> Self {
        Self { stamp, ..Self::default() }
    }

    /// Of a list in pages.
    pub(super) fn of_pages(pages: Arc<Newest>) -> Self {
        Self { pages: Some(pages), ..Self::default() }
    }

    /// The list in pages that it is of.
    pub(super) fn pages(&self) -> Option<&Newest> {
        self.pages.as_deref()
    }

    /// Whether it is of any use to whoever reads by the words of this stamp.
    pub(super) const fn is_of(&self, stamp: u64) -> bool {
        self.stamp == stamp
    }

    /// Notes that a row of this text is listed; false when it is a new one.
    pub(super) fn meet(&mut self, text: &[u8]) -> bool {
        let place = self.rows.get_mut(&xxh3_128(text));
        place.map(|place| place.seen = place.seen.saturating_add(1)).is_some()
    }

    /// Whether a row of this text is listed.
    pub(super) fn is_met(&self, text: &[u8]) -> bool {
        self.rows.contains_key(&xxh3_128(text))
    }

    /// Whether all rows of this text belong to slots that have to be compared.
    pub(super) fn is_touched(&self, text: &[u8], touched: &HashSet<Slot>) -> bool {
        self.rows.get(&xxh3_128(text)).is_some_and(|place| touched.contains(&place.slot))
    }

    /// A new row, which [`Listed::meet`] did not know.
    pub(super) fn add(&mut self, text: &[u8], slot: Slot, day: Day) {
        let place = self.rows.entry(xxh3_128(text)).or_insert(Place { slot, day, times: 0, seen: 0 });
        place.times = place.times.saturating_add(1);
    }

    /// The slots of texts that are listed more or less often than before.
    pub(super) fn changed(&self) -> impl Iterator<Item = Slot> {
        self.rows.values().filter(|place| place.seen != place.times).map(|place| place.slot)
    }

    /// Ends a reading: what was met is what is listed. Returns the slots that are untouched, once for each text, and
    /// whether touched ones have rows of known texts left.
    pub(super) fn settle(&mut self, touched: &HashSet<Slot>) -> (Vec<(Day, Slot)>, bool) {
        let mut same = Vec::with_capacity(self.rows.len());
        let mut is_left = false;
        self.rows.retain(|_, place| {
            (place.times, place.seen) = (place.seen, 0);
            if place.times == 0 {
                return false;
            }
            if touched.contains(&place.slot) {
                is_left = true;
            } else {
                same.push((place.day, place.slot));
            }
            true
        });
        (same, is_left)
    }
}

/// Texts are hashed already.
#[derive(Default)]
struct TextHasher(u64);

impl Hasher for TextHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((first, _)) = bytes.split_first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*first);
        }
    }
}
