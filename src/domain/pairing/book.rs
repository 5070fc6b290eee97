//! The watched halves that were seen on one day: those that wait for their listed half, and those that have it.
//!
//! A ledger of its own, committed with the announcements, so that no half is used twice. Listed halves need no book: the
//! listing's ledgers know them.

use std::collections::BTreeMap;

use smallvec::smallvec;

use super::{Half, Trace, sensible};
use crate::domain::day::Day;
use crate::domain::fact::FactSet;
use crate::domain::ledger::{Change, Ledger, Memory, Slot};

/// The half waits for its listed one.
const OPEN: u8 = 1;
/// It has it.
const PAIRED: u8 = 2;

/// The watched halves of one day, by the hash of what names each at the upstream.
#[derive(Clone, Debug)]
pub struct Book {
    day: Day,
    entries: BTreeMap<u64, Memory>,
    touched: Vec<u64>,
}

impl Book {
    /// Opens the book of a day that a ledger of scope `Pairs` holds.
    pub fn open(day: Day, ledger: &Ledger) -> Self {
        let entries = ledger.iter().filter_map(|(slot, memories)| Some((name_of(slot), *memories.first()?))).collect();
        Self { day, entries, touched: Vec::new() }
    }

    /// Those that wait: name and half.
    pub fn waiting(&self) -> impl Iterator<Item = (u64, Half)> {
        let open = self.entries.iter().filter(|(_, memory)| memory.rank == OPEN);
        open.filter_map(|(name, memory)| {
            let trace = Trace::restore(memory.sale)?;
            Some((*name, Half { trace, day: self.day, party: sensible(memory.party), payment: memory.payment }))
        })
    }

    /// What the half of that name is told under.
    pub fn payment(&self, name: u64) -> Option<u64> {
        self.entries.get(&name).map(|memory| memory.payment)
    }

    /// What all of them are told under.
    pub fn payments(&self) -> impl Iterator<Item = u64> {
        self.entries.values().map(|memory| memory.payment)
    }

    /// Enters a half that was seen now, and whether its listed half is known already.
    pub fn enter(&mut self, name: u64, half: &Half, paired: bool) {
        let memory = Memory {
            ordinal: 1,
            facts: FactSet::EMPTY,
            rank: if paired { PAIRED } else { OPEN },
            party: half.party,
            details: 0,
            sale: half.trace.bits(),
            payment: half.payment,
            seen: 0,
            missing_since: None,
        };
        self.entries.insert(name, memory);
        self.touched.push(name);
    }

    /// The listed half of a waiting one was found.
    pub fn close(&mut self, name: u64) {
        if let Some(memory) = self.entries.get_mut(&name) {
            memory.rank = PAIRED;
            self.touched.push(name);
        }
    }

    /// What to write.
    pub fn changes(&self) -> Vec<Change> {
        let entry = |name: &u64| Some(Change { slot: slot_of(*name), memories: smallvec![*self.entries.get(name)?] });
        let mut changes: Vec<Change> = self.touched.iter().filter_map(entry).collect();
        changes.sort_by_key(|change| change.slot);
        changes.dedup_by_key(|change| change.slot);
        changes
    }
}

fn slot_of(name: u64) -> Slot {
    Slot::from_bytes(u128::from(name).to_le_bytes())
}

fn name_of(slot: &Slot) -> u64 {
    let bytes = slot.as_bytes().first_chunk::<8>();
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
