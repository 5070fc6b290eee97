//! What a new identity version means for what is remembered already.
//!
//! A slot is a hash, so a ledger cannot be translated. But at the first complete reading under the new version the rows are
//! there, and what is remembered of each (payer, details, sale, payment) does not depend on the version: rows are
//! recognised by it, each takes its memory along, and only what nobody remembers is news. A marker in the ledger says
//! under which version it is kept; without one it is the first.

use std::collections::HashMap;

use smallvec::smallvec;

use super::{Change, Ledger, Memories, Memory, Party, Slot, Traits, short_hash};
use crate::domain::account::AccountName;
use crate::domain::fact::FactSet;
use crate::domain::row::Row;

/// The rank of the marker of a ledger that was kept under another version before.
const MOVED: u8 = 1;

/// No hash of a row: its memory's number is the version.
pub(super) const MARKER: Slot = Slot([0xff; 16]);

impl Ledger {
    /// The version of the identities that it is kept under.
    pub fn identity(&self) -> u8 {
        self.get(&MARKER).first().and_then(|marker| u8::try_from(marker.ordinal).ok()).unwrap_or(1)
    }

    /// Whether it was kept under another version before, so that ids of old events do not follow from it.
    pub fn was_reidentified(&self) -> bool {
        self.get(&MARKER).first().is_some_and(|marker| marker.rank == MOVED)
    }
}

/// The ledger under another version, with the same version number, and the changes that lead there. `rows` must be all
/// that is listed of the partition. What is remembered of rows that are not listed is kept and matches nothing any more.
pub fn reidentified(account: &AccountName, ledger: &Ledger, rows: &[&Row], to: u8) -> (Ledger, Vec<Change>) {
    let old = ledger.iter().filter(|(slot, _)| **slot != MARKER);
    let mut left: Vec<(Slot, Memory)> =
        old.flat_map(|(slot, memories)| memories.iter().map(move |memory| (*slot, *memory))).collect();
    left.sort_unstable_by_key(|(slot, memory)| (memory.ordinal, *slot));
    // The eldest rows first: where more are listed than are remembered, the youngest are news.
    let mut order: Vec<&Row> = rows.to_vec();
    order.sort_by_key(|row| (row.occurred.day(), row.occurred.instant()));
    let mut scratch = String::new();
    let traits: Vec<Traits> = order.iter().map(|row| Traits::of(row, &mut scratch)).collect();
    let mut found: Vec<Option<Memory>> = vec![None; order.len()];
    for pass in [Pass::Payment, Pass::Sale, Pass::Details, Pass::Party] {
        let mut waiting: HashMap<Key, Vec<usize>> = HashMap::new();
        for (index, (_, memory)) in left.iter().enumerate().rev() {
            waiting.entry(pass.of_memory(memory)).or_default().push(index);
        }
        let mut taken = vec![false; left.len()];
        for ((row, traits), found) in order.iter().zip(&traits).zip(&mut found) {
            let Some(key) = pass.of_row(row, traits).filter(|_| found.is_none()) else { continue };
            let Some(index) = waiting.get_mut(&key).and_then(Vec::pop) else { continue };
            *found = left.get(index).map(|(_, memory)| *memory);
            if let Some(taken) = taken.get_mut(index) {
                *taken = true;
            }
        }
        let mut taken = taken.into_iter();
        left.retain(|_| !taken.next().unwrap_or(false));
    }
    let mut slots: HashMap<Slot, Memories> = HashMap::new();
    for (row, memory) in order.iter().zip(found) {
        let Some(memory) = memory else { continue };
        let memories = slots.entry(Slot::of_version(to, account, row.source, &row.identity)).or_default();
        let waits = memory.ordinal == 0;
        let next = memories.iter().map(|memory| memory.ordinal).max().unwrap_or(0) + 1;
        memories.push(Memory { ordinal: if waits { 0 } else { next }, ..memory });
    }
    // What nobody lists keeps its place.
    for (slot, memory) in left {
        slots.entry(slot).or_default().push(memory);
    }
    slots.insert(MARKER, smallvec![marker(to, MOVED)]);
    let gone = ledger.iter().map(|(slot, _)| *slot).filter(|slot| !slots.contains_key(slot));
    let mut changes: Vec<Change> = gone.map(|slot| Change { slot, memories: Memories::new() }).collect();
    changes.extend(slots.iter().map(|(slot, memories)| Change { slot: *slot, memories: memories.clone() }));
    changes.sort_unstable_by_key(|change| change.slot);
    (Ledger::restore(ledger.version(), slots), changes)
}

/// How a row is recognised.
#[derive(Clone, Copy)]
enum Pass {
    /// By the id of the payment.
    Payment,
    /// By the sale, or by amount, moment and payer of a transfer.
    Sale,
    /// By payer and details.
    Details,
    /// By the payer; the details were reworded meanwhile.
    Party,
}

type Key = (u64, u64, Party);

impl Pass {
    const fn of_memory(self, memory: &Memory) -> Key {
        match self {
            Self::Payment => (memory.payment, 0, Party { cuit: 0, account: 0 }),
            Self::Sale => (0, memory.sale, memory.party),
            Self::Details => (memory.details, 0, memory.party),
            Self::Party => (0, 0, memory.party),
        }
    }

    /// `None` where the row has nothing to be recognised by.
    fn of_row(self, row: &Row, traits: &Traits) -> Option<Key> {
        let payment = row.references.payment_id.as_deref().map_or(0, short_hash);
        match self {
            Self::Payment => (payment != 0).then_some((payment, 0, Party::default())),
            // With an id of its own a row is nobody else.
            _ if payment != 0 => None,
            Self::Sale => (traits.sale != 0).then_some((0, traits.sale, traits.party)),
            Self::Details => Some((traits.details, 0, traits.party)),
            Self::Party => (traits.party != Party::default()).then_some((0, 0, traits.party)),
        }
    }
}

/// What the first reading of a partition adds, so that its ledger is known to be kept under this version; nothing under the
/// first.
pub fn birthmark(version: u8) -> Option<Change> {
    (version != 1).then(|| Change { slot: MARKER, memories: smallvec![marker(version, 0)] })
}

fn marker(version: u8, rank: u8) -> Memory {
    Memory {
        ordinal: u32::from(version),
        facts: FactSet::EMPTY,
        rank,
        party: Party::default(),
        details: 0,
        sale: 0,
        payment: 0,
        seen: 0,
        missing_since: None,
    }
}
